import gzip
import logging
import zlib
from collections.abc import Callable

import pytest

from shared.delivery.sender import Answer, Sender
from tests.local.names import Names
from tests.local.raw_server import says
from tests.local.receiver import Receiver, Reply

SECRET = "hunter2"


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

    def _post(self, sender: Sender, url: str) -> Answer:
        headers = {"Authorization": f"Bearer {SECRET}"}
        return sender.post(url, headers, SECRET.encode(), timeout_s=2)
