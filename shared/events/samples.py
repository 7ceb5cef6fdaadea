"""Sample payloads for test events, by event type. All people and values are invented."""

import re
from typing import Any

from shared.clock import MS_PER_S, rfc3339
from shared.events.models import TRACKING_TYPES, TriggerType

_EMAIL = "alice@example.com"
_HIT = {"visitor_id": "visitor_sample", "hit_id": "hit_sample"}
_FUNNEL = {"funnel_id": "funnel_sample", "node_id": "node_sample"}
_SOURCE = {"traffic_source_id": "ts_sample", "name": "Sample source"}
_PERSON = {
    "email_address": _EMAIL,
    "first_name": "Alice",
    "last_name": "Sample",
    "phone_number": "+15555550100",
}
_MONEY = {"currency": "USD", "total_amount": "19.99"}

# The subject and the data of a type: the first pattern that its name matches decides. A type that
# matches none has the subject that its name begins with, and little data.
_SUBJECTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (r"invoice", "Orders::Invoice", {"number": "1001", "status": "paid", **_MONEY}),
    (r"^lead\.", "Lead", {**_PERSON, "stage": "New", "source": "Website"}),
    (r"^contact\.", "Contact", {**_PERSON, "tags": [{"id": 1, "name": "Sample"}]}),
    (
        r"(^|[-_])order\.",
        "Order",
        {
            "order_number": "1001",
            **_MONEY,
            "contact": _PERSON,
            "line_items": [{"name": "Sample product", "quantity": 1, "amount": "19.99"}],
        },
    ),
    (r"^subscription\.", "Subscription", {"status": "active", **_MONEY, "contact": _PERSON}),
    (r"^form[_/]submission\.", "FormSubmission", {"page": "Sample page", "contact": _PERSON}),
    (
        r"^appointments/",
        "Appointments::ScheduledEvent",
        {"name": "Sample call", "status": "scheduled", "primary_contact": _PERSON},
    ),
)


def payload_of(event_type: str, now: int) -> dict[str, Any]:
    if event_type in TRACKING_TYPES:
        return _tracking(TriggerType(event_type), now)
    return _resource(event_type, now)


def _tracking(kind: TriggerType, now: int) -> dict[str, Any]:
    common = {
        "visitor": {
            "visitor_id": _HIT["visitor_id"],
            "ip": "203.0.113.42",
            "user_agent": "Mozilla/5.0",
            "country_code": "US",
            "device_type": "desktop",
        },
        "funnel": {**_FUNNEL, "funnel_name": "Sample funnel", "node_name": "Sample node"},
        "traffic_source": _SOURCE,
        "hit": {**_HIT, **_FUNNEL, "hit_timestamp": now - MS_PER_S},
        "tracking_fields": {"campaign": "sample"},
    }
    return common | _own(kind, now)


def _own(kind: TriggerType, now: int) -> dict[str, Any]:
    match kind:
        case TriggerType.CONVERSION_TRIGGERED:
            money = {"transaction": "order_sample", "revenue": "19.99"}
            conversion = {"conversion_id": "conv_sample", "hit_id": _HIT["hit_id"], **money}
            return {"conversion": {**conversion, "conversion_timestamp": now}}
        case TriggerType.CUSTOM_EVENT_TRIGGERED:
            known = {"custom_event_id": "hit_sample_1", "event_number": 1, "revenue": "4.50"}
            return {"custom_event": {**known, "hit_id": _HIT["hit_id"], "timestamp": now}}
        case TriggerType.ON_ACTION:
            return _in_flow(now) | {"is_action": True, "action_number": 1}
        case TriggerType.NODE_EXECUTION:
            return _in_flow(now) | {"is_action": False}


def _in_flow(now: int) -> dict[str, Any]:
    return {
        "session": {**_HIT, "hit_timestamp": now - MS_PER_S},
        "url_buffer": {"campaign": "sample", "email": _EMAIL},
        "action_data": {"email": _EMAIL},
    }


def _resource(event_type: str, now: int) -> dict[str, Any]:
    for pattern, subject, data in _SUBJECTS:
        if re.search(pattern, event_type):
            return _with_subject(subject, data, now)
    return _with_subject(_subject_named_by(event_type), {"name": "Sample"}, now)


def _with_subject(subject: str, data: dict[str, Any], now: int) -> dict[str, Any]:
    moment = rfc3339(now)
    return {
        "subject_type": subject,
        "subject_id": 1001,
        "data": {"id": 1001, **data, "created_at": moment, "updated_at": moment},
    }


def _subject_named_by(event_type: str) -> str:
    """`courses/lesson.created` names a `Courses::Lesson`."""
    named = event_type.rpartition(".")[0] or event_type
    words = [re.split(r"[._-]", part) for part in named.split("/")]
    return "::".join("".join(word.capitalize() for word in part) for part in words)
