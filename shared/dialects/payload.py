"""`webhook_outbound_payload_v1`: what the FunnelFlux dialect may send, and its JSON Schema.

No function imports this module: an accepted payload follows the contract already, and is sent as it
is. The models know every key and refuse any other one. The schema is for receivers, which must
accept keys that are added later (docs/payload.md).
Source: FunnelFlux Pro, "Webhook Payloads" (schema_version 1.0).
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field
from pydantic.json_schema import GenerateJsonSchema

from shared.dialects.funnelflux import PAYLOAD_SCHEMA
from shared.events.context import Millis, Scalars
from shared.events.models import EXTENSIONS, IN_FLOW_FIELDS, IN_FLOW_TYPES, TrackingContext
from shared.model import Model

Schema = dict[str, Any]

ABOUT = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    # A name and no address: every deployment serves the schema on a host of its own.
    "$id": f"urn:funnelhooks:schema:{PAYLOAD_SCHEMA}",
    "title": PAYLOAD_SCHEMA,
    "description": (
        "The JSON body of a webhook; event_type says what happened. What was not available is left "
        "out: nothing is null, and no object or array is empty, but for values of free keys and "
        "action_data."
    ),
    "$comment": (
        "Grows within schema_version 1.0: keys may be added at the top and in every object, so "
        "additionalProperties is true there, and receivers ignore what they do not know. The keys "
        "of tracking_fields, url_buffer, action_data and passthrough_params belong to the sender; "
        "their values are never nested. Another event_type, or another type or meaning of a key, "
        "is another schema_version."
    ),
}


class Head(Model):
    """The first keys of every payload."""

    schema_version: Literal["1.0"]
    event_type: str
    request_id: Annotated[
        UUID,
        Field(description="Names this delivery at all its attempts, and nothing that happened."),
    ]
    timestamp: Annotated[
        Millis, Field(description="When the payload was built: Unix time in milliseconds, UTC.")
    ]


class OutboundPayload(TrackingContext, Head):
    action_data: Annotated[
        Scalars | None,
        Field(
            description="What the action carried, and where it came from; empty if it was nothing.",
            json_schema_extra={"minProperties": 0},
        ),
    ] = None


class _ForReceivers(GenerateJsonSchema):
    """A key may be missing but is never null or empty; other keys are allowed.

    There is no maxLength: it limits incoming events, and a stored text may be longer.
    """

    def str_schema(self, schema: Any) -> Schema:
        described = super().str_schema(schema)
        return {key: value for key, value in described.items() if key != "maxLength"}

    def nullable_schema(self, schema: Any) -> Schema:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> Schema:
        return self.generate_inner(schema["schema"])

    def list_schema(self, schema: Any) -> Schema:
        return {**super().list_schema(schema), "minItems": 1}

    def dict_schema(self, schema: Any) -> Schema:
        return {**super().dict_schema(schema), "minProperties": 1}

    def model_schema(self, schema: Any) -> Schema:
        described = super().model_schema(schema)
        return {**described, "minProperties": 1, "additionalProperties": True}

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def document() -> Schema:
    """The JSON Schema of the outbound payload."""
    generated = OutboundPayload.model_json_schema(schema_generator=_ForReceivers)
    rules = [_in_flow(), *map(_extension, EXTENSIONS), _action()]
    return {
        **ABOUT,
        **{key: generated[key] for key in ("type", "required", "properties")},
        "additionalProperties": True,
        "allOf": rules,
        "$defs": generated["$defs"],
    }


def _in_flow() -> Schema:
    in_flow = {"enum": sorted(IN_FLOW_TYPES)}
    return _when("event_type", in_flow) | {"else": _without(*IN_FLOW_FIELDS)}


def _extension(name: str) -> Schema:
    rule = _when("event_type", {"const": EXTENSIONS[name]})
    return rule | {"then": {"required": [name]}, "else": _without(name)}


def _action() -> Schema:
    return _when("is_action", {"const": True}) | {"then": {"required": ["action_number"]}}


def _when(name: str, fits: Schema) -> Schema:
    return {"if": {"properties": {name: fits}, "required": [name]}}


def _without(*names: str) -> Schema:
    return {"properties": dict.fromkeys(names, False)}
