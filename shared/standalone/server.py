"""The program in the foreground: the platform, its HTTPS API, and what a user needs to reach it."""

import json
import os
import shlex
import signal
import socket
import ssl
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn

from shared import observability
from shared.standalone.admin import AdminServer, socket_path
from shared.standalone.admin_calls import AdminCalls
from shared.standalone.engine.template import Json, Template
from shared.standalone.http import HttpFront
from shared.standalone.metrics import Labels, LineMetrics, Metrics, MetricsServer
from shared.standalone.platform import Platform
from shared.standalone.protocol import BoundedHttpProtocol
from shared.standalone.routes import Routes

GRACE_S = 30
# Requests that are worked on at once; others wait for their turn.
HTTP_THREADS = 64
IDLE_S = 65
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
FIRST = "first-workspace.json"


class Options(NamedTuple):
    """`certificate` and `key` are files in PEM; without them the API speaks HTTP. `proxies` are
    addresses whose X-Forwarded-For and X-Forwarded-Proto are believed."""

    template: Path
    data: Path
    state: Path
    host: str = "127.0.0.1"
    port: int = 0
    metrics_port: int | None = None
    certificate: Path | None = None
    key: Path | None = None
    parameters: Mapping[str, str] = {}
    proxies: tuple[str, ...] = ()


class NoStartError(Exception):
    """The program cannot start: a sentence for whoever started it."""


class _UvicornServer(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config, program: "Program") -> None:
        super().__init__(config)
        self._program = program

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """A first signal ends the requests that are under way, a second one does not wait for them.
        uvicorn raises the signals again at the end, before the platform has settled its work."""
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._program.is_listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._program.front.is_ready = False
        await super().shutdown(sockets)


class Program:
    def __init__(self, options: Options) -> None:
        """Raises NoStartError, DataPathTooLongError and DataFileError."""
        self._options = options
        admin_path = socket_path(options.data)
        options.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        template = Template(options.template.read_text(encoding="utf-8"))
        self.platform = Platform(template, options.data, options.parameters)
        self._socket = _listening(options.host, options.port)
        self.metrics = Metrics()
        self._metrics_server = self._served_metrics()
        observability.logger.addHandler(LineMetrics(self.metrics))
        self.metrics.gauge(self._gauges)
        self.front = HttpFront(
            Routes(template),
            self.platform,
            self.platform.file.wait_until_durable,
            ThreadPoolExecutor(HTTP_THREADS, thread_name_prefix="http"),
            self.metrics.answered,
        )
        self._config = self._loaded_config()
        self._admin = AdminServer(admin_path, AdminCalls(self.platform))
        self._first: Json = {}

    def run(self) -> int:
        """Serve until a signal ends it. Returns the exit code, 1 if work was left undone."""
        self.platform.start()
        self._first = self._first_workspace()
        self._admin.start()
        if self._metrics_server is not None:
            self._metrics_server.start()
        try:
            _UvicornServer(self._config, self).run(sockets=[self._socket])
        finally:
            self._description.unlink(missing_ok=True)
            self._description.with_suffix(".env").unlink(missing_ok=True)
            self._admin.stop()
            if self._metrics_server is not None:
                self._metrics_server.stop()
            is_done = self.platform.stop(GRACE_S)
        return 0 if is_done else 1

    def is_listening(self) -> None:
        scheme = "https" if self._options.certificate else "http"
        url = f"{scheme}://{_reached(self._options.host)}:{self._socket.getsockname()[1]}"
        metrics = None if self._metrics_server is None else self._metrics_server.url
        about = self._first | {
            "api_url": url,
            "metrics_url": metrics,
            "data": str(self._options.data.absolute()),
            "pid": os.getpid(),
        }
        self._description.parent.mkdir(parents=True, exist_ok=True)
        _write_private(self._description.with_suffix(".env"), _exported(about))
        _write_private(self._description, json.dumps(about, indent=2))
        self.front.is_ready = True
        print(f"Funnelhooks listens on {url}; {self._description} has a key for it.", flush=True)  # noqa: T201

    @property
    def _description(self) -> Path:
        return self._options.state / "standalone.json"

    def _served_metrics(self) -> MetricsServer | None:
        if (port := self._options.metrics_port) is None:
            return None
        try:
            return MetricsServer(self.metrics, port)
        except OSError as error:
            raise _not_free("127.0.0.1", port, "--metrics-port", error) from None

    def _loaded_config(self) -> uvicorn.Config:
        options = self._options
        config = uvicorn.Config(
            self.front,
            ssl_certfile=options.certificate,
            ssl_keyfile=options.key,
            lifespan="off",
            interface="asgi3",
            ws="none",
            proxy_headers=bool(options.proxies),
            forwarded_allow_ips=list(options.proxies),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=GRACE_S,
            http=BoundedHttpProtocol,
        )
        try:
            config.load()
        except ssl.SSLError as error:
            files = f"{options.certificate} and {options.key}"
            raise NoStartError(f"{files} are no certificate and its key: {error}") from None
        return config

    def _first_workspace(self) -> Json:
        """The workspace and the key that a new data folder is given, as `make up` gives a stack."""
        path = self._options.data / FIRST
        if path.exists():
            known: Json = json.loads(path.read_text(encoding="utf-8"))
            return known
        command = {"operation": "bootstrap", "name": "Local", "slug": "local"}
        made: Any = self.platform.invoke("configs", command)
        self.platform.file.wait_until_durable()
        _write_private(path, json.dumps(made, indent=2))
        return dict(made)

    def _gauges(self) -> Iterator[tuple[str, Labels, float]]:
        for queue in self.platform.queues:
            labels = (("queue", queue.name),)
            yield "queue_messages", labels, queue.depth()
            yield "queue_in_flight", labels, queue.in_flight
        yield "stream_records", (), self.platform.stream.waiting()
        for name, size in self.platform.file.sizes().items():
            yield "file_bytes", (("part", name),), size
        yield "syncs_total", (), self.platform.file.syncs


def _listening(host: str, port: int) -> socket.socket:
    """Whoever connects before the program is ready waits until it is. Raises NoStartError."""
    is_v6 = ":" in host
    family = socket.AF_INET6 if is_v6 else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, dualstack_ipv6=host == "::")
    except OSError as error:
        raise _not_free(host, port, "--port", error) from None


def _not_free(host: str, port: int, option: str, error: OSError) -> NoStartError:
    why = os.strerror(error.errno) if error.errno else str(error)
    return NoStartError(f"Cannot listen on port {port} of {host}: {why}. Choose with {option}.")


def _reached(host: str) -> str:
    """The host of a URL by which this machine reaches the program."""
    if host in ("0.0.0.0", "::"):  # noqa: S104
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _exported(about: Mapping[str, Any]) -> str:
    """For a shell, as `make up` writes it."""
    names = {"API": "api_url", "KEY": "api_key", "WORKSPACE": "workspace_id"}
    return "".join(f"export {name}={shlex.quote(about[key])}\n" for name, key in names.items())


def _write_private(path: Path, text: str) -> None:
    """For the owner alone, since it holds a key; whole, or not there."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)
