import gc
from collections.abc import Iterator
from importlib import import_module

import pytest

from shared.aws import garbage
from tests.template import template

HANDLERS = sorted(one["Handler"] for one in template().functions().values())


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@garbage.collected_when_warm
def handler(breaks: bool = False) -> int:
    """The threshold while an event is handled."""
    if breaks:
        raise ZeroDivisionError
    return gc.get_threshold()[0]


class TestAColdStart:
    def test_is_not_held_up_to_look_for_garbage(self) -> None:
        garbage.leave()

        assert handler() >= 150_000

    def test_ends_with_the_first_event(self) -> None:
        garbage.leave()

        handler()

        assert handler() <= 2_000

    def test_ends_with_a_first_event_that_fails(self) -> None:
        garbage.leave()

        with pytest.raises(ZeroDivisionError):
            handler(breaks=True)

        assert handler() <= 2_000

    def test_leaves_nothing_to_be_looked_at_again(self) -> None:
        garbage.leave()
        kept = gc.get_freeze_count()

        handler()

        assert gc.get_freeze_count() > kept


@pytest.mark.parametrize("name", HANDLERS)
def test_every_function_ends_its_cold_start(name: str) -> None:
    module, _, function = name.rpartition(".")

    assert hasattr(getattr(import_module(module), function), "__wrapped__")
