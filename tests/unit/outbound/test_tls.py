import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme

from shared.outbound.response import Cause
from shared.outbound.sender import Sender
from shared.outbound.ssrf import Policy
from tests.local.names import Names
from tests.local.raw_server import RawServer, server_tls
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

    def _refused(
        self, context: ssl.SSLContext, ca_file: str | None, host: str = "127.0.0.1"
    ) -> str:
        with Receiver(tls=context) as receiver, Sender(LOCAL, ca_file=ca_file) as sender:
            answer = sender.post(receiver.url(host=host), {}, b"{}")
            assert receiver.requests() == []

        assert (answer.status_code, answer.cause) == (None, Cause.TLS)
        assert answer.address == "127.0.0.1"
        return answer.detail

    def test_refuses_a_certificate_for_another_name(self, ca: trustme.CA, ca_file: str) -> None:
        detail = self._refused(server_tls(ca.issue_cert("other.example")), ca_file)

        assert detail.startswith("certificate refused: IP address mismatch")

    def test_refuses_a_certificate_for_another_name_by_name(
        self, ca: trustme.CA, ca_file: str, names: Names
    ) -> None:
        names("receiver.example", ["127.0.0.1"])
        certificate = server_tls(ca.issue_cert("other.example", "*.receiver.example", "127.0.0.1"))

        detail = self._refused(certificate, ca_file, "receiver.example")

        assert detail == (
            "certificate refused: Hostname mismatch, certificate is not valid for "
            "'receiver.example'."
        )

    def test_does_not_take_the_common_name_for_a_name(
        self, ca: trustme.CA, ca_file: str, names: Names
    ) -> None:
        names("receiver.example", ["127.0.0.1"])
        certificate = ca.issue_cert("other.example", common_name="receiver.example")

        assert "Hostname mismatch" in self._refused(
            server_tls(certificate), ca_file, "receiver.example"
        )

    def test_refuses_a_certificate_that_is_not_valid_yet(
        self, ca: trustme.CA, ca_file: str
    ) -> None:
        now = datetime.now(UTC)
        early = ca.issue_cert(
            "127.0.0.1", not_before=now + timedelta(days=1), not_after=now + timedelta(days=2)
        )

        assert self._refused(server_tls(early), ca_file) == (
            "certificate refused: certificate is not yet valid"
        )

    def test_refuses_a_chain_without_its_middle(self, ca: trustme.CA, ca_file: str) -> None:
        leaf = ca.create_child_ca().issue_cert("127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with leaf.private_key_pem.tempfile() as key, leaf.cert_chain_pems[0].tempfile() as alone:
            context.load_cert_chain(alone, key)

        assert self._refused(context, ca_file) == (
            "certificate refused: unable to get local issuer certificate"
        )

    def test_takes_a_whole_chain(self, ca: trustme.CA, ca_file: str) -> None:
        context = server_tls(ca.create_child_ca().issue_cert("127.0.0.1"))
        with Receiver(tls=context) as receiver, Sender(LOCAL, ca_file=ca_file) as sender:
            assert sender.post(receiver.url(), {}, b"{}").status_code == 200

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
        # Above this level OpenSSL 3 has no cipher for them, and may say that instead.
        context.set_ciphers("ALL:@SECLEVEL=0")

        detail = self._refused(context, ca_file)

        assert detail.endswith("(the server wants a TLS version older than 1.2)")

    def test_refuses_ciphers_that_encrypt_nothing(self, ca: trustme.CA, ca_file: str) -> None:
        context = server_tls(ca.issue_cert("127.0.0.1"))
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("NULL:@SECLEVEL=0")

        detail = self._refused(context, ca_file)

        assert detail.endswith("(no TLS version from 1.2 on, or no cipher, in common)")

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_speaks_the_current_protocols(
        self, ca: trustme.CA, ca_file: str, version: ssl.TLSVersion
    ) -> None:
        context = server_tls(ca.issue_cert("127.0.0.1"))
        context.minimum_version = context.maximum_version = version

        with Receiver(tls=context) as receiver, Sender(LOCAL, ca_file=ca_file) as sender:
            assert sender.post(receiver.url(), {}, b"{}").status_code == 200

    def test_tells_of_a_name_that_the_server_does_not_know(
        self, ca: trustme.CA, ca_file: str
    ) -> None:
        context = server_tls(ca.issue_cert("localhost"))
        context.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

        detail = self._refused(context, ca_file, "localhost")

        assert detail.endswith("(the server does not know this host name)")

    @pytest.mark.parametrize(
        "said",
        [
            pytest.param(b"", id="nothing"),
            pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="HTTP"),
            pytest.param(b"SSH-2.0-OpenSSH_9.9\r\n", id="SSH"),
            pytest.param(b"\x16\x03\x03\xff\xff" + b"x" * 5000, id="a record too long"),
            pytest.param(b"\x16\x03\x03\x00\x7a\x02\x00", id="half a greeting"),
            pytest.param(b"\x15\x03\x03\x00\x02\x02\x28", id="an alert"),
        ],
    )
    def test_that_fails_half_way_has_its_cause(self, ca_file: str, said: bytes) -> None:
        def talk(connection: socket.socket) -> None:
            connection.recv(4096)
            connection.sendall(said)

        with RawServer(talk) as server, Sender(LOCAL, ca_file=ca_file) as sender:
            answer = sender.post(server.url().replace("http:", "https:"), {}, b"{}")

        assert (answer.status_code, answer.cause) == (None, Cause.TLS)
        assert answer.detail
        assert answer.timings.tls is not None

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
        assert answer.detail.endswith("(the port does not speak TLS)")

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
