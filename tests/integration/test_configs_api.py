"""/v1/webhookconfig: a client written for FunnelFlux finds its calls here."""

import json
from typing import Any

import pytest

from functions.configs import wiring
from shared.aws import clients
from shared.aws.table import Table
from shared.configs.store import ConfigStore
from shared.outbound.ssrf import Policy
from shared.version import VERSION
from tests import factories
from tests.integration.world import Reply, World

URL = "http://127.0.0.1:9/in"
DAY = 24 * 60 * 60


def save(world: World, method: str = "POST", **changes: Any) -> Reply:
    saved = factories.config_json(URL) | changes
    return world.call(method, "/v1/webhookconfig/save", saved)


def find(world: World, config_id: str = "crm") -> Reply:
    return world.get("/v1/webhookconfig/find/byId", idWebhookConfig=config_id)


def delete(world: World, config_id: str = "crm") -> Reply:
    query = {"idWebhookConfig": config_id}
    return world.call("DELETE", "/v1/webhookconfig/delete", query=query)


def listed(world: World, status: str = "all", **query: str) -> list[str]:
    found = world.get("/v1/webhookconfig/list", status=status, **query).body
    return [config["idWebhookConfig"] for config in found]


class TestCreating:
    def test_answers_with_the_id_and_the_secret_that_is_shown_once(self, world: World) -> None:
        reply = save(world)

        assert reply.status == 201
        assert reply.body.keys() == {"idWebhookConfig", "secret", "warnings"}
        assert reply.body["idWebhookConfig"] == "crm"
        assert reply.body["secret"].startswith("whsec_")
        assert reply.body["secret"] not in json.dumps(find(world).body)

    def test_twice_under_one_id_is_a_conflict(self, world: World) -> None:
        save(world)

        reply = save(world, webhookConfigName="Second")

        assert (reply.status, reply.body["error"]["code"]) == (409, "conflict")
        assert find(world).body["webhookConfigName"] == "CRM"

    def test_under_the_id_of_a_deleted_one_is_a_conflict(self, world: World) -> None:
        save(world)
        delete(world)

        assert save(world).status == 409

    def test_names_what_is_wrong(self, world: World) -> None:
        reply = save(world, webhookConfigName="", colour="red", headers={"Host": "x"})

        paths = sorted(field["path"] for field in reply.body["error"]["fields"])
        assert reply.status == 400
        assert paths == ["colour", "headers", "webhookConfigName"]

    @pytest.mark.parametrize(
        "url", ["ftp://example.com/", "http://u:p@localhost/", "example.com", "https://a#b"]
    )
    def test_names_a_url_that_cannot_be_called(self, world: World, url: str) -> None:
        reply = save(world, url=url)

        assert reply.status == 400
        assert reply.body["error"]["fields"][0]["path"] == "url"

    def test_may_begin_with_a_draft_that_has_no_url_yet(self, world: World) -> None:
        reply = save(world, url="", enabled=False)

        assert reply.status == 201
        assert find(world).body["url"] == ""

    @pytest.mark.parametrize("body", ["", "{", "[]", "null"])
    def test_from_no_object_is_a_400(self, world: World, body: str) -> None:
        assert world.call("POST", "/v1/webhookconfig/save", body).status == 400

    def test_from_too_large_a_body_is_a_413(self, world: World) -> None:
        assert save(world, description="x" * 300_000).status == 413

    def test_with_all_that_a_config_may_hold_fits_into_the_table(self, world: World) -> None:
        headers = {f"X-Header-{number}": "v" * 4096 for number in range(50)}
        triggers = [{"eventType": "on_action", "idFunnel": "f" * 128, "idNode": "n" * 128}] * 50

        reply = save(world, headers=headers, triggers=triggers, description="d" * 4096)

        assert reply.status == 201
        assert len(find(world).body["triggers"]) == 50


class TestOnAws:
    """Where the stack parameter for private targets is off."""

    @pytest.mark.parametrize(
        ("url", "hint"),
        [
            ("http://example.com/", "must start with https"),
            ("https://127.0.0.1/", "loopback"),
            ("https://example.com:8080/", "port 8080"),
        ],
    )
    def test_a_private_or_plain_url_is_refused_with_the_reason(
        self, world: World, monkeypatch: pytest.MonkeyPatch, url: str, hint: str
    ) -> None:
        monkeypatch.setattr(wiring.checks(), "policy", Policy())
        reply = save(world, url=url)

        assert reply.status == 400
        assert hint in reply.body["error"]["message"]


class TestReading:
    def test_gives_what_was_saved(self, world: World) -> None:
        saved: dict[str, Any] = {
            "description": "For sales",
            "targetType": "zapier",
            "headers": {"X-Team": "growth", "X-Api-Key": "hunter2"},
            "basicAuth": {"username": "jo", "password": "hunter2"},
            "triggers": [{"eventType": "on_action", "actionNumber": 2}],
            "retrySchedule": [1, 2],
        }

        save(world, **saved)

        shown = find(world).body
        assert shown == {
            "idWebhookConfig": "crm",
            "webhookConfigName": "CRM",
            "description": "For sales",
            "idCategory": "",
            "status": "active",
            "enabled": True,
            "targetType": "zapier",
            "url": URL,
            "headers": {"X-Team": "growth", "X-Api-Key": "********"},
            "basicAuth": {"username": "jo"},
            "triggers": [{"eventType": "on_action", "actionNumber": 2}],
            "retrySchedule": [1, 2],
            "timeoutSeconds": 10,
            "awsIamAuth": False,
            "dialect": "funnelflux",
            "managedBy": "dashboard",
            "warnings": [
                "Zapier's webhook URLs start with https://hooks.zapier.com/; copy yours from the "
                "trigger “Webhooks by Zapier”.",
                "Zapier's “Catch Hook” does not show headers to the Zap; choose “Catch Raw Hook” "
                "if it needs them, the signature included.",
            ],
            "createdAt": "2026-04-29T18:04:15.000Z",
            "updatedAt": "2026-04-29T18:04:15.000Z",
        }

    def test_of_an_unknown_id_is_a_404(self, world: World) -> None:
        assert (find(world).status, find(world).body["error"]["code"]) == (404, "not_found")

    @pytest.mark.parametrize("query", [{}, {"idWebhookConfig": ""}])
    def test_needs_an_id(self, world: World, query: dict[str, str]) -> None:
        reply = world.get("/v1/webhookconfig/find/byId", **query)

        assert reply.status == 400
        assert reply.body["error"]["fields"][0]["path"] == "idWebhookConfig"


class TestListing:
    @pytest.fixture(autouse=True)
    def _configs(self, world: World) -> None:
        category = {"idCategory": "sales", "categoryName": "Sales"}
        assert world.call("POST", "/v1/category/save", category).status == 204
        save(world, idWebhookConfig="on", idCategory="sales")
        save(world, idWebhookConfig="off", enabled=False)
        save(world, idWebhookConfig="old", status="archived", idCategory="sales")
        save(world, idWebhookConfig="gone")
        delete(world, "gone")

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            ("active", {"on", "off"}),
            ("archived", {"old"}),
            ("not-deleted", {"on", "off", "old"}),
            ("all", {"on", "off", "old", "gone"}),
        ],
    )
    def test_is_by_status(self, world: World, status: str, expected: set[str]) -> None:
        assert set(listed(world, status)) == expected

    def test_may_be_by_category(self, world: World) -> None:
        assert set(listed(world, idCategory="sales")) == {"on", "old"}
        assert listed(world, "active", idCategory="sales") == ["on"]
        assert listed(world, idCategory="none") == []

    @pytest.mark.parametrize("query", [{}, {"status": "paused"}])
    def test_needs_a_status(self, world: World, query: dict[str, str]) -> None:
        reply = world.get("/v1/webhookconfig/list", **query)

        assert reply.status == 400
        assert reply.body["error"]["fields"][0]["path"] == "status"

    def test_is_short(self, world: World) -> None:
        (config,) = world.get("/v1/webhookconfig/list", status="archived").body

        assert config == {
            "idWebhookConfig": "old",
            "webhookConfigName": "CRM",
            "status": "archived",
            "targetType": "custom",
            "enabled": True,
            "idCategory": "sales",
            "categoryName": "Sales",
        }


class TestSaving:
    def test_replaces_the_config_and_answers_nothing(self, world: World) -> None:
        save(world, description="old", retrySchedule=[1])
        world.clock.advance(1)

        reply = save(world, "PUT", webhookConfigName="New")

        shown = find(world).body
        assert (reply.status, reply.body) == (204, "")
        assert (shown["webhookConfigName"], shown["description"]) == ("New", "")
        assert "retrySchedule" not in shown
        assert shown["createdAt"] < shown["updatedAt"]

    def test_keeps_the_password_that_it_does_not_send(self, world: World) -> None:
        save(world, basicAuth={"username": "jo", "password": "hunter2"})

        save(world, "PUT", basicAuth={"username": "jo"})

        config = ConfigStore(Table(clients.dynamodb(), "ConfigTable")).find(
            world.workspace_id, "crm"
        )
        assert config.basic_auth is not None
        assert config.basic_auth.password == "hunter2"

    def test_of_an_unknown_id_is_a_404(self, world: World) -> None:
        assert save(world, "PUT").status == 404

    def test_of_a_deleted_one_is_a_conflict(self, world: World) -> None:
        save(world)
        delete(world)

        assert save(world, "PUT").status == 409

    def test_at_the_same_moment_as_somebody_else_is_a_conflict(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        save(world)
        replace = ConfigStore.replace

        def late(store: ConfigStore, *configs: Any) -> None:
            monkeypatch.setattr(ConfigStore, "replace", replace)
            assert save(world, "PUT", webhookConfigName="Quick").status == 204
            replace(store, *configs)

        monkeypatch.setattr(ConfigStore, "replace", late)
        reply = save(world, "PUT", webhookConfigName="Slow")

        assert reply.status == 409
        assert "Read it and save again" in reply.body["error"]["message"]
        assert find(world).body["webhookConfigName"] == "Quick"

    def test_changes_what_is_wanted(self, world: World) -> None:
        save(world, triggers=[{"eventType": "on_action"}, {"eventType": "node_execution"}])
        world.clock.advance(60)
        save(
            world,
            "PUT",
            triggers=[{"eventType": "on_action", "idFunnel": "f1"}, {"eventType": "on_action"}],
        )

        store = ConfigStore(Table(clients.dynamodb(), "ConfigTable"))
        (wanted,) = store.interests(world.workspace_id, "on_action")
        assert store.interests(world.workspace_id, "node_execution") == []
        assert len(wanted.triggers) == 2

    def test_keeps_since_when_a_type_was_wanted(self, world: World) -> None:
        save(world, triggers=[{"eventType": "on_action"}])
        began = world.clock()
        world.clock.advance(60)

        save(world, "PUT")

        store = ConfigStore(Table(clients.dynamodb(), "ConfigTable"))
        (old,) = store.interests(world.workspace_id, "on_action")
        (new,) = store.interests(world.workspace_id, "node_execution")
        assert (old.since, new.since) == (began, began + 60_000)

    def test_a_fault_of_the_database_is_a_500(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ConfigStore, "add", lambda *_: world.items("NoSuchTable"))

        reply = save(world)

        assert (reply.status, reply.body["error"]["code"]) == (500, "internal")


class TestDeleting:
    def test_keeps_the_config_to_be_seen_for_30_days(self, world: World) -> None:
        save(world)

        reply = delete(world)

        (item,) = [item for item in world.items("ConfigTable") if item.get("id") == "crm"]
        assert (reply.status, reply.body) == (204, "")
        assert find(world).body["status"] == "deleted"
        assert item["expires_at"] == world.clock() // 1000 + 30 * DAY

    def test_twice_is_as_good_as_once(self, world: World) -> None:
        save(world)
        delete(world)

        assert delete(world).status == 204

    def test_of_an_unknown_id_is_a_404(self, world: World) -> None:
        assert delete(world).status == 404

    def test_leaves_nothing_that_wants_events(self, world: World) -> None:
        save(world)
        delete(world)

        left = [item["pk"] for item in world.items("ConfigTable") if "#T#" in item["pk"]]
        assert left == []


class TestAnAddress:
    @pytest.mark.parametrize(
        ("method", "path", "query", "status"),
        [
            ("GET", "/health", {}, 200),
            ("GET", "/v1/events", {}, 200),
            ("GET", "/v1/events/unknown", {}, 404),
            ("GET", "/v1/deliveries", {"config_id": "crm"}, 200),
            ("GET", f"/v1/deliveries/{factories.request_id()}", {}, 404),
            ("GET", "/v1/webhookconfig/list", {"status": "all"}, 200),
            ("GET", "/v1/webhookconfig/find/byId", {"idWebhookConfig": "x"}, 404),
            ("DELETE", "/v1/webhookconfig/delete", {"idWebhookConfig": "x"}, 404),
            ("POST", "/v1/events", {}, 400),
            ("POST", "/v1/webhookconfig/save", {}, 400),
            ("PUT", "/v1/webhookconfig/save", {}, 400),
            ("POST", "/api/v1/webhook/Demo", {}, 401),
        ],
    )
    def test_answers_the_same_with_a_slash_at_its_end(
        self, world: World, method: str, path: str, query: dict[str, str], status: int
    ) -> None:
        without = world.call(method, path, query=query)
        with_slash = world.call(method, path + "/", query=query)

        assert without.status == with_slash.status == status
        assert without.body == with_slash.body

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/"),
            ("GET", "/v2/events"),
            ("GET", "/v1/nothing"),
            ("POST", "/v1/nothing"),
            ("GET", "/v1/webhookconfig/nothing"),
            ("PATCH", "/v1/webhookconfig/save"),
            ("GET", "/api/v1/webhook/Demo"),
            ("DELETE", "/v1/events"),
        ],
    )
    def test_that_nobody_serves_says_so(self, world: World, method: str, path: str) -> None:
        reply = world.call(method, path)

        assert reply.status == 404
        assert reply.body["error"] == {
            "code": "not_found",
            "message": "There is no such address.",
        }

    def test_of_health_is_public(self, world: World) -> None:
        reply = world.call("GET", "/health", headers={"authorization": ""})

        assert reply.body == {"status": "ok", "version": VERSION}

    def test_of_the_document_is_public(self, world: World) -> None:
        reply = world.call("GET", "/openapi.json", headers={"authorization": ""})

        assert reply.status == 200
        assert reply.body["info"]["version"] == VERSION

    def test_of_its_page_is_public_and_loads_nothing_from_elsewhere(self, world: World) -> None:
        reply = world.call("GET", "/docs/", headers={"authorization": ""})

        assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html")
        assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "/v1/webhookconfig/find/byIds" in reply.body
