from typing import Any
from uuid import UUID

import pytest

from shared.attempts import log_lines
from shared.attempts.log_lines import values_of
from shared.deliveries.models import Attempt, AttemptOrigin, Delivery, DeliveryState, Reason
from shared.endpoints.admission import Deferred, Rejected
from shared.observability import (
    CANCELLED,
    DEFERRED,
    DELIVERED,
    EXHAUSTED,
    EXPIRED,
    FAILED,
    HELD,
    LATENESS,
    TIME_TO_FIRST_ATTEMPT,
    Metric,
)
from shared.outbound.response import Timings
from tests import factories
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


Lines = list[tuple[str, dict[str, Any]]]


class FakeLogger:
    """Remembers each line by its message."""

    def __init__(self) -> None:
        self.lines: Lines = []

    def info(self, message: str, **values: Any) -> None:
        self.lines.append((message, values))

    error = warning = info


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Lines:
    logger = FakeLogger()
    monkeypatch.setattr(log_lines, "logger", logger)
    return logger.lines


def counted(values: dict[str, Any]) -> set[str]:
    sets = values["_aws"]["CloudWatchMetrics"]
    return {metric["Name"] for one in sets for metric in one["Metrics"]}


class TestALine:
    def test_of_an_attempt_holds_its_ids_and_its_outcome(self, lines: Lines) -> None:
        failed = attempt(succeeded=False, status_code=500, next_wait_ms=1_000)

        log_lines.settled(delivery(), factories.config(), failed, is_ours=True)

        ((message, values),) = lines
        assert message == "attempt.settled"
        assert (values["event_id"], values["config_id"], values["attempt"]) == ("event-1", "crm", 1)
        assert (values["succeeded"], values["status_code"]) == (False, 500)
        assert FAILED.name in counted(values)

    def test_of_an_attempt_that_lost_its_lease_counts_nothing(self, lines: Lines) -> None:
        log_lines.settled(delivery(), factories.config(), attempt(), is_ours=False)

        ((message, values),) = lines
        assert message == "attempt.lost_its_lease"
        assert "_aws" not in values

    def test_holds_nothing_of_what_the_receiver_said(self, lines: Lines) -> None:
        answered = attempt(excerpt="a secret", address="203.0.113.7")

        log_lines.settled(delivery(), factories.config(), answered, is_ours=True)

        assert "a secret" not in str(lines)

    @pytest.mark.parametrize(
        ("state", "metric"),
        [
            (DeliveryState.HELD, HELD),
            (DeliveryState.CANCELLED, CANCELLED),
            (DeliveryState.FAILED, EXPIRED),
        ],
    )
    def test_of_a_rejection_counts_what_becomes_of_the_delivery(
        self, lines: Lines, state: DeliveryState, metric: Metric
    ) -> None:
        verdict = Rejected(state=state, reason=Reason.CONFIG_DISABLED)

        log_lines.rejected(factories.pointer(), verdict)

        ((_, values),) = lines
        assert (values["state"], values["reason"]) == (state, Reason.CONFIG_DISABLED)
        assert counted(values) == {metric.name}

    def test_of_a_deferral_says_until_when(self, lines: Lines) -> None:
        verdict = Deferred(at=NOW + 1_000, reason=Reason.RATE_LIMITED)

        log_lines.deferred(factories.pointer(), verdict)

        ((_, values),) = lines
        assert (values["at"], values["reason"]) == (NOW + 1_000, Reason.RATE_LIMITED)
        assert counted(values) == {DEFERRED.name}
