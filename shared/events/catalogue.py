"""The built-in event types of each system, in the order of its documentation.

A new system with types of its own is a member of System and an entry of _TYPES.

Sources: FunnelFlux Pro, "Webhook Payloads"; FlowEstate, "Webhook subscriptions"; ClickFunnels,
"Webhook Event Types" with the spellings of its older list, and "How to Work with Webhooks".
"""

from collections.abc import Mapping
from enum import StrEnum

from shared.events.models import EventType, TriggerType
from shared.model import Model


class System(StrEnum):
    FUNNELFLUX = "funnelflux"
    FLOWESTATE = "flowestate"
    CLICKFUNNELS = "clickfunnels"


class CatalogueEntry(Model):
    name: EventType
    group: str
    description: str
    system: System


def _each(subject: str, what: str, *verbs: str) -> dict[str, str]:
    """`lead`, `A lead`, `won` make `lead.won`: `A lead was won.`"""
    return {f"{subject}.{verb}": f"{what} was {verb.replace('_', ' ')}." for verb in verbs}


_LIFE = ("created", "updated", "deleted")

_Groups = Mapping[str, Mapping[str, str]]

_FUNNELFLUX: _Groups = {
    "Triggers": {
        TriggerType.NODE_EXECUTION: "A visitor reached a webhook node.",
        TriggerType.ON_ACTION: "A visitor followed an action link or sent an action form.",
        TriggerType.CONVERSION_TRIGGERED: "A conversion was recorded.",
        TriggerType.CUSTOM_EVENT_TRIGGERED: "A custom event was recorded.",
    },
}

_FLOWESTATE: _Groups = {
    "Leads": {
        **_each("lead", "A lead", "created", "updated"),
        "lead.stage_changed": "A lead moved to another stage of its pipeline.",
        "lead.assigned": "A lead was given to a member of the team.",
        "lead.unassigned": "A lead belongs to no member of the team any more.",
        **_each("lead", "A lead", "won", "lost", "deleted"),
        "lead.note_added": "A note was written about a lead.",
        "lead.communication_logged": "A call, message or meeting with a lead was recorded.",
    },
    "Projects": _each("project", "A project", *_LIFE),
    "Units": {
        **_each("unit", "A unit", "created", "updated"),
        "unit.status_changed": "A unit is available, reserved or sold now, and was not before.",
    },
}

_CLICKFUNNELS: _Groups = {
    "Contacts": {
        **_each("contact", "A contact", *_LIFE),
        "contact.identified": "A contact is known by e-mail address or phone number now.",
        "contact.unsubscribed": "A contact wants no more e-mail.",
    },
    "Applied tags": {
        "contacts/applied_tag.created": "A contact was given a tag.",
        "contacts/applied_tag.deleted": "A tag was taken from a contact.",
        "contact/applied_tag.created": "A contact was given a tag (older spelling).",
        "contact/applied_tag.deleted": "A tag was taken from a contact (older spelling).",
    },
    "Communities": {
        "communities/post.created": "A post was written in a community.",
        "communities/posts/comment.created": "A comment was written on a community's post.",
    },
    "Courses": {
        **_each("course", "A course", *_LIFE, "published"),
        **_each("courses/enrollment", "An enrollment in a course", *_LIFE, "suspended"),
        "courses/enrollment.course_completed": "A student completed a course.",
        **_each("courses/section", "A section of a course", *_LIFE, "published"),
        **_each("courses/lesson", "A lesson of a course", *_LIFE, "published"),
    },
    "Forms": {
        "form_submission.created": "A form was sent in.",
        "form/submission.created": "A form was sent in (older spelling).",
    },
    "Appointments": _each(
        "appointments/scheduled_event", "An appointment", "created", "canceled", "rescheduled"
    ),
    "Blogs": _each("blogs/post", "A blog post", *_LIFE, "published"),
    "Products": {
        **_each("product", "A product", "created", "updated"),
        **_each("products/variant", "A variant of a product", "created", "updated"),
        **_each("products/collection", "A collection of products", "created", "updated"),
    },
    "Sales": {
        **_each("sales/opportunity", "An opportunity", *_LIFE, "closed"),
        "sales/opportunity.moved_stage": "An opportunity moved to another stage.",
    },
    "Orders": {
        **_each("order", "An order", *_LIFE),
        "order.completed": "An order was paid, or the time of its subscription is over.",
        "one-time-order.completed": "A one-time order was paid.",
        "one-time-order.identified": "It is known now whose a one-time order is.",
        "one_time_order.refunded": "The money of a one-time order was given back.",
        **_each("fulfillment", "The fulfillment of an order", "created", "updated"),
    },
    "Subscriptions": {
        **_each("subscription", "A subscription", "activated", "canceled", "reactivated"),
        "subscription.upgraded": "A subscription changed to a product of more value.",
        "subscription.downgraded": "A subscription changed to a product of less value.",
        "subscription.modified": "A subscription was changed.",
        "subscription.line_items.changed": "The items of a subscription were changed.",
        "subscription.trial_started": "The trial of a subscription began.",
        "subscription.trial_ended": "The trial of a subscription is over.",
        "subscription.trial_converted": "A trial became a paid subscription.",
        "subscription.first_payment_received": "The first payment for a subscription came in.",
        "subscription.churned": "A subscription ended and was not renewed.",
        "subscription.completed": "A subscription ran to its end.",
    },
    "Transactions": _each("orders/transaction", "A payment transaction", "created", "updated"),
    "Invoices": {
        **_each("orders/invoice", "An invoice", "created", "updated", "paid", "refunded"),
        **_each("orders/invoice", "An invoice", "abandoned", "reissued", "fulfilled", "voided"),
        "orders/invoice.past_due": "An invoice was not paid in time.",
        "orders/invoices/restock.created": "Items of an invoice are to go back into stock.",
        "orders/invoices/restock.updated": "The return of items into stock has changed.",
        "renewal-invoice-payment-declined": "The payment for a renewal was declined.",
        "one-time-order.invoice.paid": "The invoice of a one-time order was paid.",
        "subscription.invoice.paid": "The invoice of a subscription was paid.",
        "subscription/invoice.paid": "The invoice of a subscription was paid (older spelling).",
    },
    "Workflows": {
        "runs/step.dontrunme": "A step of a workflow that does nothing was run.",
        "workflows_integration_step.executed": "An integration step was run (older spelling).",
        "workflows/steps/integration_step.executed": "An integration step was run.",
        "workflows/steps/deliver_webhook_step.executed": "A webhook step was run.",
    },
    "Platform": {"platform_application.disconnected": "An application was disconnected."},
}

_TYPES: Mapping[System, _Groups] = {
    System.FUNNELFLUX: _FUNNELFLUX,
    System.FLOWESTATE: _FLOWESTATE,
    System.CLICKFUNNELS: _CLICKFUNNELS,
}

ENTRIES = tuple(
    CatalogueEntry(name=name, group=group, description=description, system=system)
    for system, groups in _TYPES.items()
    for group, types in groups.items()
    for name, description in types.items()
)
_BY_NAME = {entry.name: entry for entry in ENTRIES}


def find(name: str) -> CatalogueEntry | None:
    return _BY_NAME.get(name)


def groups(system: System) -> dict[str, tuple[str, ...]]:
    """The names of a system's types by group, in the order of the system."""
    return {group: tuple(types) for group, types in _TYPES[system].items()}
