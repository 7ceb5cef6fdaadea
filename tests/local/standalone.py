"""The standalone program as a process of its own, for tests and for the demo."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from shared.standalone import admin
from tests.local.errors import LocalStackError
from tests.local.stack import state_folder

# A busy machine may take long.
DESCRIPTION = "standalone.json"
START_S = 300
STOP_S = 60
LOCAL_PARAMETERS = {"AllowPrivateTargets": "true"}


class _Lambda:
    """What a test needs of a client of Lambda."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def invoke(self, *, FunctionName: str, Payload: str) -> dict[str, Any]:
        try:
            answer = admin.invoke(self._data, FunctionName, json.loads(Payload))
        except admin.FunctionFailedError as error:
            kind, _, message = str(error).partition(": ")
            told = {"errorType": kind, "errorMessage": message}
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(json.dumps(told).encode())}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


class Standalone(BaseModel):
    """What a running program has left in standalone.json."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    api_url: str
    workspace_id: str
    api_key: str
    metrics_url: str | None
    data: Path
    pid: int

    @property
    def outputs(self) -> dict[str, str]:
        return {"ConfigsFunctionName": "configs", "IngestFunctionName": "ingest"}

    def client(self, service: str) -> Any:
        if service != "lambda":
            raise LocalStackError(
                f"The standalone program has no {service}; mark the test `deployed`."
            )
        return _Lambda(self.data)

    def kill(self) -> None:
        """End it at once, as a power cut would. Without effect once it has ended."""
        if self.pid in _children:
            os.kill(self.pid, signal.SIGKILL)
            _wait(self.pid)

    def stop(self) -> int | None:
        """End it as a supervisor does. Returns its exit code, if it is a child of this process."""
        os.kill(self.pid, signal.SIGTERM)
        return self.wait()

    def wait(self) -> int | None:
        """The exit code that it ends with, if it is a child of this process."""
        return _wait(self.pid)


def start(
    folder: Path, parameters: Mapping[str, str] = LOCAL_PARAMETERS, *options: str
) -> Standalone:
    """Start the program with its data and its log in `folder`, and wait until it is ready.

    It outlives this process if nobody stops it.
    """
    description, log_path = folder / DESCRIPTION, folder / "standalone.log"
    description.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "shared.standalone", "--data", str(folder / "standalone")]
    words += ["--state", str(folder), "--port", "0", "--metrics-port", "0", *options]
    for name, value in parameters.items():
        words += ["--parameter", f"{name}={value}"]
    with log_path.open("ab") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + START_S
    while not description.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise LocalStackError("The standalone program did not start.", log=log_path)
        time.sleep(0.02)
    _children[process.pid] = process
    return Standalone.model_validate_json(description.read_text(encoding="utf-8"))


def running(folder: Path) -> Standalone | None:
    """The program that has left its description there, if it still runs."""
    try:
        found = Standalone.model_validate_json((folder / DESCRIPTION).read_text(encoding="utf-8"))
        os.kill(found.pid, 0)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return found


def main() -> None:
    """End the program of the state folder, if one runs."""
    program = running(state_folder())
    if program is None:
        print("The standalone program is not running.")
        return
    program.stop()
    while running(state_folder()) is not None:
        time.sleep(0.05)
    print("The standalone program is stopped; its data stays.")


def _wait(pid: int) -> int | None:
    process = _children.pop(pid, None)
    return None if process is None else process.wait(STOP_S)


_children: dict[int, "subprocess.Popen[bytes]"] = {}

if __name__ == "__main__":
    main()
