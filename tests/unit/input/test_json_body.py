import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.errors import FunnelhooksError, InvalidError, TooLargeError
from shared.input.json_body import MAX_DEPTH, parse_json

LIMIT = 10_000
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


def nested(levels: int, innermost: bytes = b"") -> bytes:
    return b"[" * levels + innermost + b"]" * levels


@given(JSON)
def test_json_is_read_as_it_was_written(value: Any) -> None:
    body = json.dumps(value).encode()

    assert parse_json(body, len(body)) == value


@given(st.binary(max_size=200))
@example(b'{"a": 1e999}')
@example(b'{"a": -1e999}')
@example(b"1" * 5_000)
@example(b'{"a": NaN}')
@example(b'"\\ud800"')
@example(b'{"\\udfff": 1}')
@example(b"\xff\xfe{\x00")
@example(nested(4_000))
def test_any_bytes_are_read_or_refused_and_nothing_else(body: bytes) -> None:
    try:
        value = parse_json(body, LIMIT)
    except FunnelhooksError:
        return

    # What was let in can be written again, as JSON that every receiver reads.
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


def test_a_byte_order_mark_is_no_part_of_the_json() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": 1}', LIMIT) == {"a": 1}


def test_the_limit_is_counted_in_bytes_and_stated() -> None:
    body = '"é"'.encode()

    assert parse_json(body, 4) == "é"
    with pytest.raises(TooLargeError, match=r"has 4 bytes, the limit is 3\."):
        parse_json(body, 3)


@pytest.mark.parametrize("body", [b"", b"  \n"])
def test_an_empty_body_is_called_empty(body: bytes) -> None:
    with pytest.raises(InvalidError, match="The body is empty"):
        parse_json(body, LIMIT)


def test_broken_json_is_refused_with_line_and_column() -> None:
    with pytest.raises(InvalidError, match=r"at line 2, column 7\."):
        parse_json(b'{"a": 1,\n "b": oops}', LIMIT)


def test_bytes_that_are_not_utf8_are_refused_with_their_place() -> None:
    with pytest.raises(InvalidError, match="not UTF-8: see byte 6"):
        parse_json(b'{"a":"\xff"}', LIMIT)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_what_is_no_finite_number_is_refused(number: str) -> None:
    with pytest.raises(InvalidError, match=r"is no JSON number|too large"):
        parse_json(f'{{"a": {number}}}'.encode(), LIMIT)


@pytest.mark.parametrize("text", [r'"\ud800"', r'{"\udfff": 1}', r'[["a\udc00"]]'])
def test_half_of_a_surrogate_pair_is_refused_as_value_and_as_key(text: str) -> None:
    with pytest.raises(InvalidError, match="surrogate"):
        parse_json(text.encode(), LIMIT)


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert parse_json(rb'"\ud83d\ude00"', LIMIT) == "😀"


def test_depth_is_bounded() -> None:
    parse_json(nested(MAX_DEPTH, b"1"), LIMIT)

    with pytest.raises(InvalidError, match=f"deeper than {MAX_DEPTH} levels"):
        parse_json(nested(MAX_DEPTH + 1, b"1"), LIMIT)


def test_a_body_too_deep_for_the_parser_is_called_too_deep() -> None:
    with pytest.raises(InvalidError, match="deeper than"):
        parse_json(nested(500_000), 1_000_000)


def test_a_number_too_long_for_the_parser_is_refused() -> None:
    with pytest.raises(InvalidError, match="not JSON"):
        parse_json(b"1" * 5_000, LIMIT)
