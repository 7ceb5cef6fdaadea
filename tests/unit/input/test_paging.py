from contextlib import suppress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.clock import LAST_MS
from shared.errors import InvalidError
from shared.input.paging import read_cursor, window, write_cursor

POSITIONS = st.text(st.characters(exclude_categories=["Cs"]))


class TestCursors:
    @given(POSITIONS)
    def test_lead_back_to_their_position(self, position: str) -> None:
        assert read_cursor("list", write_cursor("list", position)) == position

    @given(POSITIONS)
    def test_need_no_escaping_in_a_query(self, position: str) -> None:
        cursor = write_cursor("list", position)

        assert cursor.isascii()
        assert not set(cursor) & set("+/=&?# %")

    @given(st.text(max_size=60))
    def test_made_up_are_read_or_refused_and_nothing_else(self, text: str) -> None:
        with suppress(InvalidError):
            read_cursor("list", text)

    @pytest.mark.parametrize("text", ["é", "A", "_w", "a b", "++++"])
    def test_made_up_are_refused_by_name(self, text: str) -> None:
        with pytest.raises(InvalidError) as refusal:
            read_cursor("list", text)

        assert refusal.value.fields[0].path == "cursor"

    @given(POSITIONS, st.text(), st.text())
    def test_of_another_list_are_refused(self, position: str, of: str, other: str) -> None:
        assume(of != other)

        with pytest.raises(InvalidError):
            read_cursor(other, write_cursor(of, position))


class TestAWindow:
    def test_is_the_newest_50_unless_asked_otherwise(self) -> None:
        asked = window({})

        assert (asked.since, asked.until, asked.limit, asked.cursor) == (0, LAST_MS, 50, None)

    def test_takes_milliseconds_and_rfc_3339(self) -> None:
        asked = window({"since": "1777485855000", "until": "2026-04-29T18:04:16.000Z"})

        assert (asked.since, asked.until) == (1_777_485_855_000, 1_777_485_856_000)

    def test_leaves_other_parameters_to_others(self) -> None:
        assert window({"config_id": "crm", "limit": "7"}).limit == 7

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("limit", "0"),
            ("limit", "101"),
            ("limit", "many"),
            ("limit", ""),
            ("since", "yesterday"),
            ("since", "2026-04-29"),
            ("since", "-1"),
            ("since", "9" * 5_000),
            ("until", str(LAST_MS + 1)),
            ("until", "٣"),
            ("cursor", "x" * 513),
        ],
    )
    def test_names_the_parameter_that_is_wrong(self, name: str, value: str) -> None:
        with pytest.raises(InvalidError) as refusal:
            window({name: value})

        assert refusal.value.fields[0].path == name
