"""Action links and forms, from the link that is made to the event that is stored."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from functions.configs.routes.action_links import PATH as LINKS
from shared.aws import clients
from shared.aws.table import Table
from shared.errors import NotFoundError
from shared.standalone.engine.template import template
from shared.workspaces.store import WorkspaceStore
from tests.integration.documented import assert_documented
from tests.integration.invocations import function_for, http_event
from tests.integration.world import Reply, World
from tests.local import demo_invoke
from tests.local.demo_samples import FOLDER

PATH = "/v1/actions/funnel_1/node_form/2"
FORM = "application/x-www-form-urlencoded"
NOBODY = {"authorization": ""}


def make_link(world: World, **changes: Any) -> Reply:
    action = {"funnel_id": "funnel_1", "node_id": "node_form", "action_number": 2}
    headers = {"host": "api.example.com", "x-forwarded-proto": "https"}
    return world.call("POST", LINKS, action | changes, headers=headers)


def link_of(world: World, **changes: Any) -> dict[str, str]:
    """The query of a new link."""
    reply = make_link(world, **changes)
    assert reply.status == 201, reply
    return dict(parse_qsl(urlsplit(reply.body["url"]).query))


def follow(world: World, query: dict[str, str], path: str = PATH, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return world.call("GET", path, query=query, headers=NOBODY | named)


def submit(world: World, query: dict[str, str], body: bytes, content_type: str = FORM) -> Reply:
    headers = NOBODY | {"content-type": content_type}
    return world.call("POST", PATH, body, query=query, headers=headers)


def stored(world: World) -> list[dict[str, Any]]:
    listed = world.get("/v1/events").body["data"]
    return [world.get(f"/v1/events/{event['event_id']}").body for event in listed]


def configure(world: World, **settings: Any) -> dict[str, Any]:
    command = {"operation": "configure", "workspace_id": world.workspace_id}
    configured: dict[str, Any] = world.invoke("configs", command | settings)
    return configured


class TestALink:
    def test_is_made_for_an_action(self, world: World) -> None:
        reply = make_link(world)

        assert reply.status == 201
        address = f"https://api.example.com{PATH}?flux_link={world.workspace_id}."
        assert reply.body["url"].startswith(address)
        assert reply.body["expires_at"] is None

    def test_may_expire(self, world: World) -> None:
        in_an_hour = make_link(world, expires_in_s=3600)
        at_a_time = make_link(world, expires_at="2999-01-01T00:00:00Z")

        assert in_an_hour.body["expires_at"] == "2026-04-29T19:04:15.000Z"
        assert at_a_time.body["expires_at"] == "2999-01-01T00:00:00.000Z"

    @pytest.mark.parametrize(
        ("changes", "path"),
        [
            ({"expires_at": 1}, "expires_at"),
            ({"expires_at": 4e12, "expires_in_s": 1}, "expires_at"),
            ({"expires_at": "2999-01-01T00:00:00Z", "expires_in_s": 1}, "expires_in_s"),
            ({"expires_in_s": 0}, "expires_in_s"),
            ({"funnel_id": "a/b"}, "funnel_id"),
            ({"funnel_id": ".."}, "funnel_id"),
            ({"node_id": ""}, "node_id"),
            ({"action_number": -1}, "action_number"),
            ({"redirect": "https://evil.example/"}, "redirect"),
            ({"redirect": "javascript:alert(1)"}, "redirect"),
            ({"origin": {"colour": "red"}}, "origin.colour"),
            ({"origin": {"node_id": ""}}, "origin.node_id"),
            ({"params": {"a": []}}, "params.a"),
            ({"params": {"a": "\0"}}, "a"),
            ({"params": {"": "x"}}, "field 1"),
            ({"params": {"flux_link": "x"}}, "flux_link"),
            ({"params": {"flux_redirect": "https://evil.example/"}}, "flux_redirect"),
            ({"params": {"flux_event_id": "order-1"}}, "flux_event_id"),
            ({"params": {"note": "x" * 4000}}, "params"),
        ],
    )
    def test_that_makes_no_sense_is_refused_by_field(
        self, world: World, changes: dict[str, Any], path: str
    ) -> None:
        reply = make_link(world, **changes)

        assert reply.status == 400
        assert reply.body["error"]["fields"][0]["path"] == path

    @pytest.mark.parametrize("method", ["POST", "DELETE"])
    def test_needs_the_scope_to_configure(self, world: World, method: str) -> None:
        key = world.invoke(
            "configs", {"operation": "bootstrap", "name": "B", "scopes": ["events:write"]}
        )["api_key"]
        body = {"funnel_id": "f", "node_id": "n", "action_number": 1}

        assert world.call(method, LINKS, body, key=key).status == 403

    def test_is_signed_by_a_secret_that_is_made_once(self, world: World) -> None:
        first, second = link_of(world), link_of(world)

        assert first == second
        (secret,) = {item["link_secret"] for item in world.items("ConfigTable") if "slug" in item}
        assert secret.startswith("fhl_")

    def test_is_signed_by_one_secret_however_many_are_made_at_once(self, world: World) -> None:
        store = WorkspaceStore(Table(clients.dynamodb(), "ConfigTable"))

        with ThreadPoolExecutor(10) as pool:
            secrets = set(pool.map(store.link_secret, [world.workspace_id] * 20))

        assert len(secrets) == 1

    def test_of_no_workspace_has_no_secret(self, world: World) -> None:
        with pytest.raises(NotFoundError):
            WorkspaceStore(Table(clients.dynamodb(), "ConfigTable")).link_secret("unknown")

    def test_shows_its_secret_to_nobody(self, world: World) -> None:
        link = make_link(world)

        shown = json.dumps([configure(world, name="New"), link.body, stored(world)])
        assert "fhl_" not in shown
        assert "link_secret" not in shown

    def test_and_its_secret_outlive_a_new_name_of_the_workspace(self, world: World) -> None:
        link = link_of(world)
        configure(world, name="New")
        world.clock.advance(60)

        assert follow(world, link).status == 202

    def test_of_the_other_spelling_is_sent_to_its_own_function(self, world: World) -> None:
        event = http_event("POST", f"{LINKS}/", "{}", {}, {})

        answer = world.invoke(function_for("POST", f"{LINKS}/"), event)

        assert answer["statusCode"] == 308
        assert answer["headers"]["Location"] == LINKS
        assert function_for("POST", LINKS) == "configs"

    @pytest.mark.parametrize("path", [LINKS, f"{LINKS}/"])
    def test_is_revoked_with_all_others(self, world: World, path: str) -> None:
        link = link_of(world)
        assert follow(world, link).status == 202

        assert world.call("DELETE", path).status == 204
        new = link_of(world)

        assert follow(world, new).status == 202
        world.clock.advance(30)
        assert follow(world, link).status == 403
        assert follow(world, new).status == 202


class TestFollowingALink:
    def test_makes_the_event(self, world: World) -> None:
        link = link_of(
            world,
            origin={"node_id": "lander", "page_id": "p1", "page_name": "Spring sale"},
            params={"plan": "pro", "seats": 3, "trial": None},
        )
        visitor = {"email": "a@b.example", "flux_visitor": "v1", "flux_hit": "h1", "plan": "free"}

        reply = follow(
            world,
            link | visitor,
            user_agent="Mozilla/5.0",
            accept_language="en-US,en;q=0.5",
            referer="https://pages.example/",
        )

        assert reply.status == 202
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        assert reply.headers["Cache-Control"] == "no-store"
        (event,) = stored(world)
        assert event["event_id"] == reply.body["event_id"]
        assert event["event_type"] == "on_action"
        place = {"funnel_id": "funnel_1", "node_id": "node_form"}
        referrer = {"referrer": "https://pages.example/"}
        assert event["payload"] == {
            "is_action": True,
            "action_number": 2,
            "funnel": place,
            "visitor": {
                "visitor_id": "v1",
                "ip": "203.0.113.42",
                "user_agent": "Mozilla/5.0",
                "language": "en-US",
            },
            "hit": {"hit_id": "h1", "visitor_id": "v1"} | place | referrer,
            "session": {"visitor_id": "v1", "hit_id": "h1"} | referrer,
            "url_buffer": {"email": "a@b.example", "plan": "pro", "seats": 3, "trial": None},
            "action_data": {
                "email": "a@b.example",
                "plan": "pro",
                "seats": 3,
                "trial": None,
                "origin_node_id": "lander",
                "origin_page_id": "p1",
                "origin_page_name": "Spring sale",
            },
        }

    @pytest.mark.parametrize("path", [PATH, f"{PATH}/"])
    def test_works_at_both_spellings(self, world: World, path: str) -> None:
        link = link_of(world)

        assert function_for("GET", path) == function_for("POST", path) == "ingest"
        assert follow(world, link, path).status == 202

    def test_counts_each_time_without_a_hit(self, world: World) -> None:
        link = link_of(world)

        follow(world, link)
        follow(world, link)

        assert len(stored(world)) == 2

    @pytest.mark.parametrize(
        "path",
        ["/v1/actions/funnel_1/node_form/3", "/v1/actions/funnel_1/other/2", "/v1/actions/f/x/2"],
    )
    def test_is_for_its_own_action_only(self, world: World, path: str) -> None:
        assert follow(world, link_of(world), path).status == 403

    def test_is_over_when_it_expires(self, world: World) -> None:
        link = link_of(world, expires_in_s=10)
        assert follow(world, link).status == 202

        world.clock.advance(10)

        assert follow(world, link).status == 403
        assert len(stored(world)) == 1

    def test_of_a_neighbour_stays_theirs(self, world: World) -> None:
        other = world.invoke("configs", {"operation": "bootstrap", "name": "Other"})
        mine, theirs = link_of(world), make_link_with(world, other["api_key"])
        claims, _, signature = mine["flux_link"].rpartition(".")
        forged = claims.replace(world.workspace_id, other["workspace_id"])

        assert follow(world, {"flux_link": f"{forged}.{signature}"}).status == 403
        assert follow(world, theirs).status == 202
        assert stored(world) == []

    def test_without_link_or_key_is_a_401(self, world: World) -> None:
        assert follow(world, {"a": "1"}).status == 401

    @pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
    def test_does_nothing_by_another_method(self, world: World, method: str) -> None:
        link = link_of(world)

        assert world.call(method, PATH, query=link, headers=NOBODY).status == 404
        assert stored(world) == []


def make_link_with(world: World, key: str) -> dict[str, str]:
    body = {"funnel_id": "funnel_1", "node_id": "node_form", "action_number": 2}
    reply = world.call("POST", LINKS, body, headers={"host": "a"}, key=key)
    return dict(parse_qsl(urlsplit(reply.body["url"]).query))


MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="email"\r\n\r\na@b.example\r\n'
    b'--b\r\nContent-Disposition: form-data; name="cv"; filename="cv.pdf"\r\n\r\n\x00\xff\r\n'
    b"--b--\r\n"
)


class TestSubmittingAForm:
    @pytest.mark.parametrize(
        ("content_type", "body", "data"),
        [
            (FORM, b"email=a%40b.example&c=1&c=2", {"email": "a@b.example", "c": "1, 2"}),
            (
                "multipart/form-data; boundary=b",
                MULTIPART,
                {"email": "a@b.example", "cv": "cv.pdf"},
            ),
            ("text/plain", b"email: a@b.example\r\nn=", {"email": "a@b.example", "n": ""}),
            (
                "application/json",
                b'{"email":"a@b.example","n":null,"t":true,"i":1}',
                {"email": "a@b.example", "n": None, "t": True, "i": 1},
            ),
            (f"{FORM}; charset=windows-1252", b"name=M%FCller", {"name": "Müller"}),
            ("", b'{"a":1}', {"a": 1}),
            (FORM, b"", {}),
        ],
    )
    def test_makes_the_event(
        self, world: World, content_type: str, body: bytes, data: dict[str, Any]
    ) -> None:
        reply = submit(world, link_of(world), body, content_type)

        assert reply.status == 202
        (event,) = stored(world)
        assert event["payload"]["action_data"] == data | {"origin_node_id": "node_form"}

    def test_that_the_api_has_decoded_is_not_decoded_again(self, world: World) -> None:
        headers = NOBODY | {"content-type": "text/plain; charset=iso-8859-1"}

        reply = world.call("POST", PATH, "name=Müller", query=link_of(world), headers=headers)

        assert reply.status == 202
        assert stored(world)[0]["payload"]["action_data"]["name"] == "Müller"

    @pytest.mark.parametrize(
        ("content_type", "body", "status", "path"),
        [
            ("application/json", b'{"a":{"b":1}}', 400, "a"),
            (FORM, b"name=M%FCller", 400, "name"),
            (f"{FORM}; charset=klingon", b"a=1", 400, "Content-Type"),
            ("multipart/form-data; boundary=b", MULTIPART[:40], 400, None),
            ("application/xml", b"<a/>", 415, None),
            (FORM, b"f=" + b"x" * 1024 * 1024, 413, None),
            (FORM, b"flux_redirect=https://evil.example/", 400, "flux_redirect"),
        ],
    )
    def test_that_cannot_be_read_stores_nothing(
        self, world: World, content_type: str, body: bytes, status: int, path: str | None
    ) -> None:
        reply = submit(world, link_of(world), body, content_type)

        assert reply.status == status
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        if path is not None:
            assert reply.body["error"]["fields"][0]["path"] == path
        assert stored(world) == []

    def test_that_is_too_large_for_an_event_is_a_413(self, world: World) -> None:
        body = b"&".join(b"f%d=" % number + b"x" * 9_000 for number in range(40))

        assert submit(world, link_of(world), body).status == 413
        assert stored(world) == []

    def test_twice_at_a_hit_is_one_event(self, world: World) -> None:
        link = link_of(world) | {"flux_hit": "h1"}

        first, second = submit(world, link, b"a=1"), submit(world, link, b"a=1")

        assert first.body == second.body
        assert submit(world, link, b"a=2").status == 409
        assert len(stored(world)) == 1

    def test_may_have_fields_that_are_called_like_keys_of_a_payload(self, world: World) -> None:
        submit(world, link_of(world), b"HitID=1&ref_hit=2&funnel=3&event_type=4&__proto__=5")

        data = {"HitID": "1", "ref_hit": "2", "funnel": "3", "event_type": "4", "__proto__": "5"}
        assert stored(world)[0]["payload"]["action_data"] == data | {"origin_node_id": "node_form"}


class TestWithAKey:
    def test_an_action_is_accepted_with_the_id_that_it_is_given(self, world: World) -> None:
        query = {"flux_event_id": "order-1", "flux_visitor": "v1"}

        reply = world.call("POST", PATH, {"email": "a@b.example"}, query=query)

        assert reply.body == {"event_id": "order-1"}
        assert "Access-Control-Allow-Origin" not in reply.headers
        (event,) = stored(world)
        assert event["payload"]["visitor"] == {"visitor_id": "v1"}
        assert event["payload"]["action_data"]["email"] == "a@b.example"

    def test_the_same_id_with_other_data_is_a_409(self, world: World) -> None:
        query = {"flux_event_id": "order-1"}
        world.call("POST", PATH, {"a": 1}, query=query)

        assert world.call("POST", PATH, {"a": 1}, query=query).status == 202
        assert world.call("POST", PATH, {"a": 2}, query=query).status == 409

    @pytest.mark.parametrize(
        ("path", "field"),
        [
            ("/v1/actions/f/n/x", "action_number"),
            ("/v1/actions/f/n/-1", "action_number"),
            ("/v1/actions/f/%20/1", "node_id"),
            (f"/v1/actions/{'f' * 65}/n/1", "funnel_id"),
        ],
    )
    def test_an_action_that_cannot_be_is_refused_by_its_part(
        self, world: World, path: str, field: str
    ) -> None:
        reply = world.call("GET", path)

        assert reply.status == 400
        assert reply.body["error"]["fields"][0]["path"] == field

    @pytest.mark.parametrize("path", ["/v1/actions/f/n", "/v1/actions/f/n/1/2"])
    def test_another_depth_is_no_address(self, world: World, path: str) -> None:
        assert world.call("GET", path).status == 404

    def test_an_unknown_id_is_refused_as_every_event_is(self, world: World) -> None:
        assert world.call("GET", PATH, query={"flux_event_id": "no id"}).status == 400


class TestARedirect:
    THANKS = "https://shop.example.com/thanks?a=1#top"

    @pytest.fixture(autouse=True)
    def _allowed(self, world: World) -> None:
        shown = configure(world, redirect_hosts=["shop.example.com", "*.pages.example"])
        assert shown["redirect_hosts"] == ["shop.example.com", "*.pages.example"]

    def test_of_a_link_is_followed_after_the_event_is_stored(self, world: World) -> None:
        link = link_of(world, redirect=self.THANKS)

        for reply in (follow(world, link), submit(world, link, b"a=1")):
            assert reply.status == 302
            assert reply.body == ""
            assert reply.headers["Location"] == self.THANKS
            assert reply.headers["Cache-Control"] == "no-store"
            assert reply.headers["Referrer-Policy"] == "no-referrer"
        assert len(stored(world)) == 2

    def test_may_be_asked_for_with_a_key(self, world: World) -> None:
        reply = world.call("GET", PATH, query={"flux_redirect": self.THANKS, "flux_event_id": "a"})

        assert (reply.status, reply.headers["Location"]) == (302, self.THANKS)

    @pytest.mark.parametrize(
        "url",
        ["https://evil.example/", "//shop.example.com", "https://shop.example.com@evil.example"],
    )
    def test_elsewhere_is_refused_before_anything_is_stored(self, world: World, url: str) -> None:
        reply = world.call("GET", PATH, query={"flux_redirect": url})

        assert reply.status == 400
        assert reply.body["error"]["fields"][0]["path"] == "flux_redirect"
        assert stored(world) == []

    def test_of_a_link_to_a_host_that_is_allowed_no_more_is_refused(self, world: World) -> None:
        link = link_of(world, redirect=self.THANKS)
        configure(world, redirect_hosts=[])
        world.clock.advance(60)

        assert follow(world, link).status == 400
        assert stored(world) == []

    @pytest.mark.parametrize(
        "host", ["*", "*.com", "Shop.example", "https://a.example", "a", "-a.b"]
    )
    def test_to_no_host_cannot_be_configured(self, world: World, host: str) -> None:
        with pytest.raises(Exception, match="redirect_hosts"):
            configure(world, redirect_hosts=[host])


class TestASampleEvent:
    def test_follows_a_link(self, world: World) -> None:
        link = link_of(world, **demo_invoke.ACTION)["flux_link"]
        event = (FOLDER / "ingest_action_link.json").read_text().replace(demo_invoke.LINK, link)

        assert world.invoke("ingest", json.loads(event))["statusCode"] == 202

        (made,) = stored(world)
        assert made["payload"]["action_data"] == {
            "campaign": "spring_sale",
            "origin_node_id": "node_form",
        }
        assert made["payload"]["visitor"]["visitor_id"] == "visitor_123"

    def test_submits_a_form(self, world: World) -> None:
        text = (FOLDER / "ingest_action_form.json").read_text()
        event = json.loads(demo_invoke.localised(text, world.workspace_id, world.key))

        assert world.invoke("ingest", event)["statusCode"] == 202

        (made,) = stored(world)
        assert made["payload"]["action_data"] == {
            "email": "alice@example.com",
            "name": "Alice Müller",
            "interest": "red, blue",
            "origin_node_id": "node_form",
            "origin_page_id": "page_123",
        }

    @pytest.mark.parametrize("name", ["ingest_action_link", "ingest_action_form"])
    def test_takes_the_route_that_it_says(self, name: str) -> None:
        event = json.loads((FOLDER / f"{name}.json").read_text())
        routes = template().of_type("AWS::ApiGatewayV2::Route").values()

        assert event["routeKey"] in {route["RouteKey"] for route in routes}
        assert function_for(event["requestContext"]["http"]["method"], event["rawPath"]) == "ingest"


def test_a_link_costs_one_read_and_then_one_write_for_each_event(world: World) -> None:
    link = link_of(world)
    world.calls.clear()

    follow(world, link)
    first = world.calls.names.copy()
    follow(world, link)

    assert first == ["GetItem", "PutItem", "PutItem"]  # the workspace is noted, too
    assert world.calls.names == [*first, "PutItem"]


def test_making_a_link_costs_one_write_beside_those_of_every_call(world: World) -> None:
    link_of(world)
    world.calls.clear()

    link_of(world)

    assert world.calls.names == ["UpdateItem", "UpdateItem"]


def test_both_answers_are_documented() -> None:
    assert_documented("POST", PATH, 202, {"event_id": "order-1"})
    assert_documented("GET", PATH, 302, "")
