"""A client written against FunnelFlux's document: every call of it, with host and key changed."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.local.stack import Stack
from tests.stack.client import Client

# The body that the document's curl commands send to `save`.
CURL: dict[str, Any] = {
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
PARALLEL = 20


@pytest.fixture
def saved(client: Client) -> Client:
    """A client whose workspace holds what the curl command made."""
    assert client.call("POST", "/v1/webhookconfig/save", json=CURL).status_code == 201
    return client


def test_create_answers_once_with_the_secret(client: Client) -> None:
    answer = client.call("POST", "/v1/webhookconfig/save", json=CURL)

    assert answer.status_code == 201
    assert answer.json()["idWebhookConfig"] == "webhook-config-id"
    assert answer.json()["secret"].startswith("whsec_")


def test_find_answers_as_documented_without_the_password(saved: Client) -> None:
    answer = saved.call("GET", "/v1/webhookconfig/find/byId?idWebhookConfig=webhook-config-id")

    expected = CURL | {"idCategory": "", "basicAuth": {"username": "user"}}
    assert answer.status_code == 200
    assert {key: answer.json()[key] for key in expected} == expected


def test_find_by_ids_keeps_the_order_and_leaves_out_what_is_unknown(saved: Client) -> None:
    saved.call("POST", "/v1/webhookconfig/save", json=CURL | {"idWebhookConfig": "second"})

    answer = saved.call(
        "GET", "/v1/webhookconfig/find/byIds?idWebhookConfigs=second,unknown,webhook-config-id"
    )

    ids = [config["idWebhookConfig"] for config in answer.json()]
    assert ids == ["second", "webhook-config-id"]


def test_list_answers_the_short_form_with_the_name_of_the_category(saved: Client) -> None:
    make_category(saved, "idCategory", "Sales")
    move(saved, ["webhook-config-id"], "idCategory")

    answer = saved.call("GET", "/v1/webhookconfig/list?status=active")

    assert answer.json() == [
        {
            "idWebhookConfig": "webhook-config-id",
            "webhookConfigName": "CRM webhook",
            "status": "active",
            "targetType": "custom",
            "enabled": True,
            "idCategory": "idCategory",
            "categoryName": "Sales",
        }
    ]
    other = saved.call("GET", "/v1/webhookconfig/list?status=active&idCategory=other")
    assert other.json() == []


def test_save_replaces_and_answers_nothing(saved: Client) -> None:
    without_password = CURL | {"webhookConfigName": "New", "basicAuth": {"username": "user"}}
    del without_password["description"]

    answer = saved.call("PUT", "/v1/webhookconfig/save", json=without_password)

    assert (answer.status_code, answer.content) == (204, b"")
    found = find(saved, "webhook-config-id")
    assert (found["webhookConfigName"], found["description"]) == ("New", "")
    assert found["basicAuth"] == {"username": "user"}


def test_delete_is_soft_and_keeps_the_id(saved: Client) -> None:
    path = "/v1/webhookconfig/delete?idWebhookConfig=webhook-config-id"

    answer = saved.call("DELETE", path)

    assert (answer.status_code, answer.content) == (204, b"")
    assert find(saved, "webhook-config-id")["status"] == "deleted"
    assert listed(saved, "not-deleted") == []
    assert listed(saved, "all") == ["webhook-config-id"]
    assert saved.call("POST", "/v1/webhookconfig/save", json=CURL).status_code == 409


def test_duplicate_makes_the_id_and_protects_its_own_fields(saved: Client) -> None:
    make_category(saved, "parentId", "Parent")
    updates = {"url": "https://example.org/", "idWebhookConfig": "mine", "status": "archived"}
    body = {"name": "name", "parentId": "parentId", "bodyUpdates": updates}

    answer = saved.call(
        "POST",
        "/v1/webhookconfig/duplicate?idWebhookConfig=webhook-config-id",
        json=body,
    )

    assert answer.status_code == 200
    new_id = answer.json()["id"]
    assert len(new_id) == 12
    assert new_id.isalnum()
    found = find(saved, new_id)
    assert (found["status"], found["idCategory"]) == ("active", "parentId")
    assert (found["webhookConfigName"], found["url"]) == ("name", "https://example.org/")
    assert found["headers"] == CURL["headers"]


def test_archive_and_unarchive_change_all_that_are_named(saved: Client) -> None:
    saved.call("POST", "/v1/webhookconfig/save", json=CURL | {"idWebhookConfig": "second"})
    both = {"entries": ["webhook-config-id", "second", "second"]}

    assert saved.call("PUT", "/v1/webhookconfig/archive", json=both).status_code == 204
    assert listed(saved, "archived") == ["second", "webhook-config-id"]
    assert saved.call("PUT", "/v1/webhookconfig/unarchive", json=both).status_code == 204
    assert listed(saved, "active") == ["second", "webhook-config-id"]


@pytest.mark.parametrize("call", ["archive", "unarchive", "move-category"])
def test_one_unknown_id_and_nothing_is_changed(saved: Client, call: str) -> None:
    body: dict[str, Any] = {"entries": ["webhook-config-id", "ghost", "spectre"]}
    if call == "move-category":
        make_category(saved, "sales", "Sales")
        body["idCategory"] = "sales"

    answer = saved.call("PUT", f"/v1/webhookconfig/{call}", json=body)

    assert answer.status_code == 404
    assert "ghost, spectre" in answer.json()["error"]["message"]
    found = find(saved, "webhook-config-id")
    assert (found["status"], found["idCategory"]) == ("active", "")


def test_a_deleted_category_leaves_its_configs_uncategorized(saved: Client) -> None:
    make_category(saved, "sales", "Sales")
    move(saved, ["webhook-config-id"], "sales")

    answer = saved.call("DELETE", "/v1/category/delete?idCategory=sales")

    assert answer.status_code == 204
    assert find(saved, "webhook-config-id")["idCategory"] == ""
    assert saved.call("GET", "/v1/category/list?status=not-deleted").json() == []


def test_twenty_parallel_creations_of_one_id_make_one(client: Client) -> None:
    def create(_: int) -> int:
        return client.call("POST", "/v1/webhookconfig/save", json=CURL).status_code

    with ThreadPoolExecutor(PARALLEL) as pool:
        statuses = sorted(pool.map(create, range(PARALLEL)))

    assert set(statuses) <= {201, 409}
    assert statuses.count(201) <= 1  # none if the answer to the first one was lost
    assert find(client, CURL["idWebhookConfig"])["idWebhookConfig"] == CURL["idWebhookConfig"]


def test_twenty_parallel_saves_leave_one_of_them_whole(saved: Client) -> None:
    def save(number: int) -> int:
        body = CURL | {"webhookConfigName": f"Name {number}", "description": f"Text {number}"}
        return saved.call("PUT", "/v1/webhookconfig/save", json=body).status_code

    with ThreadPoolExecutor(PARALLEL) as pool:
        statuses = list(pool.map(save, range(PARALLEL)))

    found = find(saved, "webhook-config-id")
    assert set(statuses) <= {204, 409}
    assert 204 in statuses
    assert found["webhookConfigName"].split()[1] == found["description"].split()[1]


def test_archive_racing_delete_leaves_one_consistent_state(saved: Client) -> None:
    def archive() -> int:
        body = {"entries": ["webhook-config-id"]}
        return saved.call("PUT", "/v1/webhookconfig/archive", json=body).status_code

    def delete() -> int:
        path = "/v1/webhookconfig/delete?idWebhookConfig=webhook-config-id"
        return saved.call("DELETE", path).status_code

    with ThreadPoolExecutor(2) as pool:
        archived, deleted = pool.submit(archive), pool.submit(delete)

    status = find(saved, "webhook-config-id")["status"]
    assert (archived.result(), deleted.result(), status) in {
        (204, 204, "deleted"),
        (404, 204, "deleted"),
        (204, 409, "archived"),
    }


def test_the_plan_limit_is_a_403_that_names_it(stack: Stack) -> None:
    client = Client(stack, limits={"configs": 1})
    client.make_config("https://example.com/1")

    second = client.call("POST", "/v1/webhookconfig/save", json=CURL)

    assert second.status_code == 403
    assert "1 webhook config" in second.json()["error"]["message"]


def make_category(client: Client, category_id: str, name: str) -> None:
    body = {"idCategory": category_id, "categoryName": name, "categoryType": "webhookconfig"}
    assert client.call("POST", "/v1/category/save", json=body).status_code == 204


def move(client: Client, entries: list[str], category_id: str) -> None:
    body = {"entries": entries, "idCategory": category_id}
    answer = client.call("PUT", "/v1/webhookconfig/move-category", json=body)
    assert answer.status_code == 204


def find(client: Client, config_id: str) -> dict[str, Any]:
    answer = client.call("GET", f"/v1/webhookconfig/find/byId?idWebhookConfig={config_id}")
    found: dict[str, Any] = answer.json()
    return found


def listed(client: Client, status: str) -> list[str]:
    answer = client.call("GET", f"/v1/webhookconfig/list?status={status}")
    return [config["idWebhookConfig"] for config in answer.json()]
