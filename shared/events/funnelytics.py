"""Funnelytics' inbound webhook: a flat action, or a purchase, becomes tracking events.

Source: Funnelytics, "Send webhook events to Funnelytics". An action becomes a custom event; each
item of a purchase becomes a conversion, whose revenue is a decimal string made from the cents.
"""

import json
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints, ValidationError

from shared import ids
from shared.api.validation import invalid
from shared.clock import Moment
from shared.errors import ConflictError, InvalidError
from shared.events.context import Scalar, TextOrInteger
from shared.events.models import NewEvent, TrackingEvent, TriggerType
from shared.model import Model

COMMERCE_ACTION = "__commerce_action__"
MAX_ACTION = 128
MAX_PURCHASES = 100
_KNOWN = ("session", "email", "dateTime", "purchase_data")


def _cents(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Cents = Annotated[str, BeforeValidator(_cents), StringConstraints(pattern=r"^-?\d{1,15}$")]
Label = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class Purchase(Model):
    sku: Annotated[Label, Field(alias="__sku__")]
    label: Annotated[Label, Field(alias="__label__")]
    cents: Annotated[Cents, Field(alias="__total_in_cents__")]
    order: Annotated[Label, Field(alias="__order__")]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), Field(alias="__currency__")]
    extras: dict[str, Scalar]

    @property
    def revenue(self) -> str:
        whole, rest = divmod(abs(int(self.cents)), 100)
        return f"{'-' if self.cents.startswith('-') else ''}{whole}.{rest:02d}"


class Action(Model):
    """Everything but `purchase_data` is flat."""

    name: str
    session: TextOrInteger | None
    email: Annotated[str, StringConstraints(min_length=1, max_length=320)] | None
    date_time: Annotated[Moment | None, Field(alias="dateTime")]
    attributes: dict[str, Scalar]
    purchases: Annotated[tuple[Purchase, ...], Field(alias="purchase_data")]


def events(project: str, name: str, values: Any, at_ms: int) -> list[NewEvent]:
    """The same action of the same body always makes events with the same ids."""
    action = _action(_checked_name(name), values)
    digest = ids.sha256_hex(f"{project}\n{name}\n{json.dumps(values, sort_keys=True)}")[:32]
    if action.name != COMMERCE_ACTION:
        return [_custom_event(action, f"fny-{digest}", at_ms)]
    return [
        _conversion(action, purchase, f"fny-{digest}-{number}", at_ms)
        for number, purchase in enumerate(action.purchases, 1)
    ]


def duplicate() -> ConflictError:
    return ConflictError(
        "This event was sent before. To send the same information again, add its dateTime."
    )


def _checked_name(name: str) -> str:
    if not 1 <= len(name) <= MAX_ACTION or not name.isprintable():
        raise InvalidError.at("actionName", f"must be 1 to {MAX_ACTION} printable characters")
    if name.startswith("__") and name.endswith("__") and name != COMMERCE_ACTION:
        raise InvalidError.at(
            "actionName",
            f"names in double underscores are reserved; the one in use is {COMMERCE_ACTION}",
        )
    return name


def _action(name: str, values: Any) -> Action:
    if not isinstance(values, dict):
        raise InvalidError("The payload must be a JSON object.")
    _check_purchases(name, values)
    _check_flat(values, "", allowed="purchase_data")
    try:
        return Action.model_validate(
            {
                "name": name,
                "session": values.get("session"),
                "email": values.get("email"),
                "dateTime": values.get("dateTime"),
                "attributes": {key: value for key, value in values.items() if key not in _KNOWN},
                "purchase_data": [_purchase(item) for item in values.get("purchase_data", ())],
            }
        )
    except ValidationError as error:
        raise invalid(error) from None


def _check_purchases(name: str, values: dict[str, Any]) -> None:
    given = values.get("purchase_data")
    if name != COMMERCE_ACTION:
        if "purchase_data" in values:
            raise InvalidError.at("purchase_data", f"belongs to the action {COMMERCE_ACTION} only")
        return
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_PURCHASES:
        raise InvalidError.at("purchase_data", f"must be an array of 1 to {MAX_PURCHASES} objects")
    for number, item in enumerate(given):
        if not isinstance(item, dict):
            raise InvalidError.at(f"purchase_data.{number}", "must be an object")
        _check_flat(item, f"purchase_data.{number}.")


def _check_flat(values: dict[str, Any], prefix: str, allowed: str = "") -> None:
    for key, value in values.items():
        if isinstance(value, dict | list) and key != allowed:
            raise InvalidError.at(prefix + key, "is nested; only purchase_data may be")


def _purchase(item: dict[str, Any]) -> dict[str, Any]:
    reserved = {field.alias for field in Purchase.model_fields.values() if field.alias}
    known = {key: value for key, value in item.items() if key in reserved}
    extras = {key: value for key, value in item.items() if key not in reserved}
    return known | {"extras": extras}


def _custom_event(action: Action, event_id: str, at_ms: int) -> NewEvent:
    custom_event = {
        "custom_event_id": event_id,
        "timestamp": _happened_at(action, at_ms),
        "event_data1": action.name,
        "pii_email": action.email,
    }
    return _event(action, event_id, TriggerType.CUSTOM_EVENT_TRIGGERED, custom_event=custom_event)


def _conversion(action: Action, purchase: Purchase, event_id: str, at_ms: int) -> NewEvent:
    conversion = {
        "conversion_id": event_id,
        "transaction": purchase.order,
        "revenue": purchase.revenue,
        "conversion_timestamp": _happened_at(action, at_ms),
        "event_data1": purchase.sku,
        "event_data2": purchase.label,
        "pii_email": action.email,
        "passthrough_params": purchase.extras | {"currency": purchase.currency},
    }
    return _event(action, event_id, TriggerType.CONVERSION_TRIGGERED, conversion=conversion)


def _event(
    action: Action, event_id: str, event_type: TriggerType, **extension: dict[str, Any]
) -> NewEvent:
    visitor = None if action.session is None else {"visitor_id": str(action.session)}
    return TrackingEvent.model_validate(
        {
            "event_type": event_type,
            "event_id": event_id,
            "occurred_at": action.date_time,
            "visitor": visitor,
            "tracking_fields": action.attributes or None,
            **extension,
        }
    )


def _happened_at(action: Action, at_ms: int) -> int:
    return at_ms if action.date_time is None else action.date_time
