"""One cold start, measured from inside: run with `python -I -S`, a function's name or `floor`, the
services whose clients it makes first, a tape of its first event or nothing, and the folders to
import from. Prints JSON.
"""

import sys
from collections.abc import Iterator
from typing import Any

WHAT, SERVICES, TAPE, FOLDERS = sys.argv[1], sys.argv[2].split(","), sys.argv[3], sys.argv[4:]
sys.path[:0] = FOLDERS


def floor() -> dict[str, Any]:
    """What any function needs that logs, validates and calls these services."""
    import boto3
    from aws_lambda_powertools import Logger
    from pydantic import BaseModel

    Logger()
    assert issubclass(BaseModel, object)
    session: Any = boto3.Session()
    for service in SERVICES:
        session.client(service)
    return {}


def function(name: str) -> dict[str, Any]:
    """What it replied to its first event."""
    from importlib import import_module

    handler = import_module(f"functions.{name}.handler").lambda_handler
    aws = import_module("shared.aws.clients")
    clients = [getattr(aws, service)() for service in SERVICES]
    return first_event(handler, import_module("shared.clock"), clients) if TAPE else {}


def first_event(handler: Any, clock: Any, clients: list[Any]) -> dict[str, Any]:
    import base64
    import json
    from types import SimpleNamespace

    from botocore.awsrequest import AWSResponse

    with open(TAPE) as file:  # noqa: PTH123 - pathlib would be one more import
        tape = json.load(file)

    def answer(request: Any, event_name: str, **_: Any) -> AWSResponse:
        name = event_name.rpartition(".")[2]
        status, headers, body = tape["answers"][_name(name, request.body or b"")].pop(0)
        return AWSResponse(request.url, status, headers, Raw(base64.b64decode(body)))

    for client in clients:
        client.meta.events.register_first("before-send", answer)
    clock.time = SimpleNamespace(time_ns=lambda: tape["now"] * 1_000_000)
    reply: dict[str, Any] = handler(tape["event"], Context)
    return reply


def _name(operation: str, body: bytes | str) -> str:
    settles = "list_append" in (body.decode() if isinstance(body, bytes) else body)
    return f"{operation} settling" if settles else operation


class Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._body


class Context:
    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 30_000


def peak_kb() -> int:
    """Linux counts it from the start of this program; elsewhere it may be the parent's."""
    try:
        with open("/proc/self/status") as status:  # noqa: PTH123 - pathlib would be one more import
            return int(next(line for line in status if line.startswith("VmHWM")).split()[1])
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    reply = floor() if WHAT == "floor" else function(WHAT)
    import json
    import time

    cpu_ms = time.process_time() * 1000
    figures = {"cpu_ms": cpu_ms, "peak_mb": peak_kb() / 1024, "modules": sorted(sys.modules)}
    print(json.dumps(figures | {"reply": reply}))
