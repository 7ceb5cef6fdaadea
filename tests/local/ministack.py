"""Starts MiniStack, with the gaps closed in which it differs from AWS to our harm.

It runs on MiniStack's own Python, as a file: `python -P tests/local/ministack.py`. A name that a
new version of MiniStack no longer has is an error here, so that its gap is looked at again.
"""

import os
import tempfile
import threading
import time
from functools import partialmethod
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar
from zipfile import BadZipFile, LargeZipFile, ZipFile

from ministack import app  # type: ignore[import-not-found]
from ministack.core import concurrency, iam_actions, lambda_runtime  # type: ignore[import-not-found]
from ministack.services import apigateway, eventbridge, lambda_svc  # type: ignore[import-not-found]

# IAM knows no batch actions: the policy that allows the single one allows its batch.
SINGLE_ACTIONS = {
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}


def replace(module: Any, name: str, new: Any) -> Any:
    """Returns what was there."""
    old = getattr(module, name)
    setattr(module, name, new)
    return old


def iam_action(service: str, *request: Any) -> str | None:
    action: str | None = find_iam_action(service, *request)
    return SINGLE_ACTIONS.get(action, action) if action else None


def concurrency_of(mapping: dict[str, Any], *function: Any) -> int:
    """A number that comes from a template's parameter arrives as a string."""
    scaling = mapping.get("ScalingConfig") or {}
    if "MaximumConcurrency" in scaling:
        scaling["MaximumConcurrency"] = int(scaling["MaximumConcurrency"])
    return int(find_concurrency(mapping, *function))


def execute(function: dict[str, Any], event: Any) -> dict[str, Any]:
    """A stream's batch with failures is tried again, whole; MiniStack would take it as done.

    Where a minute of a schedule lasts seconds, a run of repair is left out while two are at work.
    """
    if _is_sweep(event):
        return sweep(function, event)
    result: dict[str, Any] = run(function, event)
    if _is_stream(event) and _failures(result.get("body")):
        return {**result, "error": True, "body": {"errorType": "BatchItemFailures"}}
    return result


def sweep(function: dict[str, Any], event: Any) -> dict[str, Any]:
    if not sweeps.acquire(blocking=False):
        return {"body": None}
    try:
        result: dict[str, Any] = run(function, event)
    finally:
        sweeps.release()
    return result


def path_params(route_path: str, request_path: str) -> dict[str, str] | None:
    """On AWS the route `/things/{proxy+}` takes `/things/` too; MiniStack wants more of a path."""
    parent, greedy, _ = route_path.partition("{proxy+}")
    if greedy and parent == request_path:
        return {"proxy": ""}
    found: dict[str, str] | None = find_path_params(route_path, request_path)
    return found


def rate_s(expression: str) -> int | None:
    seconds: int | None = find_rate_s(expression)
    return max(1, round(seconds * MINUTE_S / 60)) if seconds else seconds


def pin_origin(source_ip: str, _: bool) -> None:
    """What stays on loopback needs no TLS, on which the policy of a bucket may insist."""
    find_origin(source_ip, True)


class Unpacked(ZipFile):
    """Each worker unpacks its artefact for itself: 1,600 files, most of a second of the only
    process, which answers nobody while many start. Workers of the same artefact share a copy.
    """

    _copies: ClassVar[dict[frozenset[tuple[str, int]], str]] = {}
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def extractall(self, path: Any = None, *rest: Any) -> None:
        content = frozenset((member.filename, member.CRC) for member in self.infolist())
        with self._lock:
            if content not in self._copies:
                copy = tempfile.mkdtemp(prefix="unpacked-")
                super().extractall(copy, *rest)
                self._copies[content] = copy
        folder = Path(path)
        folder.rmdir()
        folder.symlink_to(self._copies[content])


def look_at_queues() -> None:
    """SQS hands out a message when its delay ends; MiniStack's mappings look once a second."""
    while True:
        time.sleep(0.05)
        concurrency.esm_wake.set()


def _is_stream(event: Any) -> bool:
    records = event.get("Records") if isinstance(event, dict) else None
    return isinstance(records, list) and records[0].get("eventSource") == "aws:dynamodb"


def _is_sweep(event: Any) -> bool:
    return isinstance(event, dict) and event.get("operation") == "sweep"


def _failures(body: Any) -> bool:
    return isinstance(body, dict) and bool(body.get("batchItemFailures"))


# What a minute of a schedule lasts, so that a test need not wait for one.
MINUTE_S = float(os.environ.pop("SCHEDULE_MINUTE_S", "60"))

replace(app, "_HEALTH_PATHS", ("/_ministack/health",))  # /health is a path of our API
# On AWS a run ends some seconds after the next one has begun, at the latest.
sweeps = threading.BoundedSemaphore(2)
find_origin = replace(app, "pin_request_origin", pin_origin)
find_iam_action = replace(iam_actions, "extract_iam_action", iam_action)
find_concurrency = replace(lambda_svc, "_sqs_esm_concurrency", concurrency_of)
run = replace(lambda_svc, "_execute_function", execute)
find_path_params = replace(apigateway, "_extract_path_params", path_params)
find_rate_s = replace(eventbridge, "_parse_rate_seconds", rate_s)
replace(eventbridge, "_SCHEDULER_TICK_INTERVAL", min(10, MINUTE_S / 5))
replace(lambda_svc, "_ESM_IDLE_WAKE_GAP_SECONDS", 0.01)

zips = SimpleNamespace(ZipFile=Unpacked, BadZipFile=BadZipFile, LargeFileError=LargeZipFile)
replace(lambda_runtime, "zipfile", zips)

# An answer waits for the first line of the function's log, 50 ms when the function is silent.
worker = lambda_runtime.Worker
read_log = partialmethod(worker._drain_stderr_bounded, first_line_wait=0.01)
replace(worker, "_drain_stderr_bounded", read_log)

if __name__ == "__main__":
    threading.Thread(target=look_at_queues, daemon=True).start()
    app.main()
