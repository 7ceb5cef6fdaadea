"""The JSON Schema of the outbound payload, made from its models. Never imported by a function.

The models are ours: they know every key and refuse any other. The schema is for receivers, who must
live with keys that are yet to come (docs/payload.md).
"""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from shared.dialects.funnelflux import PAYLOAD_SCHEMA
from shared.dialects.payload import OutboundPayload
from shared.events.models import EXTENSIONS, IN_FLOW_FIELDS, IN_FLOW_TYPES

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


class _ForReceivers(GenerateJsonSchema):
    """Missing, never null or empty; open to keys that are yet to come.

    How long a text may be is for those who send events in: what is stored may be longer.
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
