"""What is saved is found again, what is read can be saved back, and a duplicate stays itself."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.apis.funnelflux import models as wire
from shared.apis.funnelflux.mapping import MAX_OLD_SECRETS
from shared.aws import clients
from shared.aws.items import to_item
from shared.aws.table import Table
from shared.configs.models import Status, TargetType, WebhookConfig
from shared.configs.store import ConfigStore
from shared.events.models import TriggerType
from shared.outbound.redaction import MASK
from shared.tables import config_table
from tests import factories
from tests.integration.account import Account
from tests.integration.world import World, new_world

PATH = "/v1/webhookconfig"
URL = "https://hooks.example.com/in"
# What a read shows although nobody saved it.
OURS = {"managedBy", "warnings", "createdAt", "updatedAt"}
IDS = (f"config-{number}" for number in count())

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=32)
IDENTIFIERS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=16)
VALUES = st.from_regex(r"[!-~]([ -~]{0,16}[!-~])?", fullmatch=True).filter(lambda v: v != MASK)
PLAIN_HEADERS = ["X-Team", "accept", "X_a.b"]
SECRET_HEADERS = ["X-Api-Key", "x-auth", "My-Token"]
TRIGGERS = st.fixed_dictionaries(
    {"eventType": st.sampled_from(TriggerType)},
    optional={
        "idFunnels": st.lists(IDENTIFIERS, min_size=1, max_size=3),
        "idPages": st.lists(IDENTIFIERS, min_size=1, max_size=3),
        "idFunnel": IDENTIFIERS,
        "idNode": IDENTIFIERS,
        "idTrafficSource": IDENTIFIERS,
        "actionNumber": st.integers(min_value=0, max_value=wire.MAX_ACTION_NUMBER),
    },
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "description": st.text(st.characters(exclude_categories=["Cs"]), max_size=64),
    "idCategory": st.sampled_from(["", "sales"]),
    "status": st.sampled_from([Status.ACTIVE, Status.ARCHIVED]),
    "enabled": st.booleans(),
    "targetType": st.sampled_from(TargetType),
    "url": st.sampled_from([URL, URL + "?e={data-email}", "http://127.0.0.1:9/é?ä=%20"]),
    "headers": st.dictionaries(st.sampled_from(PLAIN_HEADERS + SECRET_HEADERS), VALUES),
    "basicAuth": st.none()
    | st.fixed_dictionaries(
        {
            "username": st.from_regex(r"[^:\x00-\x1f\x7f\ud800-\udfff]{0,16}", fullmatch=True),
            "password": NAMES.filter(lambda password: password != MASK),
        }
    ),
    "triggers": st.lists(TRIGGERS, min_size=1, max_size=4),
    "retrySchedule": st.none()
    | st.lists(st.integers(min_value=0, max_value=wire.MAX_WAIT_S), min_size=1, max_size=7),
    "rateLimitPerSecond": st.none() | st.integers(min_value=1, max_value=1000),
    "timeoutSeconds": st.integers(min_value=1, max_value=10),
}
CONFIGS = st.fixed_dictionaries({"webhookConfigName": NAMES}, optional=FIELDS)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), inner)
    ),
    max_leaves=6,
)
ANY_NAME = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
PROTECTED = ["idWebhookConfig", "owner", "idOwner", "status", "webhookConfigName", "idCategory"]
# Names that mean something with any value, names with values of theirs, and anything at all.
UPDATES = (
    st.dictionaries(st.sampled_from([*wire.WebhookConfigBody.model_fields, *PROTECTED]), JSON)
    | st.fixed_dictionaries({}, optional=FIELDS | dict.fromkeys(PROTECTED, JSON))
    | st.dictionaries(ANY_NAME, JSON)
)


@pytest.fixture(scope="module")
def shared_world(account: Account) -> Iterator[World]:
    """One for all examples, each of which has a config of its own."""
    with new_world(account) as world:
        limits = {"requests_per_minute": 1_000_000}
        command = {"operation": "configure", "workspace_id": world.workspace_id, "limits": limits}
        world.invoke("configs", command)
        world.call("POST", "/v1/category/save", {"idCategory": "sales", "categoryName": "Sales"})
        yield world


def save(world: World, saved: dict[str, Any], method: str = "POST") -> Any:
    reply = world.call(method, f"{PATH}/save", saved)
    assert reply.status in {201, 204}, reply
    return reply.body


def find(world: World, config_id: str) -> dict[str, Any]:
    found: dict[str, Any] = world.get(f"{PATH}/find/byId", idWebhookConfig=config_id).body
    return found


def stored(world: World, config_id: str) -> WebhookConfig:
    return ConfigStore(Table(clients.dynamodb(), "ConfigTable")).find(world.workspace_id, config_id)


def expected(saved: dict[str, Any]) -> dict[str, Any]:
    """How a read shows what was saved: defaults filled in, secrets masked, nothing that is null."""
    every_type = [{"eventType": kind} for kind in TriggerType]
    shown: dict[str, Any] = {
        "description": "",
        "idCategory": "",
        "status": "active",
        "enabled": True,
        "targetType": "custom",
        "headers": {},
        "dialect": "funnelflux",
        "triggers": every_type,
        "timeoutSeconds": 10,
        "awsIamAuth": False,
    } | {name: value for name, value in saved.items() if value is not None}
    shown["headers"] = {
        name: MASK if name in SECRET_HEADERS else value for name, value in shown["headers"].items()
    }
    if "basicAuth" in shown:
        shown["basicAuth"] = {"username": shown["basicAuth"]["username"]}
    return shown


def new(world: World, fields: dict[str, Any]) -> dict[str, Any]:
    """The last example's configs go: moto's transactions copy the whole table."""
    for item in world.items("ConfigTable"):
        if "#T#" in item["pk"] or item["sk"].startswith(config_table.CONFIG_PREFIX):
            key = to_item({"pk": item["pk"], "sk": item["sk"]})
            clients.dynamodb().delete_item(TableName="ConfigTable", Key=key)
    return {"url": URL} | fields | {"idWebhookConfig": next(IDS)}


@given(CONFIGS)
def test_what_is_saved_is_found_again_but_for_its_secrets(
    shared_world: World, fields: dict[str, Any]
) -> None:
    saved = new(shared_world, fields)

    secret = save(shared_world, saved)["secret"]

    found = find(shared_world, saved["idWebhookConfig"])
    assert {name: value for name, value in found.items() if name not in OURS} == expected(saved)
    assert secret not in str(found)


@given(CONFIGS, st.integers(min_value=0, max_value=2))
def test_saving_back_what_was_read_changes_nothing_and_keeps_every_secret(
    shared_world: World, fields: dict[str, Any], rotations: int
) -> None:
    config_id = (saved := new(shared_world, fields))["idWebhookConfig"]
    save(shared_world, saved)
    for _ in range(rotations):
        shared_world.call("POST", f"{PATH}/rotate-secret", {}, query={"idWebhookConfig": config_id})
    before, read = stored(shared_world, config_id), find(shared_world, config_id)
    shared_world.clock.advance(1)

    save(shared_world, read, "PUT")

    after, again = stored(shared_world, config_id), find(shared_world, config_id)
    changes = {"updated_at": shared_world.clock(), "version": before.version + 1}
    assert after == before.model_copy(update=changes)
    assert len(after.old_secrets) == rotations <= MAX_OLD_SECRETS
    assert again == read | {"updatedAt": again["updatedAt"]}
    assert again["updatedAt"] > read["updatedAt"]


@given(CONFIGS, UPDATES)
@example({"webhookConfigName": "a"}, {"idWebhookConfig": "mine", "status": "deleted"})
@example({"webhookConfigName": "a"}, {"headers": {"X-Api-Key": MASK}})
@example({"webhookConfigName": "a"}, {"basicAuth": {"username": "a"}})
@example({"webhookConfigName": "a"}, {"secret": "whsec_x", "version": 7})
@example({"webhookConfigName": "a"}, {"url": "https://[::1/"})
@example({"webhookConfigName": "a"}, {"url": "https://example.com/{"})
@example({"webhookConfigName": "a"}, {"triggers": None})
def test_a_duplicate_stays_itself_whatever_its_updates(
    shared_world: World, fields: dict[str, Any], updates: dict[str, Any]
) -> None:
    config_id = (saved := new(shared_world, fields))["idWebhookConfig"]
    save(shared_world, saved)
    source = stored(shared_world, config_id)

    reply = shared_world.call(
        "POST",
        f"{PATH}/duplicate",
        {"name": "Copy", "bodyUpdates": updates},
        query={"idWebhookConfig": config_id},
    )

    if reply.status == 400:
        assert reply.body["error"]["code"] == "invalid"
        assert reply.body["error"]["fields"]
    else:
        assert reply.status == 200
        copy = stored(shared_world, reply.body["id"])
        assert len(copy.id) == 12
        assert (copy.workspace_id, copy.status) == (source.workspace_id, Status.ACTIVE)
        assert (copy.name, copy.category_id) == ("Copy", source.category_id)
        assert copy.secret == reply.body["secret"] != source.secret
        assert (copy.old_secrets, copy.version, copy.deleted_at) == ((), 1, None)
        read = find(shared_world, copy.id)
        wire.WebhookConfigBody.model_validate(read)
        save(shared_world, read, "PUT")
    assert stored(shared_world, config_id) == source


def test_a_config_as_the_document_prints_it_comes_back(shared_world: World) -> None:
    printed = {
        "idWebhookConfig": "webhook-config-id",
        "webhookConfigName": "CRM webhook",
        "description": "Sends flow payloads to the CRM",
        "status": "active",
        "enabled": True,
        "targetType": "custom",
        "url": "https://example.com/webhook",
        "headers": {"X-Source": "funnelflux"},
        "basicAuth": {"username": "user", "password": "pass"},
    }

    save(shared_world, printed)

    found = find(shared_world, "webhook-config-id")
    assert {name: value for name, value in found.items() if name not in OURS} == expected(printed)
    assert factories.WORKSPACE not in str(found)
