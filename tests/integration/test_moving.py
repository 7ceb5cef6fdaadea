"""A workspace moves: what one exports, another one imports."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import factories
from tests.integration.world import Reply, World
from tests.local.receiver import Receiver

URL = "https://example.com/in"
NDJSON = {"content-type": "application/x-ndjson"}
SECRET = "s3cret-value"


def exported(world: World, key: str | None = None, **query: str) -> list[dict[str, Any]]:
    """All pages, line by line."""
    reply = world.call("GET", "/v1/export", query=query, key=key)
    assert reply.status == 200, reply
    lines = [json.loads(line) for line in reply.body.split("\n") if line]
    cursor = reply.headers.get("Next-Cursor")
    return lines + (exported(world, key, **query | {"cursor": cursor}) if cursor else [])


def sent(world: World, text: str | bytes, key: str | None = None) -> Reply:
    return world.call("POST", "/v1/import", text, headers=NDJSON, key=key)


def imported(world: World, lines: list[dict[str, Any]], key: str | None = None) -> dict[str, Any]:
    reply = sent(world, "".join(json.dumps(line) + "\n" for line in lines), key)
    assert reply.status == 200, reply
    return dict(reply.body)


def another(world: World, **settings: Any) -> str:
    """The key of an empty workspace."""
    made = world.invoke("configs", {"operation": "bootstrap", "name": "Other"} | settings)
    return str(made["api_key"])


def of_kind(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["kind"] == kind]


def furnish(world: World) -> None:
    """Something of every kind."""
    category = {"idCategory": "sales", "categoryName": "Sales"}
    assert world.call("POST", "/v1/category/save", category).status == 204
    own = {"name": "parcel.sent", "group": "Parcels", "schema": {"type": "object"}}
    assert world.call("POST", "/v1/eventtypes", own).status == 201
    world.make_config(URL, "crm", idCategory="sales", retrySchedule=[1, 60])
    subscription = {"target_url": URL, "event": "lead.created", "external_id": "zap-1"}
    assert world.call("POST", "/api/v1/webhooks/subscriptions", subscription).status == 201
    endpoint = {"url": URL, "name": "CF", "page_ids": [7]}
    path = f"/api/v2/workspaces/{world.workspace_id}/webhooks/outgoing/endpoints"
    body = {"webhooks_outgoing_endpoint": endpoint}
    assert world.call("POST", path, body).status == 201


class TestAnExport:
    def test_has_a_line_for_everything_but_keys(self, world: World) -> None:
        furnish(world)

        lines = exported(world)

        kinds = [line["kind"] for line in lines]
        assert kinds == ["workspace", "category", "event_type", "config", "config", "config"]

    def test_holds_no_secret(self, world: World) -> None:
        basic = {"username": "user", "password": SECRET}
        signing = world.make_config(URL, headers={"X-Api-Key": SECRET}, basicAuth=basic)

        text = json.dumps(exported(world))

        assert SECRET not in text
        assert signing not in text
        assert world.key not in text

    def test_leaves_out_what_is_deleted(self, world: World) -> None:
        world.make_config(URL)
        world.call("DELETE", "/v1/webhookconfig/delete", query={"idWebhookConfig": "crm"})

        assert of_kind(exported(world), "config") == []

    def test_comes_in_pages_that_make_the_same_whole(self, world: World) -> None:
        furnish(world)

        for limit in ("1", "2", "5", "6"):
            assert exported(world, limit=limit) == exported(world)

    def test_ends_without_an_empty_page(self, world: World) -> None:
        world.make_config(URL)

        reply = world.get("/v1/export", limit="2")

        assert "Next-Cursor" not in reply.headers
        assert reply.headers["Content-Type"] == "application/x-ndjson"

    @pytest.mark.parametrize("cursor", ["!", "QVBJS0VZI2tleV8x", "WA", ""])
    def test_refuses_a_cursor_that_it_has_not_given(self, world: World, cursor: str) -> None:
        assert world.get("/v1/export", cursor=cursor).status == 400

    def test_refuses_the_cursor_of_another_workspace(self, world: World) -> None:
        furnish(world)
        cursor = world.get("/v1/export", limit="1").headers["Next-Cursor"]

        reply = world.call("GET", "/v1/export", query={"cursor": cursor}, key=another(world))

        assert reply.status == 400

    def test_answers_with_a_trailing_slash_too(self, world: World) -> None:
        assert world.get("/v1/export/").status == 200
        assert world.call("POST", "/v1/import/", "", headers=NDJSON).status == 200


class TestAMove:
    def test_brings_everything_under_its_own_id(self, world: World) -> None:
        furnish(world)
        before, there = exported(world), another(world)

        report = imported(world, before, there)

        assert (report["refused"], report["accepted"], report["updated"]) == (0, 5, 1)
        assert exported(world, there) == before

    def test_may_be_repeated(self, world: World) -> None:
        furnish(world)
        lines, there = exported(world), another(world)
        imported(world, lines, there)

        report = imported(world, lines, there)

        assert report["unchanged"] == len(lines)
        assert exported(world, there) == lines

    def test_to_where_it_is_already_changes_nothing(self, world: World) -> None:
        furnish(world)
        lines = exported(world)

        assert imported(world, lines)["unchanged"] == len(lines)

    def test_shows_the_new_signing_secret_once(self, world: World) -> None:
        world.make_config(URL)
        lines, there = of_kind(exported(world), "config"), another(world)

        (first,) = imported(world, lines, there)["lines"]
        (second,) = imported(world, lines, there)["lines"]

        assert first["secret"].startswith("whsec_")
        assert "secret" not in second

    def test_lets_the_clients_of_other_systems_go_on(self, world: World) -> None:
        furnish(world)
        there = another(world)
        imported(world, exported(world), there)
        again = {"target_url": URL, "event": "lead.created", "external_id": "zap-1"}
        here = world.call("GET", "/api/v1/webhooks/subscriptions").body["data"]

        found = world.call("GET", "/api/v1/webhooks/subscriptions", key=there).body["data"]
        repeated = world.call("POST", "/api/v1/webhooks/subscriptions", again, key=there)
        (endpoint,) = [
            line["idWebhookConfig"]
            for line in exported(world)
            if line.get("dialect") == "clickfunnels"
        ]
        path = f"/api/v2/webhooks/outgoing/endpoints/{endpoint}"

        assert found == here
        assert (repeated.status, repeated.body["id"]) == (200, here[0]["id"])
        assert world.call("GET", path, key=there).body["page_ids"] == [7]

    def test_delivers_there(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url())
        there = another(world)
        imported(world, exported(world), there)

        world.call("POST", "/v1/events", factories.event_json(), key=there)
        world.fan_out()
        world.work("DispatchQueue")

        assert len(receiver.requests()) == 1

    def test_updates_what_differs(self, world: World) -> None:
        world.make_config(URL)
        (line,) = of_kind(exported(world), "config")

        report = imported(world, [line | {"webhookConfigName": "New"}])

        assert report["updated"] == 1
        assert of_kind(exported(world), "config") == [line | {"webhookConfigName": "New"}]


LINE = {"kind": "config", "idWebhookConfig": "crm", "webhookConfigName": "CRM", "url": URL}
MASKED = LINE | {"headers": {"X-Api-Key": "********"}, "basicAuth": {"username": "user"}}


class TestAConfigWithSecrets:
    def test_is_disabled_until_they_are_given(self, world: World) -> None:
        (line,) = imported(world, [MASKED])["lines"]

        (found,) = of_kind(exported(world), "config")
        assert line["needs_secrets"] == ["headers.X-Api-Key", "basicAuth.password"]
        assert found["enabled"] is False

    def test_cannot_be_enabled_without_them(self, world: World) -> None:
        imported(world, [MASKED])
        body = {name: value for name, value in MASKED.items() if name != "kind"}
        basic = {"username": "user", "password": SECRET}

        masked = world.call("PUT", "/v1/webhookconfig/save", body)
        given = body | {"headers": {"X-Api-Key": SECRET}, "basicAuth": basic}
        saved = world.call("PUT", "/v1/webhookconfig/save", given)

        assert masked.status == 400
        assert saved.status == 204

    def test_keeps_those_that_are_known_here(self, world: World) -> None:
        basic = {"username": "user", "password": SECRET}
        world.make_config(URL, headers={"X-Api-Key": SECRET}, basicAuth=basic)
        lines = of_kind(exported(world), "config")

        report = imported(world, lines)

        assert (report["unchanged"], "needs_secrets" in report["lines"][0]) == (1, False)

    def test_may_bring_them(self, world: World) -> None:
        (line,) = imported(world, [LINE | {"headers": {"X-Api-Key": SECRET}}])["lines"]

        assert "needs_secrets" not in line


class TestTheRetention:
    def test_is_set_by_whoever_runs_the_stack_alone(self, world: World) -> None:
        own = {"retention_days": 10, "content_days": 7}
        settings = {"operation": "configure", "workspace_id": world.workspace_id} | own
        world.invoke("configs", settings)

        for days in ({"retention_days": 1, "content_days": 1}, dict.fromkeys(own)):
            imported(world, [{"kind": "workspace", "name": "Moved"} | days])

        (line,) = of_kind(exported(world), "workspace")
        assert line["name"] == "Moved"
        assert {name: line[name] for name in own} == own


class TestALineThatIsRefused:
    @pytest.mark.parametrize(
        ("line", "path"),
        [
            ({}, ""),
            ([], ""),
            ({"kind": "apikey"}, ""),
            ({"kind": "category", "idCategory": "x"}, "categoryName"),
            (LINE | {"idWebhookConfig": "CONFIG#x"}, "idWebhookConfig"),
            (LINE | {"status": "deleted"}, "status"),
            (LINE | {"workspace_id": "other"}, "workspace_id"),
            (LINE | {"idCategory": "nowhere"}, "idCategory"),
            (LINE | {"url": "ftp://example.com"}, "url"),
            (LINE | {"headers": {"Host": "x"}}, "headers"),
            (LINE | {"listing": {"position": 1}}, "listing"),
            (LINE | {"dialect": "clickfunnels"}, "listing"),
            (LINE | {"dialect": "flowestate", "listing": {"position": -1}}, "listing.position"),
            (
                LINE | {"dialect": "flowestate", "listing": {"position": 1, "claim": "ID#other"}},
                "listing.claim",
            ),
            ({"kind": "workspace", "retention_days": 0}, "retention_days"),
            ({"kind": "workspace", "limits": {"configs": 9}}, "limits"),
            ({"kind": "event_type", "name": "x", "schema": {"type": 5}}, "schema.type"),
        ],
    )
    def test_says_where(self, world: World, line: Any, path: str) -> None:
        report = imported(world, [line])

        (refused,) = report["lines"]
        assert (report["refused"], refused["line"]) == (1, 1)
        assert path in {field["path"] for field in refused.get("fields", [{"path": ""}])}

    def test_does_not_hold_up_the_others(self, world: World) -> None:
        reply = sent(world, b'{"kind":\n\n\xff\n' + json.dumps(LINE).encode())

        found = [(line["line"], line["outcome"]) for line in reply.body["lines"]]
        assert found == [(1, "refused"), (3, "refused"), (4, "accepted")]

    def test_may_be_one_whose_id_was_deleted(self, world: World) -> None:
        imported(world, [LINE])
        world.call("DELETE", "/v1/webhookconfig/delete", query={"idWebhookConfig": "crm"})

        assert imported(world, [LINE])["refused"] == 1

    def test_may_be_one_beyond_the_plan(self, world: World) -> None:
        there = another(world, limits={"configs": 1})
        lines = [LINE, LINE | {"idWebhookConfig": "two"}]

        report = imported(world, lines, there)

        assert (report["accepted"], report["refused"]) == (1, 1)

    def test_may_be_one_that_would_make_it_another_config(self, world: World) -> None:
        imported(world, [LINE])

        report = imported(world, [LINE | {"managedBy": "zapier"}])

        assert report["refused"] == 1


class TestAnImport:
    def test_of_too_much_is_refused_whole(self, world: World) -> None:
        assert sent(world, b"{}\n" * 101).status == 413
        assert sent(world, b" " * (1024 * 1024 + 1)).status == 413

    def test_of_something_else_is_refused(self, world: World) -> None:
        assert world.call("POST", "/v1/import", {}).status == 415

    def test_needs_its_scope(self, world: World) -> None:
        key = another(world, scopes=["configs:read"])

        assert sent(world, b"", key).status == 403
        assert world.call("GET", "/v1/export", key=key).status == 200


# So examples may share a world.
EACH_IN_NEW_WORKSPACES = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=100
)
CONFIGS = st.fixed_dictionaries(
    {
        "webhookConfigName": NAMES,
        "description": st.text(st.characters(codec="utf-8"), max_size=20),
        "enabled": st.booleans(),
        "targetType": st.sampled_from(["custom", "make"]),
        "retrySchedule": st.none() | st.lists(st.integers(0, 60), min_size=1, max_size=3),
        "timeoutSeconds": st.integers(1, 10),
        "rateLimitPerSecond": st.none() | st.integers(1, 1000),
        "headers": st.dictionaries(st.sampled_from(["X-A", "X-B"]), st.sampled_from(["", "1"])),
        "status": st.sampled_from(["active", "archived"]),
        "triggers": st.lists(
            st.fixed_dictionaries(
                {"eventType": st.sampled_from(["on_action", "node_execution"])},
                optional={"idNode": NAMES, "actionNumber": st.integers(0, 9)},
            ),
            min_size=1,
            max_size=3,
        ),
    }
)


@settings(max_examples=8, suppress_health_check=EACH_IN_NEW_WORKSPACES)
@given(st.lists(CONFIGS, max_size=3))
def test_whatever_moves_comes_out_as_it_went_in(
    world: World, configs: list[dict[str, Any]]
) -> None:
    here, there = another(world), another(world)
    lines = [
        config | {"kind": "config", "idWebhookConfig": f"c{number}", "url": URL}
        for number, config in enumerate(configs)
    ]
    assert imported(world, lines, here)["refused"] == 0
    before = exported(world, here)

    imported(world, before, there)
    once = exported(world, there)
    imported(world, before, there)

    assert once == before
    assert exported(world, there) == before


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(max_examples=25, suppress_health_check=EACH_IN_NEW_WORKSPACES)
@given(
    st.binary(max_size=200)
    | st.builds(
        lambda kind, field, value: json.dumps({"kind": kind, field: value}).encode(),
        st.sampled_from(["workspace", "category", "event_type", "config"]),
        st.sampled_from(["name", "slug", "idCategory", "listing", "headers", "triggers"]),
        JSON_VALUES,
    )
)
def test_whatever_comes_is_answered_line_by_line(world: World, text: bytes) -> None:
    reply = sent(world, text, another(world))

    assert reply.status == 200
    assert len(reply.body["lines"]) == len([one for one in text.split(b"\n") if one.strip()])
