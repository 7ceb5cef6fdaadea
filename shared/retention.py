"""How long a workspace keeps what came in and what went out (docs/decisions/0023-retention.md)."""

from shared.clock import MS_PER_DAY, MS_PER_S
from shared.model import Model

# What waits for an attempt outlives the moment of that attempt by so much.
GRACE_MS = MS_PER_DAY


class Retention(Model):
    """`record_ms` for events and deliveries, `content_ms` for what they hold of a body."""

    record_ms: int
    content_ms: int

    def record_until_s(self, now: int, scheduled: int = 0) -> int:
        """The TTL of a record, in seconds: never before what is `scheduled` for it."""
        return max(now + self.record_ms, scheduled + GRACE_MS) // MS_PER_S

    def content_until_s(self, now: int, scheduled: int = 0) -> int:
        return max(now + self.content_ms, scheduled + GRACE_MS) // MS_PER_S

    def shows_content_since(self, now: int) -> int:
        """What was accepted before shows no content any more."""
        return now - self.content_ms


def of_days(stack: int, record: int | None = None, content: int | None = None) -> Retention:
    """What a workspace does not say, the stack does; it never keeps longer than the stack."""
    record_days = min(stack, record or stack)
    content_days = min(record_days, content or record_days)
    return Retention(record_ms=record_days * MS_PER_DAY, content_ms=content_days * MS_PER_DAY)
