"""What anybody may read: health, the OpenAPI document and its page, the schema of payloads."""

from functools import cache
from pathlib import Path
from typing import Literal

from aws_lambda_powertools.event_handler import Response

from functions.configs.wiring import api
from shared.model import Model
from shared.version import VERSION
from shared.web.resolver import Answer

SHARED = Path(__file__).parents[3] / "shared"
OPENAPI = SHARED / "web" / "openapi.json"
PAYLOAD_SCHEMA = SHARED / "dialects" / "webhook-outbound-payload-v1.schema.json"
_CACHED: dict[str, str | list[str]] = {"Cache-Control": "public, max-age=300"}
# The page's own script and style, and nothing from elsewhere.
_PAGE_HEADERS: dict[str, str | list[str]] = _CACHED | {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
    " script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'",
}


class ServiceHealth(Model):
    status: Literal["ok"]
    version: str


@api.get("/health")
def health() -> ServiceHealth:
    """Whether the API answers, and in which version."""
    return ServiceHealth(status="ok", version=VERSION)


@api.get("/openapi.json")
def openapi() -> Answer:
    """This document."""
    return Response(status_code=200, content_type="application/json", body=OPENAPI.read_text())


@api.get("/docs")
def docs() -> Answer:
    """This document, as a page that can also send requests."""
    return Response(200, content_type="text/html", body=_page(), headers=_PAGE_HEADERS)


@api.get("/schemas/webhook-outbound-payload-v1.schema.json")
def payload_schema() -> Answer:
    """The JSON Schema (2020-12) of what webhooks in FunnelFlux's dialect carry."""
    schema = PAYLOAD_SCHEMA.read_text()
    return Response(200, content_type="application/schema+json", body=schema, headers=_CACHED)


@cache
def _page() -> str:
    """Powertools carries Swagger UI; it is read when the page is first asked for, not before."""
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
