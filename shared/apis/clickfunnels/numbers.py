"""ClickFunnels' ids are numbers: how those of workspaces and events are made from ours."""

from shared.dialects import clickfunnels_ids
from shared.errors import NotFoundError

# Of the key of an event, so much that events of one millisecond are told apart. With the 39 bits
# of milliseconds, which last until 2043, a number is one that a double can hold.
_KEY_BITS = 14


def missing() -> NotFoundError:
    return NotFoundError("Not found: Record missing")


def workspace_number(workspace_id: str) -> int:
    return clickfunnels_ids.number_of(workspace_id)


def check_workspace(workspace_id: str, named: str) -> None:
    """Raises NotFoundError unless the path names the workspace of the key, by its id or number."""
    if named not in (workspace_id, str(workspace_number(workspace_id))):
        raise missing()


def event_number(accepted_at: int, key: str) -> int:
    """Sorts by the time of acceptance."""
    return clickfunnels_ids.new_number(accepted_at) << _KEY_BITS | int(key, 16) % (1 << _KEY_BITS)


def accepted_at(number: int) -> int:
    return clickfunnels_ids.moment_of(number >> _KEY_BITS)
