"""The least that a program does that takes an event and sends a webhook: a bare ASGI application.

It answers 202 and posts the body on, with the same server and the same library, and stores nothing.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import requests
import uvicorn

THREADS = 16

Json = dict[str, Any]


class BareProgram(NamedTuple):
    api_url: str
    pid: int


@contextmanager
def running(target: str) -> Iterator[BareProgram]:
    with subprocess.Popen(
        [sys.executable, "-m", __spec__.name, target], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield BareProgram(process.stdout.readline().strip(), process.pid)
        finally:
            process.terminate()


class _Server(uvicorn.Server):
    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        print(f"http://127.0.0.1:{self.servers[0].sockets[0].getsockname()[1]}", flush=True)


def _application(target: str) -> Callable[..., Awaitable[None]]:
    session, pool = requests.Session(), ThreadPoolExecutor(THREADS)
    session.trust_env = False
    headers = {"Content-Type": "application/json"}

    async def answer(scope: Json, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        json.loads(body)
        asyncio.get_running_loop().run_in_executor(
            pool, lambda: session.post(target, data=body, headers=headers)
        )
        told = [(b"content-length", b"2"), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 202, "headers": told})
        await send({"type": "http.response.body", "body": b"{}"})

    return answer


if __name__ == "__main__":
    config = uvicorn.Config(
        _application(sys.argv[1]), port=0, log_config=None, access_log=False, lifespan="off"
    )
    _Server(config).run()
