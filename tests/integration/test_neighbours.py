"""What belongs to another workspace is unknown here, in every call of the OpenAPI document."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import pytest

from functions.configs.routes import public
from tests import factories
from tests.integration.account import Account
from tests.integration.world import Reply, World, new_world

DEAD = "http://127.0.0.1:9/in"
NEW_KEY = {"name": "Theirs", "client": "api", "scopes": ["events:read"]}
ENDPOINTS = "/api/v2/workspaces/{workspace}/webhooks/outgoing/endpoints"
ENDPOINT = "/api/v2/webhooks/outgoing/endpoints/{endpoint}"

# A name of a parameter or of a place in a body, and an id of that kind that nobody has.
UNKNOWN = {
    "subscription_id": "wh_" + "0" * 24,
    "endpoint": "123456",
    "event": "123456",
    "workspace": "5b8f0a4e-6f0a-4d3c-9a51-2f6f6f0c7a11",
    "event_id": "no-such-event",
    "request_id": str(factories.request_id()),
    "visitor_id": "no-such-visitor",
    "replay_id": "rpl_" + "0" * 12,
    "config": "no-such-config",
    "category": "no-such-category",
    "key": "key_0000000000000000",
    "type": "no-such.type",
    "cursor": "AAAAAAAAAAAAAAAAAAAAAAAA",
    "after": "123456",
}
KINDS = {
    "idWebhookConfig": "config",
    "idWebhookConfigs": "config",
    "config_id": "config",
    "idCategory": "category",
    "idCategories": "category",
    "id": "key",
    "name": "type",
}
# Parameters that name nothing that is stored.
PLAIN = frozenset(
    {"limit", "offset", "since", "until", "state", "event_type", "status", "categoryType", "group"}
    | {"own", "sort_order", "sort_property", "include", "Idempotency-Key"}
)
REQUIRED = {"status": "all", "categoryType": "webhookconfig"}
# Bodies in which ids stand as `<kind>`.
BODIES: dict[tuple[str, str], Any] = {
    ("PUT", ENDPOINT): {"webhooks_outgoing_endpoint": {"name": "Mine"}},
    ("PUT", "/v1/category/archive"): {"entries": ["<category>"]},
    ("PUT", "/v1/category/unarchive"): {"entries": ["<category>"]},
    ("PUT", "/v1/category/save"): {"idCategory": "<category>", "categoryName": "Mine"},
    ("POST", "/v1/category/duplicate"): {"name": "Mine"},
    ("PUT", "/v1/webhookconfig/archive"): {"entries": ["<config>"]},
    ("PUT", "/v1/webhookconfig/unarchive"): {"entries": ["<config>"]},
    ("PUT", "/v1/webhookconfig/move-category"): {
        "entries": ["<config>"],
        "idCategory": "<category>",
    },
    ("PUT", "/v1/webhookconfig/save"): factories.config_json(idWebhookConfig="<config>"),
    ("POST", "/v1/webhookconfig/duplicate"): {"name": "Mine"},
    ("POST", "/v1/webhookconfig/rotate-secret"): {},
    ("POST", "/v1/webhookconfig/test"): {"event_type": "node_execution"},
    ("POST", "/v1/deliveries/{request_id}/resend"): {},
    ("POST", "/v1/replays"): {"config_id": "<config>", "since": 0, "dry_run": True},
    ("PUT", "/v1/integration/apikeys"): {"id": "<key>", "name": "Mine"},
}
_MAKES = "makes what is the caller's own; the ids in it are of the caller's workspace alone"
_PUBLIC = "is the same for everybody"
_NOTHING = "takes no id of anything that is stored"
# Calls that are left out, and why.
SKIPPED = {
    ("POST", "/api/v1/webhook/{action}"): _MAKES,
    ("POST", "/api/v1/webhooks/subscriptions"): _MAKES,
    ("POST", ENDPOINTS): "the path is tried by the list of the same address; the body makes",
    ("POST", "/v1/category/save"): _MAKES,
    ("POST", "/v1/events"): _MAKES,
    ("POST", "/v1/eventtypes"): _MAKES,
    ("POST", "/v1/integration/apikeys"): _MAKES,
    ("POST", "/v1/webhookconfig/save"): _MAKES,
    ("POST", "/v1/actions/links"): _MAKES,
    ("POST", "/v1/import"): _MAKES,
    ("DELETE", "/v1/actions/links"): _NOTHING,
    ("GET", "/v1/actions/{funnel_id}/{node_id}/{action_number}"): _MAKES,
    ("POST", "/v1/actions/{funnel_id}/{node_id}/{action_number}"): _MAKES,
    ("GET", "/docs"): _PUBLIC,
    ("GET", "/health"): _PUBLIC,
    ("GET", "/openapi.json"): _PUBLIC,
    ("GET", "/schemas/webhook-outbound-payload-v1.schema.json"): _PUBLIC,
}
# Lists without a parameter that names something; what they show is looked through instead.
LISTS = [
    ("/api/v1/webhooks/events", {}),
    ("/api/v1/webhooks/subscriptions", {}),
    ("/v1/category/list", {"status": "all"}),
    ("/v1/webhookconfig/list", {"status": "all"}),
    ("/v1/integration/apikeys", {}),
    ("/v1/events", {}),
    ("/v1/eventtypes", {"own": "true"}),
    ("/v1/export", {}),
]


class Case(NamedTuple):
    method: str
    path: str
    name: str
    place: str

    @property
    def kind(self) -> str:
        return KINDS.get(self.name, self.name)


@cache
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(public.OPENAPI.read_text())
    return loaded


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            if (method.upper(), path) not in SKIPPED:
                yield method.upper(), path, operation


def cases() -> Iterator[Case]:
    """Of each call one for each place where it takes an id."""
    for method, path, operation in operations():
        for parameter in operation.get("parameters", []):
            if parameter["name"] not in PLAIN:
                yield Case(method, path, parameter["name"], parameter["in"])
        for kind in UNKNOWN:
            if f"<{kind}>" in json.dumps(BODIES.get((method, path))):
                yield Case(method, path, kind, "body")


class Street(NamedTuple):
    """A workspace with one of everything, and the key of the one next door."""

    world: World
    ids: dict[str, str]
    own_workspace: str
    key: str

    def items(self) -> list[dict[str, Any]]:
        mine = f"W#{self.world.workspace_id}"
        tables = ("ConfigTable", "EventTable")
        found = [item for table in tables for item in self.world.items(table)]
        return [item for item in found if str(item["pk"]).startswith(mine)]

    def call(self, case: Case, value: str, key: str | None = None) -> tuple[int, str]:
        """As the neighbour, with that id in that place, and unknown ones in all others."""
        self.world.clock.advance(61)  # its key may call so often a minute
        ids = UNKNOWN | {"workspace": self.own_workspace}
        path, query = case.path, dict[str, str]()
        for parameter in document()["paths"][case.path][case.method.lower()].get("parameters", []):
            name = parameter["name"]
            chosen = value if name == case.name else ids.get(KINDS.get(name, name), "")
            if parameter["in"] == "path":
                path = path.replace(f"{{{name}}}", chosen)
            elif name == case.name or parameter["required"]:
                query[name] = REQUIRED.get(name, chosen)
        if case.name == "cursor" and case.path == "/v1/deliveries":
            query["config_id"] = "crm"
        text = json.dumps(BODIES.get((case.method, case.path)))
        for kind, unknown in ids.items():
            chosen = value if case.place == "body" and kind == case.name else unknown
            text = text.replace(f"<{kind}>", chosen)
        reply = self.world.call(
            case.method, path, json.loads(text), query=query, key=key or self.key
        )
        return reply.status, json.dumps(reply.body).replace(value, "<id>")


@pytest.fixture(scope="module")
def street(account: Account) -> Iterator[Street]:
    with new_world(account) as world:
        ids = furnish(world)
        other = world.invoke("configs", {"operation": "bootstrap", "name": "Other"})
        yield Street(world, ids, other["workspace_id"], other["api_key"])


def furnish(world: World) -> dict[str, str]:
    """One of everything; its ids by kind."""
    made = [
        world.call(
            "POST", "/v1/category/save", {"idCategory": "their-category", "categoryName": "Theirs"}
        ),
        world.call("POST", "/v1/eventtypes", {"name": "parcel.sent", "group": "Parcels"}),
        world.call("POST", "/v1/integration/apikeys", NEW_KEY),
        world.call(
            "POST",
            "/api/v1/webhooks/subscriptions",
            {"target_url": "https://hooks.example.com/fe", "event": "lead.won"},
        ),
        world.call(
            "POST",
            ENDPOINTS.format(workspace=world.workspace_id),
            {"webhooks_outgoing_endpoint": {"url": "https://hooks.example.com", "name": "Theirs"}},
        ),
    ]
    assert [reply.status for reply in made] == [204, 201, 201, 201, 201], made
    world.make_config(DEAD, idCategory="their-category")
    world.clock.advance(1)
    event_id = world.deliver(visitor={"visitor_id": "visitor-1"})
    world.deliver(visitor={"visitor_id": "visitor-1"})
    made.append(world.call("POST", "/v1/replays", {"config_id": "crm", "since": 0}))
    return _ids(world, made, event_id)


def _ids(world: World, made: list[Reply], event_id: str) -> dict[str, str]:
    events = f"/api/v2/workspaces/{world.workspace_id}/webhooks/outgoing/events"
    event = str(world.get(events).body[0]["id"])
    cursor = world.get("/v1/deliveries", config_id="crm", limit="1").body["next_cursor"]
    return {
        "subscription_id": made[3].body["id"],
        "endpoint": str(made[4].body["id"]),
        "event": event,
        "workspace": world.workspace_id,
        "event_id": event_id,
        "request_id": world.request_id(event_id),
        "visitor_id": "visitor-1",
        "replay_id": made[5].body["replay_id"],
        "config": "crm",
        "category": "their-category",
        "key": made[2].body["id"],
        "type": "parcel.sent",
        "cursor": cursor,
        "after": event,
    }


@pytest.mark.parametrize("case", [*cases()], ids=" ".join)
def test_an_id_of_the_neighbours_is_like_one_that_nobody_has(street: Street, case: Case) -> None:
    before = street.items()

    theirs = street.call(case, street.ids[case.kind])
    nobodys = street.call(case, UNKNOWN[case.kind])

    assert theirs == nobodys
    assert street.items() == before
    if case.method == "GET" and case.kind not in {"cursor", "after"}:  # or it would prove nothing
        assert street.call(case, street.ids[case.kind], street.world.key) != nobodys


@pytest.mark.parametrize(("path", "query"), LISTS)
def test_a_list_shows_nothing_of_the_neighbours(
    street: Street, path: str, query: dict[str, str]
) -> None:
    street.world.clock.advance(61)

    reply = street.world.call("GET", path, query=query, key=street.key)

    assert reply.status == 200
    shown = json.dumps(reply.body)
    assert not [
        one for kind, one in street.ids.items() if kind != "workspace" and f'"{one}"' in shown
    ]


def test_every_call_takes_an_id_or_is_a_list_or_is_left_out() -> None:
    tried = {(case.method, case.path) for case in cases()}
    lists = {("GET", path) for path, _ in LISTS}
    left = {(method, path) for method, path, _ in operations()} - tried - lists

    assert not left
    assert {case.kind for case in cases()} <= UNKNOWN.keys()
