"""Calls without an API key: health, the OpenAPI document and its page, the schema of payloads."""

from functools import cache
from pathlib import Path
from typing import Literal

from aws_lambda_powertools.event_handler import Response

from functions.configs.wiring import api
from shared.model import Model
from shared.version import VERSION
from shared.web.operations import Answer

SHARED = Path(__file__).parents[3] / "shared"
OPENAPI = SHARED / "web" / "openapi.json"
PAYLOAD_SCHEMA = SHARED / "dialects" / "webhook-outbound-payload-v1.schema.json"
_CACHED: dict[str, str | list[str]] = {"Cache-Control": "public, max-age=300"}
# The page may use its own script and style, and load nothing from other hosts.
_PAGE_HEADERS: dict[str, str | list[str]] = _CACHED | {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
    " script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'",
}


class ServiceHealth(Model):
    status: Literal["ok"]
    version: str


@api.get("/health")
def health() -> ServiceHealth:
    """Report that the API answers, and its version."""
    return ServiceHealth(status="ok", version=VERSION)


@api.get("/openapi.json")
def openapi() -> Answer:
    """Return this document."""
    return Response(status_code=200, content_type="application/json", body=OPENAPI.read_text())


@api.get("/docs")
def docs() -> Answer:
    """Return this document as a page that can also send requests."""
    return Response(200, content_type="text/html", body=_page(), headers=_PAGE_HEADERS)


@api.get("/schemas/webhook-outbound-payload-v1.schema.json")
def payload_schema() -> Answer:
    """Return the JSON Schema (2020-12) of the payload of webhooks in the FunnelFlux dialect."""
    schema = PAYLOAD_SCHEMA.read_text()
    return Response(200, content_type="application/schema+json", body=schema, headers=_CACHED)


@cache
def _page() -> str:
    """Powertools contains Swagger UI; it is read at the first request for the page."""
    from aws_lambda_powertools.event_handler.openapi import swagger_ui

    folder = Path(swagger_ui.__file__).parent
    return swagger_ui.generate_swagger_html(
        spec=OPENAPI.read_text(),
        swagger_js=(folder / "swagger-ui-bundle.min.js").read_text(),
        swagger_css=(folder / "swagger-ui.min.css").read_text(),
        swagger_base_url="",
        oauth2_config=None,
        persist_authorization=False,
    )
