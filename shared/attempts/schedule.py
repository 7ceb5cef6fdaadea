"""When the next attempt is made: a list of waits, jitter, and what the receiver asks for."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from shared.clock import MS_PER_S

# From a minute on, so that what failed together does not come back together.
JITTER_FROM_S = 60
JITTER = 0.1
MAX_RETRY_AFTER_MS = 24 * 60 * 60 * MS_PER_S
RETRY_AFTER_STATUS = frozenset({429, 503})

Random = Callable[[], float]


def wait_ms(schedule: Sequence[int], attempt: int, random: Random) -> int | None:
    """Milliseconds to wait after attempt `attempt` (from 1) failed; None if it was the last.

    Whole seconds, because SQS delays by those, and what is promised is to be kept. `random` gives
    numbers from 0 to 1.
    """
    if attempt > len(schedule):
        return None
    wait = schedule[attempt - 1]
    if wait >= JITTER_FROM_S:
        wait += round(int(wait * JITTER) * (2 * random() - 1))
    return wait * MS_PER_S


def longest_ms(schedule: Sequence[int]) -> int:
    """What all the waits may come to."""
    return round(sum(schedule) * MS_PER_S * (1 + JITTER))


def asked_wait_ms(status_code: int | None, retry_after: str | None, now_ms: int) -> int:
    """What `Retry-After` of a 429 or 503 asks for, up to 24 h; 0 if it asks for nothing."""
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
    """Any of the three formats of RFC 9110, 5.6.7; those that name no zone mean UTC."""
    moment = parsedate_to_datetime(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
