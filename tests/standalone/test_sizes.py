"""A page of a query is measured exactly only where it may be too large."""

from hypothesis import given
from hypothesis import strategies as st

from shared.standalone.engine.sizes import size, size_at_most

VALUES = st.recursive(
    st.builds(lambda text: {"S": text}, st.text(max_size=20))
    | st.builds(
        lambda number: {"N": str(number)},
        st.integers() | st.decimals(allow_nan=False, allow_infinity=False),
    )
    | st.builds(lambda content: {"B": content}, st.binary(max_size=20))
    | st.builds(lambda texts: {"SS": texts}, st.lists(st.text(max_size=5), min_size=1, unique=True))
    | st.sampled_from([{"BOOL": True}, {"NULL": True}]),
    lambda inner: (
        st.builds(lambda values: {"L": values}, st.lists(inner, max_size=4))
        | st.builds(
            lambda values: {"M": values}, st.dictionaries(st.text(max_size=5), inner, max_size=4)
        )
    ),
    max_leaves=10,
)
ITEMS = st.dictionaries(st.text(min_size=1, max_size=5), VALUES, max_size=5)


@given(items=st.lists(ITEMS, max_size=4))
def test_items_are_never_larger_than_the_quick_measure_says(items: list[dict[str, object]]) -> None:
    assert sum(map(size, items)) <= size_at_most(items)


def test_a_text_that_comes_again_and_again_counts_each_time() -> None:
    text = {"S": "x" * 1_000}
    item = {"pk": text, "texts": {"L": [text] * 50}}

    assert 51_000 < size(item) <= size_at_most([item])
