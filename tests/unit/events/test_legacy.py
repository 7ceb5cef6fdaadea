"""Every name that a fact may come in under, and the one that it goes out under."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidError
from shared.events import accept, legacy
from tests import factories

TYPES = ["node_execution", "on_action", "conversion_triggered", "custom_event_triggered"]
JSON = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
RAW = sorted({raw for names in legacy.INSIDE.values() for raw in names} | {"ref_hit", "Hit"})


def payload(event_type: str = "node_execution", **changes: Any) -> dict[str, Any]:
    return accept.read(factories.event_json(event_type, **changes)).payload()


def bare(event_type: str, **values: Any) -> dict[str, Any]:
    return accept.read({"event_type": event_type} | values).payload()


def refused(values: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(InvalidError) as refusal:
        accept.read(values)
    (field,) = refusal.value.fields
    return field.path, field.message


class TestARawKey:
    @pytest.mark.parametrize(
        ("owner", "raw", "name"),
        [
            ("visitor", "VisitorID", "visitor_id"),
            ("visitor", "IP", "ip"),
            ("visitor", "OS", "os"),
            ("visitor", "UserAgent", "user_agent"),
            ("funnel", "NodeID", "node_id"),
            ("traffic_source", "Name", "name"),
            ("hit", "HitID", "hit_id"),
            ("hit", "HitId", "hit_id"),
            ("hit", "PageGroupID", "page_group_id"),
            ("session", "ReferenceHitID", "reference_hit_id"),
        ],
    )
    def test_in_its_object_is_mapped(self, owner: str, raw: str, name: str) -> None:
        assert bare("node_execution", **{owner: {raw: "x"}}) == {owner: {name: "x"}}

    def test_of_an_extension_is_mapped(self) -> None:
        raw = {"ConversionID": "c", "Revenue": "19.90", "EventData1": "a", "PIIEmail": "a@b.c"}

        told = bare("conversion_triggered", conversion=raw)

        assert told["conversion"] == {
            "conversion_id": "c",
            "revenue": "19.90",
            "event_data1": "a",
            "pii_email": "a@b.c",
        }

    @pytest.mark.parametrize(
        ("event_type", "raw", "place"),
        [
            ("node_execution", {"HitID": "h"}, {"hit": {"hit_id": "h"}}),
            ("node_execution", {"VisitorID": "v"}, {"visitor": {"visitor_id": "v"}}),
            ("node_execution", {"FunnelID": "f"}, {"funnel": {"funnel_id": "f"}}),
            ("on_action", {"MostRecentPageID": "p"}, {"session": {"most_recent_page_id": "p"}}),
            ("conversion_triggered", {"ConversionID": "c"}, {"conversion": {"conversion_id": "c"}}),
            (
                "custom_event_triggered",
                {"CustomEventID": "e", "EventNumber": 2, "Revenue": "1.00"},
                {"custom_event": {"custom_event_id": "e", "event_number": 2, "revenue": "1.00"}},
            ),
            ("on_action", {"URLBuffer": {"a": "b"}}, {"url_buffer": {"a": "b"}}),
            (
                "on_action",
                {"IsAction": True, "ActionNumber": 3},
                {"is_action": True, "action_number": 3},
            ),
            ("node_execution", {"VisitorTags": ["t"]}, {"visitor_tags": ["t"]}),
        ],
    )
    def test_beside_the_objects_is_mapped(
        self, event_type: str, raw: dict[str, Any], place: dict[str, Any]
    ) -> None:
        assert bare(event_type, **raw) == place

    def test_of_a_whole_raw_object_is_mapped_into_the_normalized_one(self) -> None:
        told = payload(Hit={"HitID": "hit_123", "PageID": "p"}, Visitor={"City": "Köln"})

        assert told["hit"] == factories.event_json()["hit"] | {"page_id": "p"}
        assert told["visitor"]["city"] == "Köln"

    @pytest.mark.parametrize("owner", legacy.FIELDS)
    def test_is_known_for_every_field(self, owner: str) -> None:
        fields = set(legacy.OBJECTS[owner].model_fields)

        assert set(legacy.FIELDS[owner].values()) == fields
        assert not fields & legacy.FIELDS[owner].keys()

    def test_that_says_the_same_is_heard_once(self) -> None:
        assert payload(HitID="hit_123", hit={"hit_id": "hit_123", "HitID": "hit_123"}) == payload(
            hit={"hit_id": "hit_123"}
        )

    @pytest.mark.parametrize(
        ("changes", "path", "other"),
        [
            ({"hit": {"hit_id": "a", "HitID": "b"}}, "hit.HitID", "hit.hit_id"),
            ({"HitID": "b"}, "HitID", "hit.hit_id"),
            ({"Hit": {"HitID": "b"}}, "Hit.hit_id", "hit.hit_id"),
            ({"ref_hit": {"HitID": "b"}}, "ref_hit.hit_id", "hit.hit_id"),
            ({"VisitorTags": ["b"]}, "VisitorTags", "visitor_tags"),
            ({"IsAction": False}, "IsAction", "is_action"),
        ],
    )
    def test_that_says_something_else_is_refused_with_both_names(
        self, changes: dict[str, Any], path: str, other: str
    ) -> None:
        assert refused(factories.event_json(**changes)) == (
            path,
            f"differs from {other}, its other name; send one of them",
        )

    def test_that_is_null_says_nothing(self) -> None:
        assert payload(hit={"hit_id": "h", "HitID": None}) == payload(hit={"hit_id": "h"})
        assert bare("on_action", ref_hit=None, HitID=None, Hit=None) == {}

    def test_whose_value_is_wrong_is_refused_under_its_normalized_name(self) -> None:
        path, _ = refused({"event_type": "on_action", "HitTimestamp": "now"})

        assert path == "hit.hit_timestamp"

    def test_beside_what_is_no_object_does_not_mend_it(self) -> None:
        assert refused({"event_type": "on_action", "hit": 5, "HitID": "h"})[0] == "hit"

    @pytest.mark.parametrize("name", ["Name", "Timestamp", "Hitid", "hitID", "ConversionID"])
    def test_that_could_mean_anything_is_unknown(self, name: str) -> None:
        assert refused({"event_type": "on_action", name: "x"}) == (name, "is not a known field")

    def test_among_free_keys_is_the_senders_own(self) -> None:
        free = {"HitID": "h", "ref_hit": "r", "tags": "t"}

        told = bare("on_action", tracking_fields=free, url_buffer=free, action_data=free)

        assert told == {"tracking_fields": free, "url_buffer": free, "action_data": free}


class TestRefHit:
    def test_that_is_an_object_is_the_hit(self) -> None:
        raw = {"HitID": "h", "NodeID": "n", "Tags": ["t"]}

        told = bare("conversion_triggered", ref_hit=raw, conversion={"conversion_id": "c"})

        assert told == {
            "hit": {"hit_id": "h", "node_id": "n"},
            "visitor_tags": ["t"],
            "conversion": {"conversion_id": "c"},
        }

    def test_that_is_an_id_is_the_reference_hit_of_the_session(self) -> None:
        told = payload(ref_hit="hit_122")

        assert told["session"]["reference_hit_id"] == "hit_122"
        assert told["hit"]["hit_id"] == "hit_123"

    @pytest.mark.parametrize("event_type", TYPES[2:])
    def test_that_is_an_id_is_the_hit_where_there_is_no_session(self, event_type: str) -> None:
        told = payload(event_type, ref_hit="h", hit=None)

        assert told["hit"] == {"hit_id": "h"}
        assert refused(factories.event_json(event_type, ref_hit="h"))[0] == "ref_hit"


class TestTheTagsOfAHit:
    @pytest.mark.parametrize("name", ["tags", "visitor_tags", "Tags", "VisitorTags"])
    @pytest.mark.parametrize("of_the_event", [None, []])
    def test_are_those_of_the_visitor_if_the_event_has_none(
        self, name: str, of_the_event: list[str] | None
    ) -> None:
        event = {"visitor_tags": of_the_event}

        told = bare("node_execution", hit={"hit_id": "h", name: ["t"]}, **event)

        assert told == {"hit": {"hit_id": "h"}, "visitor_tags": ["t"]}

    def test_give_way_to_those_of_the_event(self) -> None:
        told = bare("node_execution", hit={"hit_id": "h", "tags": ["t"]}, visitor_tags=["u"])

        assert told == {"hit": {"hit_id": "h"}, "visitor_tags": ["u"]}

    def test_by_two_names_are_the_same(self) -> None:
        hit = {"tags": ["a"], "visitor_tags": ["b"]}

        assert refused({"event_type": "on_action", "hit": hit})[0] == "hit.tags"

    @pytest.mark.parametrize("tags", [5, "t", [5], {"a": 1}])
    def test_are_checked_like_those_of_the_event(self, tags: Any) -> None:
        path, _ = refused({"event_type": "on_action", "hit": {"tags": tags}})

        assert path.startswith("visitor_tags")


class TestAnActionFieldInActionData:
    @pytest.mark.parametrize(
        ("is_action", "number"), [(True, 2), ("true", "2"), (True, "2"), ("true", 2)]
    )
    def test_is_lifted_to_the_top(self, is_action: Any, number: Any) -> None:
        data = {"is_action": is_action, "action_number": number, "email": "a@b.c"}

        told = bare("on_action", action_data=data)

        assert told == {"is_action": True, "action_number": 2, "action_data": {"email": "a@b.c"}}

    def test_that_repeats_the_top_is_dropped(self) -> None:
        told = payload("on_action", action_data={"is_action": "true", "action_number": "2"})

        assert told == payload("on_action", action_data={})

    @pytest.mark.parametrize(
        ("name", "value"), [("is_action", "false"), ("action_number", 3), ("action_number", "x")]
    )
    def test_that_contradicts_the_top_is_refused(self, name: str, value: Any) -> None:
        path, message = refused(factories.event_json("on_action", action_data={name: value}))

        assert path == f"action_data.{name}"
        assert f"differs from {name}" in message

    def test_that_is_null_says_nothing(self) -> None:
        data = {"is_action": None, "action_number": None}

        assert payload("on_action", action_data=data) == payload("on_action", action_data={})

    @pytest.mark.parametrize("value", ["", "1e3", "9" * 5000, "[" * 5000, 1.5, "١"])
    def test_that_cannot_be_read_is_refused(self, value: Any) -> None:
        path, _ = refused({"event_type": "on_action", "action_data": {"action_number": value}})

        assert path == "action_number"


@given(
    st.sampled_from(TYPES), st.dictionaries(st.sampled_from(RAW), JSON, max_size=4), st.booleans()
)
def test_no_legacy_name_goes_out_whatever_comes_in(
    event_type: str, raw: dict[str, Any], inside: bool
) -> None:
    values = factories.event_json(event_type, **({"Hit": raw} if inside else raw))
    try:
        told = accept.read(values).payload()
    except InvalidError:
        return

    names = set(told) | {name for part in legacy.OBJECTS for name in told.get(part, {})}
    assert not names & set(RAW) - {"visitor_tags"}
    assert "visitor_tags" not in told["hit"]


def test_what_came_in_is_left_as_it_was() -> None:
    values = factories.event_json(HitID="hit_123", hit={"tags": ["t"]}, ref_hit="r")
    before = factories.event_json(HitID="hit_123", hit={"tags": ["t"]}, ref_hit="r")

    accept.read(values)

    assert values == before
