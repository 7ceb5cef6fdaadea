"""ClickFunnels' pages: 20 at a time by id, turned by the id of the last one.

Source: ClickFunnels, "Pagination".
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from pydantic import Field

from shared.apis.clickfunnels.endpoints import Endpoint
from shared.errors import InvalidError
from shared.model import Model

PAGE = 20


class AfterQuery(Model):
    """`after` turns the page: the id of the last one that was read."""

    after: Annotated[int, Field(ge=0, lt=2**53)] | None = None
    sort_order: Literal["asc", "desc"] = "asc"
    sort_property: Literal["id", "updated_at"] = "id"


_ORDERS: dict[str, Callable[[Endpoint], Any]] = {
    "id": lambda endpoint: endpoint.id,
    "updated_at": lambda endpoint: (endpoint.updated_at, endpoint.id),
}


def turned(found: Sequence[Endpoint], query: AfterQuery) -> tuple[list[Endpoint], bool]:
    """A page of endpoints, and whether there are more."""
    descends = query.sort_order == "desc"
    ordered = sorted(found, key=_ORDERS[query.sort_property], reverse=descends)
    rest = ordered[_start(ordered, query) :]
    return rest[:PAGE], len(rest) > PAGE


def next_page(address: str, query: AfterQuery, last: int) -> dict[str, str]:
    """Headers that lead to the page after the one whose last id is `last`."""
    given = query.model_dump(exclude_defaults=True) | {"after": last}
    return {
        "Pagination-Next": str(last),
        "Link": f'<{address}?{urlencode(given)}>; rel="next"',
    }


def _start(ordered: Sequence[Endpoint], query: AfterQuery) -> int:
    if query.after is None:
        return 0
    numbers = [endpoint.id for endpoint in ordered]
    if query.after not in numbers:
        raise InvalidError.at("after", "is the id of no endpoint here")
    return numbers.index(query.after) + 1
