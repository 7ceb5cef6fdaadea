"""An event as it comes in, and as it is once accepted."""

import json
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from shared.clock import Moment
from shared.events.context import (
    Context,
    Conversion,
    CustomEvent,
    Flag,
    Funnel,
    Hit,
    Integer,
    Scalars,
    Session,
    Text,
    TextOrInteger,
    TrafficSource,
    Visitor,
)
from shared.model import Model

EventId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:~@+=-]{1,128}$")]
# No id from outside may begin with it, so clients cannot make operational events.
OPERATIONAL_MARK = "!"
# Names of ClickFunnels have dots, dashes, underscores and slashes; one has no dot.
EVENT_TYPE = r"^[a-z0-9][a-z0-9_/-]*(\.[a-z0-9_-]+)*$"
EventType = Annotated[str, StringConstraints(pattern=EVENT_TYPE, max_length=128)]
ConfigId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class TriggerType(StrEnum):
    """The trigger types of the FunnelFlux payload contract."""

    NODE_EXECUTION = "node_execution"
    ON_ACTION = "on_action"
    CONVERSION_TRIGGERED = "conversion_triggered"
    CUSTOM_EVENT_TRIGGERED = "custom_event_triggered"


TRACKING_TYPES = frozenset(TriggerType)
IN_FLOW_TYPES = frozenset({TriggerType.NODE_EXECUTION, TriggerType.ON_ACTION})
EXTENSIONS = {
    "conversion": TriggerType.CONVERSION_TRIGGERED,
    "custom_event": TriggerType.CUSTOM_EVENT_TRIGGERED,
}
IN_FLOW_FIELDS = ("session", "url_buffer", "is_action", "action_number", "action_data")

# Fields that say how an event is handled, and are no part of its payload.
CONTROL_FIELDS = frozenset(
    {
        "event_id",
        "event_type",
        "occurred_at",
        "webhook_config_ids",
        "schema_version",
        "request_id",
        "timestamp",
    }
)


class NewEvent(Context):
    """What every incoming event may carry.

    `schema_version`, `request_id` and `timestamp` come from an outbound payload that is sent to us
    again. They are accepted and ignored.
    """

    event_type: EventType
    event_id: EventId | None = None
    occurred_at: Moment | None = None
    webhook_config_ids: Annotated[list[ConfigId], Field(min_length=1, max_length=100)] | None = None
    schema_version: Literal["1.0"] | None = None
    request_id: Text | None = None
    timestamp: Integer | None = None

    def payload(self) -> dict[str, Any]:
        """The fields that say what happened, exactly as they came in."""
        return self.model_dump(exclude=set(CONTROL_FIELDS), exclude_unset=True)


class TrackingContext(Context):
    """The fields of a trigger in the payload contract, incoming and outgoing."""

    event_type: TriggerType
    visitor: Visitor | None = None
    funnel: Funnel | None = None
    traffic_source: TrafficSource | None = None
    hit: Hit | None = None
    tracking_fields: Annotated[
        Scalars | None, Field(description="The tracking fields in the URL of the entrance.")
    ] = None
    visitor_tags: Annotated[
        list[Text] | None, Field(description="Ids of the visitor's tags at this moment.")
    ] = None
    session: Session | None = None
    url_buffer: Annotated[
        Scalars | None, Field(description="The URL parameters that replace tokens.")
    ] = None
    is_action: Annotated[
        Flag | None, Field(description="Whether an action link or form caused the event.")
    ] = None
    action_number: Annotated[
        Integer | None,
        Field(validate_default=True, description="The number of the action of the node."),
    ] = None
    action_data: Annotated[
        Scalars | None, Field(description="The data of the action, and where it came from.")
    ] = None
    conversion: Annotated[Conversion | None, Field(validate_default=True)] = None
    custom_event: Annotated[CustomEvent | None, Field(validate_default=True)] = None

    @field_validator("conversion", "custom_event")
    @classmethod
    def _extension_belongs_to_the_type(cls, extension: Any, info: ValidationInfo) -> Any:
        kind = EXTENSIONS[info.field_name or ""]
        if (extension is not None) != (info.data.get("event_type") == kind):
            raise ValueError(f"is required for {kind}, and allowed only there")
        return extension

    @field_validator(*IN_FLOW_FIELDS)
    @classmethod
    def _live_session_belongs_to_the_flow(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and info.data.get("event_type") not in IN_FLOW_TYPES:
            raise ValueError("is allowed for node_execution and on_action only")
        return value

    @field_validator("action_number")
    @classmethod
    def _action_has_its_number(cls, number: Any, info: ValidationInfo) -> Any:
        if number is None and info.data.get("is_action"):
            raise ValueError("is required when is_action is true")
        return number


class TrackingEvent(TrackingContext, NewEvent):
    """A FunnelFlux trigger with the context in which it fired."""

    def payload(self) -> dict[str, Any]:
        """The fields that say what happened, without empty objects and arrays."""
        return _without_empty(super().payload())


class ResourceEvent(NewEvent):
    """Something that happened to a lead, a contact, an order, …"""

    subject_type: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    subject_id: TextOrInteger
    data: dict[str, Any]
    funnel_id: TextOrInteger | None = None
    page_id: TextOrInteger | None = None
    source: Literal["ui", "api", "system"] | None = None


class Event(Model):
    """An accepted event. `payload` is the JSON text of what happened; times are milliseconds.

    `origin` names the record that brought the event, if one did: a message, a line of an import.
    `erased_at` is when its personal data or its whole payload was removed. `expires_at`, in
    seconds, is when the event is gone; None means as late as the stack allows. An event has a
    `wake_at` if the sweeper could not look at it: the sweeper tries again from then on.
    """

    workspace_id: str
    key: str
    event_id: str
    event_type: str
    accepted_at: int
    occurred_at: int
    payload: str
    fingerprint: str
    config_ids: tuple[str, ...] = ()
    visitor_id: str | None = None
    erased_at: int | None = None
    origin: str | None = None
    expires_at: int | None = None
    wake_at: int | None = None


def is_operational(event_id: str) -> bool:
    """Whether the event is one of the platform about itself (shared/events/operational.py)."""
    return event_id.startswith(OPERATIONAL_MARK)


def config_of(operational: Event) -> str:
    """The id of the config that an operational event is about."""
    return str(json.loads(operational.payload)["data"]["config_id"])


def compact_json(values: Any) -> str:
    """JSON as an event holds it and a webhook sends it: without blanks, each character as it is."""
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)


def _without_empty(context: dict[str, Any]) -> dict[str, Any]:
    """Without empty objects and arrays, which say that a context was not available.

    An empty `action_data` stays: it says that the action carried nothing.
    """
    inner = {
        key: _without_empty(value) if type(value) is dict else value
        for key, value in context.items()
    }
    return {
        key: value
        for key, value in inner.items()
        if key == "action_data" or (value != {} and value != [])
    }
