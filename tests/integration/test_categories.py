"""/v1/category: names to group configs by."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.aws import clients
from shared.aws.items import to_item
from shared.configs.categories import CategoryStore
from shared.configs.store import ConfigStore
from shared.tables.config_table import config_key
from tests import factories
from tests.integration.world import CrashError, Reply, World

URL = "http://127.0.0.1:9/in"
PATH = "/v1/category"
DAY_S = 24 * 60 * 60
CHANGE_ALL = (ConfigStore, "change_all")
CALLS: list[tuple[str, str, dict[str, str], Any, int]] = [
    ("GET", "list", {"status": "active", "categoryType": "webhookconfig"}, None, 200),
    ("GET", "find/byId", {"idCategory": "sales"}, None, 200),
    ("GET", "find/byIds", {"idCategories": "sales,other"}, None, 200),
    ("PUT", "save", {}, {"idCategory": "sales", "categoryName": "New"}, 204),
    ("POST", "save", {}, {"idCategory": "new", "categoryName": "New"}, 204),
    ("POST", "duplicate", {"idCategory": "sales"}, {"name": "Copy"}, 200),
    ("DELETE", "delete", {"idCategory": "sales"}, None, 204),
    ("PUT", "archive", {}, {"entries": ["sales"]}, 204),
    ("PUT", "unarchive", {}, {"entries": ["sales"]}, 204),
]


def save(world: World, category_id: str = "sales", method: str = "POST", **fields: Any) -> Reply:
    body = {"idCategory": category_id, "categoryName": category_id.title()} | fields
    return world.call(method, f"{PATH}/save", body)


def find(world: World, category_id: str = "sales") -> dict[str, Any]:
    found: dict[str, Any] = world.get(f"{PATH}/find/byId", idCategory=category_id).body
    return found


def delete(world: World, category_id: str = "sales") -> Reply:
    return world.call("DELETE", f"{PATH}/delete", query={"idCategory": category_id})


def listed(world: World, status: str) -> list[str]:
    found = world.get(f"{PATH}/list", status=status).body
    return [category["idCategory"] for category in found]


def inside(world: World, category_id: str = "sales") -> list[str]:
    query = {"status": "all", "idCategory": category_id}
    found = world.get("/v1/webhookconfig/list", **query).body
    return [config["idWebhookConfig"] for config in found]


def fill(world: World, count: int, category_id: str = "sales") -> None:
    """Past the API and the triggers: moto's transactions are slow."""
    for number in range(count):
        config = factories.config(
            id=f"config-{number:03d}", workspace_id=world.workspace_id, category_id=category_id
        )
        item = config.model_dump(mode="json") | config_key(world.workspace_id, config.id)
        clients.dynamodb().put_item(TableName="ConfigTable", Item=to_item(item))


@pytest.fixture(autouse=True)
def _sales(world: World) -> None:
    assert save(world).status == 204


@pytest.mark.parametrize("slash", ["", "/"], ids=["without-slash", "with-slash"])
@pytest.mark.parametrize(
    ("method", "call", "query", "body", "status"),
    [pytest.param(*call, id=f"{call[0]}-{call[1]}") for call in CALLS],
)
def test_every_call_answers_on_both_spellings_of_its_path(
    world: World,
    method: str,
    call: str,
    query: dict[str, str],
    body: Any,
    status: int,
    slash: str,
) -> None:
    reply = world.call(method, f"{PATH}/{call}{slash}", body, query=query)

    assert reply.status == status
    assert (reply.body == "") is (status == 204)
    assert reply.headers["X-RateLimit-Limit"] == "1000"


@pytest.mark.parametrize(
    ("method", "call", "query", "body"),
    [pytest.param(*call[:4], id=f"{call[0]}-{call[1]}") for call in CALLS],
)
def test_every_call_refuses_what_it_does_not_know_by_name(
    world: World, method: str, call: str, query: dict[str, str], body: Any
) -> None:
    if body is None:
        reply = world.call(method, f"{PATH}/{call}", query=query | {"colour": "red"})
    else:
        reply = world.call(method, f"{PATH}/{call}", body | {"colour": "red"}, query=query)

    assert reply.status == 400
    assert reply.body["error"]["fields"] == [{"path": "colour", "message": "is not a known field"}]


class TestACategory:
    def test_is_shown_as_funnelflux_shows_it(self, world: World) -> None:
        assert find(world) == {
            "idCategory": "sales",
            "categoryName": "Sales",
            "categoryType": "webhookconfig",
            "status": "active",
        }

    def test_is_made_once_under_its_id(self, world: World) -> None:
        assert save(world, categoryName="Again").status == 409
        assert find(world)["categoryName"] == "Sales"

    def test_is_replaced_by_put(self, world: World) -> None:
        assert save(world, method="PUT", categoryName="New", status="archived").status == 204

        assert (find(world)["categoryName"], find(world)["status"]) == ("New", "archived")

    def test_must_exist_to_be_replaced_copied_or_deleted(self, world: World) -> None:
        copy = {"name": "Copy"}
        query = {"idCategory": "nobody"}

        assert save(world, "nobody", "PUT").status == 404
        assert world.call("POST", f"{PATH}/duplicate", copy, query=query).status == 404
        assert delete(world, "nobody").status == 404
        assert world.get(f"{PATH}/find/byId", **query).status == 404

    @pytest.mark.parametrize(
        ("path", "fields"),
        [
            ("idCategory", {"idCategory": ""}),
            ("idCategory", {"idCategory": "a b"}),
            ("idCategory", {"idCategory": "a" * 65}),
            ("categoryName", {"categoryName": ""}),
            ("categoryName", {"categoryName": "n" * 257}),
            ("categoryType", {"categoryType": "offer"}),
            ("status", {"status": "paused"}),
        ],
    )
    def test_out_of_bounds_is_refused_by_field(
        self, world: World, path: str, fields: dict[str, str]
    ) -> None:
        reply = save(world, "new", **fields)

        assert reply.status == 400
        assert [field["path"] for field in reply.body["error"]["fields"]] == [path]

    def test_of_another_workspace_is_unknown_here(self, world: World) -> None:
        stranger = world.invoke("configs", {"operation": "bootstrap", "name": "Other"})["api_key"]

        reply = world.call("GET", f"{PATH}/find/byId", query={"idCategory": "sales"}, key=stranger)

        assert reply.status == 404

    def test_is_copied_empty_under_a_new_id(self, world: World) -> None:
        fill(world, 1)

        reply = world.call(
            "POST",
            f"{PATH}/duplicate",
            {
                "name": "Copy",
                "parentId": "",
                "bodyUpdates": {"status": "deleted", "idCategory": "x"},
            },
            query={"idCategory": "sales"},
        )

        new_id = reply.body["id"]
        assert reply.body.keys() == {"id"}
        assert len(new_id) == 12
        assert (find(world, new_id)["categoryName"], find(world, new_id)["status"]) == (
            "Copy",
            "active",
        )
        assert (inside(world), inside(world, new_id)) == (["config-000"], [])


class TestTheList:
    @pytest.fixture(autouse=True)
    def _more(self, world: World) -> None:
        save(world, "old", status="archived")
        save(world, "gone")
        delete(world, "gone")

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            ("active", ["sales"]),
            ("archived", ["old"]),
            ("not-deleted", ["old", "sales"]),
            ("all", ["gone", "old", "sales"]),
        ],
    )
    def test_is_by_status(self, world: World, status: str, expected: list[str]) -> None:
        assert listed(world, status) == expected

    @pytest.mark.parametrize(
        ("query", "path"),
        [
            ({}, "status"),
            ({"status": "paused"}, "status"),
            ({"status": "all", "categoryType": "offer"}, "categoryType"),
        ],
    )
    def test_needs_a_status_and_knows_one_type(
        self, world: World, query: dict[str, str], path: str
    ) -> None:
        reply = world.get(f"{PATH}/list", **query)

        assert reply.status == 400
        assert reply.body["error"]["fields"][0]["path"] == path

    def test_by_ids_keeps_the_order_and_leaves_out_what_is_unknown(self, world: World) -> None:
        found = world.get(f"{PATH}/find/byIds", idCategories="sales,nobody,gone,old,sales").body

        assert [category["idCategory"] for category in found] == ["sales", "gone", "old"]

    def test_by_ids_is_of_100_at_most(self, world: World) -> None:
        ids = ",".join(f"c{number}" for number in range(101))

        assert world.get(f"{PATH}/find/byIds", idCategories=ids).status == 400


class TestManyAtOnce:
    @pytest.mark.parametrize(
        ("call", "before", "after"),
        [("archive", "active", "archived"), ("unarchive", "archived", "active")],
    )
    def test_are_changed_together_up_to_100(
        self, world: World, call: str, before: str, after: str
    ) -> None:
        ids = [f"category-{number:03d}" for number in range(100)]
        for category_id in ids:
            save(world, category_id, status=before)

        reply = world.call("PUT", f"{PATH}/{call}", {"entries": ids})

        assert reply.status == 204
        assert set(listed(world, after)) >= set(ids)

    @pytest.mark.parametrize("call", ["archive", "unarchive"])
    def test_are_not_changed_at_all_if_one_is_unknown_and_each_such_is_named(
        self, world: World, call: str
    ) -> None:
        save(world, "old", status="archived")
        save(world, "gone")
        delete(world, "gone")
        entries = ["sales", "ghost", "old", "gone"]

        reply = world.call("PUT", f"{PATH}/{call}", {"entries": entries})

        assert reply.status == 404
        assert "ghost, gone." in reply.body["error"]["message"]
        assert (listed(world, "active"), listed(world, "archived")) == (["sales"], ["old"])

    @pytest.mark.parametrize("call", ["archive", "unarchive"])
    @pytest.mark.parametrize("entries", [[], ["sales"] * 101])
    def test_are_1_to_100_ids(self, world: World, call: str, entries: list[str]) -> None:
        assert world.call("PUT", f"{PATH}/{call}", {"entries": entries}).status == 400


class TestADeletedCategory:
    def test_keeps_its_id_for_30_days(self, world: World) -> None:
        delete(world)

        (item,) = [item for item in world.items("ConfigTable") if item["sk"] == "CATEGORY#sales"]
        assert find(world)["status"] == "deleted"
        assert item["expires_at"] == world.clock() // 1000 + 30 * DAY_S
        assert save(world).status == 409
        assert save(world, method="PUT").status == 409
        assert delete(world).status == 204

    @pytest.mark.parametrize("how", ["delete", "save"])
    def test_leaves_its_configs_uncategorized(self, world: World, how: str) -> None:
        fill(world, 3)
        world.clock.advance(1)

        reply = delete(world) if how == "delete" else save(world, method="PUT", status="deleted")

        assert reply.status == 204
        assert inside(world) == []
        assert inside(world, "") == ["config-000", "config-001", "config-002"]
        found = world.get("/v1/webhookconfig/find/byId", idWebhookConfig="config-000").body
        assert found["updatedAt"] > found["createdAt"]

    def test_takes_no_config_any_more(self, world: World) -> None:
        fill(world, 1, category_id="")
        delete(world)

        move = {"entries": ["config-000"], "idCategory": "sales"}
        created = factories.config_json(URL, idCategory="sales")
        assert world.call("PUT", "/v1/webhookconfig/move-category", move).status == 400
        assert world.call("POST", "/v1/webhookconfig/save", created).status == 400
        assert inside(world) == []

    def test_is_read_consistently_so_that_no_config_is_overlooked(self, world: World) -> None:
        fill(world, 1)
        world.calls.clear()

        delete(world)

        assert all(query.get("ConsistentRead") for query in world.calls.of("Query"))

    def test_leaves_other_categories_alone(self, world: World) -> None:
        save(world, "crm")
        fill(world, 2, category_id="crm")

        delete(world)

        assert inside(world, "crm") == ["config-000", "config-001"]

    def test_of_over_100_configs_is_left_by_hundreds(self, world: World) -> None:
        fill(world, 130)
        world.calls.clear()

        assert delete(world).status == 204

        steps = [len(call["TransactItems"]) for call in world.calls.of("TransactWriteItems")]
        assert steps == [100, 30]
        assert inside(world) == []
        assert len(inside(world, "")) == 130

    def test_is_deleted_by_a_repetition_where_the_first_call_ended(self, world: World) -> None:
        fill(world, 120)

        with world.failing(ConfigStore, "change_all", after=True), pytest.raises(CrashError):
            delete(world)
        left = len(inside(world))

        assert left == 20
        assert delete(world).status == 204
        assert (inside(world), find(world)["status"]) == ([], "deleted")

    def test_that_somebody_saves_meanwhile_is_not_deleted(self, world: World, between: Any) -> None:
        fill(world, 1)
        between(lambda: save(world, method="PUT", categoryName="New"), (CategoryStore, "replace"))

        reply = delete(world)

        assert reply.status == 409
        assert (find(world)["categoryName"], find(world)["status"]) == ("New", "active")
        assert inside(world) == ["config-000"]

    def test_is_deleted_although_a_config_in_it_is_deleted_meanwhile(
        self, world: World, between: Any
    ) -> None:
        world.make_config(URL, "crm", idCategory="sales")
        world.make_config(URL, "other", idCategory="sales")
        query = {"idWebhookConfig": "crm"}
        between(lambda: world.call("DELETE", "/v1/webhookconfig/delete", query=query))

        reply = delete(world)

        assert reply.status == 204
        assert find(world)["status"] == "deleted"
        assert inside(world, "") == ["other"]

    @pytest.fixture
    def between(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        """Something happens between what a call reads and this, its first write."""

        def between(act: Callable[[], Any], write: tuple[type, str] = CHANGE_ALL) -> None:
            real = getattr(*write)

            def late(*arguments: Any) -> None:
                monkeypatch.setattr(*write, real)
                act()
                real(*arguments)

            monkeypatch.setattr(*write, late)

        return between
