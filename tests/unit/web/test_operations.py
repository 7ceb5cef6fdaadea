"""A function is served by its signature: what it is given, and what becomes of its answer."""

import base64
import json
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, cast

import pytest
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import Field

from shared.errors import ForbiddenError, RateLimitedError, UnauthenticatedError
from shared.model import Model
from shared.web.authentication import Authenticated, Request
from shared.web.operations import MAX_BODY_BYTES, Answer, Answered, Api, RawBody, Redirect
from shared.workspaces.models import Caller, Scope
from tests import factories
from tests.fakes import FakeContext

LEFT = {"X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "9"}


class OpenGate:
    """As strict as the headers ask it to be, in the order of the real one."""

    def admit(self, request: Request, scope: Scope) -> Authenticated[Caller]:
        if "x-no-key" in request.headers:
            raise UnauthenticatedError("No key.")
        if "x-no-scope" in request.headers:
            raise ForbiddenError(f"This key lacks the scope {scope}.")
        if "x-too-many" in request.headers:
            raise RateLimitedError(10, 7)
        return Authenticated(caller=factories.caller(scope), headers=LEFT)


class OtherGate(OpenGate):
    def admit(self, request: Request, scope: Scope) -> Authenticated[Caller]:
        caller = factories.caller(scope)
        other = caller.workspace.model_copy(update={"workspace_id": "other"})
        return Authenticated(caller=caller.model_copy(update={"workspace": other}), headers={})


def no_gate() -> OpenGate:
    raise AssertionError("a public operation asks no gate")


class Query(Model):
    size: Annotated[int, Field(ge=1)] = 1


class Body(Model):
    name: str
    note: str | None = None


class Seen(Model):
    caller: str | None = None
    size: int | None = None
    name: str | None = None
    item: str | None = None


api = Api(bearer=OpenGate, other=OtherGate)
public = Api(bearer=no_gate)
served: list[str] = []


@api.post("/everything/<item>", Scope.CONFIGS_WRITE, status=201)
def everything(caller: Caller, query: Query, body: Body, item: str) -> Seen:
    served.append("everything")
    return Seen(caller=caller.workspace_id, size=query.size, name=body.name, item=item)


@api.get("/little", Scope.CONFIGS_READ)
def little() -> Seen:
    return Seen()


@api.get("/brief", Scope.CONFIGS_READ, omit_none=True)
def brief() -> list[Seen]:
    return [Seen(size=1)]


@api.put("/nothing", Scope.CONFIGS_WRITE, status=204)
def nothing(body: Body) -> None:
    served.append(body.name)


@api.post("/raw", Scope.EVENTS_WRITE)
def raw(body: RawBody) -> str:
    return f"{body.headers['x-team']}: {body.content.decode()}"


@api.post("/either", Scope.EVENTS_WRITE)
def either(body: Body | list[Body]) -> int:
    return len(body) if isinstance(body, list) else 1


@api.post("/optional", Scope.EVENTS_WRITE)
def optional(body: Query) -> int:
    return body.size


@api.get("/own", Scope.CONFIGS_READ, status=200)
def own() -> Answer:
    return Response(202, "application/json", Body(name="own").model_dump_json(exclude_none=True))


@api.post("/twice", Scope.CONFIGS_WRITE, status=201, also=(200,), omit_none=True)
def twice(body: Body) -> Answered[Body]:
    is_new = body.name not in served
    served.append(body.name)
    return Answered(body, 201 if is_new else 200)


@api.get("/broken", Scope.CONFIGS_READ)
def broken() -> str:
    raise RuntimeError("hunter2")


@api.get("/other", Scope.CONFIGS_READ, security="other")
def other(caller: Caller) -> str:
    return caller.workspace_id


@api.get("/elsewhere/<item>", Scope.CONFIGS_READ)
def elsewhere(request: Request, item: str) -> Seen | Redirect:
    if item == "here":
        return Seen(name=request.source_ip)
    team = request.headers["x-team"]
    return Redirect(location=f"https://a.example{request.path}?{request.query}#{team}")


@api.post("/decoded", Scope.EVENTS_WRITE)
def decoded(body: RawBody) -> bool:
    return body.is_text


@api.get("/scoped", Scope.DELIVERIES_READ)
def scoped(caller: Caller) -> list[str]:
    return sorted(caller.key.scopes)


@public.get("/open")
def open_to_all() -> Seen:
    return Seen(name="anybody")


class Reply(NamedTuple):
    status: int
    text: str
    headers: dict[str, str]

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])


def call(
    method: str,
    path: str,
    body: Any = None,
    query: dict[str, str] | None = None,
    **headers: str,
) -> Reply:
    sent: dict[str, Any] = {"queryStringParameters": query} if query else {}
    if isinstance(body, bytes):
        sent |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    elif body is not None:
        sent["body"] = body if isinstance(body, str) else json.dumps(body)
    return handle(method, path, headers=headers, **sent)


def handle(
    method: str, path: str, headers: Mapping[str, str], served_by: Api = api, **sent: Any
) -> Reply:
    event = sent | {
        "version": "2.0",
        "rawPath": path,
        "headers": {name.replace("_", "-"): value for name, value in headers.items()},
        "requestContext": {"http": {"method": method, "path": path}, "stage": "$default"},
    }
    answered = served_by.handle(event, cast(LambdaContext, FakeContext()))
    return Reply(answered["statusCode"], answered.get("body") or "", answered["headers"])


@pytest.fixture(autouse=True)
def _nothing_served_yet() -> None:
    served.clear()


class TestASignature:
    def test_is_given_what_it_names(self) -> None:
        reply = call("POST", "/everything/i1", {"name": "CRM"}, {"size": "3"})

        assert reply.status == 201
        assert reply.body == {
            "caller": factories.WORKSPACE,
            "size": 3,
            "name": "CRM",
            "item": "i1",
        }

    def test_that_names_nothing_is_given_nothing(self) -> None:
        reply = call("GET", "/little", query={"colour": "red"})

        assert reply.body == {"caller": None, "size": None, "name": None, "item": None}

    def test_may_leave_a_query_to_its_defaults(self) -> None:
        assert call("POST", "/everything/i1", {"name": "CRM"}).body["size"] == 1

    def test_may_take_one_of_several_bodies(self) -> None:
        assert call("POST", "/either", {"name": "a"}).text == "1"
        assert call("POST", "/either", [{"name": "a"}, {"name": "b"}]).text == "2"

    def test_may_take_the_bytes_as_they_came(self) -> None:
        reply = call("POST", "/raw", b" {broken", x_team="growth", content_type="text/plain")

        assert reply.body == "growth:  {broken"

    @pytest.mark.parametrize(("body", "is_text"), [("{", True), (b"{", False)])
    def test_may_ask_whether_its_bytes_were_text_on_the_way(self, body: Any, is_text: bool) -> None:
        assert call("POST", "/decoded", body).body is is_text

    def test_may_take_the_request_as_it_came(self) -> None:
        reply = handle("GET", "/elsewhere/here", {}, rawQueryString="a=%20")

        assert reply.body["name"] == ""

    @pytest.mark.parametrize("path", ["/everything/i1", "/everything/i1/"])
    def test_answers_on_both_spellings_of_its_path(self, path: str) -> None:
        assert call("POST", path, {"name": "CRM"}).status == 201

    def test_is_served_to_the_scope_that_it_declares(self) -> None:
        assert call("GET", "/scoped").body == ["deliveries:read"]

    def test_is_guarded_by_the_gate_that_it_names(self) -> None:
        assert call("GET", "/other").body == "other"


class TestABody:
    @pytest.mark.parametrize(
        "content_type", ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8"]
    )
    def test_is_json_in_any_spelling(self, content_type: str) -> None:
        assert call("PUT", "/nothing", {"name": "a"}, content_type=content_type).status == 204

    def test_without_a_content_type_is_json(self) -> None:
        assert call("PUT", "/nothing", {"name": "a"}).status == 204

    @pytest.mark.parametrize(
        "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""]
    )
    def test_of_another_type_is_refused_unread(self, content_type: str) -> None:
        too_large_and_broken = b"{" * (MAX_BODY_BYTES + 1)

        reply = call("PUT", "/nothing", too_large_and_broken, content_type=content_type)

        assert (reply.status, reply.code) == (415, "unsupported_media_type")

    def test_that_is_too_large_is_refused_before_it_is_parsed(self) -> None:
        reply = call("PUT", "/nothing", b"{" * (MAX_BODY_BYTES + 1))

        assert (reply.status, reply.code) == (413, "too_large")
        assert str(MAX_BODY_BYTES) in reply.body["error"]["message"]

    def test_at_the_limit_is_read(self) -> None:
        text = json.dumps({"name": "", "note": ""})
        padded = text.replace('""', f'"{"n" * (MAX_BODY_BYTES - len(text))}"', 1)

        assert call("PUT", "/nothing", padded).status == 204

    @pytest.mark.parametrize("body", ["", "{", "[]", "null", '"a"', '{"name": NaN}', b"\xff"])
    def test_that_is_not_what_is_expected_is_refused(self, body: Any) -> None:
        reply = call("PUT", "/nothing", body)

        assert (reply.status, reply.code) == (400, "invalid")
        assert served == []

    @pytest.mark.parametrize("body", ["", "{}"])
    def test_of_which_everything_may_be_left_out_may_be_left_out(self, body: str) -> None:
        assert call("POST", "/optional", body).body == Query().size

    def test_names_every_wrong_field(self) -> None:
        reply = call("PUT", "/nothing", {"colour": "red"})

        fields = {field["path"]: field["message"] for field in reply.body["error"]["fields"]}
        assert fields == {"name": "is required", "colour": "is not a known field"}

    def test_that_is_no_base64_although_it_says_so_is_refused(self) -> None:
        reply = handle("PUT", "/nothing", {}, body="***", isBase64Encoded=True)

        assert (reply.status, reply.code) == (400, "invalid")


class TestAQuery:
    @pytest.mark.parametrize(
        ("query", "path"),
        [({"size": "0"}, "size"), ({"size": "x"}, "size"), ({"colour": "red"}, "colour")],
    )
    def test_that_is_wrong_is_refused_by_name(self, query: dict[str, str], path: str) -> None:
        reply = call("POST", "/everything/i1", {"name": "CRM"}, query)

        assert reply.status == 400
        assert [field["path"] for field in reply.body["error"]["fields"]] == [path]


class TestAnAnswer:
    def test_of_none_is_204_and_empty(self) -> None:
        reply = call("PUT", "/nothing", {"name": "a"})

        assert (reply.status, reply.text) == (204, "")
        assert "Content-Type" not in reply.headers
        assert served == ["a"]

    def test_shows_what_is_not_set_as_null(self) -> None:
        assert call("GET", "/little").text == '{"caller":null,"size":null,"name":null,"item":null}'

    def test_leaves_out_what_is_not_set_where_that_is_declared(self) -> None:
        assert call("GET", "/brief").text == '[{"size":1}]'

    def test_is_json(self) -> None:
        assert call("GET", "/little").headers["Content-Type"] == "application/json"

    def test_may_be_one_of_the_functions_own(self) -> None:
        reply = call("GET", "/own")

        assert (reply.status, reply.body) == (202, {"name": "own"})
        assert reply.headers.items() >= LEFT.items()

    def test_may_send_a_browser_elsewhere(self) -> None:
        reply = handle("GET", "/elsewhere/i1", {"x_team": "growth"}, rawQueryString="a=%20")

        assert (reply.status, reply.text) == (302, "")
        assert reply.headers["Location"] == "https://a.example/elsewhere/i1?a=%20#growth"
        assert reply.headers["Referrer-Policy"] == "no-referrer"
        assert reply.headers.items() >= LEFT.items()

    def test_may_have_more_statuses_than_one(self) -> None:
        first, second = call("POST", "/twice", {"name": "a"}), call("POST", "/twice", {"name": "a"})

        assert (first.status, second.status) == (201, 200)
        assert first.body == second.body == {"name": "a"}
        assert second.headers.items() >= LEFT.items()

    def test_to_a_fault_of_ours_tells_nothing_of_it(self) -> None:
        reply = call("GET", "/broken")

        assert (reply.status, reply.code) == (500, "internal")
        assert "hunter2" not in reply.text

    @pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("PATCH", "/little")])
    def test_where_nothing_is_declared_is_404(self, method: str, path: str) -> None:
        reply = call(method, path)

        assert (reply.status, reply.code) == (404, "not_found")


class TestARefusal:
    """Whoever may not call learns nothing of what is wrong with the call."""

    NO_KEY, NO_SCOPE, TOO_MANY = "x_no_key", "x_no_scope", "x_too_many"

    @pytest.mark.parametrize(
        ("wrong", "status"),
        [
            ((NO_KEY, NO_SCOPE, TOO_MANY), 401),
            ((NO_SCOPE, TOO_MANY), 403),
            ((TOO_MANY,), 429),
            ((), 400),
        ],
    )
    @pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
    def test_is_for_the_key_then_the_scope_then_the_rate_then_the_request(
        self, wrong: tuple[str, ...], status: int, content_type: str
    ) -> None:
        headers = dict.fromkeys(wrong, "1") | {"content_type": content_type}

        reply = call("POST", "/everything/i1", "{broken", {"size": "0"}, **headers)

        assert reply.status == status
        assert served == []

    @pytest.mark.parametrize(
        ("content_type", "body", "status"),
        [
            ("text/plain", b"{" * (MAX_BODY_BYTES + 1), 415),
            ("application/json", b"{" * (MAX_BODY_BYTES + 1), 413),
            ("application/json", b"{", 400),
        ],
    )
    def test_of_a_body_is_for_its_type_then_its_size_then_its_content(
        self, content_type: str, body: bytes, status: int
    ) -> None:
        assert call("PUT", "/nothing", body, content_type=content_type).status == status

    def test_names_the_scope_that_is_missing(self) -> None:
        reply = call("GET", "/scoped", x_no_scope="1")

        assert reply.code == "forbidden"
        assert "deliveries:read" in reply.body["error"]["message"]

    def test_without_a_key_says_how_to_authenticate(self) -> None:
        reply = call("GET", "/scoped", x_no_key="1")

        assert reply.code == "unauthenticated"
        assert reply.headers["WWW-Authenticate"] == "Bearer"

    def test_has_the_one_shape_of_errors(self) -> None:
        reply = call("GET", "/scoped", x_too_many="1")

        assert reply.body.keys() == {"error"}
        assert reply.body["error"].keys() == {"code", "message"}
        assert reply.headers["Content-Type"] == "application/json"


class TestAPublicOperation:
    def test_needs_no_key_and_asks_for_none(self) -> None:
        reply = handle("GET", "/open", {}, public)

        assert reply.body["name"] == "anybody"
        assert not LEFT.keys() & reply.headers.keys()
