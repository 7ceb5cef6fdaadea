"""Authenticates requests to actions, by an API key or by a link that the workspace signed."""

from collections.abc import Callable
from urllib.parse import unquote

from shared.actions import links
from shared.actions.models import Follower
from shared.clock import Clock
from shared.errors import ForbiddenError, NotFoundError
from shared.ids import new_link_secret
from shared.remembered import Remembered
from shared.web.authentication import Authenticate, Authenticated, Request, refuse_loop
from shared.web.rate_limits import EventRateLimiter
from shared.workspaces.models import Scope, Workspace

_HEADERS = {"Cache-Control": "no-store"}
# A link needs no cookie and no key, so pages of any origin may read the response.
_LINK_HEADERS = {"Access-Control-Allow-Origin": "*"}


class ActionAuthenticator:
    def __init__(
        self,
        authenticate: Authenticate,
        find_workspace: Callable[[str], Workspace],
        rate: EventRateLimiter,
        clock: Clock,
    ) -> None:
        self._authenticate = authenticate
        self._find_workspace = find_workspace
        self._rate = rate
        self._clock = clock
        self._known = Remembered[str, Workspace](clock)
        # An unknown workspace takes as long as a wrong signature.
        self._placeholder_secret = new_link_secret()

    def admit(self, request: Request, scope: Scope) -> Authenticated[Follower]:
        refuse_loop(request.headers)
        link = links.find(request.query)
        if link is not None:
            follower = self._linked(links.SignedLink(link), unquote(request.path))
            return self._admission(follower, _HEADERS | _LINK_HEADERS)
        caller = self._authenticate(request.headers, scope)
        return self._admission(Follower(workspace=caller.workspace), _HEADERS)

    def _admission(self, follower: Follower, headers: dict[str, str]) -> Authenticated[Follower]:
        return Authenticated(caller=follower, headers=headers | self._rate.take(follower.workspace))

    def _linked(self, signed: links.SignedLink, path: str) -> Follower:
        remembered = self._known.find(signed.workspace_id)
        if remembered is not None:
            try:
                return self._open(signed, path, remembered)
            except ForbiddenError:
                pass  # the secret may be newer than the remembered workspace
        self._known.forget(signed.workspace_id)
        return self._open(signed, path, self._find(signed.workspace_id))

    def _open(self, signed: links.SignedLink, path: str, workspace: Workspace | None) -> Follower:
        secret = workspace.link_secret if workspace else None
        link = signed.open(path, secret or self._placeholder_secret, self._clock())
        if workspace is None:
            raise links.refused()
        return Follower(workspace=workspace, link=link)

    def _find(self, workspace_id: str) -> Workspace | None:
        try:
            return self._known.get(workspace_id, lambda: self._find_workspace(workspace_id))
        except NotFoundError:
            return None
