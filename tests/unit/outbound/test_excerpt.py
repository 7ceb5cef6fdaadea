import gzip
import html
import json
import logging
import zlib
from collections.abc import Callable
from urllib.parse import quote, quote_plus, unquote, unquote_plus

import pytest

from shared import ids
from shared.attempts import request
from shared.attempts.request import Prepared
from shared.configs.models import BasicAuth, OldSecret
from shared.dialects import Rendered
from shared.outbound.redaction import MASK
from shared.outbound.response import Response
from shared.outbound.sender import Sender
from tests import factories
from tests.fakes import NOW
from tests.local.names import Names
from tests.local.raw_server import echoes, says
from tests.local.receiver import Receiver, Reply

SECRET = "hunter2"
TOKEN = "t0k3nofthirtytwosigns0123456789x"


class TestAnExcerpt:
    def _of(self, sender: Sender, receiver: Receiver, body: bytes, **headers: str) -> str:
        receiver.script("/", [Reply(200, headers, body)])
        return sender.post(receiver.url(), {}, b"{}").excerpt

    def test_is_the_first_kibibyte(self, sender: Sender, receiver: Receiver) -> None:
        assert self._of(sender, receiver, b"a" * 5000) == "a" * 1024

    def test_does_not_end_within_a_character(self, sender: Sender, receiver: Receiver) -> None:
        assert self._of(sender, receiver, b"a" + "é".encode() * 1000) == "a" + "é" * 511

    def test_stays_a_kibibyte_when_made_readable(self, sender: Sender, receiver: Receiver) -> None:
        excerpt = self._of(sender, receiver, b"\xff" * 5000)

        assert set(excerpt) == {"\N{REPLACEMENT CHARACTER}"}
        assert len(excerpt.encode()) <= 1024

    def test_shows_control_characters_as_pictures(self, sender: Sender, receiver: Receiver) -> None:
        body = b"a\tb\r\n\x1b[31m\x00\x7f" + "\u0085\u202e".encode()

        assert self._of(sender, receiver, body) == "a\tb\n␛[31m␀␡\ufffd\ufffd"

    @pytest.mark.parametrize(
        ("encoding", "compress"),
        [("gzip", gzip.compress), ("X-GZIP", gzip.compress), ("deflate", zlib.compress)],
    )
    def test_is_decompressed_even_if_nobody_asked_for_compression(
        self,
        sender: Sender,
        receiver: Receiver,
        encoding: str,
        compress: Callable[[bytes], bytes],
    ) -> None:
        body = compress(b"readable " * 10_000)

        excerpt = self._of(sender, receiver, body, **{"Content-Encoding": encoding})

        assert excerpt == ("readable " * 200)[:1024]

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, gzip", "nonsense"])
    def test_says_when_a_body_cannot_be_read(
        self, sender: Sender, receiver: Receiver, encoding: str
    ) -> None:
        excerpt = self._of(sender, receiver, b"\x0b\x02\x80", **{"Content-Encoding": encoding})

        assert "could not be read" in excerpt


def _unescaped(text: str) -> str:
    return str(json.loads(f'"{text}"'))


class TestAnEcho:
    """Of everything that a config keeps secret, by a server that says back what it was sent."""

    @pytest.fixture
    def prepared(self) -> Prepared:
        config = factories.config(
            headers={
                "X-Api-Key": "k3y/with+odd=signs&more",
                "X-Custom": "Bearer eyJhbGciOi.cGF5bG9hZA.c2lnbmVk",
                "Cookie": "session=0123456789abcdef",
                "X-Pin": "ok",
                "X-Secret-Pin": "4~11",
            },
            basic_auth=BasicAuth(username="alice", password="correct horse/battery"),
            old_secrets=(OldSecret(secret=ids.new_signing_secret(), signs_until=NOW + 1000),),
        )
        return request.prepare(config, factories.request_id(), Rendered(b"{}", {}), NOW)

    def _secrets(self, prepared: Prepared) -> list[str]:
        """Spelled out here, so that the test does not believe what it tests."""
        basic = prepared.headers["Authorization"].removeprefix("Basic ")
        first, second = prepared.headers["webhook-signature"].replace("v1,", "").split(" ")
        return [
            "k3y/with+odd=signs&more",
            "eyJhbGciOi.cGF5bG9hZA.c2lnbmVk",
            "0123456789abcdef",
            "4~11",
            "correct horse/battery",
            *(basic, first, second),
        ]

    @pytest.mark.parametrize(
        ("spelled", "unspelled"),
        [
            (str, str),
            (str.upper, str),
            (lambda head: json.dumps(head)[1:-1], _unescaped),
            (lambda head: json.dumps(head)[1:-1].replace("/", "\\/"), _unescaped),
            (lambda head: "".join(f"\\u{ord(sign):04x}" for sign in head[-900:]), _unescaped),
            (quote, unquote),
            (quote_plus, unquote_plus),
            (lambda head: quote(quote(head)), lambda text: unquote(unquote(text))),
            (html.escape, html.unescape),
        ],
    )
    def test_keeps_nothing_secret(
        self,
        sender: Sender,
        prepared: Prepared,
        spelled: Callable[[str], str],
        unspelled: Callable[[str], str],
    ) -> None:
        with echoes(spelled) as server:
            excerpt = sender.post(server.url(), prepared.headers, b"{}").excerpt

        kept = unspelled(excerpt.rpartition(MASK)[0]).lower()
        assert MASK in excerpt
        for secret in self._secrets(prepared):
            parts = {secret.lower()[i : i + 8] for i in range(max(1, len(secret) - 7))}
            assert not [part for part in parts if part in kept]

    def test_keeps_what_is_not_secret(self, sender: Sender, prepared: Prepared) -> None:
        with echoes(str) as server:
            excerpt = sender.post(server.url("/in?x=1"), prepared.headers, b"{}").excerpt

        assert excerpt.startswith("POST /in?x=1 HTTP/1.1\n")
        assert "X-Pin: ok\n" in excerpt
        assert f"webhook-id: {prepared.headers['webhook-id']}\n" in excerpt
        assert f"webhook-signature: v1,{MASK}" in excerpt

    def test_is_masked_whether_it_is_an_error_or_not(
        self, sender: Sender, prepared: Prepared
    ) -> None:
        with echoes(str, b"200 OK") as server:
            excerpt = sender.post(server.url(), prepared.headers, b"{}").excerpt

        assert "4~11" not in excerpt

    def test_is_masked_when_compressed(self, sender: Sender, receiver: Receiver) -> None:
        body = gzip.compress(b"a" * 1000 + TOKEN.encode() + b"b" * 5000)
        receiver.script("/", [Reply(500, {"Content-Encoding": "gzip"}, body)])

        answer = sender.post(receiver.url(), {"Authorization": f"Bearer {TOKEN}"}, b"{}")

        assert answer.excerpt == "a" * 1000 + MASK + "b" * 16

    def test_leaves_no_part_at_the_edge(self, sender: Sender, receiver: Receiver) -> None:
        starts = range(1024 - len(TOKEN) - 2, 1024 + 2)
        replies = [Reply(500, {}, b"-" * start + TOKEN.encode() + b"!" * 99) for start in starts]
        receiver.script("/", replies)

        for _ in starts:
            answer = sender.post(receiver.url(), {"Authorization": f"Bearer {TOKEN}"}, b"{}")
            assert not set(answer.excerpt) & set(TOKEN)

    def test_that_stops_within_a_secret_leaves_less_than_eight_characters(
        self, sender: Sender, receiver: Receiver
    ) -> None:
        receiver.script("/", [Reply(500, {}, TOKEN[:end].encode()) for end in range(len(TOKEN))])

        for _ in TOKEN:
            answer = sender.post(receiver.url(), {"Authorization": f"Bearer {TOKEN}"}, b"{}")
            assert len(answer.excerpt.replace(MASK, "")) < 8


class TestSecrets:
    def test_are_in_no_detail_and_no_log(
        self,
        sender: Sender,
        receiver: Receiver,
        names: Names,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.INFO)
        names("empty.example", [])
        path = f"/{SECRET}?token={SECRET}"
        told = SECRET.encode()
        raw = [
            says(b""),
            says(told),
            says(b"HTTP/1.1 200 OK\r\n" + told + b"\r\nno header " + told + b"\r\n\r\n"),
            says(b"HTTP/1.1 200 OK\r\nContent-Length: " + told + b", 1\r\n\r\n"),
            says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + told + b"\r\n"),
        ]
        receiver.script("/", [Reply(302, {"Location": SECRET, "Set-Cookie": SECRET})])
        urls = [receiver.url(path), f"http://empty.example{path}", f"ftp://u:{SECRET}@h{path}"]

        details = []
        for server in raw:
            with server:
                details.append(self._post(sender, server.url(path)).detail)
        details += [self._post(sender, url).detail for url in urls]

        assert not [detail for detail in details if SECRET in detail]
        assert SECRET not in caplog.text

    def _post(self, sender: Sender, url: str) -> Response:
        headers = {"Authorization": f"Bearer {SECRET}"}
        return sender.post(url, headers, SECRET.encode(), timeout_s=2)
