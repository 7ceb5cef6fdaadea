import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ConflictError, ForbiddenError
from shared.ids import sha256_hex
from shared.workspaces import apikeys
from shared.workspaces.models import ApiKey, Client, Scope
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW

READ, WRITE, MANAGE = Scope.CONFIGS_READ, Scope.CONFIGS_WRITE, Scope.KEYS_MANAGE
KEYS = st.builds(
    lambda scopes, active, end: factories.api_key(*scopes, active=active, key_expires_at=end),
    st.frozensets(st.sampled_from(Scope), min_size=1),
    st.booleans(),
    st.none() | st.integers(min_value=NOW - 2, max_value=NOW + 2),
)


class TestANewKey:
    def test_is_known_by_the_beginning_of_its_secret(self) -> None:
        key, secret = apikeys.generate(WORKSPACE, "CRM", Client.MAKE, [READ], NOW, NOW + 1)

        assert secret.startswith(key.prefix)
        assert key.prefix.startswith("fh_")
        assert len(secret) - len(key.prefix) > 32
        assert key.is_usable(NOW)
        assert not key.is_usable(NOW + 1)

    def test_holds_nothing_else_of_it(self) -> None:
        key, secret = apikeys.generate(WORKSPACE, "CRM", Client.MAKE, [READ], NOW)

        assert secret not in key.model_dump_json()
        assert sha256_hex(secret) not in key.model_dump_json()

    def test_is_another_every_time(self) -> None:
        made = [apikeys.generate(WORKSPACE, "CRM", Client.API, [READ], NOW) for _ in range(50)]

        assert len({secret for _, secret in made}) == len({key.id for key, _ in made}) == 50


class TestWhatAKeyGainsByAChange:
    @pytest.mark.parametrize(
        ("old", "new", "gained"),
        [
            ({}, {}, set()),
            ({}, {"name": "New"}, set()),
            ({}, {"active": False}, set()),
            ({}, {"key_expires_at": NOW + 5}, set()),
            ({"active": False}, {"active": False, "name": "New"}, set()),
            ({"active": False}, {"active": True}, {READ, WRITE}),
            ({"key_expires_at": NOW}, {"key_expires_at": NOW + 1}, {READ, WRITE}),
            ({"key_expires_at": NOW}, {"key_expires_at": None}, {READ, WRITE}),
            ({"key_expires_at": NOW + 5}, {"key_expires_at": NOW}, set()),
        ],
    )
    def test_is_all_if_it_comes_back_or_lasts_longer(
        self, old: dict[str, object], new: dict[str, object], gained: set[Scope]
    ) -> None:
        before = factories.api_key(READ, WRITE, **old)

        assert apikeys.gained(before, factories.api_key(READ, WRITE, **(old | new))) == gained

    def test_is_what_was_added(self) -> None:
        changed = apikeys.gained(factories.api_key(READ, WRITE), factories.api_key(WRITE, MANAGE))

        assert changed == {MANAGE}

    @given(KEYS, KEYS, st.integers(min_value=NOW - 3, max_value=NOW + 3))
    def test_holds_whatever_it_may_at_any_time_and_might_not_before(
        self, old: ApiKey, new: ApiKey, at: int
    ) -> None:
        might = old.scopes if old.is_usable(at) else frozenset()
        may = new.scopes if new.is_usable(at) else frozenset()

        assert apikeys.gained(old, new) >= may - might


class TestAKeyThatGives:
    def test_gives_what_it_has(self) -> None:
        apikeys.check_gives(factories.api_key(READ, MANAGE), frozenset({READ}))

    def test_is_told_every_scope_that_it_lacks(self) -> None:
        with pytest.raises(ForbiddenError, match=r"have: configs:write, events:read\.$"):
            apikeys.check_gives(
                factories.api_key(READ, MANAGE), frozenset({READ, WRITE, Scope.EVENTS_READ})
            )


class TestAKeyThatChangesItself:
    @pytest.mark.parametrize(
        "changed",
        [factories.api_key(MANAGE, active=False), factories.api_key(READ)],
        ids=["deactivated", "without keys:manage"],
    )
    def test_cannot_shut_itself_out(self, changed: ApiKey) -> None:
        with pytest.raises(ConflictError, match="with another key"):
            apikeys.check_keeps_itself(factories.api_key(MANAGE), changed)

    def test_may_change_its_name(self) -> None:
        apikeys.check_keeps_itself(factories.api_key(), factories.api_key(name="New"))

    def test_may_shut_out_another(self) -> None:
        apikeys.check_keeps_itself(factories.api_key(), factories.api_key(id="key_2", active=False))
