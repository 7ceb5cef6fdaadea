"""A way in for the operator of this machine: a Unix socket in the data folder, for its owner alone.

Each path is one call, whose arguments are the fields of a JSON object. What is answered is on disk.
"""

import json
import os
import socket
import threading
from collections.abc import Callable, Mapping
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any

from shared.observability import fault, logger

SOCKET = "admin.sock"
# Linux and macOS keep the address of a socket in 108 and 104 bytes, of which the last is zero.
MAX_PATH_BYTES = 103

Calls = Mapping[str, Callable[..., Any]]


class FunctionFailedError(Exception):
    """A call has raised an error: its class and its text."""


class DataPathTooLongError(Exception):
    """No socket can be made in the data folder."""


def socket_path(data: Path) -> Path:
    """Raises DataPathTooLongError."""
    path = data / SOCKET
    if (size := len(os.fsencode(path))) > MAX_PATH_BYTES:
        raise DataPathTooLongError(
            f"{path} has {size} bytes, and the path of a socket at most {MAX_PATH_BYTES}: choose "
            "a data folder with a shorter path."
        )
    return path


class _AdminSocketServer(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


class AdminServer:
    def __init__(self, path: Path, calls: Calls) -> None:
        self._path = path

        class AdminHandler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                name = self.path.removeprefix("/")
                status, answer = 200, None
                try:
                    given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                    answer = calls[name](**given)
                except Exception as error:
                    logger.error("admin.failed", call=name, **fault(error))
                    status, answer = 500, {"error": type(error).__name__, "message": str(error)}
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def address_string(self) -> str:
                return "admin"

            def log_message(self, format: str, *args: Any) -> None:
                """The functions log what they do."""

        self._path.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            self._server = _AdminSocketServer(str(self._path), AdminHandler)
        finally:
            os.umask(mask)

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, name="admin", daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._path.unlink(missing_ok=True)


class _Connection(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("admin")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


def call(data: Path, name: str, /, **given: Any) -> Any:
    """The answer of the program that has this data folder.

    Raises FunctionFailedError, and OSError if no program runs there.
    """
    connection = _Connection(data / SOCKET)
    try:
        connection.request("POST", f"/{name}", json.dumps(given).encode())
        response = connection.getresponse()
        answer = json.loads(response.read())
    finally:
        connection.close()
    if response.status != 200:
        raise FunctionFailedError(f"{answer['error']}: {answer['message']}")
    return answer


def invoke(data: Path, stage: str, event: Any) -> Any:
    """Invoke a function of the program. Raises what `call` raises."""
    return call(data, "invoke", function=stage, event=event)
