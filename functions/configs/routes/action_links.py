"""Links with which anybody may follow an action: made one by one, revoked all at once."""

from functions.configs.wiring import api, workspaces
from shared.actions import links, redirects
from shared.actions.new_links import LinkNew
from shared.clock import Timestamp, now_ms
from shared.model import Model
from shared.web.authentication import Request
from shared.workspaces.models import Caller, Scope

PATH = "/v1/actions/links"


class LinkCreated(Model):
    url: str
    expires_at: Timestamp | None


@api.post(PATH, Scope.CONFIGS_WRITE, status=201)
def create_action_link(caller: Caller, body: LinkNew, request: Request) -> LinkCreated:
    """Create a link that anybody may follow, and to which any page may post a form.

    400 if the expiry is not in the future, a parameter is reserved, or the workspace does not allow
    the host of `redirect`.
    """
    link = body.link(now_ms())
    if link.redirect is not None:
        allowed = workspaces().get(caller.workspace_id).redirect_hosts
        redirects.check(link.redirect, allowed, "redirect")
    secret = workspaces().link_secret(caller.workspace_id)
    url = links.url(request.origin, body, link, caller.workspace_id, secret)
    return LinkCreated(url=url, expires_at=link.expires_at)


@api.delete(PATH, Scope.CONFIGS_WRITE, status=204)
def revoke_action_links(caller: Caller) -> None:
    """Revoke every action link of the workspace. The links stop within 60 seconds."""
    workspaces().replace_link_secret(caller.workspace_id)
