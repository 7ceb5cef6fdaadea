"""Who may do what: keys, scopes, and the wall between workspaces."""

from typing import Any

import pytest

from shared import ids
from shared.aws import clients
from shared.aws.table import Table
from shared.errors import InvalidError
from shared.workspaces.models import Scope
from shared.workspaces.store import WorkspaceStore
from tests import factories
from tests.integration.world import Reply, World

CALLS: list[tuple[str, str, Any, dict[str, str], Scope]] = [
    ("POST", "/v1/events", {"event_type": "on_action"}, {}, Scope.EVENTS_WRITE),
    ("GET", "/v1/events", None, {}, Scope.EVENTS_READ),
    ("GET", "/v1/events/order-1", None, {}, Scope.EVENTS_READ),
    ("GET", "/v1/deliveries", None, {"config_id": "crm"}, Scope.DELIVERIES_READ),
    ("GET", f"/v1/deliveries/{factories.request_id()}", None, {}, Scope.DELIVERIES_READ),
    ("GET", "/v1/webhookconfig/list", None, {"status": "all"}, Scope.CONFIGS_READ),
    ("GET", "/v1/webhookconfig/find/byId", None, {"idWebhookConfig": "x"}, Scope.CONFIGS_READ),
    ("POST", "/v1/webhookconfig/save", {}, {}, Scope.CONFIGS_WRITE),
    ("PUT", "/v1/webhookconfig/save", {}, {}, Scope.CONFIGS_WRITE),
    ("DELETE", "/v1/webhookconfig/delete", None, {"idWebhookConfig": "x"}, Scope.CONFIGS_WRITE),
]
NAMED = [pytest.param(*call, id=f"{call[0]}-{call[1]}") for call in CALLS]


def make_key(world: World, *scopes: Scope, **changes: Any) -> str:
    secret = ids.new_api_key()
    key = factories.api_key(*scopes, workspace_id=world.workspace_id, **changes)
    WorkspaceStore(Table(clients.dynamodb(), "ConfigTable")).add_key(key, secret)
    return secret


@pytest.mark.parametrize(("method", "path", "body", "query", "scope"), NAMED)
class TestACall:
    def test_without_a_key_is_a_401(
        self, world: World, method: str, path: str, body: Any, query: Any, scope: Scope
    ) -> None:
        reply = world.call(method, path, body, query=query, headers={"authorization": ""})

        assert (reply.status, reply.body["error"]["code"]) == (401, "unauthenticated")
        assert reply.headers["WWW-Authenticate"] == "Bearer"

    def test_with_an_unknown_key_is_a_401(
        self, world: World, method: str, path: str, body: Any, query: Any, scope: Scope
    ) -> None:
        assert world.call(method, path, body, query=query, key="fh_unknown").status == 401

    def test_with_a_key_that_may_everything_else_is_a_403_that_names_the_scope(
        self, world: World, method: str, path: str, body: Any, query: Any, scope: Scope
    ) -> None:
        key = make_key(world, *(set(Scope) - {scope}))

        reply = world.call(method, path, body, query=query, key=key)

        assert (reply.status, reply.body["error"]["code"]) == (403, "forbidden")
        assert scope in reply.body["error"]["message"]

    def test_with_a_key_that_may_just_that_gets_through(
        self, world: World, method: str, path: str, body: Any, query: Any, scope: Scope
    ) -> None:
        reply = world.call(method, path, body, query=query, key=make_key(world, scope))

        assert reply.status not in {401, 403, 500}


class TestAKey:
    def test_that_expires_stops(self, world: World) -> None:
        key = make_key(world, key_expires_at=world.clock() + 60_000)
        assert world.call("GET", "/v1/events", key=key).status == 200

        world.clock.advance(60)

        assert world.call("GET", "/v1/events", key=key).status == 401

    def test_that_is_switched_off_stops_within_a_minute(self, world: World) -> None:
        key = make_key(world)
        assert world.call("GET", "/v1/events", key=key).status == 200
        store = WorkspaceStore(Table(clients.dynamodb(), "ConfigTable"))
        active = store.find_key(key)
        assert active is not None
        store.replace_key(active, active.model_copy(update={"active": False}))

        world.clock.advance(60)

        assert world.call("GET", "/v1/events", key=key).status == 401

    def test_is_stored_as_its_hash_alone(self, world: World) -> None:
        make_key(world)

        assert world.key not in str(world.items("ConfigTable"))


def said(reply: Reply) -> str:
    """All of an answer but how many calls are left, which goes down with each."""
    assert reply.headers.pop("X-RateLimit-Remaining")
    return str(reply)


class TestAnotherWorkspace:
    @pytest.fixture
    def stranger(self, world: World) -> str:
        made = world.invoke("configs", {"operation": "bootstrap", "name": "Other"})
        return str(made["api_key"])

    @pytest.fixture
    def event_id(self, world: World) -> str:
        world.make_config("http://127.0.0.1:9/in")
        return world.deliver()

    def ask(self, world: World, key: str, method: str, path: str, **query: str) -> Reply:
        body = factories.config_json("http://127.0.0.1:9/in") if method == "PUT" else None
        return world.call(method, path, body, query=query, key=key)

    @pytest.mark.parametrize(
        ("method", "path", "name"),
        [
            ("GET", "/v1/webhookconfig/find/byId", "idWebhookConfig"),
            ("DELETE", "/v1/webhookconfig/delete", "idWebhookConfig"),
        ],
    )
    def test_finds_a_config_of_ours_as_little_as_one_that_never_was(
        self, world: World, stranger: str, event_id: str, method: str, path: str, name: str
    ) -> None:
        ours = self.ask(world, stranger, method, path, **{name: "crm"})
        nobodys = self.ask(world, stranger, method, path, **{name: "xyz"})

        assert ours.status == nobodys.status == 404
        assert said(ours).replace("crm", "xyz") == said(nobodys)

    def test_cannot_save_a_config_of_ours(self, world: World, stranger: str, event_id: str) -> None:
        reply = self.ask(world, stranger, "PUT", "/v1/webhookconfig/save")

        assert reply.status == 404

    def test_finds_an_event_of_ours_as_little_as_one_that_never_was(
        self, world: World, stranger: str, event_id: str
    ) -> None:
        ours = self.ask(world, stranger, "GET", f"/v1/events/{event_id}")
        nobodys = self.ask(world, stranger, "GET", "/v1/events/xyz")

        assert ours.status == nobodys.status == 404
        assert said(ours).replace(event_id, "xyz") == said(nobodys)

    def test_finds_a_delivery_of_ours_as_little_as_one_that_never_was(
        self, world: World, stranger: str, event_id: str
    ) -> None:
        request_id, other = world.request_id(event_id), str(factories.request_id())

        ours = self.ask(world, stranger, "GET", f"/v1/deliveries/{request_id}")
        nobodys = self.ask(world, stranger, "GET", f"/v1/deliveries/{other}")

        assert ours.status == nobodys.status == 404
        assert said(ours).replace(request_id, other) == said(nobodys)

    def test_lists_nothing_of_ours(self, world: World, stranger: str, event_id: str) -> None:
        events = self.ask(world, stranger, "GET", "/v1/events")
        deliveries = self.ask(world, stranger, "GET", "/v1/deliveries", config_id="crm")
        configs = self.ask(world, stranger, "GET", "/v1/webhookconfig/list", status="all")

        assert events.body["data"] == deliveries.body["data"] == configs.body == []

    def test_may_use_the_same_config_id(self, world: World, stranger: str, event_id: str) -> None:
        saved = factories.config_json("http://127.0.0.1:9/theirs", webhookConfigName="Theirs")

        reply = world.call("POST", "/v1/webhookconfig/save", saved, key=stranger)

        ours = world.get("/v1/webhookconfig/find/byId", idWebhookConfig="crm")
        assert reply.status == 201
        assert ours.body["webhookConfigName"] == "CRM"


class TestBootstrap:
    def test_makes_a_workspace_and_a_key_with_every_scope(self, world: World) -> None:
        made = world.invoke("configs", {"operation": "bootstrap", "name": "Shop"})

        assert made.keys() == {"workspace_id", "api_key"}
        assert made["workspace_id"] != world.workspace_id
        assert world.call("GET", "/v1/events", key=made["api_key"]).status == 200

    @pytest.mark.parametrize(
        "command",
        [
            {},
            {"operation": "bootstrap"},
            {"operation": "bootstrap", "name": ""},
            {"operation": "destroy", "name": "Shop"},
            {"operation": "bootstrap", "name": "Shop", "workspace_id": "mine"},
        ],
    )
    def test_of_anything_else_is_refused(self, world: World, command: dict[str, str]) -> None:
        with pytest.raises(InvalidError, match=r"operation|name|workspace_id"):
            world.invoke("configs", command)
