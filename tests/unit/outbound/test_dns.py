import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shared.outbound import dns
from shared.outbound.dns import Lookups, TooManyLookupsError
from shared.outbound.response import Cause
from shared.outbound.sender import Sender
from shared.outbound.ssrf import Policy, RefusedAddressError
from tests.local.receiver import Receiver

LOCAL = Policy(allow_private=True)


class Resolver:
    """Stands in for `getaddrinfo`: it knows 127.0.0.1 and keeps silent about `hang….`"""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.silence = threading.Event()

    def __call__(self, host: bytes, port: int, **_: Any) -> list[Any]:
        name = host.decode()
        self.asked.append(name)
        if name.startswith("hang"):
            self.silence.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    fake = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", fake)
    yield fake
    fake.silence.set()


def _ask(names: Lookups, host: str, wait_s: float = 0.01) -> list[dns.Address]:
    return names.addresses(host, 443, time.monotonic() + wait_s)


def _pending(names: Lookups) -> int:
    return sum(map(len, names._pending.values()))


def _hang(names: Lookups, *hosts: str) -> None:
    for host in hosts:
        with pytest.raises(TimeoutError):
            _ask(names, host)


class TestALookup:
    def test_gives_all_addresses(self, resolver: Resolver) -> None:
        assert _ask(Lookups(LOCAL), "a.example", 60) == [(socket.AF_INET, ("127.0.0.1", 443))]

    def test_is_vetted(self, resolver: Resolver) -> None:
        with pytest.raises(RefusedAddressError):
            _ask(Lookups(Policy()), "a.example.com", 60)

    def test_is_made_anew_every_time(self, resolver: Resolver) -> None:
        names = Lookups(LOCAL)

        _ask(names, "a.example", 60)
        _ask(names, "a.example", 60)

        assert resolver.asked == ["a.example", "a.example"]

    def test_fails_as_the_resolver_does(self, resolver: Resolver) -> None:
        resolver.silence.set()

        with pytest.raises(socket.gaierror, match="Temporary failure"):
            _ask(Lookups(LOCAL), "hang.example", 60)

    def test_that_hangs_ends_in_time(self, resolver: Resolver) -> None:
        with pytest.raises(TimeoutError):
            _ask(Lookups(LOCAL), "hang.example")


class TestLookupsOfOneHost:
    def test_are_shared_when_there_are_two(self, resolver: Resolver) -> None:
        names = Lookups(LOCAL)

        _hang(names, *["hang.example"] * 10)

        assert _pending(names) == dns.PER_HOST
        assert len(resolver.asked) <= dns.PER_HOST

    def test_are_answered_to_all_who_wait(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked, answer = list[bytes](), threading.Event()

        def slowly(host: bytes, port: int, **_: Any) -> list[Any]:
            asked.append(host)
            answer.wait(60)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        monkeypatch.setattr(socket, "getaddrinfo", slowly)
        names = Lookups(LOCAL)
        with ThreadPoolExecutor(10) as threads:
            waiting = [threads.submit(_ask, names, "slow.example", 60) for _ in range(10)]
            while len(asked) < dns.PER_HOST:
                time.sleep(0.001)
            answer.set()

        assert all(one.result() for one in waiting)

    def test_are_begun_again_when_the_old_ones_ended(self, resolver: Resolver) -> None:
        names = Lookups(LOCAL)
        _hang(names, *["hang.example"] * 3)
        resolver.silence.set()

        while names._pending:
            time.sleep(0.001)
        with pytest.raises(socket.gaierror):
            _ask(names, "hang.example", 60)

        assert resolver.asked == ["hang.example"] * 3


class TestHangingHosts:
    """Each stands for a tenant's name whose name servers say nothing."""

    def test_never_hold_more_threads_than_the_bound(self, resolver: Resolver) -> None:
        names = Lookups(LOCAL)

        for number in range(dns.PENDING):
            _hang(names, f"hang{number}.example")
        with pytest.raises(TooManyLookupsError, match="too many look-ups of other hosts"):
            _ask(names, "hang-more.example")

        assert _pending(names) == dns.PENDING
        assert len(resolver.asked) <= dns.PENDING

    def test_leave_half_of_the_places_to_the_others(self, resolver: Resolver) -> None:
        names = Lookups(LOCAL)
        hanging = [f"hang{number}.example" for number in range(dns.PENDING_SLOW)]
        _hang(names, *hanging)

        for host in hanging:
            with pytest.raises(TooManyLookupsError):
                _ask(names, host)

        assert _ask(names, "good.example", 60)

    def test_are_trusted_again_once_they_answer(self, resolver: Resolver) -> None:
        names = Lookups(LOCAL)
        names._remember_slow("good.example")

        _ask(names, "good.example", 60)

        assert names._limit_for("good.example") == dns.PENDING

    def test_are_remembered_up_to_a_number(self) -> None:
        names = Lookups(LOCAL)

        for number in range(dns.REMEMBERED + 5):
            names._remember_slow(f"h{number}.example")

        assert len(names._slow) == dns.REMEMBERED
        assert names._limit_for("h0.example") == dns.PENDING

    def test_do_not_keep_a_worker_from_delivering_to_others(self, resolver: Resolver) -> None:
        """Forty hosts of one tenant hang, in batches of ten as a worker makes them."""
        with Receiver() as receiver, Sender(LOCAL) as sender, ThreadPoolExecutor(10) as threads:
            urls = [f"http://hang{number}.example/" for number in range(40)]
            answers = [
                threads.submit(sender.post, url, {}, b"{}", 0.05) for _ in range(3) for url in urls
            ]
            good = [sender.post(receiver.url(host="good.example"), {}, b"{}") for _ in range(5)]

        assert [answer.status_code for answer in good] == [200] * 5
        assert {one.result().cause for one in answers} <= {Cause.TIMEOUT, Cause.DNS}
        assert len(resolver.asked) <= dns.PENDING + 5

    def test_beyond_the_bound_are_told_so(self, resolver: Resolver) -> None:
        with Sender(LOCAL) as sender:
            _hang(sender._lookups, *(f"hang{number}.example" for number in range(dns.PENDING)))

            answer = sender.post("http://one-more.example/", {}, b"{}")

        assert (answer.cause, answer.address) == (Cause.DNS, None)
        assert answer.detail == (
            "too many look-ups of other hosts are unanswered while looking up the host"
        )


def test_a_thread_that_cannot_be_started_takes_no_place(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    names = Lookups(LOCAL)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            _ask(names, "a.example")

    assert names._pending == {}
    assert _ask(names, "a.example", 60)


class AnyOrder(RuleBasedStateMachine):
    """Callers, answers and silences in any order keep the bounds and lose no place."""

    def __init__(self) -> None:
        super().__init__()
        self.names = Lookups(LOCAL)
        self.begun: list[tuple[dns._Host, dns._Lookup]] = []

    @rule(host=st.integers(0, 60), hangs=st.booleans())
    def ask(self, host: int, hangs: bool) -> None:
        place = (f"{host}.example", 443)
        known = {id(lookup) for _, lookup in self.begun}
        try:
            lookup = self.names._begin_or_join(*place)
        except TooManyLookupsError:
            assert len(self.begun) >= dns.PENDING_SLOW
            return
        if id(lookup) not in known:
            self.begun.append((place, lookup))
        if hangs:
            self.names._remember_slow(place[0])

    @precondition(lambda self: self.begun)
    @rule(which=st.integers(min_value=0))
    def end(self, which: int) -> None:
        self.names._end(*self.begun.pop(which % len(self.begun)))

    @invariant()
    def bounds_hold(self) -> None:
        pending = self.names._pending
        assert sum(map(len, pending.values())) == len(self.begun) <= dns.PENDING
        assert all(1 <= len(same) <= dns.PER_HOST for same in pending.values())

    def teardown(self) -> None:
        while self.begun:
            self.end(0)
        assert self.names._pending == {}


class TestAnyOrder(AnyOrder.TestCase):  # type: ignore[misc, valid-type]
    settings = settings(max_examples=30, stateful_step_count=150)

    @pytest.fixture(autouse=True)
    def _without_threads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Lookups, "_run", lambda *_: None)
