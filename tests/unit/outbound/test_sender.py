import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from standardwebhooks import Webhook

from shared.outbound.sender import Sender
from shared.outbound.ssrf import Policy
from tests.local.raw_server import OK, RawServer, says, take_head
from tests.local.receiver import Receiver, Reply, verify_standard_webhook

LOCAL = Policy(allow_private=True)
MIB = 1024 * 1024


class TestARequest:
    def test_arrives_with_its_exact_bytes_and_headers(
        self, sender: Sender, receiver: Receiver
    ) -> None:
        body = b'{"amount": "19.90",  "name": "\xc3\xa9"}'

        sender.post(receiver.url("/in?x=1"), {"X-One": "a b", "webhook-id": "m1"}, body)

        (received,) = receiver.requests()
        assert (received.method, received.path) == ("POST", "/in?x=1")
        assert (received.headers["x-one"], received.headers["Webhook-Id"]) == ("a b", "m1")
        assert received.body == body

    def test_names_its_sender_and_asks_for_no_compression(
        self, sender: Sender, receiver: Receiver
    ) -> None:
        sender.post(receiver.url(), {}, b"{}")

        (received,) = receiver.requests()
        assert received.headers["User-Agent"] == "Funnelhooks"
        assert received.headers["Accept-Encoding"] == "identity"

    def test_keeps_the_callers_own_names_in_any_case(
        self, sender: Sender, receiver: Receiver
    ) -> None:
        sender.post(receiver.url(), {"user-agent": "Mine/1"}, b"{}")

        (received,) = receiver.requests()
        assert received.headers["User-Agent"] == "Mine/1"

    def test_may_be_empty(self, sender: Sender, receiver: Receiver) -> None:
        sender.post(receiver.url(), {}, b"")

        (received,) = receiver.requests()
        assert (received.headers["Content-Length"], received.body) == ("0", b"")

    def test_ignores_proxies_and_netrc_of_the_environment(
        self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("default login me password hunter2\n")
        monkeypatch.setenv("NETRC", str(netrc))
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")

        with Sender(LOCAL) as sender:
            answer = sender.post(receiver.url(), {}, b"{}")

        assert answer.status_code == 200
        assert "Authorization" not in receiver.requests()[0].headers

    def test_carries_no_cookie_that_an_earlier_answer_set(
        self, sender: Sender, receiver: Receiver
    ) -> None:
        cookie = {"Set-Cookie": "tenant=other; Path=/"}
        receiver.script("/", [Reply(200, cookie), Reply(302, cookie | {"Location": "/x"})])

        for _ in range(3):
            sender.post(receiver.url(), {}, b"{}")

        assert not any("Cookie" in received.headers for received in receiver.wait_for(3))

    def test_with_an_impossible_header_is_our_fault_and_raises(
        self, sender: Sender, receiver: Receiver
    ) -> None:
        with pytest.raises(requests.exceptions.InvalidHeader):
            sender.post(receiver.url(), {"X-Split": "a\r\nb"}, b"{}")

        assert receiver.requests() == []


class TestAnAnswer:
    def test_is_told_as_it_came(self, sender: Sender, receiver: Receiver) -> None:
        receiver.script("/", [Reply(503, {"Retry-After": "120"}, "später\n".encode())])

        answer = sender.post(receiver.url(), {}, b"{}")

        assert (answer.status_code, answer.cause, answer.detail) == (503, None, "")
        assert (answer.retry_after, answer.excerpt) == ("120", "später\n")
        assert answer.timings.first_byte is not None
        assert answer.address == "127.0.0.1"

    def test_bounds_retry_after(self, sender: Sender, receiver: Receiver) -> None:
        receiver.script("/", [Reply(429, {"Retry-After": "9" * 5000})])

        assert sender.post(receiver.url(), {}, b"{}").retry_after == "9" * 100

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_that_redirects_is_not_followed(
        self, sender: Sender, receiver: Receiver, status: int
    ) -> None:
        receiver.script("/here", [Reply(status, {"Location": receiver.url("/there")})])

        answer = sender.post(receiver.url("/here"), {}, b"{}")

        assert (answer.status_code, answer.cause) == (status, None)
        assert [received.path for received in receiver.requests()] == ["/here"]

    @pytest.mark.parametrize("location", ["", "http://[", "//", "\x80", "http://a:b:c/"])
    def test_may_redirect_to_nonsense(
        self, sender: Sender, receiver: Receiver, location: str
    ) -> None:
        receiver.script("/", [Reply(302, {"Location": location})])

        assert sender.post(receiver.url(), {}, b"{}").status_code == 302

    def test_may_come_after_interim_answers(self, sender: Sender) -> None:
        interim = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        with says(b"HTTP/1.1 100 Continue\r\n\r\n", interim, OK) as server:
            answer = sender.post(server.url(), {}, b"{}")

        assert (answer.status_code, answer.cause, answer.excerpt) == (200, None, "ok")

    def test_may_come_before_the_request_was_read(self, sender: Sender) -> None:
        def talk(connection: socket.socket) -> None:
            take_head(connection)
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")

        with RawServer(talk) as server:
            answer = sender.post(server.url(), {}, b"x" * 8 * MIB)

        assert answer.status_code == 413

    @pytest.mark.parametrize("status", [204, 304])
    def test_may_have_no_body(self, sender: Sender, receiver: Receiver, status: int) -> None:
        receiver.script("/", [Reply(status)])

        answer = sender.post(receiver.url(), {}, b"{}")

        assert (answer.status_code, answer.cause, answer.excerpt) == (status, None, "")

    def test_may_end_with_the_connection(self, sender: Sender) -> None:
        with says(b"HTTP/1.0 200 OK\r\n\r\nbye") as server:
            answer = sender.post(server.url(), {}, b"{}")

        assert (answer.status_code, answer.cause, answer.excerpt) == (200, None, "bye")

    def test_may_come_in_chunks(self, sender: Sender) -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        with says(head, b"3\r\nfoo\r\n", b"3;x=y\r\nbar\r\n0\r\nTrailer: x\r\n\r\n") as server:
            answer = sender.post(server.url(), {}, b"{}")

        assert (answer.cause, answer.excerpt) == (None, "foobar")


class TestTheReceiver:
    def test_answers_by_script_and_then_200(self, sender: Sender, receiver: Receiver) -> None:
        receiver.script("/flaky", [500, 500])
        receiver.script("/dead", [503], repeat=True)

        def statuses(path: str) -> list[int | None]:
            return [sender.post(receiver.url(path), {}, b"").status_code for _ in range(4)]

        assert statuses("/flaky/deep") == [500, 500, 200, 200]
        assert statuses("/dead?x=/flaky") == [503, 503, 503, 503]
        assert statuses("/flakyless") == [200, 200, 200, 200]

    def test_tells_what_came_when_it_waits_in_vain(
        self, sender: Sender, receiver: Receiver
    ) -> None:
        sender.post(receiver.url("/one"), {}, b"{}")

        assert len(receiver.wait_for(1, "/one")) == 1
        with pytest.raises(AssertionError, match=r"expected 2 .* came: POST /one \(2 bytes\)"):
            receiver.wait_for(2, "/one", timeout_s=0.01)

    def test_verifies_signatures_as_the_standard_does(
        self, sender: Sender, receiver: Receiver
    ) -> None:
        secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        body, now = b'{"test": 1}', datetime.now(UTC)
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign("msg_1", now, body.decode()),
        }

        sender.post(receiver.url(), headers, body)

        assert verify_standard_webhook(receiver.requests()[0], secret) == {"test": 1}
