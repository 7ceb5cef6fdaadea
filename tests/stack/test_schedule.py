"""The schedule in real time on the deployed stack.

SCHEDULE_RUN_S=180 is the run whose figures are in docs/reliability.md; without it, a short one.
"""

import os
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from random import Random
from statistics import quantiles
from typing import Any

import pytest

from tests.local.receiver import Receiver, Reply
from tests.stack.client import Client

RUN_S = int(os.environ.get("SCHEDULE_RUN_S", "20"))
CONFIGS = 40
# So many failures in a row trip no breaker.
MAX_WAITS = 4
# Nobody is called before the promise; SQS delays by whole seconds, and clocks of workers differ.
EARLY_MS = -1_000


def test_attempts_start_when_they_were_promised(
    client: Client, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = Random(RUN_S)  # noqa: S311 - the same run again
    plans = {f"/plan-{number}": waits(chance) for number in range(CONFIGS)}
    for path, plan in plans.items():
        receiver.script(path, [reply(chance) for _ in plan])
        client.make_config(receiver.url(path), retrySchedule=plan)

    event_id = client.send()

    delivered = client.wait_for(event_id, "delivered", CONFIGS)
    late_ms = sorted(ms for delivery in delivered for ms in lateness(delivery["attempts"]))
    assert len(late_ms) == sum(map(len, plans.values()))
    assert late_ms[0] >= EARLY_MS
    cuts = quantiles(late_ms, n=100)
    with capsys.disabled():
        print(
            f"\n  {len(late_ms)} attempts after a wait, in {RUN_S} s; milliseconds after their "
            f"time: earliest {late_ms[0]}, p50 {cuts[49]:.0f}, p90 {cuts[89]:.0f}, "
            f"p99 {cuts[98]:.0f}, latest {late_ms[-1]}"
        )


def waits(chance: Random) -> list[int]:
    """Seconds; together, with their jitter, no longer than the run."""
    count, left = chance.randint(1, MAX_WAITS), RUN_S * 9 // 10
    found: list[int] = []
    for remaining in range(count, 0, -1):
        found.append(chance.randint(1, max(1, left - remaining + 1)))
        left -= found[-1]
    return found


def reply(chance: Random) -> Reply:
    """One in four says when to come back, which may be later than the schedule does."""
    says = {"Retry-After": str(chance.randint(1, 5))} if chance.random() < 0.25 else {}
    return Reply(chance.choice((429, 503)) if says else 500, says)


def lateness(attempts: list[dict[str, Any]]) -> Iterator[float]:
    """Of each attempt after a first one: milliseconds after the end of the wait before it."""
    for before, after in pairwise(attempts):
        ended = moment_ms(before["started_at"]) + before["timings_ms"]["total"]
        yield round(moment_ms(after["started_at"]) - ended - before["next_wait_ms"])


def moment_ms(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() * 1000
