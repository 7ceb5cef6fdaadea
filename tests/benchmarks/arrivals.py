"""A receiver in a process of its own that notes when each event comes.

POST /fine/any        200 at once
POST /slow/9000/any   200 after 9 s
POST /hang/any        no answer, and no note
GET /                 what came since the last GET: [[hit id, Unix time in seconds], …]
"""

import asyncio
import json
import time
from contextlib import AbstractContextManager

from tests.benchmarks import receiver_process

FOR_EVER_S = 3_600


def running() -> AbstractContextManager[str]:
    """Its base URL."""
    return receiver_process.running(__spec__.name)


class ArrivalNotes:
    def __init__(self) -> None:
        self._arrivals: list[tuple[str, float]] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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


if __name__ == "__main__":
    receiver_process.serve(ArrivalNotes().answer)
