from datetime import UTC, datetime
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from shared import ids

EVENT_KEYS = st.builds(ids.event_key, st.uuids().map(str), st.text(min_size=1, max_size=128))
CONFIG_IDS = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
# Source: FunnelFlux Pro, "Generating Asset IDs".
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BEGINNING_MS = round(datetime(2019, 7, 23, tzinfo=UTC).timestamp() * 1000)
MOMENTS = st.integers(min_value=BEGINNING_MS, max_value=BEGINNING_MS + 62**7 - 1)


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

    def test_of_replays_hold_the_key_too_and_differ_between_replays(self) -> None:
        event = ids.event_key("workspace", "event")
        replays = [ids.replay_request_id(event, "crm", f"rpl_{number}") for number in range(3)]

        assert {ids.event_key_of(request) for request in replays} == {event}
        assert len({*replays, ids.request_id(event, "crm")}) == 4
        assert all(ids.is_request_id(str(request)) for request in replays)

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


def moment_of(asset_id: str) -> int:
    elapsed = 0
    for character in asset_id[:7]:
        elapsed = elapsed * 62 + BASE62.index(character)
    return BEGINNING_MS + elapsed


class TestAssetIds:
    @given(MOMENTS)
    def test_are_12_characters_of_base_62(self, now: int) -> None:
        asset_id = ids.new_asset_id(now)

        assert len(asset_id) == 12
        assert set(asset_id) <= set(BASE62)

    @given(MOMENTS)
    def test_hold_the_millisecond_of_their_making(self, now: int) -> None:
        assert moment_of(ids.new_asset_id(now)) == now

    @given(MOMENTS, MOMENTS)
    def test_sort_by_the_time_of_their_making(self, one: int, other: int) -> None:
        earlier, later = sorted([one, other])

        if earlier != later:
            assert ids.new_asset_id(earlier) < ids.new_asset_id(later)

    def test_are_funnelfluxs_at_the_ends_of_their_time(self) -> None:
        assert ids.new_asset_id(BEGINNING_MS).startswith("0000000")
        assert ids.new_asset_id(BEGINNING_MS + 61).startswith("000000z")
        assert ids.new_asset_id(BEGINNING_MS + 62).startswith("0000010")
        assert ids.new_asset_id(BEGINNING_MS + 62**7 - 1).startswith("zzzzzzz")

    def test_of_one_millisecond_differ(self) -> None:
        made = {ids.new_asset_id(BEGINNING_MS) for _ in range(1_000)}

        assert len(made) > 990


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
