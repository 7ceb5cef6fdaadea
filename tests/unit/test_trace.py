"""Which calls a trace counts."""

from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.local.trace import Called, Trace

TEXT = """
from typing import NamedTuple

class Pair(NamedTuple):
    one: int

def outer():
    return inner(), inner(), Pair(1)

def inner():
    return [number for number in map(lambda number: number, range(3))]
"""


@pytest.fixture
def outer(tmp_path: Path) -> Callable[[], Any]:
    path = tmp_path / "ours" / "module.py"
    path.parent.mkdir()
    path.write_text(TEXT, encoding="utf-8")
    spec = spec_from_file_location("module", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[], Any] = module.outer
    return found


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    return Trace([tmp_path / "ours"])


def test_named_functions_are_counted_and_no_others(
    trace: Trace, outer: Callable[[], Any], tmp_path: Path
) -> None:
    with trace.attached(), trace.taken() as called:
        outer()

    assert (called.functions, called.calls) == (2, 3)
    assert called.files == {tmp_path / "ours" / "module.py"}


def test_calls_in_threads_count_too(trace: Trace, outer: Callable[[], Any]) -> None:
    with trace.attached(), trace.taken() as called:
        thread = Thread(target=outer)
        thread.start()
        thread.join()

    assert called.calls == 3


def test_calls_before_and_after_do_not_count(trace: Trace, outer: Callable[[], Any]) -> None:
    with trace.attached():
        outer()
        with trace.taken() as called:
            pass
        outer()

    assert called.calls == 0


def test_calls_of_other_folders_do_not_count(tmp_path: Path, outer: Callable[[], Any]) -> None:
    trace = Trace([tmp_path / "our"])

    with trace.attached(), trace.taken() as called:
        outer()

    assert called.calls == 0


def test_what_was_called_in_two_parts_is_added(trace: Trace, outer: Callable[[], Any]) -> None:
    with trace.attached(), trace.taken() as one:
        outer()
    with trace.attached(), trace.taken() as other:
        outer()

    assert (Called(one, other).functions, Called(one, other).calls) == (2, 6)
