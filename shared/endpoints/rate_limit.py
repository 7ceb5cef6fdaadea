"""The rate limit of a config: a token bucket of one second's worth, shared by all workers.

An attempt that finds the bucket empty gets a reservation: the time at which to come again. While
there are reservations, new attempts get the next one, so attempts are sent in the order of their
arrival and each comes again once. Times here are microseconds, because the interval between two
tokens may be shorter than a millisecond.

The level of the bucket is stored as the time at which it is full again (the "theoretical arrival
time" of the generic cell rate algorithm). Each send moves that time by one interval.
"""

from enum import Enum

from shared.aws.items import Update, as_model
from shared.aws.table import Refused, Table
from shared.clock import MS_PER_DAY, MS_PER_S
from shared.configs.models import WebhookConfig
from shared.model import Model
from shared.tables import config_table

US_PER_MS = 1000
US_PER_S = 1_000_000
# Each refused write returns a newer level. After so many of them the attempt comes again later.
ROUNDS = 5


class Level(Model):
    """When the bucket is full again (`sent_until`), and when its last reservation ends."""

    sent_until: int = 0
    line_until: int = 0


class Move(Enum):
    """What an attempt does at a level, by a write whose condition is that level."""

    SEND_FROM_FULL = "SEND_FROM_FULL"
    SEND = "SEND"
    RESERVE_FIRST = "RESERVE_FIRST"
    RESERVE_NEXT = "RESERVE_NEXT"

    @property
    def is_send(self) -> bool:
        return self in (Move.SEND_FROM_FULL, Move.SEND)


def interval_us(rate: int) -> int:
    return -(-US_PER_S // rate)


def move(level: Level, rate: int, now: int, reserved: bool) -> Move:
    """`reserved`: the attempt waited until its reservation."""
    is_first = reserved or level.line_until <= now
    if is_first and level.sent_until <= now:
        return Move.SEND_FROM_FULL
    if is_first and level.sent_until <= now + _reach(rate):
        return Move.SEND
    return Move.RESERVE_NEXT if level.line_until > now else Move.RESERVE_FIRST


def after(level: Level, made: Move, rate: int, now: int) -> Level:
    interval = interval_us(rate)
    match made:
        case Move.SEND_FROM_FULL:
            return level.model_copy(update={"sent_until": now + interval})
        case Move.SEND:
            return level.model_copy(update={"sent_until": level.sent_until + interval})
        case Move.RESERVE_FIRST:
            start = max(now, level.sent_until - _reach(rate))
            return level.model_copy(update={"line_until": start + interval})
        case Move.RESERVE_NEXT:
            return level.model_copy(update={"line_until": level.line_until + interval})


def reservation_us(level: Level, rate: int) -> int:
    """The time of the last reservation."""
    return level.line_until - interval_us(rate)


def _reach(rate: int) -> int:
    """How far `sent_until` may lie ahead: a full bucket without the token that is taken."""
    return (rate - 1) * interval_us(rate)


class RateLimiter:
    def __init__(self, table: Table) -> None:
        self._table = table

    def take(self, config: WebhookConfig, rate: int, now_ms: int, reserved: bool) -> int | None:
        """None if the attempt may be sent now, else the time (ms) at which to come again."""
        level, now = Level(), now_ms * US_PER_MS
        for _ in range(ROUNDS):
            made = move(level, rate, now, reserved)
            level, is_made = self._make(config, level, made, rate, now, reserved)
            if is_made and made.is_send:
                return None
            if is_made:
                return -(-reservation_us(level, rate) // US_PER_MS)
        return now_ms + MS_PER_S

    def _make(
        self, config: WebhookConfig, level: Level, made: Move, rate: int, now: int, reserved: bool
    ) -> tuple[Level, bool]:
        """The stored level, and whether the move was made."""
        update = _update(level, made, rate, now, reserved)
        key = {
            "pk": config_table.endpoint(config.workspace_id, config.id),
            "sk": config_table.BUCKET_SK,
        }
        written = self._table.update(key, update)
        if isinstance(written, Refused):
            return as_model(Level, written.item or {}), False
        return as_model(Level, written), True


def _update(level: Level, made: Move, rate: int, now: int, reserved: bool) -> Update:
    """The move as a conditional update.

    If the stored time is in the past, the update overwrites it; if it is in the future, the update
    adds to it, so that concurrent workers keep each other's sends.
    """
    new, interval = after(level, made, rate, now), interval_us(rate)
    update = Update().set({"expires_at": now // US_PER_S + MS_PER_DAY // MS_PER_S})
    no_reservation = (
        "" if reserved else " AND (attribute_not_exists(line_until) OR line_until <= :when_now)"
    )
    match made:
        case Move.SEND_FROM_FULL:
            update.set({"sent_until": new.sent_until})
            full = "(attribute_not_exists(sent_until) OR sent_until <= :when_now)"
            return update.when(full + no_reservation, {"now": now})
        case Move.SEND:
            within = "sent_until > :when_now AND sent_until <= :when_reach"
            update.add("sent_until", interval)
            return update.when(within + no_reservation, {"now": now, "reach": now + _reach(rate)})
        case Move.RESERVE_FIRST:
            update.set({"line_until": new.line_until})
            idle = "attribute_not_exists(line_until) OR line_until <= :when_now"
            return update.when(idle, {"now": now})
        case Move.RESERVE_NEXT:
            return update.add("line_until", interval).when("line_until > :when_now", {"now": now})
