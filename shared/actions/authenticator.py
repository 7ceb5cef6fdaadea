"""Lets in who may follow an action: with a key of the workspace, or with a link that it signed."""

from collections.abc import Callable
from urllib.parse import unquote

from shared.actions import links
from shared.actions.models import Follower
from shared.clock import MS_PER_S, Clock
from shared.errors import ForbiddenError, NotFoundError
from shared.ids import new_link_secret
from shared.web import loops
from shared.web.authentication import Authenticated, Request
from shared.web.rate_limits import Authenticate, EventRateLimiter
from shared.workspaces.models import Scope, Workspace

# As long as a key is remembered: a revoked link stops within 60 s.
REMEMBER_MS = 30 * MS_PER_S
MAX_REMEMBERED = 1_000

_OF_EVERY_ANSWER = {"Cache-Control": "no-store"}
# No cookie and no key is involved, so a page may read the answer wherever it comes from.
_OF_LINKS = {"Access-Control-Allow-Origin": "*"}


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
        self._known: dict[str, tuple[int, Workspace]] = {}
        # So that an unknown workspace takes as long as a wrong signature.
        self._nobodys_secret = new_link_secret()

    def admit(self, request: Request, scope: Scope) -> Authenticated[Follower]:
        loops.refuse(request.headers)
        link = links.find(request.query)
        if link is not None:
            follower = self._linked(links.SignedLink(link), unquote(request.path))
            return self._admission(follower, _OF_EVERY_ANSWER | _OF_LINKS)
        caller = self._authenticate(request.headers, scope)
        return self._admission(Follower(workspace=caller.workspace), _OF_EVERY_ANSWER)

    def _admission(self, follower: Follower, headers: dict[str, str]) -> Authenticated[Follower]:
        return Authenticated(caller=follower, headers=headers | self._rate.take(follower.workspace))

    def _linked(self, signed: links.SignedLink, path: str) -> Follower:
        remembered = self._remembered(signed.workspace_id)
        if remembered is not None:
            try:
                return self._open(signed, path, remembered)
            except ForbiddenError:
                pass  # perhaps by a secret that is newer than what is remembered
        return self._open(signed, path, self._read(signed.workspace_id))

    def _open(self, signed: links.SignedLink, path: str, workspace: Workspace | None) -> Follower:
        secret = workspace.link_secret if workspace else None
        link = signed.open(path, secret or self._nobodys_secret, self._clock())
        if workspace is None:
            raise links.refused()
        return Follower(workspace=workspace, link=link)

    def _remembered(self, workspace_id: str) -> Workspace | None:
        until, workspace = self._known.get(workspace_id, (0, None))
        return workspace if self._clock() < until else None

    def _read(self, workspace_id: str) -> Workspace | None:
        try:
            workspace = self._find_workspace(workspace_id)
        except NotFoundError:
            return None
        if workspace_id not in self._known and len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[workspace_id] = (self._clock() + REMEMBER_MS, workspace)
        return workspace
