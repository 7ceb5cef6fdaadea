"""The metrics of the program in Prometheus' text format.

Source: Prometheus, "Exposition formats", text-based format.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from shared.standalone.functions import current_function

TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Upper bounds in milliseconds; what is longer is in `+Inf` alone.
BUCKETS_MS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000)

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Counters and histograms, by name and labels; gauges are asked when somebody reads. What is
    asked and ends in `_total` is a counter."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, dict[Labels, float]] = {}
        self._histograms: dict[str, dict[Labels, list[float]]] = {}
        self._gauges: list[Callable[[], Iterator[tuple[str, Labels, float]]]] = []

    def add(self, name: str, labels: Labels, value: float = 1) -> None:
        with self._lock:
            of_name = self._counts.setdefault(name, {})
            of_name[labels] = of_name.get(labels, 0) + value

    def observe(self, name: str, labels: Labels, ms: float) -> None:
        with self._lock:
            counts = self._histograms.setdefault(name, {}).setdefault(
                labels, [0.0] * (len(BUCKETS_MS) + 2)
            )
            for place, bound in enumerate(BUCKETS_MS):
                counts[place] += ms <= bound
            counts[-2] += 1
            counts[-1] += ms

    def answered(self, status: int, seconds: float) -> None:
        """An answer of the HTTP front."""
        self.observe("http_request_ms", (("status", str(status)),), seconds * 1000)

    def gauge(self, read: Callable[[], Iterator[tuple[str, Labels, float]]]) -> None:
        self._gauges.append(read)

    def text(self) -> str:
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        with self._lock:
            counts = {name: dict(values) for name, values in self._counts.items()}
            histograms = {
                name: {labels: list(values) for labels, values in found.items()}
                for name, found in self._histograms.items()
            }
        for name, values in sorted(counts.items()):
            yield f"# TYPE funnelhooks_{name}_total counter"
            for labels, value in values.items():
                yield f"funnelhooks_{name}_total{_shown(labels)} {_number(value)}"
        for name, found in sorted(histograms.items()):
            yield from _histogram(f"funnelhooks_{name}", found)
        read = [entry for gauge in self._gauges for entry in gauge()]
        for name in dict.fromkeys(name for name, _, _ in read):
            kind = "counter" if name.endswith("_total") else "gauge"
            yield f"# TYPE funnelhooks_{name} {kind}"
            for of, labels, value in read:
                if of == name:
                    yield f"funnelhooks_{name}{_shown(labels)} {_number(value)}"


class LineMetrics(logging.Handler):
    """Adds up the metrics that log lines carry for CloudWatch (shared/observability.py), and the
    lines about errors by their message, which is a constant of the code."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__()
        self._metrics = metrics

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR:
            place = ("function", current_function() or "")
            self._metrics.add("errors", (place, ("message", str(record.msg))))
        embedded: Mapping[str, Any] | None = getattr(record, "_aws", None)
        if embedded is None:
            return
        for directive in embedded["CloudWatchMetrics"]:
            dimensions = [name for name in directive["Dimensions"][0] if name != "service"]
            labels = (
                ("function", current_function() or ""),
                *((name, str(getattr(record, name, ""))) for name in dimensions),
            )
            for metric in directive["Metrics"]:
                self._count(metric["Name"], metric["Unit"], labels, record)

    def _count(self, name: str, unit: str, labels: Labels, record: logging.LogRecord) -> None:
        value = float(getattr(record, name))
        if unit == "Milliseconds":
            self._metrics.observe(name, labels, value)
        else:
            self._metrics.add(name, labels, value)


class MetricsServer:
    """Answers `/metrics` on loopback, away from the API that others may reach."""

    def __init__(self, metrics: Metrics, port: int) -> None:
        """Raises OSError if the port is taken."""

        class MetricsHandler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path != "/metrics":
                    self.send_error(404)
                    return
                body = metrics.text().encode()
                self.send_response(200)
                self.send_header("Content-Type", TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """A reader comes every few seconds."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), MetricsHandler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/metrics"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _histogram(name: str, found: Mapping[Labels, list[float]]) -> Iterator[str]:
    yield f"# TYPE {name} histogram"
    for labels, values in found.items():
        for bound, count in zip(BUCKETS_MS, values, strict=False):
            yield f"{name}_bucket{_shown((*labels, ('le', str(bound))))} {_number(count)}"
        yield f"{name}_bucket{_shown((*labels, ('le', '+Inf')))} {_number(values[-2])}"
        yield f"{name}_sum{_shown(labels)} {_number(values[-1])}"
        yield f"{name}_count{_shown(labels)} {_number(values[-2])}"


def _number(value: float) -> str:
    """Every digit of it."""
    return str(int(value)) if value == int(value) else repr(value)


def _shown(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
