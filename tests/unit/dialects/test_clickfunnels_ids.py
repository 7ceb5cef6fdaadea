import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dialects import clickfunnels_ids
from tests.fakes import NOW

numbers = st.integers(min_value=1, max_value=2**53 - 1)


@given(numbers)
def test_a_public_id_is_read_back_as_its_number(number: int) -> None:
    public_id = clickfunnels_ids.public_id(number)

    assert public_id.startswith("B")
    assert len(public_id) <= 10
    assert clickfunnels_ids.number_from(public_id) == number


@given(numbers)
def test_a_number_is_read_as_itself(number: int) -> None:
    assert clickfunnels_ids.number_from(str(number)) == number


@pytest.mark.parametrize("text", ["", "B", "b1", "B-1", "12345678901234567", "crm", "\u00b2"])
def test_any_other_text_is_no_id(text: str) -> None:
    assert clickfunnels_ids.number_from(text) is None


@pytest.mark.parametrize(("text", "expected"), [("7", 7), ("007", "007"), ("\u00b2", "\u00b2")])
def test_only_a_number_that_is_written_plainly_becomes_one(text: str, expected: int | str) -> None:
    assert clickfunnels_ids.as_number(text) == expected


@given(st.text(min_size=1))
def test_a_name_has_one_number_that_a_double_can_hold(name: str) -> None:
    number = clickfunnels_ids.number_of(name)

    assert number == clickfunnels_ids.number_of(name)
    assert 0 < number < 2**53


@given(st.text(alphabet="abc-", min_size=1))
def test_the_number_of_a_name_is_larger_than_any_that_a_name_spells(name: str) -> None:
    assert clickfunnels_ids.number_of(name) >= 2**52 > clickfunnels_ids.number_of("9" * 15)


def test_a_new_id_tells_when_it_was_made() -> None:
    assert clickfunnels_ids.moment_of(clickfunnels_ids.new_number(NOW)) == NOW
