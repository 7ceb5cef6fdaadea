"""ClickFunnels' ids are numbers: how ours become numbers, and how pages are turned by them.

Source: ClickFunnels, "Pagination": 20 items a page, turned by the id of the last one.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, Protocol, TypeVar
from urllib.parse import urlencode

from pydantic import Field

from shared.dialects import clickfunnels_ids
from shared.errors import InvalidError, NotFoundError
from shared.model import Model

PAGE = 20
# Of the key of an event, so many bits that events of one millisecond differ. With the 39 bits of
# milliseconds, which last until 2043, a double can hold the number.
_KEY_BITS = 14


class AfterQuery(Model):
    """`after` is the id of the last item of the page before."""

    after: Annotated[int, Field(ge=0, lt=2**53)] | None = None
    sort_order: Literal["asc", "desc"] = "asc"
    sort_property: Literal["id", "updated_at"] = "id"


class Numbered(Protocol):
    @property
    def id(self) -> int: ...
    @property
    def updated_at(self) -> Any: ...


N = TypeVar("N", bound=Numbered)

_ORDERS: dict[str, Callable[[Numbered], Any]] = {
    "id": lambda item: item.id,
    "updated_at": lambda item: (item.updated_at, item.id),
}


def missing() -> NotFoundError:
    return NotFoundError("Not found: Record missing")


def workspace_number(workspace_id: str) -> int:
    return clickfunnels_ids.number_of(workspace_id)


def check_workspace(workspace_id: str, named: str) -> None:
    """Raises NotFoundError unless the path names the workspace of the key, by its id or number."""
    if named not in (workspace_id, str(workspace_number(workspace_id))):
        raise missing()


def event_number(accepted_at: int, key: str) -> int:
    """A number that sorts by the time of acceptance (ms)."""
    return clickfunnels_ids.new_number(accepted_at) << _KEY_BITS | int(key, 16) % (1 << _KEY_BITS)


def accepted_at(number: int) -> int:
    """When the event with the number was accepted (ms)."""
    return clickfunnels_ids.moment_of(number >> _KEY_BITS)


def page_of(found: Sequence[N], query: AfterQuery) -> tuple[list[N], bool]:
    """A page of items, and whether there are more. Raises InvalidError for an unknown `after`."""
    is_descending = query.sort_order == "desc"
    ordered = sorted(found, key=_ORDERS[query.sort_property], reverse=is_descending)
    rest = ordered[_start(ordered, query) :]
    return rest[:PAGE], len(rest) > PAGE


def next_page(address: str, query: AfterQuery, last: int) -> dict[str, str]:
    """Headers that lead to the page after the page with the last id `last`."""
    given = query.model_dump(exclude_defaults=True) | {"after": last}
    return {
        "Pagination-Next": str(last),
        "Link": f'<{address}?{urlencode(given)}>; rel="next"',
    }


def _start(ordered: Sequence[Numbered], query: AfterQuery) -> int:
    if query.after is None:
        return 0
    numbers = [item.id for item in ordered]
    if query.after not in numbers:
        raise InvalidError.at("after", "is the id of no endpoint here")
    return numbers.index(query.after) + 1
