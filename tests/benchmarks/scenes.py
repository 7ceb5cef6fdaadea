"""Invocations of a function as they were on moto, with what AWS answered, to be made again."""

import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from shared import clock
from shared.imports.models import ImportJob, ImportSource
from shared.imports.queue import message_of
from shared.standalone.engine.template import Json, template
from tests.benchmarks import journey, log_bytes, samples, sink
from tests.benchmarks.journey import Course
from tests.benchmarks.tape import Tape
from tests.fakes import FakeContext
from tests.integration.account import IMPORT_BUCKET
from tests.integration.invocations import http_event

BATCH = 10


@dataclass
class Scene:
    """`invocations` are `events` events together."""

    function: str
    url: str
    events: int = BATCH
    invocations: list[Json] = field(default_factory=list)
    tape: Tape = field(default_factory=Tape)
    variables: dict[str, str] = field(default_factory=dict)
    now: int = 0

    @contextmanager
    def playing(self, *others: Any) -> Iterator[Callable[[], None]]:
        """What makes all of the invocations once more, at the same moment, since a lease that was
        claimed then has long run out; other clients are answered too."""
        properties = template().functions()[f"{self.function.capitalize()}Function"]
        module, _, name = properties["Handler"].rpartition(".")
        handler, context = getattr(importlib.import_module(module), name), FakeContext()

        def invoke() -> None:
            for event in self.invocations:
                reply = handler(event, context)
                assert is_done(reply), reply

        with (
            patch.dict(os.environ, self.variables),
            patch.object(clock, "time", SimpleNamespace(time_ns=lambda: self.now * 1_000_000)),
            self.tape.playing(*others),
            log_bytes.counted(),
        ):
            yield invoke

    def record(self, course: Course, invocations: list[Json]) -> None:
        properties = template().functions()[f"{self.function.capitalize()}Function"]
        self.invocations = invocations
        self.variables = course.world.account.variables(properties)
        self.now = course.world.clock()
        with self.tape.recording():
            for event in invocations:
                reply = course.world.invoke(self.function, event)
                assert is_done(reply), reply


def is_done(reply: Json) -> bool:
    """A fault of ours may take less than the work, so it is no measurement."""
    return reply.get("statusCode", 200) < 300 and not reply.get("batchItemFailures")


@contextmanager
def of(function: str, path: str = "/in", events: int = BATCH) -> Iterator[Scene]:
    """`path` is the sink's; the scene is over when the sink is."""
    with sink.running() as url:
        scene = Scene(function, url, events)
        with journey.course(metered=False) as course:
            _RECORDERS[function](scene, course, url + path)
        yield scene


def _ingest(scene: Scene, course: Course, url: str) -> None:
    """The first event is also the first that the worker sees of the key."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {course.world.key}"}
    bodies = map(samples.text, samples.events(1024, scene.events))
    scene.record(course, [http_event("POST", "/v1/events", one, {}, headers) for one in bodies])


def _configs(scene: Scene, course: Course, url: str) -> None:
    headers, query = {"authorization": f"Bearer {course.world.key}"}, {"status": "active"}
    scene.record(course, [http_event("GET", "/v1/webhookconfig/list", None, query, headers)])


def _imports(scene: Scene, course: Course, url: str) -> None:
    """An object that is gone: what the reader of one streams is not on the tape."""
    key = f"{course.world.workspace_id}/gone.jsonl"
    job = ImportJob(source=ImportSource(bucket=IMPORT_BUCKET, key=key, etag="0"), started_at=0)
    course.world.put_message("ImportQueue", message_of(job))
    scene.record(course, [{"Records": course.world.receive("ImportQueue")}])


def _deliveries(scene: Scene, course: Course, url: str) -> None:
    course.make_configs(1, url)
    course.send(list(samples.events(1024, scene.events)))
    headers, query = {"authorization": f"Bearer {course.world.key}"}, {"config_id": "config-0"}
    scene.record(course, [http_event("GET", "/v1/deliveries", None, query, headers)])


def _fanout(scene: Scene, course: Course, url: str) -> None:
    course.make_configs(1, url)
    course.send(list(samples.events(1024, scene.events)))
    scene.record(course, [{"Records": course.world.stream()}])


def _dispatch(scene: Scene, course: Course, url: str) -> None:
    course.make_configs(1, url)
    course.send(list(samples.events(1024, scene.events)))
    course.world.fan_out()
    scene.record(course, [{"Records": course.world.receive("DispatchQueue")}])


def _retry(scene: Scene, course: Course, url: str) -> None:
    """The first attempts have failed, for nothing listens there; the config is then mended."""
    course.make_configs(1, "http://127.0.0.1:9/nobody")
    course.send(list(samples.events(1024, scene.events)))
    course.world.fan_out()
    course.drain()
    course.world.save_config(url, "config-0")
    course.world.clock.advance(1)
    scene.record(course, [{"Records": course.world.receive("RetryQueue")}])


def _repair(scene: Scene, course: Course, url: str) -> None:
    """A run that finds nothing to do."""
    scene.record(course, [{"operation": "sweep"}])


_RECORDERS: Mapping[str, Callable[[Scene, Course, str], None]] = {
    "configs": _configs,
    "ingest": _ingest,
    "imports": _imports,
    "fanout": _fanout,
    "dispatch": _dispatch,
    "retry": _retry,
    "repair": _repair,
    "deliveries": _deliveries,
}
