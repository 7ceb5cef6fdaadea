import gc
import importlib
from collections.abc import Iterator

import pytest

import functions
from shared.aws.runtime import Record, collected_when_warm, each, failures, message_id
from shared.standalone.engine.template import template

HANDLERS = sorted(one["Handler"] for one in template().functions().values())
RECORDS = [{"messageId": "m1", "body": "1"}, {"messageId": "m2", "body": "x"}, {"messageId": "m3"}]


def test_a_bad_record_comes_back_alone() -> None:
    worked = []

    def work(record: Record) -> None:
        worked.append(int(record["body"]))

    failed = each(RECORDS[:2], message_id, work)

    assert failed == ["m2"]
    assert worked == [1]


def test_a_record_after_a_bad_one_is_still_worked_on() -> None:
    seen = []

    def work(record: Record) -> None:
        seen.append(record["messageId"])
        if record["messageId"] == "m2":
            raise ValueError

    assert each(RECORDS, message_id, work) == ["m2"]
    assert seen == ["m1", "m2", "m3"]


def test_failures_are_told_as_lambda_reads_them() -> None:
    assert failures(["m2"]) == {"batchItemFailures": [{"itemIdentifier": "m2"}]}
    assert failures([]) == {"batchItemFailures": []}


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@collected_when_warm
def handler(breaks: bool = False) -> int:
    """The threshold while an event is handled."""
    if breaks:
        raise ZeroDivisionError
    return gc.get_threshold()[0]


class TestAColdStart:
    def test_is_not_held_up_to_look_for_garbage(self) -> None:
        importlib.reload(functions)

        assert handler() >= 150_000

    def test_ends_with_the_first_event(self) -> None:
        importlib.reload(functions)

        handler()

        assert handler() <= 2_000

    def test_ends_with_a_first_event_that_fails(self) -> None:
        importlib.reload(functions)

        with pytest.raises(ZeroDivisionError):
            handler(breaks=True)

        assert handler() <= 2_000

    def test_leaves_nothing_to_be_looked_at_again(self) -> None:
        importlib.reload(functions)
        kept = gc.get_freeze_count()

        handler()

        assert gc.get_freeze_count() > kept


@pytest.mark.parametrize("name", HANDLERS)
def test_every_function_ends_its_cold_start(name: str) -> None:
    module, _, function = name.rpartition(".")

    assert hasattr(getattr(importlib.import_module(module), function), "__wrapped__")
