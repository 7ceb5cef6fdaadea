"""What a log keeps of an answer: its first KiB as text that can be read and holds no secrets."""

import codecs
import zlib
from collections.abc import Iterable

from shared.outbound import redaction

KEPT_BYTES = 1024
# A secret that begins before the edge is known by what follows beyond it.
LOOKED_AT_BYTES = KEPT_BYTES + 512

# Kept as pictures: a log is read in terminals. Bidirectional controls reorder what is read.
_VISIBLE = (
    {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"}
    | {0x7F: 0x2421, ord("\r"): None}
    | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
    | dict.fromkeys(
        (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD
    )
)


def of(body: bytes, encoding: str, secrets: Iterable[str]) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(_plain(body, encoding.strip().lower()))
    return _cut(redaction.masked(text.translate(_VISIBLE), secrets), KEPT_BYTES)


def visible(text: str, limit: int) -> str:
    return _cut(text.translate(_VISIBLE), limit)


def _plain(body: bytes, encoding: str) -> bytes:
    """Undo the compression that nobody asked for, as far as it is looked at."""
    if not body or encoding in ("", "identity"):
        return body[:LOOKED_AT_BYTES]
    if encoding in ("gzip", "x-gzip", "deflate"):
        try:
            # 32 added to the window size: zlib tells gzip and zlib headers apart by itself.
            return zlib.decompressobj(32 + zlib.MAX_WBITS).decompress(body, LOOKED_AT_BYTES)
        except zlib.error:
            pass
    return b"(a body in a content encoding that could not be read)"


def _cut(text: str, limit: int) -> str:
    return text.encode()[:limit].decode(errors="ignore")
