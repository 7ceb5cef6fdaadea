"""Write the OpenAPI document of all functions: `python -m tests.local.openapi`."""

import json

from functions.configs.handler import APIS as CONFIGS_APIS
from functions.configs.routes import public
from functions.deliveries.handler import APIS as DELIVERIES_APIS
from functions.ingest.handler import api as ingest_api
from shared.web.openapi import document


def text() -> str:
    apis = [ingest_api, *CONFIGS_APIS.values(), *DELIVERIES_APIS.values()]
    operations = [operation for api in apis for operation in api.operations]
    return json.dumps(document(operations), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    public.OPENAPI.write_text(text())
