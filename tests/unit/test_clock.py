import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared import clock
from shared.clock import LAST_MS, Moment

MOMENTS = st.integers(min_value=0, max_value=LAST_MS)
_moment: TypeAdapter[int] = TypeAdapter(Moment)


@given(MOMENTS)
def test_a_moment_is_written_and_read_back_to_the_millisecond(moment: int) -> None:
    assert clock.parse_ms(clock.rfc3339(moment)) == moment


@given(MOMENTS)
def test_every_moment_has_24_characters(moment: int) -> None:
    text = clock.rfc3339(moment)

    assert len(text) == 24
    assert text.endswith("Z")


@given(MOMENTS, MOMENTS)
def test_moments_sort_as_they_are_written(one: int, other: int) -> None:
    assert (clock.rfc3339(one) < clock.rfc3339(other)) is (one < other)


def test_a_moment_is_written_as_the_api_promises() -> None:
    assert clock.rfc3339(1_777_485_855_000) == "2026-04-29T18:04:15.000Z"
    assert clock.rfc3339(LAST_MS) == "9999-12-31T23:59:59.999Z"


@pytest.mark.parametrize(
    "written",
    [
        1_777_485_855_000,
        "2026-04-29T18:04:15Z",
        "2026-04-29T20:04:15+02:00",
        "2026-04-29T18:04:15.000Z",
        "20260429T180415Z",
    ],
)
def test_a_moment_is_read_in_each_spelling(written: object) -> None:
    assert _moment.validate_python(written) == 1_777_485_855_000


@pytest.mark.parametrize("written", ["2026-04-29T18:04:15", "2026-04-29"])
def test_a_time_without_an_offset_is_no_moment(written: str) -> None:
    with pytest.raises(ValidationError, match="must carry an offset"):
        _moment.validate_python(written)


@given(st.text(max_size=40))
def test_any_text_is_a_moment_or_refused_and_nothing_else(text: str) -> None:
    try:
        read = clock.parse_ms(text)
    except ValueError:
        return

    assert isinstance(read, int)


def test_now_is_an_integer_of_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1_777_485_855_123_999_999)

    assert clock.now_ms() == 1_777_485_855_123
