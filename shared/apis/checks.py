"""Checks that the API of every system makes before it saves a webhook config."""

from collections.abc import Callable, Iterable, Sequence

from shared.attempts import placeholders
from shared.configs.categories import CategoryStore
from shared.configs.models import Status
from shared.errors import InvalidError
from shared.events import catalogue
from shared.events.operational import OPERATIONAL_TYPES
from shared.events.own_types import OwnType
from shared.outbound.ssrf import Policy, check_url


class ConfigChecks:
    """`own_types` gives the event types of a workspace's own."""

    def __init__(
        self,
        policy: Policy,
        categories: CategoryStore,
        own_types: Callable[[str], Iterable[OwnType]],
    ) -> None:
        self.policy = policy
        self._categories = categories
        self._own_types = own_types

    def url(self, path: str, url: str) -> None:
        """Raises InvalidError at `path` for a URL to which no webhook may go."""
        try:
            placeholders.check(url)
            check_url(placeholders.without(url), self.policy)
        except ValueError as error:
            raise InvalidError.at(path, str(error)) from None

    def category(self, path: str, workspace_id: str, category_id: str) -> None:
        """Raises InvalidError at `path` for an unknown or deleted category; none is allowed."""
        if not category_id:
            return
        found = self._categories.find_many(workspace_id, [category_id])
        if not found or found[0].status is Status.DELETED:
            raise InvalidError.at(path, f"no category {category_id} is known here")

    def event_types(self, path: str, workspace_id: str, names: Sequence[str]) -> None:
        """Raises InvalidError at `path` for types neither built in nor the workspace's own."""
        others = [name for name in names if not is_built_in(name)]
        own = {kind.name for kind in self._own_types(workspace_id)} if others else set()
        if unknown := [name for name in others if name not in own]:
            raise InvalidError.at(path, f"not known as event types: {', '.join(unknown)}")


def is_built_in(event_type: str) -> bool:
    """Whether every workspace has the type: from the catalogue, or operational."""
    return catalogue.find(event_type) is not None or event_type in OPERATIONAL_TYPES
