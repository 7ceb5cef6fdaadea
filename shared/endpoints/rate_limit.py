"""The rate limit of a config: a token bucket of one second's worth, shared by all workers.

What finds it empty gets a place in the line behind it, a moment of its own at which to come again;
while there is a line, newcomers go to its end. So each waits about as long as it must, in the order
in which they came, and comes once. Moments here are microseconds: a token may be worth less than a
millisecond.

The level is a moment (a "theoretical arrival time", as in the generic cell rate algorithm): the one
at which the bucket will be full again. A send moves it on by one interval.
"""

from enum import Enum

from shared.aws.items import Update
from shared.aws.table import Refused, Table
from shared.clock import MS_PER_DAY, MS_PER_S
from shared.configs.models import WebhookConfig
from shared.model import Model
from shared.tables import config_table

US_PER_MS = 1000
US_PER_S = 1_000_000
# Each refused write shows a later level; so many of them say that it is very busy indeed.
ROUNDS = 5


class Level(Model):
    """When the bucket is full again, and where its line ends."""

    sent_until: int = 0
    line_until: int = 0


class Move(Enum):
    """What may be done at a level, each by a write that holds as long as the level is such."""

    SEND_FROM_FULL = "SEND_FROM_FULL"
    SEND = "SEND"
    BEGIN_LINE = "BEGIN_LINE"
    JOIN_LINE = "JOIN_LINE"

    @property
    def is_send(self) -> bool:
        return self in (Move.SEND_FROM_FULL, Move.SEND)


def interval_us(rate: int) -> int:
    return -(-US_PER_S // rate)


def move(level: Level, rate: int, now: int, in_turn: bool) -> Move:
    """`in_turn` is who has waited in the line."""
    is_first = in_turn or level.line_until <= now
    if is_first and level.sent_until <= now:
        return Move.SEND_FROM_FULL
    if is_first and level.sent_until <= now + _reach(rate):
        return Move.SEND
    return Move.JOIN_LINE if level.line_until > now else Move.BEGIN_LINE


def after(level: Level, made: Move, rate: int, now: int) -> Level:
    interval = interval_us(rate)
    match made:
        case Move.SEND_FROM_FULL:
            return level.model_copy(update={"sent_until": now + interval})
        case Move.SEND:
            return level.model_copy(update={"sent_until": level.sent_until + interval})
        case Move.BEGIN_LINE:
            start = max(now, level.sent_until - _reach(rate))
            return level.model_copy(update={"line_until": start + interval})
        case Move.JOIN_LINE:
            return level.model_copy(update={"line_until": level.line_until + interval})


def place_us(level: Level, rate: int) -> int:
    """The moment of who joined the line last."""
    return level.line_until - interval_us(rate)


def _reach(rate: int) -> int:
    """How far sends may run ahead: a whole bucket less the token that is being taken."""
    return (rate - 1) * interval_us(rate)


class RateLimiter:
    def __init__(self, table: Table) -> None:
        self._table = table

    def take(self, config: WebhookConfig, rate: int, now_ms: int, in_turn: bool) -> int | None:
        """None if one may be sent now, else the moment (ms) at which to come again."""
        level, now = Level(), now_ms * US_PER_MS
        for _ in range(ROUNDS):
            made = move(level, rate, now, in_turn)
            level, is_made = self._make(config, level, made, rate, now, in_turn)
            if is_made and made.is_send:
                return None
            if is_made:
                return -(-place_us(level, rate) // US_PER_MS)
        return now_ms + MS_PER_S

    def _make(
        self, config: WebhookConfig, level: Level, made: Move, rate: int, now: int, in_turn: bool
    ) -> tuple[Level, bool]:
        """The level that is there then, and whether the move was made."""
        update = _update(level, made, rate, now, in_turn)
        key = {
            "pk": config_table.endpoint(config.workspace_id, config.id),
            "sk": config_table.BUCKET_SK,
        }
        written = self._table.update(key, update)
        if isinstance(written, Refused):
            return Level.from_item(written.item or {}), False
        return Level.from_item(written), True


def _update(level: Level, made: Move, rate: int, now: int, in_turn: bool) -> Update:
    """From a level that stands still a move sets the next one, along one that runs it adds."""
    new, interval = after(level, made, rate, now), interval_us(rate)
    update = Update().set({"expires_at": now // US_PER_S + MS_PER_DAY // MS_PER_S})
    no_line = (
        "" if in_turn else " AND (attribute_not_exists(line_until) OR line_until <= :when_now)"
    )
    match made:
        case Move.SEND_FROM_FULL:
            update.set({"sent_until": new.sent_until})
            full = "(attribute_not_exists(sent_until) OR sent_until <= :when_now)"
            return update.when(full + no_line, {"now": now})
        case Move.SEND:
            within = "sent_until > :when_now AND sent_until <= :when_reach"
            update.add("sent_until", interval)
            return update.when(within + no_line, {"now": now, "reach": now + _reach(rate)})
        case Move.BEGIN_LINE:
            update.set({"line_until": new.line_until})
            idle = "attribute_not_exists(line_until) OR line_until <= :when_now"
            return update.when(idle, {"now": now})
        case Move.JOIN_LINE:
            return update.add("line_until", interval).when("line_until > :when_now", {"now": now})
