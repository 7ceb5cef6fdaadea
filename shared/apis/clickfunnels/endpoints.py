"""ClickFunnels' endpoints: the bodies of its calls, and the configs behind them.

Source: ClickFunnels' OpenAPI document, "Webhooks::Outgoing::Endpoints".
"""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from shared.apis.clickfunnels.numbers import workspace_number
from shared.clock import Timestamp
from shared.configs.models import Listing, WebhookConfig
from shared.configs.triggers import ALL_TYPES, Trigger
from shared.dialects import DIALECTS, clickfunnels_ids
from shared.dialects.clickfunnels import ClickFunnels, ClickFunnelsV1
from shared.model import Model
from shared.workspaces.models import Client

DIALECT = ClickFunnels.name
MAX_IDS = 500

_VERSIONS = {spoken.name: spoken.api_version for spoken in (ClickFunnels, ClickFunnelsV1)}

Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Url = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Ids = Annotated[list[int | Identifier], Field(max_length=MAX_IDS)]
Types = Annotated[list[Identifier], Field(max_length=MAX_IDS)]


class NewEndpoint(Model):
    """Without `event_type_ids` the endpoint gets events of every type; without `page_ids` or
    `funnel_ids`, of every page or funnel."""

    url: Url
    name: Name
    event_type_ids: Types | None = None
    page_ids: Ids | None = None
    funnel_ids: Ids | None = None
    api_version: Literal[2] = 2


class EndpointChange(Model):
    """A field that is left out stays; an empty list lifts the restriction."""

    url: Url | None = None
    name: Name | None = None
    event_type_ids: Types | None = None
    page_ids: Ids | None = None
    funnel_ids: Ids | None = None


class CreateEndpoint(Model):
    webhooks_outgoing_endpoint: NewEndpoint


class UpdateEndpoint(Model):
    webhooks_outgoing_endpoint: EndpointChange


class Endpoint(Model):
    """`api_version` 1 is the deprecated shape of payloads."""

    id: int
    public_id: str
    workspace_id: int
    url: str
    name: str
    event_type_ids: tuple[str, ...]
    api_version: int
    page_ids: tuple[int | str, ...]
    funnel_ids: tuple[int | str, ...]
    created_at: Timestamp
    updated_at: Timestamp


class CreatedEndpoint(Endpoint):
    """`webhook_secret` is shown here and never again."""

    webhook_secret: str


def created(new: NewEndpoint, workspace_id: str, client: Client, now: int) -> WebhookConfig:
    number = clickfunnels_ids.new_number(now)
    return WebhookConfig(
        id=str(number),
        workspace_id=workspace_id,
        name=new.name,
        url=new.url,
        triggers=_triggers(new.event_type_ids, new.funnel_ids, new.page_ids),
        dialect=DIALECT,
        managed_by=client,
        listing=Listing(name=DIALECT, position=number),
        secret=DIALECTS[DIALECT].new_secret(),
        created_at=now,
        updated_at=now,
    )


def changed(old: WebhookConfig, change: EndpointChange, now: int) -> WebhookConfig:
    """A save enables an endpoint that the platform disabled: the API has no other way to do it."""
    known = shown(old).model_dump()
    values = known | change.model_dump(exclude_none=True)
    kept = old.model_copy(update={"updated_at": now, "version": old.version + 1})
    new = old.enabled_again(now) if old.disabled_reason is not None else kept
    return new.model_copy(
        update={
            "name": values["name"],
            "url": values["url"],
            "triggers": _triggers(
                values["event_type_ids"], values["funnel_ids"], values["page_ids"]
            ),
        }
    )


def shown(config: WebhookConfig) -> Endpoint:
    return Endpoint.model_validate(_shown(config))


def shown_with_secret(config: WebhookConfig) -> CreatedEndpoint:
    return CreatedEndpoint.model_validate(_shown(config) | {"webhook_secret": config.secret})


def _shown(config: WebhookConfig) -> dict[str, Any]:
    number = config.listing.position if config.listing else clickfunnels_ids.number_of(config.id)
    first = config.triggers[0]
    return {
        "id": number,
        "public_id": clickfunnels_ids.public_id(number),
        "workspace_id": workspace_number(config.workspace_id),
        "url": config.url,
        "name": config.name,
        "event_type_ids": _types(config),
        "api_version": _VERSIONS[config.dialect],
        "page_ids": tuple(map(clickfunnels_ids.as_number, first.page_ids)),
        "funnel_ids": tuple(map(clickfunnels_ids.as_number, first.funnel_ids)),
        "created_at": config.created_at,
        "updated_at": config.updated_at,
    }


def _triggers(
    types: list[str] | None, funnels: list[Any] | None, pages: list[Any] | None
) -> tuple[Trigger, ...]:
    return tuple(
        Trigger(
            event_type=name,
            funnel_ids=tuple(map(str, funnels or ())),
            page_ids=tuple(map(str, pages or ())),
        )
        for name in dict.fromkeys(types or [ALL_TYPES])
    )


def _types(config: WebhookConfig) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(trigger.event_type for trigger in config.triggers))
    return () if ALL_TYPES in names else names
