"""Export and import of a workspace's configs, so that it can move (docs/moving.md)."""

from functools import cache
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from functions.configs.routes import eventtypes, webhook_configs
from functions.configs.wiring import api, categories, configs, event_types, workspaces
from shared.aws import clients
from shared.clock import now_ms
from shared.configs.categories import Category
from shared.configs.listings import ClaimTakenError
from shared.configs.models import Status, WebhookConfig
from shared.errors import (
    ConflictError,
    FunnelhooksError,
    InvalidError,
    NotFoundError,
    TooLargeError,
    UnsupportedMediaTypeError,
)
from shared.events.own_types import OwnType
from shared.input.json_body import parse_json
from shared.input.paging import Cursor
from shared.input.validation import from_problems
from shared.model import Model
from shared.moving import configs as moving
from shared.moving.exporter import MAX_PAGE_BYTES, Exporter
from shared.moving.lines import (
    KEPT_BY_THE_STACK,
    CategoryLine,
    ConfigLine,
    EventTypeLine,
    Line,
    WorkspaceLine,
)
from shared.moving.report import ImportReport, LineOutcome, LineReport, report
from shared.web.operations import RawBody
from shared.web.resolver import Answer
from shared.workspaces.models import Caller, Scope

NDJSON = "application/x-ndjson"
MAX_LINES = 100
# Below the 400 KB of an item of DynamoDB's.
MAX_LINE_BYTES = 256 * 1024

_LINE: TypeAdapter[Line] = TypeAdapter(Line, config=ConfigDict(defer_build=True))


class ExportQuery(Model):
    limit: Annotated[int, Field(ge=1, le=MAX_LINES)] = MAX_LINES
    cursor: Cursor | None = None


@api.get("/v1/export", Scope.CONFIGS_READ, media_types=(NDJSON,))
def export_workspace(caller: Caller, query: ExportQuery) -> Answer:
    """Export settings, categories, own event types and webhook configs as JSON Lines.

    `Next-Cursor` leads to the next page; the last one has none. A page can be imported as it is.
    There are no secrets in it: `********` stands where one was.
    """
    page = _exporter().page(caller.workspace_id, query.limit, query.cursor)
    more: dict[str, str | list[str]] = {"Next-Cursor": page.cursor} if page.cursor else {}
    text = "".join(f"{line}\n" for line in page.lines)
    return Response(200, content_type=NDJSON, body=text, headers=more)


@api.post("/v1/import", Scope.CONFIGS_WRITE, omit_none=True, accepts=Line, media_types=(NDJSON,))
def import_workspace(caller: Caller, body: RawBody) -> ImportReport:
    """Import up to 100 lines of an export, each by itself, under the ids that they name.

    The answer says of each line what became of it. A repetition changes nothing.
    """
    _require_ndjson(body.headers.get("content-type", NDJSON))
    numbered = [(n, text) for n, text in _lines(body.content) if text.strip()]
    if len(numbered) > MAX_LINES:
        raise TooLargeError(f"There are {len(numbered)} lines, the limit is {MAX_LINES}.")
    return report([_imported(caller, number, text) for number, text in numbered])


def _require_ndjson(content_type: str) -> None:
    if content_type.partition(";")[0].strip().lower() != NDJSON:
        raise UnsupportedMediaTypeError(f"Send Content-Type: {NDJSON}.")


def _lines(content: bytes) -> list[tuple[int, bytes]]:
    if len(content) > MAX_PAGE_BYTES:
        raise TooLargeError(f"The body has {len(content)} bytes; import page by page.")
    return list(enumerate(content.split(b"\n"), start=1))


def _imported(caller: Caller, number: int, text: bytes) -> LineReport:
    about: dict[str, Any] = {"line": number}
    try:
        line = _read(text)
        about |= {"kind": line.kind, "id": _id(line)}
        return LineReport(**about | _apply(caller, line))
    except FunnelhooksError as error:
        refused = {"outcome": LineOutcome.REFUSED, "reason": error.message}
        return LineReport(**about | refused, fields=error.fields or None)


def _read(text: bytes) -> Line:
    values = parse_json(text, MAX_LINE_BYTES)
    try:
        return _LINE.validate_python(values)
    except ValidationError as error:
        is_of_a_kind = isinstance(values, dict) and "kind" in values
        found = error.errors(include_url=False, include_input=False)
        # pydantic begins each path with the kind.
        raise from_problems(found, skip=int(is_of_a_kind)) from None


def _id(line: Line) -> str | None:
    match line:
        case WorkspaceLine():
            return None
        case CategoryLine():
            return line.idCategory
        case EventTypeLine():
            return line.name
        case ConfigLine():
            return line.idWebhookConfig


def _apply(caller: Caller, line: Line) -> dict[str, Any]:
    """What the report says of the line beside what it is about."""
    match line:
        case WorkspaceLine():
            return {"outcome": _workspace(caller, line)}
        case CategoryLine():
            return {"outcome": _category(caller, line)}
        case EventTypeLine():
            return {"outcome": _event_type(caller, line)}
        case ConfigLine():
            return _config(caller, line)


def _workspace(caller: Caller, line: WorkspaceLine) -> LineOutcome:
    old = workspaces().get(caller.workspace_id)
    given = line.model_dump(exclude={"kind", *KEPT_BY_THE_STACK}, exclude_unset=True)
    required = {"name": line.name or old.name, "slug": line.slug or old.slug}
    new = old.model_copy(update=given | required)
    if new == old:
        return LineOutcome.UNCHANGED
    workspaces().replace(old, new)
    return LineOutcome.UPDATED


def _category(caller: Caller, line: CategoryLine) -> LineOutcome:
    now = now_ms()
    values = {"name": line.categoryName, "status": line.status}
    found = categories().find_many(caller.workspace_id, [line.idCategory])
    if not found:
        times = {"created_at": now, "updated_at": now}
        new = Category(id=line.idCategory, workspace_id=caller.workspace_id, **values, **times)
        categories().add(new)
        return LineOutcome.ACCEPTED
    (old,) = found
    if old.status is Status.DELETED:
        raise ConflictError(f"The category {old.id} was deleted here, and its id is taken.")
    if {"name": old.name, "status": old.status} == values:
        return LineOutcome.UNCHANGED
    changes = values | {"updated_at": now, "version": old.version + 1}
    categories().replace(old, old.model_copy(update=changes))
    return LineOutcome.UPDATED


def _event_type(caller: Caller, line: EventTypeLine) -> LineOutcome:
    eventtypes.check(line)
    now, values = now_ms(), line.model_dump(exclude={"kind"})
    try:
        old = event_types().find(caller.workspace_id, line.name)
    except NotFoundError:
        old = None
    if old is not None and old.model_dump(include=set(values)) == values:
        return LineOutcome.UNCHANGED
    times = {"created_at": now, "updated_at": now}
    own = OwnType(workspace_id=caller.workspace_id, **values, **times)
    _, is_new = event_types().save(own, caller.workspace.limits.event_types)
    return LineOutcome.ACCEPTED if is_new else LineOutcome.UPDATED


def _config(caller: Caller, line: ConfigLine) -> dict[str, Any]:
    webhook_configs.check(caller, line)
    old = _known(caller, line.idWebhookConfig)
    new, missing = moving.read(line, caller.workspace_id, now_ms(), old)
    said = {"needs_secrets": missing or None}
    if old is None:
        _add(caller, new)
        return said | {"outcome": LineOutcome.ACCEPTED, "secret": new.secret}
    if moving.is_same(old, new):
        return said | {"outcome": LineOutcome.UNCHANGED}
    configs().replace(old, new)
    return said | {"outcome": LineOutcome.UPDATED}


def _known(caller: Caller, config_id: str) -> WebhookConfig | None:
    try:
        found = configs().find(caller.workspace_id, config_id)
    except NotFoundError:
        return None
    if found.status is Status.DELETED:
        raise ConflictError(f"The config {config_id} was deleted here, and its id is taken.")
    return found


def _add(caller: Caller, new: WebhookConfig) -> None:
    limits = caller.workspace.limits
    try:
        configs().add(new, limits.configs if new.listing is None else limits.subscriptions)
    except ClaimTakenError:
        raise InvalidError.at(
            "listing.claim", "another subscription of that client has it here"
        ) from None


@cache
def _exporter() -> Exporter:
    return Exporter(clients.config_table())
