"""A way in for the operator of this machine: a Unix socket in the data folder, for its owner alone.

`POST /invoke/<function>` invokes a function directly, as `aws lambda invoke` does on AWS: so a
workspace is made, or an event is sent by IAM. What is answered is on disk.
"""

import json
import os
import socket
import threading
from collections.abc import Callable
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any

from shared.observability import fault, logger

SOCKET = "admin.sock"
_INVOKE = "/invoke/"

Invoke = Callable[[str, Any], Any]


class FunctionFailedError(Exception):
    """The function has raised an error; its class and its text."""


class _AdminSocketServer(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


class AdminServer:
    def __init__(self, data: Path, invoke: Invoke, settled: Callable[[], None]) -> None:
        self._path = data / SOCKET

        class AdminHandler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                stage = self.path.removeprefix(_INVOKE)
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, answer = 200, None
                try:
                    answer = invoke(stage, event)
                    settled()
                except Exception as error:
                    logger.error("admin.failed", function=stage, **fault(error))
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


def invoke(data: Path, stage: str, event: Any) -> Any:
    """Invoke a function of the program that has this data folder.

    Raises FunctionFailedError, and OSError if no program runs there.
    """
    connection = _Connection(data / SOCKET)
    try:
        connection.request("POST", _INVOKE + stage, json.dumps(event).encode())
        response = connection.getresponse()
        answer = json.loads(response.read())
    finally:
        connection.close()
    if response.status != 200:
        raise FunctionFailedError(f"{answer['error']}: {answer['message']}")
    return answer
