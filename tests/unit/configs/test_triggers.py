import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.configs.models import Trigger
from shared.configs.triggers import Wanted, wanting
from shared.events.models import Event
from tests import factories
from tests.fakes import NOW

EVENT_TYPE = "on_action"


def event(**payload: Any) -> Event:
    return factories.event(json.dumps(payload), EVENT_TYPE)


def wants(event: Event, *filters: dict[str, Any], since: int = NOW) -> bool:
    triggers = tuple(Trigger(event_type=EVENT_TYPE, **asked) for asked in filters)
    return wanting(event, [Wanted(config_id="crm", since=since, filters=triggers)]) == ["crm"]


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
        Wanted(
            config_id=f"config-{number}",
            since=NOW if in_time else NOW + 1,
            filters=(Trigger(event_type=EVENT_TYPE, funnel_id=funnel_id),),
        )
        for number, (funnel_id, in_time) in enumerate(candidates)
    ]

    found = wanting(event(**FUNNEL), listed)

    expected = [number for number, chosen in enumerate(candidates) if chosen == ("f1", True)]
    assert found == [f"config-{number}" for number in expected]
