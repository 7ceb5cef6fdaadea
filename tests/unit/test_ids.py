from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from shared import ids

EVENT_KEYS = st.builds(ids.event_key, st.uuids().map(str), st.text(min_size=1, max_size=128))
CONFIG_IDS = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)


class TestRequestIds:
    @given(EVENT_KEYS, CONFIG_IDS)
    def test_hold_the_key_of_their_event(self, event: str, config_id: str) -> None:
        request = ids.request_id(event, config_id)

        assert ids.event_key_of(request) == event

    @given(EVENT_KEYS, CONFIG_IDS)
    def test_are_uuids_of_version_8(self, event: str, config_id: str) -> None:
        request = ids.request_id(event, config_id)

        assert (request.version, request.variant) == (8, RFC_4122)
        assert UUID(str(request)) == request

    @given(EVENT_KEYS, CONFIG_IDS)
    def test_come_out_the_same_every_time(self, event: str, config_id: str) -> None:
        assert ids.request_id(event, config_id) == ids.request_id(event, config_id)

    @given(EVENT_KEYS, st.lists(CONFIG_IDS, min_size=2, max_size=20, unique=True))
    def test_differ_between_configs(self, event: str, config_ids: list[str]) -> None:
        requests = {ids.request_id(event, config_id) for config_id in config_ids}

        assert len(requests) == len(config_ids)

    def test_stay_what_they_are_in_stored_deliveries(self) -> None:
        event = ids.event_key("w1", "e1")

        assert event == "38cc32ae73bc8a678961"
        assert ids.request_id(event, "c1") == UUID("38cc32ae-73bc-88a6-9e25-840695b9cd8d")

    @given(st.uuids())
    def test_of_others_have_a_key_that_is_well_formed(self, foreign: UUID) -> None:
        key = ids.event_key_of(foreign)

        assert len(key) == 20
        assert int(key, 16) >= 0


class TestEventKeys:
    @given(st.text(), st.text(), st.text(), st.text())
    def test_of_different_events_differ(self, w1: str, e1: str, w2: str, e2: str) -> None:
        same = (w1, e1) == (w2, e2)

        # \0 is in no workspace id, so it tells where one id ends and the other begins.
        if "\0" not in w1 + w2:
            assert (ids.event_key(w1, e1) == ids.event_key(w2, e2)) is same


class TestNewIds:
    def test_are_never_the_same_twice(self) -> None:
        makers = (
            ids.new_event_id,
            ids.new_workspace_id,
            ids.new_key_id,
            ids.new_api_key,
            ids.new_signing_secret,
            ids.new_lease,
        )

        for make in makers:
            assert make() != make()

    def test_say_what_they_are(self) -> None:
        assert ids.new_api_key().startswith("fh_")
        assert ids.new_key_id().startswith("key_")
        assert ids.new_signing_secret().startswith("whsec_")
