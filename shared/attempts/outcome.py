"""What came of an attempt, and when the next one is made: by the schedule, a list of waits, with
jitter, and by what the receiver asks for."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from shared.clock import MS_PER_S
from shared.configs.models import WebhookConfig
from shared.deliveries.models import Attempt, AttemptOrigin, Delivery, Reason
from shared.dialects import DIALECTS
from shared.outbound.response import Cause, Response

# Waits of a minute and more get jitter, so that deliveries that failed together do not come back
# together.
JITTER_FROM_S = 60
JITTER = 0.1
MAX_RETRY_AFTER_MS = 24 * 60 * 60 * MS_PER_S
RETRY_AFTER_STATUS = frozenset({429, 503})

Random = Callable[[], float]


class Wait(NamedTuple):
    """Before the next attempt."""

    ms: int
    reason: Reason


def is_success(response: Response, config: WebhookConfig) -> bool:
    """The status decides, even if the rest of the response did not arrive."""
    status_code = response.status_code
    return status_code is not None and DIALECTS[config.dialect].is_success(status_code)


def cause(response: Response, config: WebhookConfig) -> Cause | None:
    """Why the attempt has failed; None if it has succeeded."""
    return None if is_success(response, config) else response.cause or Cause.HTTP_STATUS


def detail(response: Response) -> str:
    is_redirect = response.status_code is not None and 300 <= response.status_code <= 399
    return response.detail or ("Redirects are not followed" if is_redirect else "")


def attempt_of(
    delivery: Delivery,
    config: WebhookConfig,
    origin: AttemptOrigin,
    response: Response,
    started_at: int,
    wait: Wait | None,
) -> Attempt:
    """The attempt as it is recorded. `wait` is None if no attempt follows."""
    return Attempt(
        number=delivery.attempt,
        trigger=origin,
        started_at=started_at,
        succeeded=is_success(response, config),
        status_code=response.status_code,
        cause=cause(response, config),
        detail=detail(response),
        address=response.address,
        timings=response.timings,
        excerpt=response.excerpt,
        next_wait_ms=wait and wait.ms,
        next_reason=wait and wait.reason,
    )


def next_wait(
    delivery: Delivery, config: WebhookConfig, response: Response, now: int, random: Random
) -> Wait | None:
    """None if no attempt follows: this one succeeded, or was the last."""
    if is_success(response, config) or delivery.counts_from is None:
        return None
    planned = scheduled_wait_ms(_schedule(config), delivery.attempt - delivery.counts_from, random)
    if planned is None:
        return None
    asked = asked_wait_ms(response.status_code, response.retry_after, now)
    if asked > planned:
        return Wait(asked, Reason.RETRY_AFTER)
    return Wait(planned, Reason.ATTEMPT_FAILED)


def last_attempt_at(config: WebhookConfig, first_at: int) -> int:
    """When the schedule ends at the latest, unless the receiver asks for longer waits or its
    endpoint's health causes them."""
    return first_at + longest_ms(_schedule(config))


def scheduled_wait_ms(schedule: Sequence[int], attempt: int, random: Random) -> int | None:
    """Milliseconds to wait after attempt `attempt` (from 1) failed; None if it was the last.

    Whole seconds, because SQS delays by whole seconds. `random` returns numbers from 0 to 1.
    """
    if attempt > len(schedule):
        return None
    wait_s = schedule[attempt - 1]
    if wait_s >= JITTER_FROM_S:
        wait_s += round(int(wait_s * JITTER) * (2 * random() - 1))
    return wait_s * MS_PER_S


def longest_ms(schedule: Sequence[int]) -> int:
    """What all the waits may come to, with jitter."""
    return round(sum(schedule) * MS_PER_S * (1 + JITTER))


def asked_wait_ms(status_code: int | None, retry_after: str | None, now_ms: int) -> int:
    """What `Retry-After` of a 429 or 503 asks for, at most 24 h; 0 if it asks for nothing."""
    if status_code not in RETRY_AFTER_STATUS or not retry_after:
        return 0
    return max(0, min(_asked_ms(retry_after.strip(), now_ms), MAX_RETRY_AFTER_MS))


def _asked_ms(text: str, now_ms: int) -> int:
    if text.isascii() and text.isdigit():
        return int(text.lstrip("0")[:12] or "0") * MS_PER_S
    try:
        return round(_http_date(text).timestamp() * MS_PER_S) - now_ms
    except (ValueError, OverflowError, OSError):
        return 0


def _http_date(text: str) -> datetime:
    """Any of the three formats of RFC 9110, 5.6.7. A date without a time zone is in UTC."""
    moment = parsedate_to_datetime(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _schedule(config: WebhookConfig) -> Sequence[int]:
    return config.retry_schedule or DIALECTS[config.dialect].schedule
