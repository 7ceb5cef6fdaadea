"""Events of the platform about itself, in the workspace that they are about.

They are events like any other, and are put onto an EventBridge bus too, for the operators' rules.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from shared.aws.dead_letters import DeadLetter
from shared.clock import MS_PER_S, rfc3339
from shared.errors import FaultError
from shared.events.accept import identify
from shared.events.models import OPERATIONAL_MARK, Event, ResourceEvent

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

# The source of these events on the EventBridge bus, whose intake rule leaves it out.
SOURCE = "funnelhooks"


class OperationalType(StrEnum):
    CONFIG_TRIPPED = "webhook_config.tripped"
    CONFIG_RECOVERED = "webhook_config.recovered"
    CONFIG_DISABLED = "webhook_config.disabled"
    DELIVERY_EXHAUSTED = "delivery.exhausted"


OPERATIONAL_TYPES = frozenset(OperationalType)


class EventNotPublishedError(FaultError):
    """EventBridge did not take the event."""


def event(
    kind: OperationalType,
    workspace_id: str,
    subject: tuple[str, str],
    occasion: int,
    data: dict[str, Any],
    now: int,
) -> Event:
    """The same type, subject and `occasion` make the same id.

    `subject` is a type and an id; `occasion` counts, for example the times that a breaker opened.
    `data` has the `config_id` of the config that the event is about.
    """
    subject_type, subject_id = subject
    new = ResourceEvent(
        event_type=str(kind),
        subject_type=subject_type,
        subject_id=subject_id,
        data=data,
        source="system",
    )
    return identify(new, workspace_id, now, f"{OPERATIONAL_MARK}{kind}.{subject_id}.{occasion}")


class Bus:
    """`client` makes a client of EventBridge. It is called with the first event, which is rare."""

    def __init__(self, client: Callable[[], "EventBridgeClient"], name: str) -> None:
        self._client = client
        self._name = name

    def put(self, event: Event) -> None:
        """Raises EventNotPublishedError, and ClientError if the bus cannot be reached."""
        entry = {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": event.event_type,
            "Time": datetime.fromtimestamp(event.accepted_at // MS_PER_S, UTC),
            "Detail": json.dumps(_detail(event)),
        }
        answer = self._client().put_events(Entries=[entry])  # type: ignore[list-item]
        if answer["FailedEntryCount"]:
            raise EventNotPublishedError(answer["Entries"][0].get("ErrorCode"))


def not_put(event: Event) -> DeadLetter:
    """The dead letter of an event that is not on the bus. The workspace's log has the event."""
    body = {"workspace_id": event.workspace_id, "event_id": event.event_id}
    return DeadLetter(
        body=json.dumps(body),
        source_id=event.event_id,
        error_code="not_put",
        error_message="EventBridge did not take this operational event.",
    )


def _detail(event: Event) -> dict[str, Any]:
    about = {
        "workspace_id": event.workspace_id,
        "event_id": event.event_id,
        "event_type": event.event_type,
        "accepted_at": rfc3339(event.accepted_at),
    }
    return about | dict(json.loads(event.payload))
