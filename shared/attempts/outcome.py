"""What is recorded of an attempt: what came of it, how long the next one waits, and why."""

from collections.abc import Sequence

from shared.attempts import schedule
from shared.configs.models import WebhookConfig
from shared.deliveries.models import Attempt, AttemptOrigin, Delivery, Reason
from shared.dialects import DIALECTS
from shared.outbound.response import Cause, Response


def is_success(answer: Response, config: WebhookConfig) -> bool:
    """The status decides: a receiver that has said yes is not asked again for the rest of it."""
    status_code = answer.status_code
    return status_code is not None and DIALECTS[config.dialect].is_success(status_code)


def cause(answer: Response, config: WebhookConfig) -> Cause | None:
    """Why it has failed, if it has."""
    return None if is_success(answer, config) else answer.cause or Cause.HTTP_STATUS


def detail(answer: Response) -> str:
    redirected = answer.status_code is not None and 300 <= answer.status_code <= 399
    return answer.detail or ("Redirects are not followed" if redirected else "")


def attempt_of(
    delivery: Delivery,
    config: WebhookConfig,
    trigger: AttemptOrigin,
    answer: Response,
    started_at: int,
    next_wait: tuple[int | None, Reason | None],
) -> Attempt:
    wait_ms, reason = next_wait
    return Attempt(
        number=delivery.attempt,
        trigger=trigger,
        started_at=started_at,
        succeeded=is_success(answer, config),
        status_code=answer.status_code,
        cause=cause(answer, config),
        detail=detail(answer),
        address=answer.address,
        timings=answer.timings,
        excerpt=answer.excerpt,
        next_wait_ms=wait_ms,
        next_reason=reason,
    )


def next_wait(
    delivery: Delivery, config: WebhookConfig, answer: Response, now: int, random: schedule.Random
) -> tuple[int | None, Reason | None]:
    """Milliseconds, and why so many; None if no attempt follows."""
    if is_success(answer, config):
        return None, None
    if delivery.counts_from is None:
        return None, None
    planned = schedule.wait_ms(_waits(config), delivery.attempt - delivery.counts_from, random)
    if planned is None:
        return None, None
    asked = schedule.asked_wait_ms(answer.status_code, answer.retry_after, now)
    reason = Reason.RETRY_AFTER if asked > planned else Reason.ATTEMPT_FAILED
    return max(planned, asked), reason


def last_attempt_at(config: WebhookConfig, first_at: int) -> int:
    """When the schedule ends at the latest, if neither the receiver nor its health lengthens it."""
    return first_at + schedule.longest_ms(_waits(config))


def _waits(config: WebhookConfig) -> Sequence[int]:
    return config.retry_schedule or DIALECTS[config.dialect].schedule
