"""Export and import of a workspace's configs, so that it can move (docs/moving.md)."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from pydantic import Field

from functions.configs.wiring import api, exporter, importer
from shared.errors import UnsupportedMediaTypeError
from shared.input.paging import Cursor
from shared.model import Model
from shared.moving.importer import ImportReport
from shared.moving.lines import MAX_LINES, Line
from shared.web.operations import Answer, RawBody
from shared.workspaces.models import Caller, Scope

NDJSON = "application/x-ndjson"


class ExportQuery(Model):
    limit: Annotated[int, Field(ge=1, le=MAX_LINES)] = MAX_LINES
    cursor: Cursor | None = None


@api.get("/v1/export", Scope.CONFIGS_READ, media_types=(NDJSON,))
def export_workspace(caller: Caller, query: ExportQuery) -> Answer:
    """Export the settings, categories, own event types and webhook configs as JSON Lines.

    The header `Next-Cursor` leads to the next page; the last page has none. `POST /v1/import` takes
    a page as it is. The export holds no secrets: `********` stands in their place.
    """
    page = exporter().page(caller.workspace_id, query.limit, query.cursor)
    more: dict[str, str | list[str]] = {"Next-Cursor": page.cursor} if page.cursor else {}
    text = "".join(f"{line}\n" for line in page.lines)
    return Response(200, content_type=NDJSON, body=text, headers=more)


@api.post("/v1/import", Scope.CONFIGS_WRITE, omit_none=True, accepts=Line, media_types=(NDJSON,))
def import_workspace(caller: Caller, body: RawBody) -> ImportReport:
    """Import up to 100 lines of an export. Each line keeps the id that it names.

    The answer reports the outcome of each line; a refused line stops no other line. To import the
    same lines again changes nothing.
    """
    _require_ndjson(body.headers.get("content-type", NDJSON))
    return importer().run(caller, body.content)


def _require_ndjson(content_type: str) -> None:
    if content_type.partition(";")[0].strip().lower() != NDJSON:
        raise UnsupportedMediaTypeError(f"Send Content-Type: {NDJSON}.")
