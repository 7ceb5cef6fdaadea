"""The OpenAPI document: complete, consistent, and that of the code."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any

import jsonschema_rs
import pytest
import schemathesis
from pydantic import Field

from functions.configs.routes import public
from shared.model import Model
from shared.web.authentication import Authenticated
from shared.web.openapi import document
from shared.web.operations import Answered, Api, RawBody, Redirect
from shared.workspaces.models import Scope
from tests.local.openapi import text

METHODS = {"get", "post", "put", "delete"}
PUBLIC = {"health", "openapi", "docs", "payload_schema"}
# What every call may answer that names a caller, and what its body adds.
OF_EVERY_CALLER = {"401", "403", "429"}
OF_EVERY_BODY = {"400", "413", "415"}
FUNNELFLUX = [
    ("get", "/v1/webhookconfig/list"),
    ("get", "/v1/webhookconfig/find/byId"),
    ("get", "/v1/webhookconfig/find/byIds"),
    ("put", "/v1/webhookconfig/save"),
    ("post", "/v1/webhookconfig/save"),
    ("delete", "/v1/webhookconfig/delete"),
    ("post", "/v1/webhookconfig/duplicate"),
    ("put", "/v1/webhookconfig/archive"),
    ("put", "/v1/webhookconfig/unarchive"),
    ("put", "/v1/webhookconfig/move-category"),
    ("get", "/v1/category/list"),
    ("get", "/v1/category/find/byId"),
    ("get", "/v1/category/find/byIds"),
    ("put", "/v1/category/save"),
    ("post", "/v1/category/save"),
    ("post", "/v1/category/duplicate"),
    ("delete", "/v1/category/delete"),
    ("put", "/v1/category/archive"),
    ("put", "/v1/category/unarchive"),
]
FLOWESTATE = [
    ("get", "/api/v1/webhooks/events"),
    ("get", "/api/v1/webhooks/subscriptions"),
    ("post", "/api/v1/webhooks/subscriptions"),
    ("get", "/api/v1/webhooks/subscriptions/{subscription_id}"),
    ("delete", "/api/v1/webhooks/subscriptions/{subscription_id}"),
]
_OUTGOING = "/api/v2/workspaces/{workspace}/webhooks/outgoing"
CLICKFUNNELS = [
    ("get", f"{_OUTGOING}/endpoints"),
    ("post", f"{_OUTGOING}/endpoints"),
    ("get", "/api/v2/webhooks/outgoing/endpoints/{endpoint}"),
    ("put", "/api/v2/webhooks/outgoing/endpoints/{endpoint}"),
    ("delete", "/api/v2/webhooks/outgoing/endpoints/{endpoint}"),
    ("get", f"{_OUTGOING}/events"),
    ("get", "/api/v2/webhooks/outgoing/events/{event}"),
    ("get", "/api/v2/webhooks/outgoing/events/{event}/deliveries"),
    ("post", "/api/v2/webhooks/outgoing/events/{event}/replay"),
]
OURS = [
    ("get", "/health"),
    ("get", "/docs"),
    ("get", "/openapi.json"),
    ("get", "/schemas/webhook-outbound-payload-v1.schema.json"),
    ("post", "/v1/webhookconfig/rotate-secret"),
    ("post", "/v1/webhookconfig/test"),
    ("get", "/v1/integration/apikeys"),
    ("post", "/v1/integration/apikeys"),
    ("put", "/v1/integration/apikeys"),
    ("delete", "/v1/integration/apikeys"),
    ("get", "/v1/actions/{funnel_id}/{node_id}/{action_number}"),
    ("post", "/v1/actions/{funnel_id}/{node_id}/{action_number}"),
    ("post", "/v1/actions/links"),
    ("delete", "/v1/actions/links"),
    ("post", "/v1/events"),
    ("get", "/v1/events"),
    ("get", "/v1/events/{event_id}"),
    ("get", "/v1/eventtypes"),
    ("post", "/v1/eventtypes"),
    ("delete", "/v1/eventtypes"),
    ("get", "/v1/deliveries"),
    ("get", "/v1/deliveries/{request_id}"),
    ("post", "/v1/deliveries/{request_id}/resend"),
    ("post", "/v1/deliveries/{request_id}/cancel"),
    ("post", "/v1/replays"),
    ("get", "/v1/replays"),
    ("get", "/v1/replays/{replay_id}"),
    ("post", "/v1/replays/{replay_id}/pause"),
    ("post", "/v1/replays/{replay_id}/resume"),
    ("post", "/v1/replays/{replay_id}/cancel"),
    ("post", "/api/v1/webhook/{action}"),
    ("post", "/v1/replays"),
    ("get", "/v1/export"),
    ("post", "/v1/import"),
    ("get", "/v1/replays"),
    ("get", "/v1/replays/{replay_id}"),
    ("post", "/v1/replays/{replay_id}/pause"),
    ("post", "/v1/replays/{replay_id}/resume"),
    ("post", "/v1/replays/{replay_id}/cancel"),
    ("get", "/v1/visitors/{visitor_id}"),
    ("delete", "/v1/visitors/{visitor_id}"),
]


@cache
def the_document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(text())
    return loaded


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in the_document()["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def guarded() -> list[Any]:
    return [
        pytest.param(operation, id=operation["operationId"])
        for _, _, operation in operations()
        if operation["operationId"] not in PUBLIC
    ]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for inner in value:
            yield from references(inner)
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)


def test_the_committed_document_is_that_of_the_code() -> None:
    assert public.OPENAPI.read_text() == text(), "shared/web/openapi.json is old: make openapi"


class TestTheDocument:
    def test_is_valid_openapi_3_1(self) -> None:
        assert the_document()["openapi"].startswith("3.1.")

        schemathesis.openapi.from_dict(the_document()).validate()

    def test_has_schemas_that_are_valid_json_schema(self) -> None:
        for schema in the_document()["components"]["schemas"].values():
            jsonschema_rs.meta.validate(
                {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema
            )

    def test_refers_to_nothing_that_it_does_not_hold(self) -> None:
        known = {f"#/components/schemas/{name}" for name in the_document()["components"]["schemas"]}

        assert set(references(the_document())) <= known

    @pytest.mark.parametrize(("method", "path"), FUNNELFLUX + FLOWESTATE + CLICKFUNNELS + OURS)
    def test_has_every_call(self, method: str, path: str) -> None:
        assert method in the_document()["paths"][path]

    def test_has_no_other(self) -> None:
        found = {(method, path) for method, path, _ in operations()}

        assert found == {*FUNNELFLUX, *FLOWESTATE, *CLICKFUNNELS, *OURS}
        assert {method for method, _ in found} == METHODS

    def test_names_each_operation_once(self) -> None:
        names = [operation["operationId"] for _, _, operation in operations()]

        assert len(set(names)) == len(names)

    def test_gives_each_operation_a_summary(self) -> None:
        for _, path, operation in operations():
            assert operation["summary"], path

    def test_groups_the_operations_as_it_announces(self) -> None:
        groups = {group for _, _, operation in operations() for group in operation["tags"]}

        assert groups == {tag["name"] for tag in the_document()["tags"]}

    def test_says_of_what_is_public_that_it_needs_nothing(self) -> None:
        for _, _, operation in operations():
            if operation["operationId"] in PUBLIC:
                assert "security" not in operation

    def test_describes_every_security_scheme_that_is_asked_for(self) -> None:
        schemes = the_document()["components"]["securitySchemes"]

        asked = {
            name
            for _, _, operation in operations()
            for one in operation.get("security", [])
            for name in one
        }

        assert asked == schemes.keys()

    def test_takes_the_parts_of_each_path_as_parameters(self) -> None:
        for _, path, operation in operations():
            parameters = operation.get("parameters", [])
            in_path = {one["name"] for one in parameters if one["in"] == "path"}
            assert in_path == {part[1:-1] for part in path.split("/") if part.startswith("{")}
            assert all(one["required"] for one in parameters if one["in"] == "path")


@pytest.mark.parametrize("operation", guarded())
class TestAGuardedOperation:
    def test_says_which_scope_it_needs(self, operation: dict[str, Any]) -> None:
        scopes = [scope for scope in Scope if f"Needs the scope `{scope}`." in str(operation)]

        assert len(scopes) == 1
        assert operation["security"] in (
            [{"bearer": []}],
            [{"funnelyticsProject": [], "funnelyticsKey": []}],
            [{"bearer": []}, {"signedLink": []}],
        )

    def test_lists_what_it_may_be_refused_for(self, operation: dict[str, Any]) -> None:
        parameters = operation.get("parameters", [])

        expected = set(OF_EVERY_CALLER)
        if any(one["in"] == "query" for one in parameters):
            expected |= {"400"}
        if any(one["in"] == "path" for one in parameters):
            expected |= {"404"}
        if "requestBody" in operation:
            expected |= OF_EVERY_BODY

        assert operation["responses"].keys() >= expected

    def test_describes_every_refusal_as_an_error(self, operation: dict[str, Any]) -> None:
        refusals = {
            status: answer for status, answer in operation["responses"].items() if status >= "400"
        }

        for refusal in refusals.values():
            schema = refusal["content"]["application/json"]["schema"]
            assert schema["$ref"].removeprefix("#/components/schemas/") in {
                "ErrorBody",
                "FlowEstateError",
                "ClickFunnelsError",
            }

    def test_describes_its_answer(self, operation: dict[str, Any]) -> None:
        successes = {
            status: answer for status, answer in operation["responses"].items() if status < "300"
        }

        assert successes
        for status, answer in successes.items():
            assert ("content" in answer) is (status != "204")
            assert answer["headers"].keys() == {"X-RateLimit-Limit", "X-RateLimit-Remaining"}


# ── How declarations become a document ────────────────────────────────────────────────────────────


class Query(Model):
    wanted: str
    limit: Annotated[int, Field(ge=1, le=9)] = 5
    since: int | None = None


class Body(Model):
    name: str


class NoGate:
    def admit(self, *_: object) -> Authenticated[Any]:
        raise AssertionError("the document is made without a request")


api = Api(bearer=NoGate)


@api.put("/things/<thing_id>", Scope.CONFIGS_WRITE, status=204, errors=(409,))
def change_thing(thing_id: str, query: Query, body: Body) -> None:
    """Change a thing.

    It stays the thing that it was.
    """


@api.post("/things", Scope.EVENTS_WRITE, accepts=Body | list[Body])
def make_things(body: RawBody) -> list[Body]:
    """Make things, each as good
    as the next."""
    return []


@api.put("/things", Scope.EVENTS_WRITE, status=201, also=(200,))
def save_thing(body: Body) -> Answered[Body]:
    """Make a thing, or replace it."""
    return Answered(body, 200)


@api.get("/v1/open")
def look() -> Body | None:
    """Look."""
    return None


@api.post("/v1/moved", Scope.EVENTS_WRITE, accepts=Body, media_types=("text/csv", "text/plain"))
def move(body: RawBody) -> Body | Redirect:
    """Move."""
    return Redirect(location="https://a.example/")


@api.post("/v1/open")
def look_elsewhere() -> Redirect:
    return Redirect(location="/v1/open", status=308)


class TestADeclaration:
    @pytest.fixture
    def paths(self) -> dict[str, Any]:
        paths: dict[str, Any] = document(api.operations)["paths"]
        return paths

    def test_describes_the_path_and_the_query(self, paths: dict[str, Any]) -> None:
        parameters = paths["/things/{thing_id}"]["put"]["parameters"]

        assert parameters == [
            {
                "name": "thing_id",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "minLength": 1},
            },
            {"name": "wanted", "in": "query", "required": True, "schema": {"type": "string"}},
            {
                "name": "limit",
                "in": "query",
                "required": False,
                "schema": {"type": "integer", "minimum": 1, "maximum": 9, "default": 5},
            },
            {"name": "since", "in": "query", "required": False, "schema": {"type": "integer"}},
        ]

    def test_takes_its_words_from_the_docstring_and_the_scope(self, paths: dict[str, Any]) -> None:
        change, make = paths["/things/{thing_id}"]["put"], paths["/things"]["post"]

        assert (change["summary"], change["description"]) == (
            "Change a thing.",
            "It stays the thing that it was.\n\nNeeds the scope `configs:write`.",
        )
        assert (make["summary"], make["description"]) == (
            "Make things, each as good as the next.",
            "Needs the scope `events:write`.",
        )

    def test_adds_its_own_errors_to_those_of_its_kind(self, paths: dict[str, Any]) -> None:
        change, make = paths["/things/{thing_id}"]["put"], paths["/things"]["post"]

        usual = ["400", "401", "403", "413", "415", "429"]
        assert sorted(change["responses"]) == sorted(["204", *usual, "404", "409"])
        assert sorted(make["responses"]) == sorted(["200", *usual])

    def test_describes_every_status_of_success_by_the_same_body(
        self, paths: dict[str, Any]
    ) -> None:
        responses = paths["/things"]["put"]["responses"]

        body = {"application/json": {"schema": {"$ref": "#/components/schemas/Body"}}}
        assert responses["200"]["content"] == responses["201"]["content"] == body
        assert responses["201"]["description"] == "Created"

    def test_describes_a_body_that_is_taken_raw_by_what_it_accepts(
        self, paths: dict[str, Any]
    ) -> None:
        schema = paths["/things"]["post"]["requestBody"]["content"]["application/json"]["schema"]

        body = {"$ref": "#/components/schemas/Body"}
        assert schema == {"anyOf": [body, {"type": "array", "items": body}]}

    def test_of_nothing_to_read_and_nobody_to_be_has_no_errors(self, paths: dict[str, Any]) -> None:
        look = paths["/v1/open"]["get"]

        assert look["responses"].keys() == {"200"}
        assert not {"security", "parameters", "requestBody", "description"} & look.keys()

    def test_may_answer_with_a_redirect_beside_its_body(self, paths: dict[str, Any]) -> None:
        responses = paths["/v1/moved"]["post"]["responses"]

        assert responses["302"]["headers"].keys() == {"Location"}
        schema = responses["200"]["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/Body"}

    def test_may_take_its_body_in_several_types(self, paths: dict[str, Any]) -> None:
        content = paths["/v1/moved"]["post"]["requestBody"]["content"]

        assert content.keys() == {"text/csv", "text/plain"}

    def test_of_nothing_but_a_redirect_is_no_call_of_its_own(self, paths: dict[str, Any]) -> None:
        assert paths["/v1/open"].keys() == {"get"}


def test_headers_that_a_client_may_send_or_will_get_are_described() -> None:
    operation = the_document()["paths"]["/v1/events"]["post"]

    assert [parameter["name"] for parameter in operation["parameters"]] == ["Idempotency-Key"]
    assert "Retry-After" in operation["responses"]["429"]["headers"]
    assert "WWW-Authenticate" in operation["responses"]["401"]["headers"]
