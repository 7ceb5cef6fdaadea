"""A receiver in a process of its own that notes when each event comes.

POST /fine/any        200 at once
POST /slow/9000/any   200 after 9 s
POST /hang/any        no answer, and no note
GET /                 what came since the last GET: [[hit id, Unix time in seconds], …]
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

FOR_EVER_S = 3_600
BACKLOG = 1_000


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


class ArrivalNotes:
    def __init__(self) -> None:
        self._arrivals: list[tuple[str, float]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._one(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, came = await reader.readuntil(b"\r\n\r\n"), time.time()
        line, *headers = head.decode("latin-1").lower().splitlines()
        length = next((one[15:] for one in headers if one.startswith("content-length:")), "0")
        body = await reader.readexactly(int(length))
        method, path, _ = line.split(" ")
        if method == "get":
            _answer(writer, json.dumps(self._arrivals).encode())
            self._arrivals.clear()
            return
        kind, _, rest = path[1:].partition("/")
        if kind != "hang":
            self._arrivals.append((json.loads(body)["hit"]["hit_id"], came))
        await asyncio.sleep(_delay_s(kind, rest))
        _answer(writer, b"")


def _delay_s(kind: str, rest: str) -> float:
    if kind == "hang":
        return FOR_EVER_S
    return int(rest.partition("/")[0]) / 1000 if kind == "slow" else 0


def _answer(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


async def _main() -> None:
    server = await asyncio.start_server(ArrivalNotes().serve, "127.0.0.1", 0, backlog=BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
