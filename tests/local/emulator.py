"""MiniStack as a process of this checkout: found, started, recognised, stopped."""

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tests.local.errors import LocalStackError, PortError

PYTHON = Path(".local/tools/ministack/bin/python")
HOST = "127.0.0.1"

# A busy machine may take long.
START_S = 300
LAUNCHER = Path(__file__).with_name("ministack.py")
# Whatever proxy the shell names, it does not lead to this machine.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Emulator(BaseModel):
    """A MiniStack that was started here. `started` tells it from a stranger with the same pid."""

    model_config = ConfigDict(frozen=True)

    pid: int
    port: int
    started: str

    @property
    def endpoint_url(self) -> str:
        # 127.0.0.1 is the API's host name there; the AWS services answer at this one.
        return f"http://localhost:{self.port}"

    def is_running(self) -> bool:
        return _started(self.pid) == self.started

    def answers(self) -> bool:
        try:
            with DIRECT.open(f"{self.endpoint_url}/_ministack/health", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> None:
        """End it and the functions that run in it: they share its process group."""
        for kind in (signal.SIGTERM, signal.SIGKILL):
            if not self.is_running():
                return
            os.killpg(self.pid, kind)
            _wait_until_gone(self, timeout_s=5)


def start(
    state: Path, port: int | None, *, preferred: int | None = None, minute_s: float = 60
) -> Emulator:
    """Start MiniStack; `port` is what the user asked for, `preferred` what would be nice."""
    if port is not None and not _is_free(port):
        raise PortError(
            f"Port {port} is taken by another program. Set FUNNELHOOKS_PORT to another port, or "
            "unset it and a free one is found; then repeat the command."
        )
    port = port or _free_port(preferred)
    scratch = _fresh(state / "tmp")
    with (state / "ministack.log").open("wb") as log:
        process = subprocess.Popen(
            # -P: the launcher's neighbours are no modules of MiniStack's.
            [PYTHON.absolute(), "-P", LAUNCHER],
            cwd=scratch,
            env={**_environment(port, scratch), "SCHEDULE_MINUTE_S": str(minute_s)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    process.returncode = 0  # it outlives this command on purpose; _reap collects it
    emulator = Emulator(pid=process.pid, port=port, started=_started(process.pid) or "")
    deadline = time.monotonic() + START_S
    while not emulator.answers():
        if not emulator.is_running() or time.monotonic() > deadline:
            emulator.stop()
            raise LocalStackError("MiniStack did not start.", log=state / "ministack.log")
        time.sleep(0.1)
    return emulator


def _environment(port: int, scratch: Path) -> dict[str, str]:
    """Functions inherit it, so it holds nothing of the developer's shell."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "AWS_ENDPOINT_URL": f"http://localhost:{port}",
        "AUTH": "true",  # the policies of the functions' roles are enforced
        "LOG_LEVEL": "WARNING",
        "S3_DATA_DIR": str(scratch / "s3"),
        "STATE_DIR": str(scratch / "state"),
    }


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder.absolute()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _free_port(preferred: int | None) -> int:
    if preferred is not None and _is_free(preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_gone(emulator: Emulator, *, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while emulator.is_running() and time.monotonic() < deadline:
        time.sleep(0.05)


def _started(pid: int) -> str | None:
    """When the process was started, in the system's own words; None when it is gone."""
    _reap(pid)
    try:
        # The fields after the command's name, which may hold blanks: state first, start time 20th.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return None if Path("/proc/self").exists() else _started_by_ps(pid)
    return None if fields[0] == "Z" else fields[19]


def _started_by_ps(pid: int) -> str | None:
    found = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or None


def _reap(pid: int) -> None:
    """Collect it if it was a child of this process, or it would look alive for ever."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
