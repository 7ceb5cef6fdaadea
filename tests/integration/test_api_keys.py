"""The keys of a workspace: made, listed, changed, revoked, limited."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from functions.configs.routes import apikeys
from shared.aws import clients
from shared.aws.table import Table
from shared.clock import rfc3339
from shared.errors import ConflictError, NotFoundError
from shared.ids import sha256_hex
from shared.workspaces.models import Caller, Scope
from shared.workspaces.store import WorkspaceStore
from tests import factories
from tests.fakes import NOW
from tests.integration.world import Reply, World

PATH = "/v1/integration/apikeys"
CONFIGS = "/v1/webhookconfig/list"
DAY_S = 86_400
SCOPES = (Scope.CONFIGS_READ, Scope.CONFIGS_WRITE)
# Which of the racing workers delete.
DELETING = {9, 14, 19}


def generate(world: World, *scopes: str, key: str | None = None, **fields: Any) -> Reply:
    body = {"name": "CRM", "client": "api", "scopes": scopes or ["configs:read"]} | fields
    return world.call("POST", PATH, body, key=key)


def made(world: World, *scopes: str, **fields: Any) -> dict[str, Any]:
    reply = generate(world, *scopes, **fields)
    assert reply.status == 201, reply
    return dict(reply.body)


def update(world: World, key_id: str, key: str | None = None, **fields: Any) -> Reply:
    return world.call("PUT", PATH, {"id": key_id} | fields, key=key)


def delete(world: World, key_id: str, key: str | None = None) -> Reply:
    return world.call("DELETE", PATH, query={"id": key_id}, key=key)


def listed(world: World) -> dict[str, dict[str, Any]]:
    return {key["id"]: key for key in world.get(PATH).body}


def own_id(world: World) -> str:
    return next(id for id, key in listed(world).items() if key["name"] == "First key")


def call(world: World, key: str) -> Reply:
    return world.call("GET", CONFIGS, query={"status": "all"}, key=key)


def store() -> WorkspaceStore:
    return WorkspaceStore(Table(clients.dynamodb(), "ConfigTable"))


class TestANewKey:
    def test_is_shown_with_its_secret_this_once(self, world: World) -> None:
        expires_at = rfc3339(NOW + DAY_S * 1000)
        new = made(
            world, "events:write", "configs:read", name="Zap", client="zapier", expiresAt=expires_at
        )

        secret = new.pop("secret")
        assert new == {
            "id": new["id"],
            "name": "Zap",
            "client": "zapier",
            "scopes": ["configs:read", "events:write"],
            "prefix": secret[:8],
            "active": True,
            "createdAt": rfc3339(NOW),
            "lastUsedAt": None,
            "expiresAt": expires_at,
        }
        assert listed(world)[new["id"]] == new

    def test_works_at_once_for_what_its_scopes_say(self, world: World) -> None:
        new = made(world, "configs:read")

        assert call(world, new["secret"]).status == 200
        assert world.call("GET", PATH, key=new["secret"]).status == 403

    def test_is_stored_as_a_hash_only(self, world: World) -> None:
        secret = made(world)["secret"]

        stored = json.dumps(world.items("ConfigTable"), default=str)
        assert secret not in stored
        assert sha256_hex(secret) in stored

    def test_works_until_it_expires(self, world: World) -> None:
        new = made(world, expiresAt=rfc3339(NOW + 10_000))
        assert call(world, new["secret"]).status == 200

        world.clock.advance(10)

        assert call(world, new["secret"]).status == 401

    @pytest.mark.parametrize("expires_at", [NOW, rfc3339(NOW - 1)])
    def test_expires_in_the_future(self, world: World, expires_at: Any) -> None:
        reply = generate(world, expiresAt=expires_at)

        assert reply.status == 400
        assert [field["path"] for field in reply.body["error"]["fields"]] == ["expiresAt"]

    def test_can_do_no_more_than_the_key_that_made_it(self, world: World) -> None:
        manager = made(world, "keys:manage", "configs:read")["secret"]

        reply = generate(world, "configs:read", "events:read", "configs:write", key=manager)

        assert reply.status == 403
        assert "configs:write, events:read" in reply.body["error"]["message"]
        assert generate(world, "configs:read", "keys:manage", key=manager).status == 201

    @pytest.mark.parametrize(
        ("wrong", "path"),
        [
            ({"name": ""}, "name"),
            ({"client": "excel"}, "client"),
            ({"scopes": []}, "scopes"),
            ({"scopes": ["configs:delete"]}, "scopes.0"),
            ({"expiresAt": "tomorrow"}, "expiresAt"),
            ({"secret": "mine"}, "secret"),
        ],
    )
    def test_that_is_wrong_is_refused_by_field(
        self, world: World, wrong: dict[str, Any], path: str
    ) -> None:
        reply = generate(world, **wrong)

        assert reply.status == 400
        assert [field["path"] for field in reply.body["error"]["fields"]] == [path]


class TestTheList:
    def test_holds_the_keys_of_this_workspace_oldest_first(self, world: World) -> None:
        names = ["First key", *(f"Key {number}" for number in range(5))]
        for name in names[1:]:
            world.clock.advance(1)
            made(world, name=name)
        world.invoke("configs", {"operation": "bootstrap", "name": "Other"})

        assert [key["name"] for key in world.get(PATH).body] == names

    def test_costs_one_query_and_one_batch(self, world: World) -> None:
        for _ in range(5):
            made(world)
        world.calls.clear()

        world.get(PATH)

        assert world.calls.names.count("Query") == 1
        assert world.calls.names.count("BatchGetItem") == 1

    def test_says_when_a_key_was_last_used_to_the_minute(self, world: World) -> None:
        new = made(world)
        for _ in range(60):
            call(world, new["secret"])
            world.clock.advance(1)

        assert listed(world)[new["id"]]["lastUsedAt"] == rfc3339(NOW)

        call(world, new["secret"])

        assert listed(world)[new["id"]]["lastUsedAt"] == rfc3339(NOW + 60_000)


class TestAChange:
    def test_changes_what_it_names_and_no_more(self, world: World) -> None:
        new = made(world, "configs:read", expiresAt=rfc3339(NOW + 1_000_000))
        del new["secret"]

        assert update(world, new["id"], name="New name").status == 204

        assert listed(world)[new["id"]] == new | {"name": "New name"}

    def test_of_the_expiry_to_null_removes_it(self, world: World) -> None:
        new = made(world, expiresAt=rfc3339(NOW + 1_000_000))

        assert update(world, new["id"], expiresAt=None).status == 204

        assert listed(world)[new["id"]]["expiresAt"] is None

    def test_to_an_expiry_in_the_past_is_refused(self, world: World) -> None:
        assert update(world, made(world)["id"], expiresAt=rfc3339(NOW - 1)).status == 400

    def test_of_the_scopes_stops_what_was_allowed_within_60_seconds(self, world: World) -> None:
        new = made(world, "configs:read", "events:read")
        assert call(world, new["secret"]).status == 200

        assert update(world, new["id"], scopes=["events:read"]).status == 204
        world.clock.advance(60)

        assert call(world, new["secret"]).status == 403

    def test_may_keep_scopes_that_the_changing_key_lacks(self, world: World) -> None:
        strong = made(world, "configs:write", "events:read")["id"]
        manager = made(world, "keys:manage", "configs:read")["secret"]

        changed = update(
            world, strong, key=manager, name="Kept", scopes=["configs:write", "configs:read"]
        )

        assert changed.status == 204
        assert listed(world)[strong]["scopes"] == ["configs:read", "configs:write"]

    @pytest.mark.parametrize(
        "change",
        [
            {"scopes": ["configs:write", "events:write"]},
            {"active": True},
            {"active": True, "scopes": ["configs:write"]},
        ],
    )
    def test_may_give_none(self, world: World, change: dict[str, Any]) -> None:
        strong = made(world, "configs:write")["id"]
        update(world, strong, active=False)
        manager = made(world, "keys:manage", "configs:read")["secret"]

        reply = update(world, strong, key=manager, **change)

        assert reply.status == 403
        assert not listed(world)[strong]["active"]

    def test_of_an_unknown_key_finds_none(self, world: World) -> None:
        assert update(world, "key_none", name="x").status == 404


class TestARevokedKey:
    @pytest.mark.parametrize("how", ["deleted", "deactivated"])
    def test_stops_within_60_seconds(self, world: World, how: str) -> None:
        new = made(world)
        assert call(world, new["secret"]).status == 200

        revoked = (
            delete(world, new["id"]) if how == "deleted" else update(world, new["id"], active=False)
        )
        world.clock.advance(59)

        assert revoked.status == 204
        assert call(world, new["secret"]).status == 401

    def test_hands_out_no_key_from_the_moment_it_is_revoked(self, world: World) -> None:
        manager = made(world, "keys:manage")
        assert world.call("GET", PATH, key=manager["secret"]).status == 200

        delete(world, manager["id"])

        assert generate(world, "keys:manage", key=manager["secret"]).status == 401

    def test_works_again_when_it_is_activated(self, world: World) -> None:
        new = made(world)
        update(world, new["id"], active=False)

        assert update(world, new["id"], active=True).status == 204

        assert call(world, new["secret"]).status == 200

    def test_that_was_deleted_leaves_nothing(self, world: World) -> None:
        before = {(item["pk"], item["sk"]) for item in world.items("ConfigTable")}
        new = made(world)

        delete(world, new["id"])

        after = {(item["pk"], item["sk"]) for item in world.items("ConfigTable")}
        assert {key for key in after - before if not key[0].startswith("RATE#")} == set()
        assert delete(world, new["id"]).status == 404

    def test_is_not_brought_back_by_the_record_of_its_use(self, world: World) -> None:
        new = made(world)
        delete(world, new["id"])

        assert not store().touch(new["secret"], NOW + 120_000)

        assert store().find_key(new["secret"]) is None


class TestAKey:
    @pytest.mark.parametrize("change", [{"active": False}, {"scopes": ["configs:read"]}])
    def test_cannot_shut_itself_out(self, world: World, change: dict[str, Any]) -> None:
        own = own_id(world)

        assert update(world, own, **change).status == 409
        assert delete(world, own).status == 409
        assert call(world, world.key).status == 200

    def test_of_another_workspace_is_unknown_here(self, world: World) -> None:
        foreign = world.invoke("configs", {"operation": "bootstrap", "name": "Other"})["api_key"]
        new = made(world)

        changed, deleted = (
            update(world, new["id"], key=foreign, name="x"),
            delete(world, new["id"], key=foreign),
        )

        unknown = update(world, "key_none", name="x").body["error"]
        assert (changed.status, deleted.status) == (404, 404)
        assert changed.body["error"]["code"] == unknown["code"]
        assert changed.body["error"]["message"].replace(new["id"], "key_none") == unknown["message"]
        assert listed(world)[new["id"]]["name"] == "CRM"

    def test_needs_keys_manage_for_all_of_this(self, world: World) -> None:
        weak = made(world, *(scope for scope in Scope if scope is not Scope.KEYS_MANAGE))["secret"]

        for reply in (
            world.call("GET", PATH, key=weak),
            generate(world, key=weak),
            update(world, "key_none", key=weak),
            delete(world, "key_none", key=weak),
        ):
            assert reply.status == 403
            assert "keys:manage" in reply.body["error"]["message"]


class TestTwoChangesAtOnce:
    def test_one_is_told_of_the_other(self, world: World) -> None:
        new = made(world)
        old = store().get_key(world.workspace_id, new["id"])
        update(world, new["id"], name="First")

        with pytest.raises(ConflictError, match="changed by somebody else"):
            store().replace_key(old, old.model_copy(update={"name": "Second"}))

        assert listed(world)[new["id"]]["name"] == "First"

    def test_a_key_deleted_meanwhile_stays_deleted(self, world: World) -> None:
        new = made(world)
        old = store().get_key(world.workspace_id, new["id"])
        delete(world, new["id"])

        with pytest.raises(NotFoundError):
            store().replace_key(old, old.model_copy(update={"name": "Second"}))

        assert new["id"] not in listed(world)

    def test_leave_one_consistent_state(self, world: World) -> None:
        for _ in range(8):
            _race(world)


def _race(world: World) -> None:
    """20 workers change or delete one key: it is whole, or gone with all that belongs to it."""
    new = made(world, "configs:read")
    whole = {(f"Key {number}", SCOPES[number % 2]) for number in range(20)}

    with ThreadPoolExecutor(20) as pool:
        done = list(pool.map(lambda number: _act(world, new["id"], number), range(20)))

    assert any(done)
    assert sum(done[number] for number in DELETING) <= 1
    found, shown = store().find_key(new["secret"]), listed(world).get(new["id"])
    assert (found is None) == (shown is None) == any(done[number] for number in DELETING)
    if shown is not None:
        assert (shown["name"], *shown["scopes"]) in whole


def _act(world: World, key_id: str, number: int) -> bool:
    """The operation itself, because a worker's resolver serves one request at a time."""
    caller = Caller(key=factories.api_key(), workspace=store().get(world.workspace_id))
    try:
        if number in DELETING:
            apikeys.delete_api_key(caller, apikeys.ApiKeyQuery(id=key_id))
        else:
            scopes = frozenset({SCOPES[number % 2]})
            change = apikeys.ApiKeyChange(id=key_id, name=f"Key {number}", scopes=scopes)
            apikeys.update_api_key(caller, change)
    except (NotFoundError, ConflictError):
        return False
    return True


class TestEventsOverHttps:
    @pytest.fixture
    def world(self, world: World) -> World:
        limits = {"events_per_second": 2}
        world.invoke(
            "configs",
            {"operation": "configure", "workspace_id": world.workspace_id, "limits": limits},
        )
        return world

    def test_are_told_how_many_may_follow_and_then_how_long_to_wait(self, world: World) -> None:
        event = {"event_type": "on_action"}

        replies = [world.call("POST", "/v1/events", event) for _ in range(5)]

        assert [reply.status for reply in replies] == [202] * 4 + [429]
        left = [reply.headers["X-RateLimit-Remaining"] for reply in replies]
        assert left == ["3", "2", "1", "0", "0"]
        assert replies[-1].headers["Retry-After"] == "1"
        stored = [put for put in world.calls.of("PutItem") if put["Item"]["sk"]["S"] == "EVENT"]
        assert len(stored) == 4

    def test_in_a_batch_over_the_burst_are_accepted_and_later_ones_wait(self, world: World) -> None:
        batch = {"events": [{"event_type": "on_action"}] * 20}

        assert world.call("POST", "/v1/events", batch).status == 202

        assert world.call("POST", "/v1/events", batch).headers["Retry-After"] == "9"
        world.clock.advance(9)
        assert world.call("POST", "/v1/events", batch).status == 202

    def test_do_not_count_as_management_calls(self, world: World) -> None:
        world.call("POST", "/v1/events", {"event_type": "on_action"})

        assert not [item for item in world.items("ConfigTable") if item["pk"].startswith("RATE#")]


class TestManagementCalls:
    @pytest.fixture
    def world(self, world: World) -> World:
        limits = {"requests_per_minute": 3}
        world.invoke(
            "configs",
            {"operation": "configure", "workspace_id": world.workspace_id, "limits": limits},
        )
        return world

    def test_are_told_how_many_are_left_whatever_came_of_them(self, world: World) -> None:
        replies = [call(world, world.key), update(world, "key_none"), call(world, world.key)]

        assert [reply.status for reply in replies] == [200, 404, 200]
        assert [reply.headers["X-RateLimit-Remaining"] for reply in replies] == ["2", "1", "0"]
        assert {reply.headers["X-RateLimit-Limit"] for reply in replies} == {"3"}

    def test_over_the_limit_wait_for_the_next_minute(self, world: World) -> None:
        for _ in range(3):
            call(world, world.key)

        refused = call(world, world.key)

        assert refused.status == 429
        assert refused.body["error"]["code"] == "rate_limited"
        assert refused.headers["Retry-After"] == "45"
        assert refused.headers["X-RateLimit-Remaining"] == "0"

        world.clock.advance(45)

        assert call(world, world.key).status == 200

    def test_are_counted_together_in_all_functions(self, world: World) -> None:
        world.get("/v1/events")
        call(world, world.key)

        assert world.get("/v1/deliveries", config_id="x").headers["X-RateLimit-Remaining"] == "0"

    def test_leave_a_counter_that_the_table_forgets(self, world: World) -> None:
        call(world, world.key)

        (counter,) = (item for item in world.items("ConfigTable") if item["pk"].startswith("RATE#"))

        assert counter["calls"] == 1
        assert NOW // 1000 + 60 < counter["expires_at"] < NOW // 1000 + 3600
