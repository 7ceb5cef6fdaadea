from typing import Any
from uuid import UUID

import pytest

from shared.attempts.log_lines import values_of
from shared.deliveries.models import Attempt, AttemptOrigin, Delivery, DeliveryState
from shared.observability import DELIVERED, EXHAUSTED, FAILED, LATENESS, TIME_TO_FIRST_ATTEMPT
from shared.outbound.response import Timings
from tests.factories import WORKSPACE
from tests.fakes import NOW


def delivery(**changes: Any) -> Delivery:
    values = {
        "workspace_id": WORKSPACE,
        "request_id": UUID(int=1),
        "event_id": "event-1",
        "event_type": "on_action",
        "config_id": "crm",
        "state": DeliveryState.SENDING,
        "created_at": NOW,
    }
    return Delivery.model_validate(values | changes)


def attempt(**changes: Any) -> Attempt:
    values = {"number": 1, "started_at": NOW + 50, "succeeded": True, "timings": Timings(total=1)}
    return Attempt.model_validate(values | changes)


def test_a_first_attempt_is_promised_for_the_moment_of_its_event() -> None:
    values = values_of(delivery(), attempt())

    assert values == {
        DELIVERED: 1,
        LATENESS: 50,
        TIME_TO_FIRST_ATTEMPT: 50,
    }


def test_a_later_attempt_is_promised_for_the_end_of_its_wait() -> None:
    values = values_of(
        delivery(next_attempt_at=NOW + 1_000), attempt(number=2, started_at=NOW + 1_300)
    )

    assert values == {DELIVERED: 1, LATENESS: 300}


def test_an_attempt_that_comes_a_moment_early_is_not_late() -> None:
    values = values_of(delivery(next_attempt_at=NOW + 1_000), attempt(number=2))

    assert values[LATENESS] == 0


@pytest.mark.parametrize("trigger", [AttemptOrigin.RESEND, AttemptOrigin.REPLAY])
def test_what_is_sent_by_hand_is_never_late(trigger: AttemptOrigin) -> None:
    values = values_of(delivery(), attempt(trigger=trigger, started_at=NOW + 10**9))

    assert values == {DELIVERED: 1}


def test_a_replay_that_begins_as_a_probe_is_not_late_either() -> None:
    values = values_of(delivery(replay_id="replay-1"), attempt(trigger=AttemptOrigin.PROBE))

    assert values == {DELIVERED: 1}


@pytest.mark.parametrize(("wait_ms", "exhausted"), [(None, True), (1_000, False)])
def test_a_failure_after_which_nothing_follows_is_the_end(
    wait_ms: int | None, exhausted: bool
) -> None:
    values = values_of(delivery(), attempt(succeeded=False, next_wait_ms=wait_ms))

    assert values[FAILED] == 1
    assert (EXHAUSTED in values) is exhausted
