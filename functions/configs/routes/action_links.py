"""Links that let anybody follow an action: made here, revoked all at once."""

from typing import Annotated

from pydantic import Field, StringConstraints

from functions.configs.wiring import api, workspaces
from shared.actions import fields, links, redirects
from shared.actions.models import Action, Link
from shared.actions.routing import check_not_reserved
from shared.clock import MS_PER_S, Moment, Timestamp, now_ms
from shared.errors import InvalidError
from shared.events.context import Scalars
from shared.model import Model
from shared.web.authentication import Request
from shared.workspaces.models import Caller, Scope

PATH = "/v1/actions/links"
MAX_SECONDS = 10 * 366 * 86_400

OriginText = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class LinkOrigin(Model):
    """Where the link or form stands. The node is the action's own if it is left out."""

    node_id: OriginText | None = None
    node_name: OriginText | None = None
    node_type: OriginText | None = None
    page_id: OriginText | None = None
    page_name: OriginText | None = None


class LinkNew(Action):
    """Without an expiry it holds until it is revoked. `params` go before what a request brings."""

    expires_at: Moment | None = None
    expires_in_s: Annotated[int, Field(ge=1, le=MAX_SECONDS)] | None = None
    redirect: str | None = None
    origin: LinkOrigin = Field(default_factory=LinkOrigin)
    params: Scalars = Field(default_factory=dict)

    def fixed(self) -> Scalars:
        origin = self.origin.model_dump(exclude_none=True)
        return self.params | {f"flux_origin_{name}": text for name, text in origin.items()}


class LinkCreated(Model):
    url: str
    expires_at: Timestamp | None


@api.post(PATH, Scope.CONFIGS_WRITE, status=201)
def create_action_link(caller: Caller, body: LinkNew, request: Request) -> LinkCreated:
    """Make a link that anybody may follow, and to which any page may post a form."""
    workspace_id, expires_at = caller.workspace_id, _expiry(body, now_ms())
    link = Link(expires_at=expires_at, redirect=body.redirect, fields=_checked(body))
    if link.redirect is not None:
        redirects.check(link.redirect, workspaces().get(workspace_id).redirect_hosts, "redirect")
    secret = workspaces().link_secret(workspace_id)
    url = links.url(request.origin, body, link, workspace_id, secret)
    return LinkCreated(url=url, expires_at=expires_at)


@api.delete(PATH, Scope.CONFIGS_WRITE, status=204)
def revoke_action_links(caller: Caller) -> None:
    """Revoke every link of the workspace. They stop within 60 seconds."""
    workspaces().replace_link_secret(caller.workspace_id)


def _expiry(new: LinkNew, now: int) -> int | None:
    if new.expires_in_s is not None:
        if new.expires_at is not None:
            raise InvalidError.at("expires_in_s", "is one way to say expires_at; send one of them")
        return now + new.expires_in_s * MS_PER_S
    if new.expires_at is not None and new.expires_at <= now:
        raise InvalidError.at("expires_at", "must be in the future")
    return new.expires_at


def _checked(new: LinkNew) -> Scalars:
    if links.LINK_KEY in new.params:
        raise InvalidError.at(links.LINK_KEY, "is what is made here")
    check_not_reserved(new.params)
    return fields.collect(new.fixed().items())
