import select
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import trustme

from shared.outbound import connection as wire
from shared.outbound import dns
from shared.outbound.response import Cause, Response
from shared.outbound.sender import Sender
from shared.outbound.ssrf import Policy
from tests.local.names import Names
from tests.local.raw_server import OK, RawServer, server_tls, take_request
from tests.local.receiver import Receiver, Reply

LOCAL = Policy(allow_private=True)


class TestAConnection:
    def test_is_used_again(self, sender: Sender, receiver: Receiver) -> None:
        first = sender.post(receiver.url("/a"), {}, b"{}")
        second = sender.post(receiver.url("/b"), {}, b"{}")

        assert len({received.client_port for received in receiver.requests()}) == 1
        assert (first.timings.dns is None, first.timings.connect is None) == (False, False)
        assert (second.timings.dns, second.timings.connect) == (None, None)
        assert second.address == "127.0.0.1"

    def test_is_used_again_over_tls(self, ca: trustme.CA, ca_file: str) -> None:
        context = server_tls(ca.issue_cert("127.0.0.1"))
        with Receiver(tls=context) as receiver, Sender(LOCAL, ca_file=ca_file) as sender:
            answers = [sender.post(receiver.url(), {}, b"{}") for _ in range(3)]

            assert len({received.client_port for received in receiver.requests()}) == 1

        assert [answer.timings.tls is None for answer in answers] == [False, True, True]

    def test_is_not_used_again_after_a_pause(
        self, sender: Sender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(wire, "IDLE_S", 0)

        sender.post(receiver.url(), {}, b"{}")
        sender.post(receiver.url(), {}, b"{}")

        assert len({received.client_port for received in receiver.requests()}) == 2

    def test_that_the_server_closed_costs_no_attempt(
        self, sender: Sender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made, connect = list[wire.TimedSocket](), wire._connect

        def connected(address: dns.Address, wait_s: float) -> wire.TimedSocket:
            made.append(connect(address, wait_s))
            return made[-1]

        monkeypatch.setattr(wire, "_connect", connected)
        sender.post(receiver.url(), {}, b"{}")
        receiver.drop_connections()
        select.select(made, [], [], 60)  # the end has come

        assert sender.post(receiver.url(), {}, b"{}").status_code == 200

    def test_is_closed_after_an_answer_that_was_not_read_to_its_end(
        self, sender: Sender, receiver: Receiver
    ) -> None:
        receiver.script("/", [Reply(200, {}, b"a" * 70_000)])

        sender.post(receiver.url(), {}, b"{}")
        sender.post(receiver.url(), {}, b"{}")

        assert len({received.client_port for received in receiver.requests()}) == 2

    def test_is_kept_after_an_answer_of_64_kib(self, sender: Sender, receiver: Receiver) -> None:
        receiver.script("/", [Reply(200, {}, b"a" * 65_536)])

        sender.post(receiver.url(), {}, b"{}")
        sender.post(receiver.url(), {}, b"{}")

        assert len({received.client_port for received in receiver.requests()}) == 1

    @pytest.mark.parametrize("secure", [False, True])
    def test_that_breaks_when_used_again_is_a_failure_and_not_sent_twice(
        self, ca: trustme.CA, ca_file: str, secure: bool
    ) -> None:
        requests_seen: list[bytes] = []
        context = server_tls(ca.issue_cert("127.0.0.1"))

        def talk(raw: socket.socket) -> None:
            connection = context.wrap_socket(raw, server_side=True) if secure else raw
            with connection:
                requests_seen.append(take_request(connection))
                connection.sendall(OK)
                requests_seen.append(take_request(connection))

        with RawServer(talk) as server, Sender(LOCAL, ca_file=ca_file) as sender:
            url = server.url().replace("http:", "https:") if secure else server.url()
            first, second = sender.post(url, {}, b""), sender.post(url, {}, b"")

        assert first.status_code == 200
        assert (second.status_code, second.cause) == (None, Cause.CONNECT)
        assert second.detail.endswith("(on a connection used before)")
        assert len(requests_seen) == 2

    def test_pool_is_bounded_over_many_hosts(
        self, sender: Sender, receiver: Receiver, names: Names
    ) -> None:
        for number in range(wire.HOSTS + 20):
            names(f"h{number}.example", ["127.0.0.1"])
            sender.post(receiver.url(host=f"h{number}.example"), {}, b"{}")

        deadline = time.monotonic() + 60
        while receiver.connections > wire.HOSTS and time.monotonic() < deadline:
            time.sleep(0.01)
        assert 1 < receiver.connections <= wire.HOSTS

    def test_carries_the_requests_of_one_thread_at_a_time(
        self, sender: Sender, receiver: Receiver
    ) -> None:
        receiver.script("/", [Reply(200, {}, b"", delay_s=0.01)], repeat=True)

        def send(number: int) -> tuple[str, Response]:
            path = f"/{number}"
            return path, sender.post(receiver.url(path), {}, path.encode())

        with ThreadPoolExecutor(10) as threads:
            sent = list(threads.map(send, range(200)))

        assert all(answer.status_code == 200 for _, answer in sent)
        received = receiver.requests()
        assert sorted(one.body.decode() for one in received) == sorted(path for path, _ in sent)
        assert all(one.path == one.body.decode() for one in received)
        assert len({one.client_port for one in received}) <= 10

    def test_of_one_host_there_are_as_many_as_requests_at_a_time(self, sender: Sender) -> None:
        """Each is answered only once all ten are there, so none may wait for another's end."""
        together = threading.Barrier(10)

        def talk(connection: socket.socket) -> None:
            take_request(connection)
            together.wait(60)
            connection.sendall(OK)

        with RawServer(talk) as server, ThreadPoolExecutor(10) as threads:
            posts = [threads.submit(sender.post, server.url(), {}, b"{}") for _ in range(10)]

            assert [post.result().status_code for post in posts] == [200] * 10

    def test_that_is_slow_holds_up_none_of_the_others(
        self, sender: Sender, receiver: Receiver
    ) -> None:
        """One of a batch hangs until the nine others are settled."""
        done = threading.Semaphore(0)

        def talk(connection: socket.socket) -> None:
            take_request(connection)
            for _ in range(9):
                done.acquire(timeout=60)
            connection.sendall(OK)

        with RawServer(talk) as slow, ThreadPoolExecutor(10) as threads:
            hanging = threads.submit(sender.post, slow.url(), {}, b"{}")
            for post in [threads.submit(sender.post, receiver.url(), {}, b"{}") for _ in range(9)]:
                assert post.result().status_code == 200
                assert not hanging.done()
                done.release()

            assert hanging.result().status_code == 200
