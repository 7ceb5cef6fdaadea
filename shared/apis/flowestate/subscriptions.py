"""FlowEstate's subscriptions: the bodies of its calls, and the configs behind them.

Source: FlowEstate developer documentation, "Webhook subscriptions", "Pagination".
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator

from shared import ids
from shared.clock import Timestamp
from shared.configs.models import Listing, Status, WebhookConfig
from shared.configs.triggers import Trigger
from shared.dialects import DIALECTS
from shared.model import Model
from shared.workspaces.models import Client

DIALECT = "flowestate"
MAX_LIMIT = 100

Label = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class NewSubscription(Model):
    """A subscription to one event type. With an `external_id` the call is safe to repeat."""

    target_url: Annotated[str, StringConstraints(min_length=1, max_length=2048)]
    event: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    external_id: Label | None = None
    name: Annotated[str, StringConstraints(max_length=255)] | None = None


class Subscription(Model):
    """The answer when a client makes a subscription again: without the secret."""

    id: str
    target_url: str
    event: str
    external_id: str | None
    managed_by: Client
    supported_events: list[str]


class CreatedSubscription(Model):
    """`secret` is shown here and never again."""

    id: str
    target_url: str
    event: str
    external_id: str | None
    managed_by: Client
    secret: str
    supported_events: list[str]


class SubscriptionRead(Model):
    id: str
    target_url: str
    events: tuple[str, ...]
    external_id: str | None
    managed_by: Client
    is_active: bool
    created_at: Timestamp


class Pagination(Model):
    total: int
    limit: int
    offset: int
    hasMore: bool


class SubscriptionPage(Model):
    data: tuple[SubscriptionRead, ...]
    pagination: Pagination


class Deleted(Model):
    id: str
    deleted: Literal[True] = True


class EventTypes(Model):
    """`groups` holds the same types under the headings of a menu."""

    events: list[str]
    groups: dict[str, list[str]]


class SubscriptionsQuery(Model):
    """A `limit` out of bounds counts as the nearest bound."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 50
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0

    @field_validator("limit", mode="before")
    @classmethod
    def _within_bounds(cls, value: Any) -> Any:
        text = str(value)
        is_number = text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 20
        return min(max(int(text), 1), MAX_LIMIT) if is_number else value


def listing(client: Client) -> str:
    """The name of the list of a kind of client; each has its own."""
    return f"{DIALECT}/{client}"


def subscribed(new: NewSubscription, workspace_id: str, client: Client, now: int) -> WebhookConfig:
    return WebhookConfig(
        id=ids.new_subscription_id(),
        workspace_id=workspace_id,
        name=new.name or new.external_id or new.event,
        url=new.target_url,
        triggers=(Trigger(event_type=new.event),),
        dialect=DIALECT,
        managed_by=client,
        listing=Listing(name=listing(client), position=now, claim=_claim(new)),
        external_id=new.external_id,
        secret=DIALECTS[DIALECT].new_secret(),
        created_at=now,
        updated_at=now,
    )


def created(config: WebhookConfig, supported: Sequence[str]) -> CreatedSubscription:
    return CreatedSubscription(**existing(config, supported).model_dump(), secret=config.secret)


def existing(config: WebhookConfig, supported: Sequence[str]) -> Subscription:
    return Subscription(
        id=config.id,
        target_url=config.url,
        event=config.triggers[0].event_type,
        external_id=config.external_id,
        managed_by=config.managed_by,
        supported_events=list(supported),
    )


def shown(config: WebhookConfig) -> SubscriptionRead:
    return SubscriptionRead(
        id=config.id,
        target_url=config.url,
        events=tuple(dict.fromkeys(trigger.event_type for trigger in config.triggers)),
        external_id=config.external_id,
        managed_by=config.managed_by,
        is_active=config.status is Status.ACTIVE and config.enabled,
        created_at=config.created_at,
    )


def _claim(new: NewSubscription) -> str:
    """What makes two subscriptions of a client the same: the `external_id`; without one, the event
    type and the URL."""
    if new.external_id is not None:
        return f"ID#{new.external_id}"
    return f"ASKS#{ids.sha256_hex(f'{new.event} {new.target_url}')}"
