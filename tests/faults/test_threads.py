"""The same handlers with real threads: what is asked at the same moment is still done once."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from shared.standalone.engine.template import Json
from tests.faults.clients import event_json
from tests.faults.engine.receivers import Reply
from tests.faults.threads import Threads
from tests.faults.world import Config, World, new_world

EVENTS = 60
CONFIGS = (Config("one", "funnel", (1,)), Config("two", "funnel", (1,)))


@pytest.fixture
def world() -> Iterator[World]:
    with new_world() as world:
        for config in CONFIGS:
            world.make_config(config)
        world.advance(60)
        for mapping in world.cloud.mappings.values():
            mapping.enable(False)
        yield world


def events(world: World, count: int) -> list[Json]:
    workspace = {"workspace_id": world.workspace_id}
    return [event_json(f"event-{number}", "funnel") | workspace for number in range(count)]


def caught(world: World) -> list[Json]:
    """The records that the stream gets, instead of its function."""
    records: list[Json] = []

    def keep(image: Any) -> None:
        number = str(len(records))
        records.append({"dynamodb": {"NewImage": image, "SequenceNumber": number}})

    world.cloud.stream.add = keep  # type: ignore[method-assign]
    return records


def test_every_batch_in_two_workers_at_once_sends_each_attempt_once(world: World) -> None:
    records, threads = caught(world), Threads(world.cloud)
    world.cloud.receivers.plan = lambda config_id, request_id, seen: Reply((404, 200)[seen > 0])

    with threads.running():
        threads.invoke("ingest", events(world, EVENTS) * 2)
        threads.invoke(
            "fanout", [{"Records": records[at : at + 10]} for at in range(0, EVENTS, 10)]
        )
        threads.invoke("dispatch", threads.batches("DispatchQueue"))
        threads.invoke("retry", threads.batches("RetryQueue"))

    sent = Counter((one.request_id, one.attempt) for one in world.cloud.receivers.sent)
    assert len(records) == EVENTS
    assert len(sent) == EVENTS * len(CONFIGS) * 2
    assert set(sent.values()) == {1}
    assert Counter(world.cloud.watch.states.values()) == {"delivered": EVENTS * len(CONFIGS)}


def test_one_event_sent_by_many_at_once_is_one(world: World) -> None:
    records, threads = caught(world), Threads(world.cloud)

    with threads.running():
        answers = threads.invoke("ingest", events(world, 1) * 50)

    assert answers == [{"event_id": "event-0"}] * 50
    assert len(records) == 1
