"""Operational events on the EventBridge bus, for the rules of whoever runs the stack."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shared.aws.dead_letters import DeadLetter
from shared.clock import MS_PER_S, rfc3339
from shared.events import operational
from shared.events.models import Event

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


class NotPutError(Exception):
    """EventBridge did not take the event."""


class Bus:
    """`client` is called when there is something to tell, which is seldom."""

    def __init__(self, client: Callable[[], "EventBridgeClient"], name: str) -> None:
        self._client = client
        self._name = name

    def put(self, event: Event) -> None:
        entry = {
            "EventBusName": self._name,
            "Source": operational.SOURCE,
            "DetailType": event.event_type,
            "Time": datetime.fromtimestamp(event.accepted_at // MS_PER_S, UTC),
            "Detail": json.dumps(_detail(event)),
        }
        answer = self._client().put_events(Entries=[entry])  # type: ignore[list-item]
        if answer["FailedEntryCount"]:
            raise NotPutError(answer["Entries"][0].get("ErrorCode"))


def untold(event: Event) -> DeadLetter:
    """The dead letter of an event that did not get onto the bus; it is in the log all the same."""
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
