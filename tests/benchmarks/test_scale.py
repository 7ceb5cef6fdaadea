"""The arithmetic of docs/scale.md, against what is counted and against a simulation."""

from pathlib import Path

import pytest

from tests.benchmarks import journey, scale, surge
from tests.benchmarks.scale import Shape

PAGE = Path("docs/scale.md")
WORKERS = 200


def test_an_event_writes_what_the_arithmetic_says() -> None:
    stages = journey.stages(1024, 10)

    accept, attempts = stages["accept"].writes, stages["first attempts"].writes
    note = 1
    assert accept["EventTable"] + attempts["EventTable"] == note + 10 * scale.TABLE_WRITES
    assert accept["EventTable/log"] + attempts["EventTable/log"] == 10 * scale.LOG_WRITES


def test_the_first_quota_is_the_one_that_is_lowest() -> None:
    first, *others = scale.binding(Shape())

    assert all(first.events_per_s <= other.events_per_s for other in others)


@pytest.mark.parametrize("endpoint_ms", [50, 100, 1_000])
def test_dispatch_delivers_what_its_concurrency_allows(endpoint_ms: float) -> None:
    (quota,) = (
        one
        for one in scale.quotas(Shape(endpoint_ms=endpoint_ms))
        if one.name == "DispatchConcurrency"
    )

    flooded = surge.run(2 * quota.events_per_s, 120, endpoint_ms, WORKERS)
    steady = surge.run(0.7 * quota.events_per_s, 120, endpoint_ms, WORKERS)

    assert flooded.delivered_per_s == pytest.approx(quota.events_per_s, rel=0.1)
    assert steady.waits_s[-1] < 1


@pytest.mark.parametrize("rate", [100, 1_000])
def test_a_surge_waits_no_longer_than_the_ramp(rate: float) -> None:
    found = surge.run(rate, 300, 100, WORKERS)

    assert max(found.waits_s) <= scale.ramp_s(rate, 100) + 1
    assert found.waits_s[-1] < 1


@pytest.mark.parametrize("quota", scale.quotas(Shape()), ids=lambda quota: str(quota.name))
def test_the_page_tells_of_each_quota_what_the_arithmetic_says(quota: scale.Quota) -> None:
    row = next(
        line for line in PAGE.read_text().splitlines() if line.startswith(f"| {quota.name} ")
    )

    assert f"{quota.events_per_s:,.0f}" in row


def test_the_page_tells_what_repair_looks_at() -> None:
    alone, many = (scale.looked_at_per_s(workspaces) for workspaces in (1, 100))

    page = PAGE.read_text()

    assert f"Every minute, for {scale.repair_s():.0f} s," in page
    assert f"{scale.active_workspaces():,.0f} workspaces with an event each in a minute" in page
    assert f"{many:,.0f} events a second of fewer" in page
    assert f"shard, a page after the other: {alone:,.0f} events a second" in page
    assert f"about {scale.due_in_a_minute():,.0f} a minute" in page
    assert f"takes {100_000 / scale.due_in_a_minute():.1f} minutes" in page
    assert f"of a hundred {scale.fullest_shard(100):.0%}".replace("%", " %") in page


@pytest.mark.parametrize(
    ("runs", "memory_mb", "shards"), [(1, 1024, 8), (1, 1769, 8), (2, 1769, 8), (8, 1769, 64)]
)
def test_the_page_tells_what_more_of_everything_gives(
    runs: int, memory_mb: int, shards: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scale, "SHARDS", shards)
    monkeypatch.setattr(scale, "runs", lambda: runs)
    monkeypatch.setattr(scale, "repair_mb", lambda: memory_mb)
    events = [f"{scale.looked_at_per_s(workspaces):,.0f}" for workspaces in (1, 30, 100, 1_000)]

    row = " | ".join([str(runs), str(memory_mb), str(shards), *events])
    assert f"| {row} |" in PAGE.read_text()
