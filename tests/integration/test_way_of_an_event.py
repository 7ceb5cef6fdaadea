"""How many files a reader opens who follows one event through the code."""

import pytest

from tests.local.trace import Called
from tests.local.way import Ways, ways

# As `make metrics` counts and lists them. A change may lower these figures.
DELIVERED_FILES = 45
RETRIED_FILES = 49


@pytest.fixture(scope="module")
def measured() -> Ways:
    return ways()


def test_an_event_that_is_delivered_at_once_passes_through_few_files(measured: Ways) -> None:
    assert len(Called(*measured.delivered.values()).files) <= DELIVERED_FILES


def test_an_event_that_is_retried_passes_through_few_files_more(measured: Ways) -> None:
    assert len(Called(*measured.retried.values()).files) <= RETRIED_FILES


def test_every_stage_is_on_the_way(measured: Ways) -> None:
    assert list(measured.delivered) == ["ingest", "fanout", "dispatch"]
    assert list(measured.retried) == ["ingest", "fanout", "dispatch", "retry"]
    assert all(called.functions > 10 for called in measured.retried.values())
