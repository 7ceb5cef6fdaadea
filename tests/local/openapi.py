"""Write the OpenAPI document of all functions: `python -m tests.local.openapi`."""

import json

from functions.configs import public
from functions.configs.handler import api as configs_api
from functions.deliveries.handler import api as deliveries_api
from functions.ingest.handler import api as ingest_api
from shared.api.openapi import document


def text() -> str:
    operations = [*ingest_api.operations, *configs_api.operations, *deliveries_api.operations]
    return json.dumps(document(operations), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    public.OPENAPI.write_text(text())
