"""What FunnelFlux's webhook config calls do beside saving, listing and deleting one."""

from collections.abc import Callable
from typing import Any

import pytest

from functions.configs import wiring
from shared.apis.funnelflux.mapping import MAX_OLD_SECRETS
from shared.aws import clients
from shared.aws.items import to_item
from shared.aws.table import Table
from shared.configs.models import WebhookConfig
from shared.configs.store import ConfigStore
from shared.outbound.ssrf import Policy
from shared.tables.config_table import config_key
from tests import factories
from tests.integration.world import Reply, World

URL = "http://127.0.0.1:9/in"
PATH = "/v1/webhookconfig"
HOUR_MS = 3_600_000
# One call of each kind, as the document prints them.
CALLS: list[tuple[str, str, dict[str, str], Any, int]] = [
    ("GET", "list", {"status": "active"}, None, 200),
    ("GET", "find/byId", {"idWebhookConfig": "crm"}, None, 200),
    ("GET", "find/byIds", {"idWebhookConfigs": "crm,other"}, None, 200),
    ("PUT", "save", {}, factories.config_json(URL), 204),
    ("POST", "save", {}, factories.config_json(URL, idWebhookConfig="new"), 201),
    ("DELETE", "delete", {"idWebhookConfig": "crm"}, None, 204),
    ("POST", "duplicate", {"idWebhookConfig": "crm"}, {"name": "name", "bodyUpdates": {}}, 200),
    ("PUT", "archive", {}, {"entries": ["crm"]}, 204),
    ("PUT", "unarchive", {}, {"entries": ["crm"]}, 204),
    ("PUT", "move-category", {}, {"entries": ["crm"], "idCategory": "sales"}, 204),
    ("POST", "rotate-secret", {"idWebhookConfig": "crm"}, {}, 200),
]
BULK = ["archive", "unarchive", "move-category"]


def put(world: World, call: str, entries: list[str], **fields: str) -> Reply:
    if call == "move-category":
        fields = {"idCategory": "sales"} | fields
    return world.call("PUT", f"{PATH}/{call}", {"entries": entries} | fields)


def find(world: World, config_id: str = "crm") -> dict[str, Any]:
    found: dict[str, Any] = world.get(f"{PATH}/find/byId", idWebhookConfig=config_id).body
    return found


def delete(world: World, config_id: str = "crm") -> Reply:
    return world.call("DELETE", f"{PATH}/delete", query={"idWebhookConfig": config_id})


def duplicate(world: World, config_id: str = "crm", **fields: Any) -> Reply:
    query = {"idWebhookConfig": config_id}
    return world.call("POST", f"{PATH}/duplicate", {"name": "Copy"} | fields, query=query)


def rotate(world: World, **fields: Any) -> Reply:
    query = {"idWebhookConfig": "crm"}
    return world.call("POST", f"{PATH}/rotate-secret", fields, query=query)


def stored(world: World, config_id: str = "crm") -> WebhookConfig:
    return ConfigStore(Table(clients.dynamodb(), "ConfigTable")).find(world.workspace_id, config_id)


def count(world: World) -> int:
    """How many configs the workspace has, by its own account."""
    (workspace,) = [
        item
        for item in world.items("ConfigTable")
        if item["sk"] == "WORKSPACE" and item["workspace_id"] == world.workspace_id
    ]
    return int(workspace.get("config_count", 0))


def write(world: World, config_id: str, **changes: Any) -> None:
    """Into the table, past the API and the triggers: moto's transactions are slow."""
    config = factories.config(id=config_id, workspace_id=world.workspace_id, **changes)
    item = config.model_dump(mode="json") | config_key(world.workspace_id, config_id)
    clients.dynamodb().put_item(TableName="ConfigTable", Item=to_item(item))


def make_category(world: World, category_id: str = "sales") -> None:
    category = {"idCategory": category_id, "categoryName": category_id.title()}
    assert world.call("POST", "/v1/category/save", category).status == 204


@pytest.fixture
def crm(world: World) -> str:
    """The secret of a config that has one of everything; beside it, a category."""
    make_category(world)
    return world.make_config(
        URL,
        description="For sales",
        headers={"X-Team": "growth", "X-Api-Key": "hunter2"},
        basicAuth={"username": "jo", "password": "hunter3"},
        triggers=[{"eventType": "on_action", "actionNumber": 2}],
        retrySchedule=[1, 60],
        rateLimitPerSecond=5,
        timeoutSeconds=3,
    )


@pytest.mark.parametrize("slash", ["", "/"], ids=["without-slash", "with-slash"])
@pytest.mark.parametrize(
    ("method", "call", "query", "body", "status"),
    [pytest.param(*call, id=f"{call[0]}-{call[1]}") for call in CALLS],
)
def test_every_call_answers_on_both_spellings_of_its_path(
    world: World,
    crm: str,
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
    assert int(reply.headers["X-RateLimit-Remaining"]) < 1000


@pytest.mark.parametrize(
    ("method", "call", "query", "body"),
    [pytest.param(*call[:4], id=f"{call[0]}-{call[1]}") for call in CALLS],
)
def test_every_call_refuses_what_it_does_not_know_by_name(
    world: World, crm: str, method: str, call: str, query: dict[str, str], body: Any
) -> None:
    if body is None:
        reply = world.call(method, f"{PATH}/{call}", query=query | {"colour": "red"})
    else:
        reply = world.call(method, f"{PATH}/{call}", body | {"colour": "red"}, query=query)

    assert reply.status == 400
    assert reply.body["error"]["fields"] == [{"path": "colour", "message": "is not a known field"}]


class TestFindByIds:
    def test_keeps_the_order_and_leaves_out_what_is_unknown(self, world: World) -> None:
        for config_id in ("a", "b", "c"):
            world.make_config(URL, config_id)

        found = world.get(f"{PATH}/find/byIds", idWebhookConfigs="c,nobody, a ,b,c").body

        assert [config["idWebhookConfig"] for config in found] == ["c", "a", "b"]

    def test_takes_100_ids_and_no_more(self, world: World) -> None:
        for number in (0, 99):
            world.make_config(URL, f"config-{number}")
        ids = [f"config-{number}" for number in range(101)]

        hundred = world.get(f"{PATH}/find/byIds", idWebhookConfigs=",".join(ids[:100]))
        more = world.get(f"{PATH}/find/byIds", idWebhookConfigs=",".join(ids))

        assert [config["idWebhookConfig"] for config in hundred.body] == ["config-0", "config-99"]
        assert more.status == 400
        assert more.body["error"]["fields"][0]["path"] == "idWebhookConfigs"

    def test_shows_deleted_ones_too(self, world: World, crm: str) -> None:
        delete(world)

        (found,) = world.get(f"{PATH}/find/byIds", idWebhookConfigs="crm").body

        assert found == find(world)
        assert found["status"] == "deleted"

    @pytest.mark.parametrize("ids", ["", ",", "a,,b"])
    def test_of_no_id_is_refused(self, world: World, ids: str) -> None:
        assert world.get(f"{PATH}/find/byIds", idWebhookConfigs=ids).status == 400


class TestManyAtOnce:
    @pytest.mark.parametrize(
        ("call", "field", "before", "after"),
        [
            ("archive", "status", "active", "archived"),
            ("unarchive", "status", "archived", "active"),
            ("move-category", "idCategory", "", "sales"),
        ],
    )
    def test_are_changed_together(
        self, world: World, call: str, field: str, before: str, after: str
    ) -> None:
        make_category(world)
        for config_id in ("a", "b"):
            world.make_config(URL, config_id, **{field: before})
        world.clock.advance(1)

        reply = put(world, call, ["a", "b", "a"])

        assert (reply.status, reply.body) == (204, "")
        for config_id in ("a", "b"):
            shown = find(world, config_id)
            assert shown[field] == after
            assert shown["updatedAt"] > shown["createdAt"]
            assert stored(world, config_id).version == 2

    @pytest.mark.parametrize("call", BULK)
    def test_are_not_changed_at_all_if_one_is_unknown_and_each_such_is_named(
        self, world: World, crm: str, call: str
    ) -> None:
        world.make_config(URL, "gone")
        delete(world, "gone")
        before = find(world)

        reply = put(world, call, ["ghost", "crm", "gone", "spectre"])

        assert (reply.status, reply.body["error"]["code"]) == (404, "not_found")
        assert "ghost, gone, spectre" in reply.body["error"]["message"]
        assert "crm" not in reply.body["error"]["message"]
        assert find(world) == before
        assert find(world, "gone")["status"] == "deleted"

    @pytest.mark.parametrize("call", BULK)
    def test_may_be_100(self, world: World, call: str) -> None:
        make_category(world)
        ids = [f"config-{number:03d}" for number in range(100)]
        for config_id in ids:
            write(world, config_id)
        world.calls.clear()

        reply = put(world, call, ids)

        assert reply.status == 204
        assert len(world.calls.of("TransactWriteItems")) == 1
        assert {stored(world, config_id).version for config_id in ids} == {2}

    @pytest.mark.parametrize("call", BULK)
    @pytest.mark.parametrize("entries", [[], ["crm"] * 101, [""], [7], "crm"])
    def test_are_1_to_100_ids(self, world: World, crm: str, call: str, entries: Any) -> None:
        reply = put(world, call, entries)

        assert reply.status == 400
        assert reply.body["error"]["fields"][0]["path"].startswith("entries")
        assert stored(world).version == 1

    def test_move_to_a_category_that_is_known(self, world: World, crm: str) -> None:
        unknown = put(world, "move-category", ["crm"], idCategory="nowhere")
        put(world, "move-category", ["crm"])
        inside = find(world)["idCategory"]
        put(world, "move-category", ["crm"], idCategory="")

        assert (unknown.status, unknown.body["error"]["fields"][0]["path"]) == (400, "idCategory")
        assert inside == "sales"
        assert find(world)["idCategory"] == ""

    def test_that_are_archived_receive_nothing_and_keep_since_when_they_want(
        self, world: World, crm: str
    ) -> None:
        put(world, "archive", ["crm"])
        archived = stored(world)
        put(world, "unarchive", ["crm"])

        (wanted,) = ConfigStore(Table(clients.dynamodb(), "ConfigTable")).interests(
            world.workspace_id, "on_action"
        )
        assert not archived.is_receiving
        assert stored(world).is_receiving
        assert wanted.since == archived.created_at


class TestADuplicate:
    def test_is_like_its_source_but_for_its_name_id_and_secret(
        self, world: World, crm: str
    ) -> None:
        put(world, "archive", ["crm"])
        put(world, "move-category", ["crm"])

        reply = duplicate(world)

        new_id = reply.body["id"]
        source, copy = stored(world), stored(world, new_id)
        assert len(new_id) == 12
        assert new_id.isalnum()
        assert reply.body["secret"] == copy.secret != source.secret
        own: dict[str, Any] = {
            "id": new_id,
            "name": "Copy",
            "status": "active",
            "secret": copy.secret,
            "version": 1,
        }
        assert copy == source.model_copy(update=own)

    def test_takes_updates_by_their_json_names(self, world: World, crm: str) -> None:
        updates = {"url": f"{URL}/2", "timeoutSeconds": 7, "retrySchedule": None}

        new_id = duplicate(world, bodyUpdates=updates).body["id"]

        shown = find(world, new_id)
        assert (shown["url"], shown["timeoutSeconds"]) == (f"{URL}/2", 7)
        assert "retrySchedule" not in shown
        assert shown["headers"] == {"X-Team": "growth", "X-Api-Key": "********"}

    def test_protects_its_id_its_owner_and_its_status(self, world: World, crm: str) -> None:
        updates = {
            "idWebhookConfig": "mine",
            "status": "archived",
            "owner": "me",
            "idOwner": "me",
            "webhookConfigName": "Mine",
            "idCategory": "nowhere",
        }

        new_id = duplicate(world, bodyUpdates=updates).body["id"]

        shown = find(world, new_id)
        assert (shown["status"], shown["webhookConfigName"]) == ("active", "Copy")
        assert shown["idCategory"] == ""
        assert new_id != "mine"

    def test_goes_into_the_category_that_is_asked_for(self, world: World, crm: str) -> None:
        new_id = duplicate(world, parentId="sales").body["id"]

        assert find(world, new_id)["idCategory"] == "sales"
        assert duplicate(world, parentId="nowhere").status == 400

    @pytest.mark.parametrize(
        ("updates", "path"),
        [
            ({"colour": "red"}, "colour"),
            ({"secret": "whsec_x"}, "secret"),
            ({"url": "ftp://example.com"}, "url"),
            ({"timeoutSeconds": 11}, "timeoutSeconds"),
            ({"headers": {"X-New-Key": "********"}}, "headers.X-New-Key"),
        ],
    )
    def test_is_checked_like_any_other(
        self, world: World, crm: str, updates: dict[str, Any], path: str
    ) -> None:
        reply = duplicate(world, bodyUpdates=updates)

        assert reply.status == 400
        assert reply.body["error"]["fields"][0]["path"] == path
        assert count(world) == 1

    def test_keeps_the_secrets_that_its_updates_leave_masked(self, world: World, crm: str) -> None:
        shown = find(world)
        updates = {"headers": shown["headers"], "basicAuth": shown["basicAuth"]}

        new_id = duplicate(world, bodyUpdates=updates).body["id"]

        copy = stored(world, new_id)
        assert copy.headers == {"X-Team": "growth", "X-Api-Key": "hunter2"}
        assert copy.basic_auth == stored(world).basic_auth

    def test_of_a_deleted_or_unknown_one_is_none(self, world: World, crm: str) -> None:
        delete(world)

        assert duplicate(world).status == 409
        assert duplicate(world, "nobody").status == 404


class TestARotatedSecret:
    def test_is_new_and_the_old_one_signs_beside_it_for_a_day(self, world: World, crm: str) -> None:
        reply = rotate(world)

        config = stored(world)
        (old,) = config.old_secrets
        assert reply.body == {"secret": config.secret}
        assert config.secret.startswith("whsec_")
        assert (old.secret, old.signs_until) == (crm, world.clock() + 24 * HOUR_MS)

    def test_needs_no_body(self, world: World, crm: str) -> None:
        path = f"{PATH}/rotate-secret"

        assert world.call("POST", path, "", query={"idWebhookConfig": "crm"}).status == 200

    @pytest.mark.parametrize("hours", [1, 168])
    def test_overlaps_for_as_long_as_is_asked(self, world: World, crm: str, hours: int) -> None:
        rotate(world, overlapHours=hours)

        assert stored(world).old_secrets[0].signs_until == world.clock() + hours * HOUR_MS

    def test_without_an_overlap_leaves_none(self, world: World, crm: str) -> None:
        rotate(world, overlapHours=0)

        assert stored(world).old_secrets == ()

    @pytest.mark.parametrize("hours", [-1, 169, 1.5, "long", None])
    def test_overlaps_for_0_to_7_days(self, world: World, crm: str, hours: Any) -> None:
        reply = rotate(world, overlapHours=hours)

        assert reply.body["error"]["fields"][0]["path"] == "overlapHours"
        assert stored(world).secret == crm

    def test_is_followed_by_five_old_ones_at_most(self, world: World, crm: str) -> None:
        secrets = [crm] + [rotate(world).body["secret"] for _ in range(MAX_OLD_SECRETS + 1)]

        config = stored(world)
        assert config.secret == secrets[-1]
        assert [old.secret for old in config.old_secrets] == secrets[-2:0:-1]
        assert MAX_OLD_SECRETS == 5

    def test_forgets_the_old_ones_whose_time_is_over(self, world: World, crm: str) -> None:
        second = rotate(world, overlapHours=1).body["secret"]
        world.clock.advance(3600)
        rotate(world)

        assert [old.secret for old in stored(world).old_secrets] == [second]

    def test_is_shown_in_no_read_and_survives_a_save(self, world: World, crm: str) -> None:
        secret = rotate(world).body["secret"]
        world.save_config(URL)

        shown = str(find(world))
        assert secret not in shown
        assert crm not in shown
        assert stored(world).secret == secret
        assert len(stored(world).old_secrets) == 1

    def test_belongs_to_a_config_that_is_there(self, world: World, crm: str) -> None:
        delete(world)
        unknown = world.call(
            "POST", f"{PATH}/rotate-secret", {}, query={"idWebhookConfig": "nobody"}
        )

        assert rotate(world).status == 409
        assert unknown.status == 404


class TestWarnings:
    def test_come_with_the_answer_and_with_every_read(self, world: World) -> None:
        saved = factories.config_json(
            "https://example.com/in", targetType="zapier", idWebhookConfig="zap"
        )

        created = world.call("POST", f"{PATH}/save", saved).body

        (warning,) = created["warnings"]
        assert "hooks.zapier.com" in warning
        assert find(world, "zap")["warnings"] == [warning]
        (found,) = world.get(f"{PATH}/find/byIds", idWebhookConfigs="zap").body
        assert found["warnings"] == [warning]

    def test_tell_of_an_authorization_that_is_not_sent(self, world: World) -> None:
        url = "https://abc.lambda-url.eu-west-1.on.aws/"
        basic = {"username": "jo", "password": "hunter2"}
        world.make_config(url, targetType="aws_lambda", awsIamAuth=True, basicAuth=basic)

        (warning,) = find(world)["warnings"]

        assert "awsIamAuth makes the header Authorization itself" in warning

    def test_are_none_where_all_is_well(self, world: World, crm: str) -> None:
        assert find(world)["warnings"] == []


class TestAnId:
    def test_of_a_deleted_config_is_taken_until_it_is_purged(self, world: World, crm: str) -> None:
        delete(world)
        taken = world.call("POST", f"{PATH}/save", factories.config_json(URL))

        # As the table's TTL does it.
        key = to_item(config_key(world.workspace_id, "crm"))
        clients.dynamodb().delete_item(TableName="ConfigTable", Key=key)
        free = world.call("POST", f"{PATH}/save", factories.config_json(URL))

        assert (taken.status, free.status) == (409, 201)
        assert count(world) == 1


class TestThePlan:
    @pytest.fixture
    def _for_two(self, world: World) -> None:
        configure = {"operation": "configure", "workspace_id": world.workspace_id}
        world.invoke("configs", configure | {"limits": {"configs": 2}})

    @pytest.mark.usefixtures("_for_two")
    def test_has_room_for_so_many_configs_and_says_so(self, world: World) -> None:
        world.make_config(URL, "one")
        world.make_config(URL, "two")

        third = world.call("POST", f"{PATH}/save", factories.config_json(URL))
        copy = duplicate(world, "one")

        for reply in (third, copy):
            assert (reply.status, reply.body["error"]["code"]) == (403, "forbidden")
            assert "plan limit of 2 webhook configs" in reply.body["error"]["message"]
        assert count(world) == 2
        assert len(world.get(f"{PATH}/list", status="all").body) == 2

    @pytest.mark.usefixtures("_for_two")
    def test_tells_of_a_taken_id_first(self, world: World) -> None:
        world.make_config(URL, "one")
        world.make_config(URL, "two")

        again = factories.config_json(URL, idWebhookConfig="one")
        assert world.call("POST", f"{PATH}/save", again).status == 409

    @pytest.mark.usefixtures("_for_two")
    def test_has_room_again_when_one_is_deleted(self, world: World) -> None:
        world.make_config(URL, "one")
        world.make_config(URL, "two")

        delete(world, "one")
        delete(world, "one")

        world.make_config(URL, "three")
        assert count(world) == 2

    def test_counts_each_config_once(self, world: World, crm: str) -> None:
        world.save_config(URL)
        put(world, "archive", ["crm"])
        refused = world.call("POST", f"{PATH}/save", factories.config_json(URL))
        assert (refused.status, count(world)) == (409, 1)

        copy = duplicate(world).body["id"]
        assert count(world) == 2

        world.save_config(URL, copy, status="deleted")
        assert count(world) == 1

        delete(world)
        assert count(world) == 0

    def test_does_not_count_what_is_deleted_from_the_start(self, world: World) -> None:
        world.make_config(URL, status="deleted")

        assert count(world) == 0

    def test_keeps_its_count_when_the_workspace_is_configured(self, world: World, crm: str) -> None:
        configure = {"operation": "configure", "workspace_id": world.workspace_id}
        world.invoke("configs", configure | {"name": "New"})

        assert count(world) == 1


class TestAListOfMany:
    MANY = 300

    @pytest.fixture
    def _many(self, world: World) -> None:
        """So large that DynamoDB hands them out in several pages of 1 MB."""
        make_category(world)
        for number in range(self.MANY):
            category_id = "sales" if number % 3 else ""
            write(world, f"config-{number:03d}", description="é" * 4096, category_id=category_id)
        world.calls.clear()

    @pytest.mark.usefixtures("_many")
    def test_is_complete_in_order_and_no_scan(self, world: World) -> None:
        found = world.get(f"{PATH}/list", status="active").body

        ids = [config["idWebhookConfig"] for config in found]
        assert ids == [f"config-{number:03d}" for number in range(self.MANY)]
        assert {config["categoryName"] for config in found} == {"", "Sales"}
        queries = world.calls.of("Query")
        assert len([query for query in queries if "ExclusiveStartKey" in query]) >= 2
        assert "Scan" not in world.calls.names
        assert "GetItem" not in world.calls.names[2:]

    @pytest.mark.usefixtures("_many")
    def test_may_be_of_one_category(self, world: World) -> None:
        inside = world.get(f"{PATH}/list", status="active", idCategory="sales").body
        outside = world.get(f"{PATH}/list", status="active", idCategory="").body

        assert (len(inside), len(outside)) == (200, 100)


class TestTwoAtOnce:
    """The second call does all that it does between the first one's read and its write."""

    @pytest.fixture
    def between(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], Any]], None]:
        def between(step: str, act: Callable[[], Any]) -> None:
            real = getattr(ConfigStore, step)

            def late(*arguments: Any) -> Any:
                monkeypatch.setattr(ConfigStore, step, real)
                act()
                return real(*arguments)

            monkeypatch.setattr(ConfigStore, step, late)

        return between

    def test_a_save_overtaken_by_a_save_is_refused_and_nothing_is_mixed(
        self, world: World, crm: str, between: Any
    ) -> None:
        between("replace", lambda: world.save_config(URL, webhookConfigName="B", description="B"))

        saved = factories.config_json(URL, webhookConfigName="A", description="A")
        reply = world.call("PUT", f"{PATH}/save", saved)

        assert reply.status == 409
        assert (find(world)["webhookConfigName"], find(world)["description"]) == ("B", "B")
        assert stored(world).version == 2

    def test_a_save_overtaken_by_a_delete_brings_nothing_back(
        self, world: World, crm: str, between: Any
    ) -> None:
        between("replace", lambda: delete(world))

        reply = world.call("PUT", f"{PATH}/save", factories.config_json(URL))

        assert reply.status == 409
        assert_deleted(world)

    def test_a_delete_overtaken_by_a_save_is_refused(
        self, world: World, crm: str, between: Any
    ) -> None:
        between("replace", lambda: world.save_config(URL, webhookConfigName="B"))

        reply = delete(world)

        assert reply.status == 409
        assert find(world)["status"] == "active"
        assert count(world) == 1
        assert delete(world).status == 204
        assert_deleted(world)

    def test_a_delete_overtaken_by_a_delete_counts_once(
        self, world: World, crm: str, between: Any
    ) -> None:
        between("replace", lambda: delete(world))

        assert delete(world).status in {204, 409}
        assert_deleted(world)

    @pytest.mark.parametrize("call", BULK)
    def test_a_change_of_many_overtaken_by_a_delete_changes_none(
        self, world: World, crm: str, between: Any, call: str
    ) -> None:
        world.make_config(URL, "other")
        between("change_all", lambda: delete(world))

        reply = put(world, call, ["other", "crm"])

        assert reply.status == 404
        assert "crm" in reply.body["error"]["message"]
        assert stored(world, "other").version == 1
        assert_deleted(world, left=1)

    def test_a_delete_overtaken_by_an_archive_is_refused(
        self, world: World, crm: str, between: Any
    ) -> None:
        between("replace", lambda: put(world, "archive", ["crm"]))

        reply = delete(world)

        assert reply.status == 409
        assert find(world)["status"] == "archived"
        assert count(world) == 1
        assert len(wanted(world)) == 1

    def test_a_save_overtaken_by_an_archive_is_refused(
        self, world: World, crm: str, between: Any
    ) -> None:
        between("replace", lambda: put(world, "archive", ["crm"]))

        reply = world.call("PUT", f"{PATH}/save", factories.config_json(URL))

        assert reply.status == 409
        assert find(world)["status"] == "archived"
        assert find(world)["description"] == "For sales"

    def test_a_rotation_overtaken_by_another_gives_no_secret_that_is_not_stored(
        self, world: World, crm: str, between: Any
    ) -> None:
        between("replace", lambda: rotate(world))

        reply = rotate(world)

        assert reply.status == 409
        assert [old.secret for old in stored(world).old_secrets] == [crm]

    def test_of_two_creations_one_is_made(self, world: World, between: Any) -> None:
        between("add", lambda: world.make_config(URL, webhookConfigName="First"))

        reply = world.call("POST", f"{PATH}/save", factories.config_json(URL))

        assert reply.status == 409
        assert find(world)["webhookConfigName"] == "First"
        assert count(world) == 1


def assert_deleted(world: World, left: int = 0) -> None:
    assert find(world)["status"] == "deleted"
    assert stored(world).deleted_at is not None
    assert count(world) == left
    assert wanted(world) == []


def wanted(world: World) -> list[str]:
    found = [item for item in world.items("ConfigTable") if "#T#" in item["pk"]]
    return [item["pk"] for item in found if item["sk"] == "crm"]


def test_a_url_on_aws_is_checked_without_its_placeholders(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring.checks(), "policy", Policy())
    url = "https://example.com/in?email={data-email}&hit={hit}"

    world.make_config(url)

    assert find(world)["url"] == url
