"""What the platform tells of itself: events like any other, in the workspace that they are about.

Their ids begin with a character that no id from outside may have, so nobody else can make one.
"""

import json
from enum import StrEnum
from typing import Any

from shared.events import reading
from shared.events.models import Event, ResourceEvent

# The source of these events on the EventBridge bus, whose intake rule leaves it out.
SOURCE = "funnelhooks"
_MARK = "!"


class OperationalType(StrEnum):
    CONFIG_TRIPPED = "webhook_config.tripped"
    CONFIG_RECOVERED = "webhook_config.recovered"
    CONFIG_DISABLED = "webhook_config.disabled"
    DELIVERY_EXHAUSTED = "delivery.exhausted"


OPERATIONAL_TYPES = frozenset(OperationalType)


def event(
    kind: OperationalType,
    workspace_id: str,
    subject: tuple[str, str],
    occasion: int,
    data: dict[str, Any],
    now: int,
) -> Event:
    """`subject` is a type and an id, `occasion` which time this is: the same ones, the same id.

    `data` has the `config_id` that it is about.
    """
    subject_type, subject_id = subject
    new = ResourceEvent(
        event_type=str(kind),
        subject_type=subject_type,
        subject_id=subject_id,
        data=data,
        source="system",
    )
    return reading.accept(new, workspace_id, now, f"{_MARK}{kind}.{subject_id}.{occasion}")


def is_operational(event_id: str) -> bool:
    return event_id.startswith(_MARK)


def config_of(event: Event) -> str:
    """The config that an operational event is about."""
    return str(json.loads(event.payload)["data"]["config_id"])
