"""Samples are events that would be accepted."""

import pytest

from shared.events import catalogue, samples
from shared.events.models import TRACKING_TYPES, ResourceEvent, TrackingEvent
from tests.fakes import NOW

TYPES = [entry.name for entry in catalogue.ENTRIES]


@pytest.mark.parametrize("event_type", [*TYPES, "parcel", "webhook_config.tripped"])
def test_a_sample_is_an_event_of_its_type(event_type: str) -> None:
    payload = samples.payload_of(event_type, NOW)

    model = TrackingEvent if event_type in TRACKING_TYPES else ResourceEvent
    event = model.model_validate({**payload, "event_type": event_type})
    assert event.payload() == payload


@pytest.mark.parametrize(
    ("event_type", "subject"),
    [
        ("lead.won", "Lead"),
        ("contact.identified", "Contact"),
        ("contacts/applied_tag.created", "Contacts::AppliedTag"),
        ("one-time-order.completed", "Order"),
        ("subscription.invoice.paid", "Orders::Invoice"),
        ("renewal-invoice-payment-declined", "Orders::Invoice"),
        ("courses/lesson.published", "Courses::Lesson"),
        ("parcel", "Parcel"),
    ],
)
def test_a_sample_names_the_subject_of_its_type(event_type: str, subject: str) -> None:
    assert samples.payload_of(event_type, NOW)["subject_type"] == subject
