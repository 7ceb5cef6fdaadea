"""The built-in event types, held against the documents of the systems that know them."""

import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.events import catalogue
from shared.events.catalogue import ENTRIES, System
from shared.events.models import EventType, TriggerType

DOCUMENT = Path(__file__).parents[3] / "docs" / "events.md"

# Source: FlowEstate, "Webhook subscriptions", List event types, word for word.
FLOWESTATE = {
    "Leads": (
        "lead.created",
        "lead.updated",
        "lead.stage_changed",
        "lead.assigned",
        "lead.unassigned",
        "lead.won",
        "lead.lost",
        "lead.deleted",
        "lead.note_added",
        "lead.communication_logged",
    ),
    "Projects": ("project.created", "project.updated", "project.deleted"),
    "Units": ("unit.created", "unit.updated", "unit.status_changed"),
}
# Sources: ClickFunnels, "Webhook Event Types" and "How to Work with Webhooks" (the last one).
CLICKFUNNELS = {
    "contact.created",
    "contact.updated",
    "contact.deleted",
    "contact.identified",
    "contact.unsubscribed",
    "contacts/applied_tag.created",
    "contact/applied_tag.created",
    "contact/applied_tag.deleted",
    "communities/post.created",
    "communities/posts/comment.created",
    "course.created",
    "course.updated",
    "course.deleted",
    "course.published",
    "courses/enrollment.created",
    "courses/enrollment.updated",
    "courses/enrollment.deleted",
    "courses/enrollment.suspended",
    "courses/enrollment.course_completed",
    "courses/section.created",
    "courses/section.updated",
    "courses/section.deleted",
    "courses/section.published",
    "courses/lesson.created",
    "courses/lesson.updated",
    "courses/lesson.deleted",
    "courses/lesson.published",
    "form/submission.created",
    "form_submission.created",
    "order.created",
    "order.updated",
    "order.deleted",
    "order.completed",
    "one-time-order.completed",
    "one_time_order.refunded",
    "subscription.canceled",
    "subscription.reactivated",
    "subscription.downgraded",
    "subscription.upgraded",
    "subscription.churned",
    "subscription.modified",
    "subscription.activated",
    "subscription.completed",
    "subscription.first_payment_received",
    "orders/transaction.created",
    "orders/transaction.updated",
    "orders/invoice.created",
    "orders/invoice.updated",
    "orders/invoice.refunded",
    "renewal-invoice-payment-declined",
    "one-time-order.invoice.paid",
    "subscription/invoice.paid",
    "runs/step.dontrunme",
    "workflows_integration_step.executed",
    "workflows/steps/integration_step.executed",
    "workflows/steps/deliver_webhook_step.executed",
    "appointments/scheduled_event.created",
    "appointments/scheduled_event.canceled",
    "appointments/scheduled_event.rescheduled",
    "blogs/post.created",
    "blogs/post.updated",
    "blogs/post.deleted",
    "blogs/post.published",
    "one-time-order.identified",
}


def names(system: System) -> list[str]:
    return [entry.name for entry in ENTRIES if entry.system is system]


def test_funnelflux_has_its_four_trigger_types() -> None:
    assert names(System.FUNNELFLUX) == [kind.value for kind in TriggerType]


def test_flowestate_has_its_list_in_its_order_and_groups() -> None:
    assert catalogue.groups(System.FLOWESTATE) == FLOWESTATE
    assert list(catalogue.groups(System.FLOWESTATE)) == ["Leads", "Projects", "Units"]
    assert names(System.FLOWESTATE) == [name for group in FLOWESTATE.values() for name in group]


def test_clickfunnels_has_all_that_its_documents_name() -> None:
    assert set(names(System.CLICKFUNNELS)) >= CLICKFUNNELS


@pytest.mark.parametrize("system", System)
def test_the_documentation_lists_every_type_in_its_group(system: System) -> None:
    section = DOCUMENT.read_text(encoding="utf-8").partition(f"\n### {system}\n")[2]
    rows = [line.split("|")[1:3] for line in section.partition("\n### ")[0].splitlines()[3:]]

    documented = {group.strip(): tuple(re.findall("`(.+?)`", types)) for group, types in rows}
    assert documented == catalogue.groups(system)


def test_every_name_stands_once() -> None:
    assert len({entry.name for entry in ENTRIES}) == len(ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_type_is_one_that_an_event_can_have_and_says_what_happened(
    entry: catalogue.CatalogueEntry,
) -> None:
    TypeAdapter(EventType).validate_python(entry.name)

    assert re.fullmatch(r"[A-Z].{8,}\.", entry.description)
    assert entry.name in catalogue.groups(entry.system)[entry.group]
    assert catalogue.find(entry.name) == entry


def test_what_is_not_built_in_is_not_found() -> None:
    assert catalogue.find("parcel.sent") is None
    assert catalogue.find("Lead.created") is None


@pytest.mark.parametrize("name", ["Parcel.sent", "", ".sent", "parcel.", "a b", "x" * 129, "é"])
def test_a_name_must_fit_the_pattern_case_included(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(EventType).validate_python(name)
