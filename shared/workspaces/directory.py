"""Workspaces by id, remembered for a short while in the worker."""

from collections.abc import Callable

from shared.clock import MS_PER_S, Clock
from shared.workspaces.models import Workspace

REMEMBER_MS = 30 * MS_PER_S
MAX_REMEMBERED = 1_000


class Directory:
    """For the roads that name a workspace and bring no key. `find` raises what `read` does, which
    is not remembered."""

    def __init__(self, read: Callable[[str], Workspace], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._known: dict[str, tuple[int, Workspace]] = {}

    def find(self, workspace_id: str) -> Workspace:
        now = self._clock()
        until, workspace = self._known.get(workspace_id, (0, None))
        if workspace is None or now >= until:
            workspace = self._read(workspace_id)
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            self._known[workspace_id] = (now + REMEMBER_MS, workspace)
        return workspace
