"""Which events are checked, how often their type is read, and how much a worker keeps."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared.errors import InvalidError
from shared.events import schemas
from shared.events.accept import is_of_own_type, read
from shared.events.models import ResourceEvent
from shared.events.schemas import SchemaChecker
from shared.remembered import MAX_REMEMBERED
from tests import factories
from tests.fakes import FakeClock

STRICT: dict[str, Any] = {"required": ["sku"]}


class Types:
    """The schemas of own types, by workspace and name; counts how often it is asked."""

    def __init__(self, **schemas: dict[str, Any] | None) -> None:
        self.schemas: dict[str, dict[str, Any] | None] = {
            f"w/{name.replace('_', '.')}": schema for name, schema in schemas.items()
        }
        self.reads: list[str] = []

    def find(self, workspace_id: str, name: str) -> dict[str, Any] | None:
        self.reads.append(f"{workspace_id}/{name}")
        return self.schemas.get(f"{workspace_id}/{name}")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def types() -> Types:
    return Types(parcel_sent=STRICT, parcel_lost=None)


@pytest.fixture(name="check")
def _check(types: Types, clock: FakeClock) -> "Check":
    return Check(SchemaChecker(types.find, clock))


class Check:
    def __init__(self, checker: SchemaChecker) -> None:
        self._checker = checker

    def __call__(self, event_type: str, workspace: str = "w", **data: Any) -> None:
        event = read(factories.resource_json(event_type, data=data))
        assert isinstance(event, ResourceEvent)
        self._checker.check(workspace, event)

    def refuses(self, event_type: str, workspace: str = "w") -> bool:
        try:
            self(event_type, workspace)
        except InvalidError:
            return True
        return False


def test_an_event_of_an_own_type_keeps_to_its_schema(check: Check) -> None:
    check("parcel.sent", sku="a")

    with pytest.raises(InvalidError, match=r"data\.sku: is required"):
        check("parcel.sent", colour="red")


@pytest.mark.parametrize("event_type", ["parcel.lost", "parcel.unregistered"])
def test_an_event_without_a_schema_is_not_checked(check: Check, event_type: str) -> None:
    check(event_type, anything="goes")


@pytest.mark.parametrize("event_type", ["lead.created", "order.completed", "course.published"])
def test_an_event_of_a_built_in_type_has_no_schema(event_type: str) -> None:
    assert not is_of_own_type(read(factories.resource_json(event_type)))


def test_a_tracking_event_has_no_schema() -> None:
    assert not is_of_own_type(read(factories.event_json()))


def test_an_event_of_any_other_type_may_have_one() -> None:
    assert is_of_own_type(read(factories.resource_json("parcel.sent")))


def test_the_types_of_another_workspace_are_its_own(check: Check) -> None:
    assert check.refuses("parcel.sent")
    assert not check.refuses("parcel.sent", workspace="neighbour")


@pytest.mark.parametrize("event_type", ["parcel.sent", "parcel.lost", "parcel.unregistered"])
def test_a_type_is_read_once_in_30_seconds(
    check: Check, types: Types, clock: FakeClock, event_type: str
) -> None:
    check(event_type, sku="a")
    clock.advance(29.9)
    check(event_type, sku="a")
    assert len(types.reads) == 1

    clock.advance(0.1)
    check(event_type, sku="a")
    assert len(types.reads) == 2


def test_what_was_deleted_is_heeded_for_30_seconds_more(
    check: Check, types: Types, clock: FakeClock
) -> None:
    assert check.refuses("parcel.sent")
    del types.schemas["w/parcel.sent"]

    assert check.refuses("parcel.sent")
    clock.advance(30)
    assert not check.refuses("parcel.sent")


def test_a_saved_schema_that_is_no_longer_taken_loses_no_event(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    check = Check(SchemaChecker(Types(parcel_sent={"type": "strin"}).find, clock))

    check("parcel.sent", anything="goes")

    (record,) = caplog.records
    assert record.message == "event_type.schema_not_taken"
    assert vars(record)["paths"] == ["schema.type"]


def test_a_batch_in_many_threads_costs_one_read(check: Check, types: Types) -> None:
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: check("parcel.sent", sku="a"), range(100)))

    assert types.reads == ["w/parcel.sent"]


def test_a_read_that_fails_is_tried_again(clock: FakeClock) -> None:
    failures = [OSError("throttled")]

    def find(workspace_id: str, name: str) -> None:
        if failures:
            raise failures.pop()

    check = Check(SchemaChecker(find, clock))

    with pytest.raises(OSError, match="throttled"):
        check("parcel.sent")
    check("parcel.sent")


def test_the_type_that_was_used_longest_ago_is_forgotten_first(check: Check, types: Types) -> None:
    check("parcel.sent", sku="a")
    for number in range(MAX_REMEMBERED - 1):
        check(f"type.n{number}")
    check("parcel.sent", sku="a")
    check("one.more")
    types.reads.clear()

    check("parcel.sent", sku="a")
    check("type.n1")
    check("type.n0")

    assert types.reads == ["w/type.n0"]


def test_heavy_schemas_make_room_for_each_other(
    monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    monkeypatch.setattr(schemas, "MAX_WEIGHT", 125)
    heavy: dict[str, Any] = {"required": ["sku"], "propertyNames": {"pattern": "^[a-z]+$"}}
    types = Types(one=heavy, two=heavy, three=heavy)
    check = Check(SchemaChecker(types.find, clock))

    for name in ("one", "two", "three", "two", "three", "one"):
        check(name, sku="a")

    assert types.reads == ["w/one", "w/two", "w/three", "w/one"]


def test_a_schema_that_is_heavier_than_all_room_is_still_kept(
    monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    monkeypatch.setattr(schemas, "MAX_WEIGHT", 1)
    types = Types(parcel_sent=STRICT)
    check = Check(SchemaChecker(types.find, clock))

    check("parcel.sent", sku="a")
    check("parcel.sent", sku="a")

    assert len(types.reads) == 1
