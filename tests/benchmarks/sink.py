"""A receiver in a process of its own, so that its CPU is not the sender's.

POST /any       200 at once
POST /slow/50   200 after 50 ms
POST /fails/10  500 to the first ten requests for that path, then 200
GET /last       the headers and the body of the last POST, as JSON
"""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

_REASONS = {200: "OK", 500: "Internal Server Error"}


@contextmanager
def running() -> Iterator[str]:
    """Its base URL."""
    with subprocess.Popen(
        [sys.executable, "-m", __spec__.name], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


class Sink:
    def __init__(self) -> None:
        self._seen = Counter[str]()
        self._last: dict[str, object] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._one(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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


async def _main() -> None:
    server = await asyncio.start_server(Sink().serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
