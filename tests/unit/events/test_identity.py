"""By what an event is known that carries no id."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import ids
from shared.events import accept
from tests import factories

IN_FLOW = ["node_execution", "on_action"]
Parts = tuple[str, str, int | None]


def identity(values: dict[str, Any]) -> str | None:
    new = accept.read(values)
    return ids.natural_event_id(new.event_type, new.payload())


def at_node(hit_id: str, node_id: str, number: int | None = None) -> str | None:
    numbered = {} if number is None else {"action_number": number}
    place = {"hit": {"hit_id": hit_id}, "funnel": {"node_id": node_id}}
    return identity({"event_type": "on_action"} | place | numbered)


class TestAConversion:
    @pytest.mark.parametrize("extension", ["conversion", "custom_event"])
    def test_is_known_by_its_id_alone(self, extension: str) -> None:
        kind, told = f"{extension}_triggered", {f"{extension}_id": "1"}
        known = identity(factories.event_json(kind, **{extension: told}))

        assert identity({"event_type": kind, extension: told | {"revenue": "5.00"}}) == known
        assert identity({"event_type": kind, extension: {f"{extension}_id": "2"}}) != known

    def test_is_no_custom_event_of_the_same_id(self) -> None:
        conversion = {"event_type": "conversion_triggered", "conversion": {"conversion_id": "1"}}
        custom = {
            "event_type": "custom_event_triggered",
            "custom_event": {"custom_event_id": "1"},
        }

        assert identity(conversion) != identity(custom)


class TestWhatHappensInTheFlow:
    def test_is_known_by_hit_and_node(self) -> None:
        assert at_node("h1", "n1") == at_node("h1", "n1")
        assert len({at_node("h1", "n1"), at_node("h1", "n2"), at_node("h2", "n1")}) == 3

    def test_is_known_by_its_action_too(self) -> None:
        assert len({at_node("h", "n"), at_node("h", "n", 0), at_node("h", "n", 1)}) == 3

    def test_is_known_by_its_type_too(self) -> None:
        values = [factories.event_json(kind, action_number=1) for kind in IN_FLOW]

        assert len(set(map(identity, values))) == 2

    @pytest.mark.parametrize(
        "place",
        [
            {"hit": {"hit_id": "h", "node_id": "n"}},
            {"hit": {"hit_id": "h", "node_id": "elsewhere"}, "funnel": {"node_id": "n"}},
            {"session": {"hit_id": "h"}, "funnel": {"node_id": "n"}},
        ],
    )
    def test_is_known_wherever_its_hit_and_node_stand(self, place: dict[str, Any]) -> None:
        assert identity({"event_type": "on_action"} | place) == at_node("h", "n")

    @pytest.mark.parametrize(
        "place",
        [
            {},
            {"hit": {"hit_id": "h"}},
            {"hit": {"hit_id": "", "node_id": "n"}},
            {"hit": {"hit_id": "h", "node_id": ""}},
            {"funnel": {"node_id": "n"}},
            {"session": {"hit_id": "h"}},
        ],
    )
    def test_is_known_by_nothing_less(self, place: dict[str, Any]) -> None:
        assert identity({"event_type": "on_action"} | place) is None


def test_what_happened_to_a_subject_is_known_by_nothing() -> None:
    assert identity(factories.resource_json(subject_id="conv_1")) is None


def test_an_id_that_is_made_shows_nothing_and_is_one_that_an_event_may_carry() -> None:
    conversion = {"conversion_id": "alice@example.com\0" + "x" * 1000}
    made = identity({"event_type": "conversion_triggered", "conversion": conversion})

    assert made is not None
    assert "alice" not in made
    assert accept.read(factories.event_json(event_id=made)).event_id == made


@given(st.lists(st.tuples(st.text(min_size=1, max_size=3), st.text(min_size=1, max_size=3)),
    min_size=2, max_size=2, unique=True))  # fmt: skip
def test_two_places_never_read_as_one(places: list[tuple[str, str]]) -> None:
    (one, other) = (at_node(*place) for place in places)

    assert one != other
