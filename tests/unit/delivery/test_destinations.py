import socket
from ipaddress import IPv4Network
from typing import Any

import pytest
import trustme

from shared.delivery import guard, wire
from shared.delivery.guard import Policy
from shared.delivery.sender import Cause, Sender
from tests.local.names import Names
from tests.local.raw_server import OK, RawServer, deaf_port, server_tls, take_request
from tests.local.receiver import Receiver

PUBLIC = Policy()


class TestADestination:
    @pytest.mark.parametrize(
        "url",
        [
            "http://example.com/",
            "https://127.0.0.1/",
            "https://[::ffff:169.254.169.254]/",
            "https://0x7f.1/",
            "https://example.com:22/",
            "not a url",
        ],
    )
    def test_that_breaks_a_rule_is_not_called(self, url: str, connected: list[Any]) -> None:
        with Sender(PUBLIC) as sender:
            answer = sender.post(url, {}, b"{}")

        assert (answer.status_code, answer.cause) == (None, Cause.REFUSED_ADDRESS)
        assert answer.detail
        assert connected == []

    @pytest.mark.parametrize(
        "addresses",
        [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["2606:4700:4700::1111", "::1"]],
    )
    def test_with_any_private_address_is_not_called(
        self, names: Names, connected: list[Any], addresses: list[str]
    ) -> None:
        names("hooks.example.com", addresses)

        with Sender(PUBLIC) as sender:
            answer = sender.post("https://hooks.example.com/", {}, b"{}")

        assert answer.cause is Cause.REFUSED_ADDRESS
        assert answer.address is None
        assert connected == []

    def test_that_turns_private_between_two_attempts_gains_nothing(
        self,
        ca: trustme.CA,
        ca_file: str,
        names: Names,
        connected: list[Any],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(guard, "_V4", {IPv4Network("127.0.0.2/32"): "the only private one"})
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
        with RawServer(lambda _: None) as server:
            url = server.url()

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
        self, sender: Sender, names: Names, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(wire, "CONNECT_S", 0.6)
        monkeypatch.setattr(wire, "CONNECT_SHARE_S", 0.2)
        names("half.example", ["127.0.0.1", "127.0.0.2"])
        with deaf_port() as url:
            answer = sender.post(url.replace("127.0.0.1", "half.example"), {}, b"{}")

        assert (answer.cause, answer.address) == (Cause.CONNECT, "127.0.0.2")

    def test_may_be_reached_over_ipv6(self, sender: Sender) -> None:
        def talk(connection: socket.socket) -> None:
            take_request(connection)
            connection.sendall(OK)

        try:
            server = RawServer(talk, host="::1")
        except OSError:
            pytest.skip("this machine has no IPv6")
        with server:
            answer = sender.post(server.url(), {}, b"{}")

        assert (answer.status_code, answer.address) == (200, "::1")
