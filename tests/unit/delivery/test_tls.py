import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme

from shared.delivery.guard import Policy
from shared.delivery.sender import Cause, Sender
from tests.local.names import Names
from tests.local.raw_server import server_tls
from tests.local.receiver import Receiver

LOCAL = Policy(allow_private=True)


class TestTls:
    def test_checks_the_name_and_connects_to_the_vetted_address(
        self, ca: trustme.CA, ca_file: str, names: Names, connected: list[Any]
    ) -> None:
        asked: list[str] = []
        context = server_tls(ca.issue_cert("receiver.example"))
        context.sni_callback = lambda _, name, __: asked.append(name)
        names("receiver.example", ["127.0.0.1"])

        with Receiver(tls=context) as receiver, Sender(LOCAL, ca_file=ca_file) as sender:
            answer = sender.post(receiver.url(host="receiver.example"), {}, b"{}")

        assert (answer.status_code, answer.address) == (200, "127.0.0.1")
        assert asked == ["receiver.example"]
        assert connected == [("127.0.0.1", receiver.port)]
        assert receiver.requests()[0].headers["Host"] == f"receiver.example:{receiver.port}"
        assert answer.timings.tls is not None

    def test_checks_an_address_too(self, ca: trustme.CA, ca_file: str) -> None:
        context = server_tls(ca.issue_cert("127.0.0.1"))
        with Receiver(tls=context) as receiver, Sender(LOCAL, ca_file=ca_file) as sender:
            assert sender.post(receiver.url(), {}, b"{}").status_code == 200

    def test_takes_a_trailing_dot_of_the_name(
        self, ca: trustme.CA, ca_file: str, names: Names
    ) -> None:
        names("receiver.example.", ["127.0.0.1"])
        context = server_tls(ca.issue_cert("receiver.example"))
        with Receiver(tls=context) as receiver, Sender(LOCAL, ca_file=ca_file) as sender:
            answer = sender.post(receiver.url(host="receiver.example."), {}, b"{}")

        assert (answer.status_code, answer.detail) == (200, "")

    def _refused(self, context: ssl.SSLContext, ca_file: str | None) -> str:
        with Receiver(tls=context) as receiver, Sender(LOCAL, ca_file=ca_file) as sender:
            answer = sender.post(receiver.url(), {}, b"{}")
            assert receiver.requests() == []

        assert (answer.status_code, answer.cause) == (None, Cause.TLS)
        assert answer.address == "127.0.0.1"
        return answer.detail

    def test_refuses_a_certificate_for_another_name(self, ca: trustme.CA, ca_file: str) -> None:
        detail = self._refused(server_tls(ca.issue_cert("other.example")), ca_file)

        assert detail.startswith("certificate refused: IP address mismatch")

    def test_refuses_an_expired_certificate(self, ca: trustme.CA, ca_file: str) -> None:
        yesterday = datetime.now(UTC) - timedelta(days=1)
        old = ca.issue_cert(
            "127.0.0.1", not_before=datetime(2020, 1, 1, tzinfo=UTC), not_after=yesterday
        )

        assert self._refused(server_tls(old), ca_file) == (
            "certificate refused: certificate has expired"
        )

    def test_refuses_a_certificate_of_an_unknown_authority(self, ca: trustme.CA) -> None:
        detail = self._refused(server_tls(ca.issue_cert("127.0.0.1")), ca_file=None)

        assert detail == "certificate refused: unable to get local issuer certificate"

    def test_refuses_a_self_signed_certificate(self, ca_file: str) -> None:
        alone = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with (
            alone.private_key_pem.tempfile() as key,
            alone.cert_pem.tempfile() as certificate,
        ):
            context.load_cert_chain(certificate, key)

        assert "self-signed certificate" in self._refused(context, ca_file)

    def test_refuses_old_protocols(self, ca: trustme.CA, ca_file: str) -> None:
        context = server_tls(ca.issue_cert("127.0.0.1"))
        with pytest.deprecated_call():
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1

        assert "TLS failed" in self._refused(context, ca_file)

    def test_is_shared_by_threads(self, ca: trustme.CA, ca_file: str) -> None:
        context = server_tls(ca.issue_cert("127.0.0.1"))
        with Receiver(tls=context) as receiver, Sender(LOCAL, 1, ca_file) as sender:
            with ThreadPoolExecutor(10) as threads:
                posts = [threads.submit(sender.post, receiver.url(), {}, b"") for _ in range(100)]

            assert {post.result().status_code for post in posts} == {200}

    def test_is_no_plain_http(self, ca_file: str, receiver: Receiver) -> None:
        with Sender(LOCAL, ca_file=ca_file) as sender:
            answer = sender.post(receiver.url().replace("http:", "https:"), {}, b"{}")

        assert answer.cause is Cause.TLS

    def test_that_is_asked_for_a_client_certificate_fails(
        self, ca: trustme.CA, ca_file: str
    ) -> None:
        context = server_tls(ca.issue_cert("127.0.0.1"))
        context.verify_mode = ssl.CERT_REQUIRED
        ca.configure_trust(context)

        with Receiver(tls=context) as receiver, Sender(LOCAL, ca_file=ca_file) as sender:
            answer = sender.post(receiver.url(), {}, b"{}")

        # TLS 1.3 refuses after the handshake: the reset may overtake the reason.
        assert answer.cause in (Cause.TLS, Cause.CONNECT)
        assert answer.status_code is None

    def test_loads_the_authorities_once(
        self, ca: trustme.CA, ca_file: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loads: list[str] = []
        original = ssl.SSLContext.load_verify_locations

        def spy(context: ssl.SSLContext, *arguments: Any, **options: Any) -> None:
            loads.append("load")
            original(context, *arguments, **options)

        monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", spy)
        context = server_tls(ca.issue_cert("127.0.0.1"))
        with Receiver(tls=context) as receiver, Sender(LOCAL, ca_file=ca_file) as sender:
            for _ in range(3):
                sender.post(receiver.url(), {}, b"{}")
                receiver.drop_connections()

        assert loads == ["load"]
