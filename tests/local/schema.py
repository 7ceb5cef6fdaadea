"""Write the JSON Schema of the outbound payload: `python -m tests.local.schema`."""

import json

from functions.configs.routes import public
from shared.dialects.payload import document


def text() -> str:
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    public.PAYLOAD_SCHEMA.write_text(text())
