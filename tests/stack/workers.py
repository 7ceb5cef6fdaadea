"""The processes in which MiniStack runs the functions, so that they can be killed."""

import os
import signal
from contextlib import suppress
from pathlib import Path

from tests.local.stack import Stack


def kill(stack: Stack, stage: str) -> int:
    """End every worker of a function at once, whatever it does; how many there were."""
    found = [
        pid for pid in _children(stack.emulator.pid) if _function_of(pid).endswith(f"-{stage}")
    ]
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(found)


def _children(parent: int) -> list[int]:
    numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in numbers if _parent_of(pid) == parent]


def _parent_of(pid: int) -> int | None:
    try:
        # The fields after the command's name, which may hold blanks: state, then the parent.
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def _function_of(pid: int) -> str:
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    prefix = b"AWS_LAMBDA_FUNCTION_NAME="
    return next((v.removeprefix(prefix).decode() for v in variables if v.startswith(prefix)), "")
