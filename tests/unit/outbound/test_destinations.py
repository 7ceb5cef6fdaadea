import json
import socket
from collections.abc import Iterator
from ipaddress import IPv4Network
from itertools import chain, product
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme

from shared.outbound import connection as wire
from shared.outbound import dns, ssrf
from shared.outbound.connection import Stage
from shared.outbound.response import Cause
from shared.outbound.sender import Sender
from shared.outbound.ssrf import Policy
from tests.local.dns_server import DnsServer, asked_by_this_process, can_be_asked
from tests.local.names import Names
from tests.local.raw_server import (
    OK,
    RawServer,
    deaf_port,
    has_ipv6,
    refusing_port,
    says,
    server_tls,
    take_request,
)
from tests.local.receiver import Receiver
from tests.local.sender_clock import LEFT_S, SenderClock, SetClock
from tests.local.socket_layer import ForbiddenConnectionError, watched

PUBLIC = Policy()
LOCAL = Policy(allow_private=True)


REFUSED = [
    row
    for row in json.loads(
        Path(__file__).with_name("refused_addresses.json").read_text(encoding="utf-8")
    )
    if row["refused"]
]


def _rows(kind: str) -> list[Any]:
    return [pytest.param(row["input"], id=row["name"]) for row in REFUSED if row["kind"] == kind]


@pytest.fixture(scope="module")
def public_sender() -> Iterator[Sender]:
    with Sender(PUBLIC) as sender:
        yield sender


@pytest.fixture
def no_sockets() -> Iterator[list[Any]]:
    """Whoever connects or sends fails the test, since the sender takes no such error for news."""
    with watched(is_forbidden=True) as addresses:
        yield addresses
        assert addresses == []


@pytest.mark.usefixtures("no_sockets")
class TestEveryRefusedForm:
    """None of them gets as far as a socket."""

    @pytest.mark.parametrize("url", _rows("url"))
    def test_in_a_url_is_not_even_looked_up(
        self, public_sender: Sender, monkeypatch: pytest.MonkeyPatch, url: str
    ) -> None:
        looked_up = list[Any]()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *asked, **_: looked_up.append(asked))

        answer = public_sender.post(url, {}, b"{}")

        assert (answer.status_code, answer.cause) == (None, Cause.REFUSED_ADDRESS)
        assert answer.detail
        assert looked_up == []

    @pytest.mark.parametrize("address", _rows("address"))
    def test_as_the_address_of_a_name_is_not_connected_to(
        self, public_sender: Sender, names: Names, address: str
    ) -> None:
        names("hooks.example.com", [address])

        answer = public_sender.post("https://hooks.example.com/", {}, b"{}")

        assert (answer.cause, answer.address) == (Cause.REFUSED_ADDRESS, None)

    @pytest.mark.parametrize("addresses", _rows("answer"))
    def test_in_a_mixed_answer_spoils_it(
        self, public_sender: Sender, names: Names, addresses: list[str]
    ) -> None:
        names("hooks.example.com", addresses)

        answer = public_sender.post("https://hooks.example.com/", {}, b"{}")

        assert (answer.cause, answer.address) == (Cause.REFUSED_ADDRESS, None)

    def test_is_what_the_fixture_would_notice(self, public_sender: Sender, names: Names) -> None:
        names("hooks.example.com", ["93.184.216.34"])

        with pytest.raises(ForbiddenConnectionError), watched(is_forbidden=True) as addresses:
            public_sender.post("https://hooks.example.com/", {}, b"{}")

        assert addresses == [("93.184.216.34", 443)]


@pytest.mark.skipif(not can_be_asked(), reason="this C library asks no name server of ours")
class TestARebindingNameServer:
    """The server, its answers, `getaddrinfo`, the sockets and TLS are real. What stands in for the
    public internet is loopback: only 127.0.0.2 counts as private in the tests that connect.
    """

    def _sender(self, port: int, ca_file: str) -> Sender:
        return Sender(Policy(ports=frozenset({port})), ca_file=ca_file)

    @pytest.fixture
    def only_private(self, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setattr(ssrf, "_V4", {IPv4Network("127.0.0.2/32"): "the only private one"})
        return "127.0.0.2"

    def test_that_answers_otherwise_to_the_second_question_is_not_asked_it(
        self, ca: trustme.CA, ca_file: str, connected: list[Any], only_private: str
    ) -> None:
        """Had there been a check first and a look-up for connecting, the second would have won."""
        certificate = server_tls(ca.issue_cert("rebind.example.com"))
        with (
            Receiver(tls=certificate) as receiver,
            Receiver(only_private, receiver.port, certificate) as internal,
            DnsServer(lambda _, number: [only_private if number else "127.0.0.1"]) as server,
            asked_by_this_process(server),
            self._sender(receiver.port, ca_file) as sender,
        ):
            answer = sender.post(receiver.url(host="rebind.example.com"), {}, b"{}")

            assert internal.requests() == []

        assert (answer.status_code, answer.address) == (200, "127.0.0.1")
        assert server.questions == ["rebind.example.com"]
        assert connected == [("127.0.0.1", receiver.port)]

    def test_that_turns_private_for_the_next_attempt_is_refused(
        self,
        ca: trustme.CA,
        ca_file: str,
        connected: list[Any],
        only_private: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(wire, "IDLE_S", 0)
        answers = [["127.0.0.1"], [only_private], ["127.0.0.1", only_private], ["127.0.0.1"]]
        certificate = server_tls(ca.issue_cert("rebind.example.com"))
        with (
            Receiver(tls=certificate) as receiver,
            Receiver(only_private, receiver.port, certificate) as internal,
            DnsServer(lambda _, number: answers[number]) as server,
            asked_by_this_process(server),
            self._sender(receiver.port, ca_file) as sender,
        ):
            url = receiver.url(host="rebind.example.com")
            posted = [sender.post(url, {}, b"{}") for _ in answers]

            assert internal.requests() == []

        refused = Cause.REFUSED_ADDRESS
        assert [answer.cause for answer in posted] == [None, refused, refused, None]
        assert set(connected) == {("127.0.0.1", receiver.port)}

    @pytest.mark.parametrize(
        "addresses",
        [
            ["127.0.0.1"],
            ["::1"],
            ["169.254.169.254"],
            ["93.184.216.34", "10.0.0.1"],
            ["93.184.216.34", "::ffff:7f00:1"],
            ["93.184.216.34", "fd00::1"],
        ],
    )
    @pytest.mark.usefixtures("no_sockets")
    def test_that_answers_with_anything_private_is_refused_by_the_real_rules(
        self, public_sender: Sender, addresses: list[str]
    ) -> None:
        with DnsServer(lambda *_: addresses) as server, asked_by_this_process(server):
            answer = public_sender.post("https://rebind.example.com/", {}, b"{}")

        assert server.questions == ["rebind.example.com"]
        assert (answer.cause, answer.address) == (Cause.REFUSED_ADDRESS, None)

    def test_gains_no_connection_by_any_order_of_answers(
        self, ca: trustme.CA, ca_file: str, connected: list[Any], only_private: str
    ) -> None:
        kinds = [["127.0.0.1"], [only_private], ["127.0.0.1", only_private], []]
        answers = list(chain.from_iterable(product(kinds, repeat=3)))
        certificate = server_tls(ca.issue_cert("rebind.example.com"))
        with (
            Receiver(tls=certificate) as receiver,
            Receiver(only_private, receiver.port, certificate) as internal,
            DnsServer(lambda _, number: answers[number]) as server,
            asked_by_this_process(server),
            self._sender(receiver.port, ca_file) as sender,
        ):
            for _ in answers:
                sender.post(receiver.url(host="rebind.example.com"), {}, b"{}")
                receiver.drop_connections()

            assert internal.requests() == []

        assert set(connected) == {("127.0.0.1", receiver.port)}


class TestADestination:
    def test_that_turns_private_between_two_attempts_gains_nothing(
        self,
        ca: trustme.CA,
        ca_file: str,
        names: Names,
        connected: list[Any],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(ssrf, "_V4", {IPv4Network("127.0.0.2/32"): "the only private one"})
        monkeypatch.setattr(wire, "IDLE_S", 0)
        names("rebinding.example.com", ["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1", "127.0.0.2"])

        with Receiver(tls=server_tls(ca.issue_cert("rebinding.example.com"))) as receiver:
            policy = Policy(ports=frozenset({receiver.port}))
            with Sender(policy, ca_file=ca_file) as sender:
                url = receiver.url(host="rebinding.example.com")
                answers = [sender.post(url, {}, b"{}") for _ in range(3)]

        assert [answer.status_code for answer in answers] == [200, None, None]
        assert [answer.cause for answer in answers[1:]] == [Cause.REFUSED_ADDRESS] * 2
        assert connected == [("127.0.0.1", receiver.port)]

    def test_is_looked_up_once_for_each_connection(
        self, sender: Sender, receiver: Receiver, names: Names, connected: list[Any]
    ) -> None:
        names("rebinding.example", ["127.0.0.1"], ["127.0.0.2"])

        answer = sender.post(receiver.url(host="rebinding.example"), {}, b"{}")

        assert (answer.status_code, answer.address) == (200, "127.0.0.1")
        assert connected == [("127.0.0.1", receiver.port)]

    def test_that_does_not_resolve_has_a_dns_cause(
        self, sender: Sender, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unknown(*_: Any, **__: Any) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)

        answer = sender.post("https://nowhere.example/", {}, b"{}")

        assert (answer.cause, answer.address) == (Cause.DNS, None)
        assert answer.detail == "Name or service not known while looking up the host"

    def test_without_addresses_cannot_be_connected_to(self, sender: Sender, names: Names) -> None:
        names("empty.example", [])

        assert sender.post("http://empty.example/", {}, b"{}").cause is Cause.CONNECT

    def test_that_nobody_listens_on_has_a_connect_cause(self, sender: Sender) -> None:
        with refusing_port() as url:
            answer = sender.post(url, {}, b"{}")

        assert (answer.cause, answer.address) == (Cause.CONNECT, "127.0.0.1")
        assert answer.detail == "Connection refused while connecting"

    def test_is_tried_at_its_next_address(
        self, sender: Sender, receiver: Receiver, names: Names
    ) -> None:
        names("two.example", ["127.0.0.2", "127.0.0.1"])

        answer = sender.post(receiver.url(host="two.example"), {}, b"{}")

        assert (answer.status_code, answer.address) == (200, "127.0.0.1")

    def test_has_time_for_its_next_address_when_one_is_deaf(
        self,
        sender: Sender,
        names: Names,
        set_clock: SetClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        clock, connect = SenderClock(), wire._connect

        def deaf_first(address: dns.Address, wait_s: float) -> wire.TimedSocket:
            if address.sockaddr[0] == "127.0.0.1":
                clock.advance(wait_s)
                raise TimeoutError
            return connect(address, wait_s)

        set_clock(clock)
        monkeypatch.setattr(wire, "_connect", deaf_first)
        names("half.example", ["127.0.0.1", "127.0.0.2"])
        with refusing_port() as url:
            answer = sender.post(url.replace("127.0.0.1", "half.example"), {}, b"{}")

        assert (answer.cause, answer.address) == (Cause.CONNECT, "127.0.0.2")


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
class TestADestinationOnIpv6:
    def test_may_be_an_address(self, sender: Sender) -> None:
        with says(OK, host="::1") as server:
            answer = sender.post(server.url(), {}, b"{}")

        assert (answer.status_code, answer.address) == (200, "::1")

    def test_may_be_a_name_with_no_other_address(
        self, ca: trustme.CA, ca_file: str, names: Names
    ) -> None:
        names("six.example", ["::1"])
        context = server_tls(ca.issue_cert("six.example"))

        def talk(raw: socket.socket) -> None:
            with context.wrap_socket(raw, server_side=True) as connection:
                take_request(connection)
                connection.sendall(OK)

        with RawServer(talk, "::1") as server, Sender(LOCAL, ca_file=ca_file) as sender:
            port = urlsplit(server.url()).port
            answer = sender.post(f"https://six.example:{port}/", {}, b"{}")

        assert (answer.status_code, answer.address) == (200, "::1")

    @pytest.mark.parametrize(("deaf", "good"), [("::1", "127.0.0.1"), ("127.0.0.1", "::1")])
    def test_is_reached_over_the_other_family_when_one_is_deaf(
        self, sender: Sender, names: Names, set_clock: SetClock, deaf: str, good: str
    ) -> None:
        set_clock(SenderClock(Stage.CONNECT, wire.CONNECT_S - LEFT_S))
        names("both.example", [deaf, good])
        with deaf_port(deaf) as url:
            port = urlsplit(url).port or 0
            with says(OK, host=good, port=port):
                answer = sender.post(f"http://both.example:{port}/", {}, b"{}")

        assert (answer.status_code, answer.address) == (200, good)

    @pytest.mark.parametrize(("closed", "good"), [("::1", "127.0.0.1"), ("127.0.0.1", "::1")])
    def test_is_reached_over_the_other_family_when_one_refuses(
        self, sender: Sender, names: Names, closed: str, good: str
    ) -> None:
        names("both.example", [closed, good])
        with says(OK, host=good) as server:
            port = urlsplit(server.url()).port
            answer = sender.post(f"http://both.example:{port}/", {}, b"{}")

        assert (answer.status_code, answer.address) == (200, good)

    def test_fails_when_no_family_answers(self, sender: Sender, names: Names) -> None:
        names("both.example", ["::1", "127.0.0.1"])
        with refusing_port() as url:
            answer = sender.post(url.replace("127.0.0.1", "both.example"), {}, b"{}")

        assert (answer.cause, answer.address) == (Cause.CONNECT, "127.0.0.1")
