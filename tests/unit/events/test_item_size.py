"""Whatever is accepted fits an item of the table, and its keys fit the keys of an index.

Source: Amazon DynamoDB, "Quotas": 400 KB an item, 2,048 bytes a partition key, 1,024 a sort key.
"""

import random
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.aws.table import Table
from shared.errors import InvalidError, TooLargeError
from shared.events.accept import Acceptor
from shared.events.store import EventStore
from shared.workspaces.models import Workspace
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW

MAX_ITEM = 409_600
PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
PARTITION_KEYS = ("pk", "log_pk", "visitor_pk")
SORT_KEYS = ("sk", "log_sk")


class Kept:
    """A table that keeps the last item that it was given."""

    item: dict[str, dict[str, Any]]

    def put_item(self, **request: Any) -> None:
        self.item = request["Item"]


def stored(values: Any) -> dict[str, dict[str, Any]]:
    table = Kept()
    store = EventStore(Table(cast(Any, table), "t"), 30, 600)
    acceptor = Acceptor(store, lambda *_: None, lambda: NOW, 30)
    workspace = Workspace(workspace_id=WORKSPACE, name="", created_at=NOW)
    acceptor.store(values, workspace, "o" * 128)
    return table.item


def size(value: Any) -> int:
    """Of an attribute: a byte for its type and three around a list, which is what they cost."""
    match value:
        case {"L": values}:
            return 3 + sum(1 + size(inner) for inner in values)
        case {"S": text} | {"N": text}:
            return len(text.encode())
        case {"B": content}:
            return len(content)
    raise AssertionError(value)


def noise(length: int, alphabet: str) -> str:
    """Text that nothing compresses."""
    return "".join(random.Random(length).choices(alphabet, k=length))  # noqa: S311


@given(
    st.sampled_from(["visitor", "hit", "session"]),
    st.integers(1, 1_000) | st.integers(1, 262_000),
    st.integers(0, 262_000),
    st.sampled_from([PRINTABLE, "é\u4e00\U0001f600", "x"]),
)
@example("visitor", 512, 250_000, "\U0001f600")
@example("hit", 250_000, 0, PRINTABLE)
def test_any_accepted_event_fits_an_item(
    place: str, id_length: int, rest: int, alphabet: str
) -> None:
    values = factories.event_json(
        event_id="e" * 128,
        webhook_config_ids=[f"{number:064d}" for number in range(100)],
        visitor=None,
        hit=None,
        session=None,
        url_buffer={"noise": noise(rest, alphabet)},
    ) | {place: {"visitor_id": noise(id_length, alphabet)}}
    try:
        item = stored(values)
    except (InvalidError, TooLargeError):
        return

    assert sum(len(name) + size(value) for name, value in item.items()) <= MAX_ITEM
    assert max(size(item[name]) for name in PARTITION_KEYS) <= 2_048
    assert max(size(item[name]) for name in SORT_KEYS) <= 1_024


@pytest.mark.parametrize("place", ["visitor", "hit", "session"])
def test_the_longest_visitor_id_is_accepted(place: str) -> None:
    longest = "\U0001f600" * 512

    item = stored(factories.event_json(visitor=None, hit=None) | {place: {"visitor_id": longest}})

    assert item["visitor_id"] == {"S": longest}


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"visitor": {"visitor_id": "x" * 513}}, "visitor.visitor_id"),
        ({"hit": {"visitor_id": "x" * 513}}, "hit.visitor_id"),
        ({"session": {"visitor_id": "x" * 513}}, "session.visitor_id"),
        ({"VisitorID": "x" * 513}, "visitor.visitor_id"),
    ],
)
def test_a_longer_one_is_refused_by_its_name(values: Any, path: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        stored({"event_type": "on_action"} | values)

    (field,) = refusal.value.fields
    assert (field.path, "at most 512 characters" in field.message) == (path, True)
