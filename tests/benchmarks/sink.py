"""A receiver in a process of its own, so that its CPU is not the sender's.

POST /any       200 at once
POST /slow/50   200 after 50 ms
POST /fails/10  500 to the first ten requests for that path, then 200
GET /last       the headers and the body of the last POST, as JSON
"""

import asyncio
import json
from collections import Counter
from contextlib import AbstractContextManager

from tests.benchmarks import receiver_process

_REASONS = {200: "OK", 500: "Internal Server Error"}


def running() -> AbstractContextManager[str]:
    """Its base URL."""
    return receiver_process.running(__spec__.name)


class Sink:
    def __init__(self) -> None:
        self._seen = Counter[str]()
        self._last: dict[str, object] = {}

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
        method, path, _ = head[0].split(" ")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        length = int(
            {name.lower(): text for name, text in headers.items()}.get("content-length", 0)
        )
        body = await reader.readexactly(length)
        if method == "GET":
            return _answer(writer, 200, json.dumps(self._last).encode())
        self._last = {"headers": headers, "body": body.decode()}
        await asyncio.sleep(_delay_s(path))
        self._seen[path] += 1
        return _answer(writer, 500 if self._seen[path] <= _failures(path) else 200, b"ok")


def _delay_s(path: str) -> float:
    return int(path.removeprefix("/slow/")) / 1000 if path.startswith("/slow/") else 0


def _failures(path: str) -> int:
    return int(path.removeprefix("/fails/")) if path.startswith("/fails/") else 0


def _answer(writer: asyncio.StreamWriter, status: int, body: bytes) -> None:
    head = f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)


if __name__ == "__main__":
    receiver_process.serve(Sink().answer)
