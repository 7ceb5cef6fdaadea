"""The input of Funnelytics' inbound webhook: a flat action, or purchases.

Source: Funnelytics, "Send webhook events to Funnelytics".
"""

import json
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, StringConstraints, ValidationError
from pydantic import Field as Described

from shared import ids
from shared.clock import Moment
from shared.errors import Field, InvalidError
from shared.events.context import CURRENCIES, Scalar
from shared.input.validation import invalid
from shared.model import Model
from shared.visitors.models import EmailAddress

COMMERCE_ACTION = "__commerce_action__"
MAX_ACTION = 128
# One transaction of up to 100 items stores all of them and the visitor.
MAX_PURCHASES = 90
_KNOWN = ("session", "email", "dateTime", "purchase_data")


def _digits(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _cents(value: object) -> int:
    text = _digits(value)
    digits = text.removeprefix("-") if isinstance(text, str) else ""
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 15):
        raise ValueError("must be cents: an integer of up to 15 digits, or the same as a string")
    return int(str(text))


def _text(value: object) -> object:
    if not isinstance(value, str | None):
        raise ValueError("must be ISO 8601 text with an offset, like 2023-11-05T21:18:04+00:00")
    return value


def _currency(code: str) -> str:
    if code not in CURRENCIES:
        raise ValueError("must be a currency code of ISO 4217, such as USD")
    return code


Label = Annotated[str, StringConstraints(min_length=1, max_length=512), BeforeValidator(_digits)]
Session = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=256),
    BeforeValidator(_digits),
]


class Purchase(Model):
    sku: Annotated[Label, Described(alias="__sku__")]
    label: Annotated[Label, Described(alias="__label__")]
    cents: Annotated[int, BeforeValidator(_cents), Described(alias="__total_in_cents__")]
    order: Annotated[Label, Described(alias="__order__")]
    currency: Annotated[str, AfterValidator(_currency), Described(alias="__currency__")]
    extras: dict[str, Scalar]

    @property
    def revenue(self) -> str:
        whole, rest = divmod(abs(self.cents), 100)
        return f"{'-' if self.cents < 0 else ''}{whole}.{rest:02d}"


class InboundAction(Model):
    """Everything but `purchase_data` is flat."""

    name: str
    session: Session | None
    email: EmailAddress | None
    date_time: Annotated[Moment | None, BeforeValidator(_text), Described(alias="dateTime")]
    attributes: dict[str, Scalar]
    purchases: Annotated[tuple[Purchase, ...], Described(alias="purchase_data")]


def read(name: str, values: Any) -> InboundAction:
    """The typed action, or an InvalidError that names every wrong key."""
    _check_name(name)
    if not isinstance(values, dict):
        raise InvalidError("The payload must be a JSON object.")
    _check_purchases(name, values)
    _check_keys(values)
    try:
        return InboundAction.model_validate(
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


def digest(project: str, name: str, values: Any) -> str:
    """Equal for bodies that mean the same, whatever the order of their keys."""
    return ids.sha256_hex(f"{project}\n{name}\n{json.dumps(values, sort_keys=True)}")


def _is_reserved(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= MAX_ACTION or not name.isprintable():
        raise InvalidError.at("actionName", f"must be 1 to {MAX_ACTION} printable characters")
    if _is_reserved(name) and name != COMMERCE_ACTION:
        raise InvalidError.at(
            "actionName",
            f"names in double underscores are reserved; the one in use is {COMMERCE_ACTION}",
        )


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


def _check_keys(values: dict[str, Any]) -> None:
    """No value is nested and no name is reserved, except those that Funnelytics defines."""
    wrong = list(_wrong_keys(values, "", allowed="purchase_data"))
    for number, item in enumerate(values.get("purchase_data", ())):
        wrong += _wrong_keys(item, f"purchase_data.{number}.", known=_PURCHASE_KEYS)
    if wrong:
        raise InvalidError("; ".join(f"{f.path}: {f.message}" for f in wrong), tuple(wrong))


def _wrong_keys(
    values: dict[str, Any], prefix: str, allowed: str = "", known: frozenset[str] = frozenset()
) -> Iterator[Field]:
    for key, value in values.items():
        if isinstance(value, dict | list) and key != allowed:
            yield Field(path=prefix + key, message="is nested; only purchase_data may be")
        elif _is_reserved(key) and key not in known:
            yield Field(path=prefix + key, message="is a reserved name")


_PURCHASE_KEYS = frozenset(field.alias or "" for field in Purchase.model_fields.values()) - {""}


def _purchase(item: dict[str, Any]) -> dict[str, Any]:
    known = {key: value for key, value in item.items() if key in _PURCHASE_KEYS}
    extras = {key: value for key, value in item.items() if key not in _PURCHASE_KEYS}
    return known | {"extras": extras}
