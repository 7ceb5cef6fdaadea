"""What becomes of a call when there are more configs, a longer log, more events in flight."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from shared.clock import MS_PER_DAY
from shared.events.store import marker_of
from shared.standalone.engine.template import Json
from shared.tables import event_table
from tests.benchmarks import journey, samples
from tests.benchmarks.figures import Figure, Table
from tests.benchmarks.journey import Course
from tests.benchmarks.model import Model
from tests.integration.invocations import http_event

PAGE = 100
ROUNDS = 20


@dataclass(frozen=True)
class Case:
    """`work` is done once for `count` things, with AWS answered by `model(count)`."""

    what: str
    counts: Sequence[int]
    model: Callable[[int], Model]
    work: Callable[[], object]
    per: Callable[[int], int]


def table() -> Table:
    with journey.course(metered=False) as course:
        course.make_configs(1)
        cases = (_configs(course), _log(course), _in_flight(course), *_slots(course))
        figures = tuple(figure for case in cases for figure in _grown(case))
    return Table(
        title="Growth",
        about="CPU time, and calls in the last column. A formula gives AWS's answers, so that a "
        "table of a million items takes no memory. Configs that want other types of events are in "
        "partitions that are not read; the number of configs that want the event grows. The floor "
        "is the smallest case: a ratio up to 1 means that the cost does not grow.",
        figures=figures,
    )


def _grown(case: Case) -> Iterator[Figure]:
    smallest: float | None = None
    for count in case.counts:
        each, calls = _measured(case, count)
        smallest = smallest or each
        yield Figure(
            what=f"{case.what}: {count:,}",
            value=each,
            unit="ms CPU",
            floor=smallest,
            note=f"{calls:.3g} calls",
        )


def _measured(case: Case, count: int) -> tuple[float, float]:
    """CPU in ms and calls, for each of what `per` says there is."""
    rounds = max(1, ROUNDS // case.per(count))
    with case.model(count).answering() as model:
        if rounds > 1:
            case.work()  # what is made at the first use
        model.calls.clear()
        began = time.process_time()
        for _ in range(rounds):
            case.work()
        cpu_ms = (time.process_time() - began) * 1000
    things = rounds * case.per(count)
    return cpu_ms / things, model.calls.total() / things


def _configs(course: Course) -> Case:
    course.send(list(samples.events(1024, 1)))
    invocation = {"Records": course.world.stream()}
    (wanted,) = (item for item in course.raw("ConfigTable") if "#T#on_action" in item["pk"]["S"])
    return Case(
        what="fanout, for each delivery; configs that want the event",
        counts=(1, 100, 10_000),
        model=lambda count: Model(count, lambda at: wanted | {"sk": {"S": f"config-{at}"}}),
        work=lambda: course.world.invoke("fanout", invocation),
        per=lambda count: count,
    )


def _log(course: Course) -> Case:
    headers = {"authorization": f"Bearer {course.world.key}"}
    request = http_event("GET", "/v1/events", None, {"limit": str(PAGE)}, headers)
    course.world.invoke("deliveries", request)
    (event,) = (item for item in course.raw("EventTable") if item["sk"]["S"] == "EVENT")
    counted = {"calls": {"N": "1"}}
    return Case(
        what=f"a page of at most {PAGE} events; events in the log",
        counts=(PAGE, 10_000, 1_000_000),
        model=lambda count: Model(count, lambda _: event, lambda _: counted),
        work=lambda: course.world.invoke("deliveries", request),
        per=lambda _: 1,
    )


def _in_flight(course: Course) -> Case:
    """Deliveries that wait and are due, all in one shard of the wake index."""
    course.world.save_config("http://127.0.0.1:9/nobody", "config-0")
    course.send(list(samples.events(1024, 1, seed=2)))
    course.world.fan_out()
    course.drain()
    delivery = next(item for item in course.raw("EventTable") if item["sk"]["S"].startswith("D#"))

    def in_one_shard(count: int) -> Model:
        shard = delivery["wake_shard"]["S"]
        return Model(
            count,
            lambda _: delivery,
            lambda key: delivery | key,
            lambda asked: count if _values(asked).get(":shard") == {"S": shard} else 0,
        )

    return Case(
        what="a sweep, for each due delivery; deliveries that are due",
        counts=(1, 100, 10_000),
        model=in_one_shard,
        work=lambda: course.world.invoke("repair", {"operation": "sweep"}),
        per=lambda count: count,
    )


def _slots(course: Course) -> Iterator[Case]:
    """Slots of workspaces that were active, in one shard; their events were delivered at once."""
    named = {"webhook_config_ids": ["config-0"]}
    course.send([one | named for one in samples.events(1024, 1, seed=3)])
    course.world.fan_out()
    course.drain()
    event = next(item for item in course.raw("EventTable") if "config_ids" in item)
    for each, counts in ((1, (1, 100, 1_000)), (10, (1, 100))):
        yield Case(
            what=f"a sweep, for each event, {each} of a workspace; workspaces that were active",
            counts=counts,
            model=partial(_active, course, event, each),
            work=lambda: course.world.invoke("repair", {"operation": "sweep"}),
            per=lambda count, each=each: count * each,  # type: ignore[misc]
        )


def _active(course: Course, event: Json, each: int, count: int) -> Model:
    long_ago = course.world.clock() - MS_PER_DAY
    shard = {"S": event_table.ACTIVE_SHARDS[0]}
    entry = {name: value for name, value in event.items() if name != "payload"}

    def how_many(asked: Json) -> int:
        values = _values(asked)
        of_log = values.get(":pk", {"S": ""})["S"].endswith("#EVENTS")
        return each if of_log else count if values.get(":shard") == shard else 0

    return Model(
        count,
        lambda at: entry | {"sk": {"S": marker_of(f"workspace-{at}", long_ago, 600).sk}},
        lambda key: event if key["sk"]["S"] == event_table.EVENT_SK else _begun(key),
        how_many,
    )


def _begun(key: Json) -> Json:
    """As much as the sweep reads of a delivery."""
    request_id = {"S": key["sk"]["S"].removeprefix(event_table.DELIVERY_PREFIX)}
    return {
        "workspace_id": {"S": "workspace-0"},
        "request_id": request_id,
        "state": {"S": "delivered"},
    }


def _values(asked: Json) -> Json:
    values: Json = asked["ExpressionAttributeValues"]
    return values
