import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.configs.triggers import ALL_TYPES, MAX_LISTED, Interest, Trigger, interested
from shared.events.models import Event
from tests import factories
from tests.fakes import NOW

EVENT_TYPE = "on_action"


def event(**payload: Any) -> Event:
    return factories.event(json.dumps(payload), EVENT_TYPE)


def wants(event: Event, *filters: dict[str, Any], since: int = NOW) -> bool:
    triggers = tuple(Trigger(event_type=EVENT_TYPE, **asked) for asked in filters)
    return interested(event, [Interest(config_id="crm", since=since, triggers=triggers)]) == ["crm"]


FUNNEL = {"funnel": {"funnel_id": "f1", "node_id": "n1"}}
HIT = {"hit": {"funnel_id": "f1", "node_id": "n1", "traffic_source_id": "t1"}}


def test_without_a_filter_every_event_of_the_type_is_wanted() -> None:
    assert wants(event(), {})
    assert wants(event(**FUNNEL), {})


@pytest.mark.parametrize(
    ("payload", "asked"),
    [
        (FUNNEL, {"funnel_id": "f1"}),
        (FUNNEL, {"node_id": "n1"}),
        (FUNNEL, {"funnel_id": "f1", "node_id": "n1"}),
        (HIT, {"funnel_id": "f1", "node_id": "n1", "traffic_source_id": "t1"}),
        ({"traffic_source": {"traffic_source_id": "t1"}}, {"traffic_source_id": "t1"}),
        ({"action_number": 2}, {"action_number": 2}),
        ({"action_number": 0}, {"action_number": 0}),
        ({"funnel_id": 77}, {"funnel_id": "77"}),
    ],
)
def test_an_event_that_matches_every_filter_is_wanted(
    payload: dict[str, Any], asked: dict[str, Any]
) -> None:
    assert wants(event(**payload), asked)


@pytest.mark.parametrize(
    ("payload", "asked"),
    [
        (FUNNEL, {"funnel_id": "f2"}),
        (FUNNEL, {"funnel_id": "f1", "node_id": "n2"}),
        ({}, {"funnel_id": "f1"}),
        ({}, {"funnel_id": "None"}),
        ({"action_number": 2}, {"action_number": 1}),
        ({}, {"action_number": 0}),
    ],
)
def test_an_event_that_misses_a_filter_is_not(
    payload: dict[str, Any], asked: dict[str, Any]
) -> None:
    assert not wants(event(**payload), asked)


def test_of_several_filters_one_is_enough() -> None:
    assert wants(event(**FUNNEL), {"funnel_id": "f2"}, {"funnel_id": "f1"})


def test_the_funnel_object_counts_before_the_hit() -> None:
    both = event(funnel={"funnel_id": "f1"}, hit={"funnel_id": "f2"})

    assert wants(both, {"funnel_id": "f1"})
    assert not wants(both, {"funnel_id": "f2"})


def test_a_config_wants_what_was_accepted_since_it_asked() -> None:
    assert wants(event(), {}, since=NOW)
    assert not wants(event(), {}, since=NOW + 1)


@given(st.lists(st.tuples(st.sampled_from(["f1", "f2"]), st.booleans()), max_size=10))
def test_each_candidate_is_judged_by_itself(candidates: list[tuple[str, bool]]) -> None:
    listed = [
        Interest(
            config_id=f"config-{number}",
            since=NOW if in_time else NOW + 1,
            triggers=(Trigger(event_type=EVENT_TYPE, funnel_id=funnel_id),),
        )
        for number, (funnel_id, in_time) in enumerate(candidates)
    ]

    found = interested(event(**FUNNEL), listed)

    expected = [number for number, chosen in enumerate(candidates) if chosen == ("f1", True)]
    assert found == [f"config-{number}" for number in expected]


def test_one_that_wants_all_types_gets_every_type() -> None:
    triggers = (Trigger(event_type=ALL_TYPES),)

    assert interested(event(), [Interest(config_id="crm", since=NOW, triggers=triggers)]) == ["crm"]


def test_one_that_is_listed_under_all_types_for_a_few_gets_only_those() -> None:
    listed = Interest(config_id="crm", since=NOW, triggers=(Trigger(event_type="lead.created"),))

    assert interested(event(), [listed]) == []


def test_one_that_is_found_twice_gets_an_event_once() -> None:
    listed = Interest(config_id="crm", since=NOW, triggers=(Trigger(event_type=EVENT_TYPE),))

    assert interested(event(), [listed, listed]) == ["crm"]


@pytest.mark.parametrize(
    ("payload", "asked", "matches"),
    [
        ({"page_id": 7}, {"page_ids": ("7", "8")}, True),
        ({"page_id": 9}, {"page_ids": ("7", "8")}, False),
        ({}, {"page_ids": ("7",)}, False),
        ({"hit": {"page_id": "p1"}}, {"page_ids": ("p1",)}, True),
        ({"funnel_id": "f1", "page_id": 7}, {"funnel_ids": ("f1",), "page_ids": ("7",)}, True),
        ({"funnel_id": "f2", "page_id": 7}, {"funnel_ids": ("f1",), "page_ids": ("7",)}, False),
    ],
)
def test_of_several_pages_or_funnels_one_must_match(
    payload: dict[str, Any], asked: dict[str, Any], matches: bool
) -> None:
    assert wants(event(**payload), asked) == matches


@given(st.integers(1, 60))
def test_a_config_with_many_types_is_listed_under_all(count: int) -> None:
    triggers = tuple(Trigger(event_type=f"thing.{number}") for number in range(count))

    listed = factories.config(triggers=triggers).listed_under

    assert len(listed) <= MAX_LISTED
    assert listed == (ALL_TYPES,) or len(listed) == count
