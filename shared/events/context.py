"""The context objects of the payload contract, as they come in and as they go out.

Source: FunnelFlux Pro, "Webhook Payloads" (schema_version 1.0), Object Fields.
"""

from typing import Annotated, Any

from pydantic import (
    AllowInfNan,
    Field,
    Strict,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)

from shared.clock import LAST_MS
from shared.model import Model


def one_of(kinds: str) -> WrapValidator:
    """One message for a value that fits no member of a union, not one for each member."""

    def validate(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError:
            raise ValueError(f"must be {kinds}") from None

    return WrapValidator(validate)


Text = Annotated[str, Strict()]
# Also an attribute of the item and a part of URLs: escaped, it has to fit into one.
VisitorId = Annotated[Text, StringConstraints(max_length=512)]
Identifier = Annotated[Text, StringConstraints(min_length=1)]
Integer = Annotated[int, Strict()]
Millis = Annotated[Integer, Field(ge=0, le=LAST_MS, description="Unix time in milliseconds, UTC.")]
# JSON has no infinity, and no NaN.
Real = Annotated[float, Strict(), AllowInfNan(False)]
Number = Annotated[Integer | Real, one_of("a number"), WithJsonSchema({"type": "number"})]
Flag = Annotated[bool, Strict()]
TextOrInteger = Annotated[Text | Integer, one_of("a string or an integer")]
Scalar = Annotated[
    Text | Flag | Integer | Real | None,
    one_of("a string, a number, true, false or null"),
    WithJsonSchema({"type": ["string", "number", "boolean", "null"]}),
]
Scalars = dict[str, Scalar]
ScalarsOrText = Annotated[Scalars | Text, one_of("a string or a flat object")]
# Money stays the string that came in; it is never read as a float.
Money = Annotated[
    Text,
    StringConstraints(pattern=r"^-?[0-9]{1,18}(\.[0-9]{1,18})?$"),
    Field(description="A decimal number as text, as it was reported: read it as no float."),
]

# ISO 4217, without XXX (no currency) and XTS (tests).
_CURRENT_CURRENCIES = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN
    BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD
    CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK
    DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP
    GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF
    IDR ILS INR IQD IRR ISK JMD JOD JPY
    KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD
    MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN
    NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR
    RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL
    THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS
    VED VES VND VUV WST XAD XAF XAG XAU XBA XBB XBC XBD XCD XCG XDR XOF XPD XPF XPT XSU XUA
    YER ZAR ZMW ZWG
"""
# Withdrawn since 2020: a purchase may be reported long after it was made.
_WITHDRAWN_CURRENCIES = "ANG BGN CUC HRK SLL ZWL"

CURRENCIES = frozenset(f"{_CURRENT_CURRENCIES} {_WITHDRAWN_CURRENCIES}".split())


class Context(Model):
    """A key whose value is null is the same as a key that is left out."""

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None}


class Visitor(Context):
    """Who it was: the visitor's request, place and device."""

    visitor_id: VisitorId | None = None
    ip: Text | None = None
    user_agent: Text | None = None
    country_code: Text | None = None
    country_name: Text | None = None
    region: Text | None = None
    city: Text | None = None
    timezone: Text | None = None
    language: Text | None = None
    device_type: Text | None = None
    os: Text | None = None
    browser: Text | None = None
    connection_type: Text | None = None


class Funnel(Context):
    """The funnel, and the node at which it happened."""

    funnel_id: Text | None = None
    funnel_name: Text | None = None
    node_id: Text | None = None
    node_name: Text | None = None


class TrafficSource(Context):
    """Where the visitor came from."""

    traffic_source_id: Text | None = None
    name: Text | None = None


class Hit(Context):
    """The tracked hit that the event belongs to."""

    hit_id: Text | None = None
    hit_timestamp: Millis | None = None
    tracking_domain: Text | None = None
    entrance_id: Text | None = None
    entrance_timestamp: Millis | None = None
    is_new_visitor: Flag | None = None
    is_entrance: Flag | None = None
    is_unique_node_view: Flag | None = None
    visitor_id: VisitorId | None = None
    traffic_source_id: Text | None = None
    funnel_id: Text | None = None
    node_id: Text | None = None
    page_id: Text | None = None
    page_group_id: Text | None = None
    node_type: Text | None = None
    nodes_path: Annotated[Text | list[Text], one_of("a string or a list of them")] | None = None
    time_on_page: Number | None = None
    referrer: Text | None = None
    filtered_traffic: (
        Annotated[Flag | Integer | Text, one_of("true, false, an integer or a string")] | None
    ) = None
    tracking_fields: Scalars | None = None


class Session(Context):
    """The live session and its current hit; `most_recent_page_id` is no webhook node."""

    visitor_id: VisitorId | None = None
    hit_id: Text | None = None
    entrance_id: Text | None = None
    entrance_timestamp: Millis | None = None
    hit_timestamp: Millis | None = None
    reference_hit_id: Text | None = None
    most_recent_page_id: Text | None = None
    referrer: Text | None = None


class Conversion(Context):
    """The conversion that was processed."""

    conversion_id: Identifier
    hit_id: Text | None = None
    transaction: Text | None = None
    revenue: Money | None = None
    conversion_timestamp: Millis | None = None
    conversion_time: Millis | None = None
    event_data1: Text | None = None
    event_data2: Text | None = None
    pii_email: Text | None = None
    pii_phone: Text | None = None
    passthrough_params: ScalarsOrText | None = None


class CustomEvent(Context):
    """The custom event that was processed."""

    custom_event_id: Identifier
    event_number: Integer | None = None
    hit_id: Text | None = None
    revenue: Money | None = None
    timestamp: Millis | None = None
    conversion_time: Millis | None = None
    event_data1: Text | None = None
    event_data2: Text | None = None
    pii_email: Text | None = None
    pii_phone: Text | None = None
    passthrough_params: ScalarsOrText | None = None
