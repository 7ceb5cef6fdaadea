"""The meter's arithmetic, by the examples of DynamoDB's documentation."""

import pytest

from shared.standalone.engine.sizes import size
from tests.benchmarks.units import Index, read_units, write_units

KB = 1024
LOG = {
    "IndexName": "log",
    "KeySchema": [{"AttributeName": "log_pk"}, {"AttributeName": "log_sk"}],
    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["state"]},
}


def item(**attributes: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": "p"}, "sk": {"S": "s"}} | {k: {"S": v} for k, v in attributes.items()}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"S": "ä"}, 2),
        ({"N": "27"}, 2),
        ({"N": "-27"}, 3),
        ({"N": "461"}, 3),
        ({"N": "1000000"}, 2),
        ({"B": b"abc"}, 3),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"L": [{"S": "ab"}, {"S": "c"}]}, 3 + 2 + 3),
        ({"M": {"k": {"S": "ab"}}}, 3 + 1 + 1 + 2),
        ({"SS": ["ab", "c"]}, 2 + 1),
    ],
)
def test_an_attribute_weighs_its_name_and_its_value(
    value: dict[str, object], expected: int
) -> None:
    assert size({"name": value}) == 4 + expected


@pytest.mark.parametrize(("length", "units"), [(0, 1), (KB - 5, 1), (KB - 4, 2), (10 * KB, 11)])
def test_a_write_costs_a_unit_for_each_kilobyte(length: int, units: int) -> None:
    written = {"pk": {"S": "p"}, "sk": {"S": ""}, "": {"B": b"x" * length}}

    assert write_units(None, written) == units


def test_a_write_costs_what_the_larger_of_both_items_does() -> None:
    assert write_units(item(a="x" * 2000), item()) == 2


@pytest.mark.parametrize(
    ("sizes", "consistent", "units"),
    [
        ([], True, 1),
        ([], False, 0.5),
        ([4096], True, 1),
        ([4097], True, 2),
        ([3000] * 3, False, 1.5),
    ],
)
def test_a_read_costs_a_unit_for_four_kilobytes(
    sizes: list[int], consistent: bool, units: float
) -> None:
    assert read_units(sizes, consistent) == units


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        (None, item(), 0),
        (None, item(log_pk="a", log_sk="1"), 1),
        (item(log_pk="a", log_sk="1"), item(log_pk="a", log_sk="1", other="x"), 0),
        (item(log_pk="a", log_sk="1"), item(log_pk="a", log_sk="1", state="done"), 1),
        (item(log_pk="a", log_sk="1"), item(log_pk="a", log_sk="2"), 2),
        (item(log_pk="a", log_sk="1"), item(), 1),
    ],
)
def test_an_index_is_paid_for_when_its_entry_changes_and_twice_when_it_moves(
    before: dict[str, dict[str, str]] | None, after: dict[str, dict[str, str]], units: int
) -> None:
    assert Index(LOG, ("pk", "sk")).write_units(before, after) == units
