"""A delivery and its attempts. Times are milliseconds UTC."""

from enum import StrEnum
from uuid import UUID

from shared.deliveries.queue import AttemptMessage
from shared.model import Model
from shared.outbound.response import Cause, Timings


class DeliveryState(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    WAITING = "waiting"
    HELD = "held"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


# Nothing is sent until a user asks for it.
ENDED = frozenset({DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.CANCELLED})


class Reason(StrEnum):
    """Why a delivery is where it is."""

    ATTEMPT_FAILED = "attempt_failed"
    RETRY_AFTER = "retry_after"
    SCHEDULE_SPENT = "schedule_spent"
    RESENT = "resent"
    RESEND_FAILED = "resend_failed"
    BY_REQUEST = "by_request"
    CONFIG_DISABLED = "config_disabled"
    CONFIG_ARCHIVED = "config_archived"
    CONFIG_DELETED = "config_deleted"
    CONFIG_UNKNOWN = "config_unknown"
    NOT_EXPRESSIBLE = "not_expressible"
    ENDPOINT_TRIPPED = "endpoint_tripped"
    ENDPOINT_HANGS = "endpoint_hangs"
    RATE_LIMITED = "rate_limited"
    RELEASED = "released"
    EVENT_EXPIRED = "event_expired"
    REPAIRED = "repaired"
    REPLAYED = "replayed"
    ERASED = "erased"


class AttemptOrigin(StrEnum):
    """Why an attempt was made."""

    SCHEDULE = "schedule"
    PROBE = "probe"  # of the schedule as well; it shows whether the endpoint is back
    RESEND = "resend"
    REPLAY = "replay"


class Attempt(Model):
    """One HTTP request and its outcome; a recorded attempt never changes."""

    number: int
    trigger: AttemptOrigin = AttemptOrigin.SCHEDULE
    started_at: int
    succeeded: bool
    status_code: int | None = None
    cause: Cause | None = None
    detail: str = ""
    address: str | None = None
    timings: Timings
    excerpt: str = ""
    next_wait_ms: int | None = None
    next_reason: Reason | None = None


class Resend(Model):
    """A user asked for the attempt after attempt `after`.

    The schedule counts from attempt `counts_from` on; None if no attempt follows this one.
    """

    after: int
    counts_from: int | None = None


class Delivery(Model):
    """`attempt` is the number of the latest attempt that was begun, 0 before the first."""

    workspace_id: str
    request_id: UUID
    event_id: str
    event_type: str
    config_id: str
    state: DeliveryState
    reason: Reason | None = None
    attempt: int = 0
    attempts: tuple[Attempt, ...] = ()
    status_code: int | None = None
    created_at: int
    built_at: int | None = None
    next_attempt_at: int | None = None
    settled_at: int | None = None
    lease: str | None = None
    lease_until: int | None = None
    replay_id: str | None = None
    resend: Resend | None = None

    @property
    def counts_from(self) -> int | None:
        """The attempt after which the schedule begins; None if no schedule follows."""
        return 0 if self.resend is None else self.resend.counts_from

    @property
    def next_message(self) -> AttemptMessage:
        return self.message(self.attempt + 1)

    def message(self, attempt: int) -> AttemptMessage:
        return AttemptMessage(
            workspace_id=self.workspace_id,
            config_id=self.config_id,
            request_id=self.request_id,
            attempt=attempt,
            in_turn=self.reason is Reason.RATE_LIMITED,
        )
