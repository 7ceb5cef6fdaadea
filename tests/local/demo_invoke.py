"""Invokes a local function with a sample event, as `sam local invoke` would, but without Docker:

    python -m tests.local.demo_invoke events/ingest_direct.json

The file's name begins with that of the function. The made-up workspace, key, ids, link and bucket
of the samples become those of the local stack.
"""

import json
import sys
from pathlib import Path
from typing import Any

from shared import ids
from tests.local.demo_api import Api
from tests.local.errors import LocalStackError
from tests.local.stack import Stack

# The samples agree on these.
WORKSPACE_ID = "00000000-0000-4000-8000-000000000001"
API_KEY = "fh_made-up-key-of-the-examples"
EVENT_ID = "example-event-1"
CONFIG_ID = "webhook-config-id"
LINK = "made-up-link-of-the-examples"
ACTION = {"funnel_id": "funnel_123", "node_id": "node_form", "action_number": 2}
IMPORT_BUCKET = "funnelhooks-importbucket-example"


def main(path: Path) -> int:
    try:
        stack = Stack.load()
        event = signed(path.read_text(), stack)
        answer, failed = invoke(stack, path.name.partition("_")[0], event)
    except (LocalStackError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return 1 if failed else 0


def invoke(stack: Stack, function: str, event: str) -> tuple[Any, bool]:
    """What the function answers, and whether that is an error that it raised."""
    client = stack.client("lambda")
    payload = localised(event, stack.workspace_id, stack.api_key).replace(
        IMPORT_BUCKET, stack.outputs["ImportBucketName"]
    )
    try:
        answer = client.invoke(FunctionName=f"{stack.stack_name}-{function}", Payload=payload)
    except client.exceptions.ResourceNotFoundException:
        raise LocalStackError(f"There is no function {function}.") from None
    return json.load(answer["Payload"]), "FunctionError" in answer


def signed(event: str, stack: Stack) -> str:
    """With a link that the stack has signed, if the sample needs one."""
    return event.replace(LINK, Api(stack).make_link(ACTION)) if LINK in event else event


def localised(event: str, workspace_id: str, api_key: str) -> str:
    """The sample for another workspace, in which the same event has other keys."""
    known, wanted = _names(WORKSPACE_ID, API_KEY), _names(workspace_id, api_key)
    for old, new in zip(known, wanted, strict=True):
        event = event.replace(old, new)
    return event


def _names(workspace_id: str, api_key: str) -> tuple[str, ...]:
    event_key = ids.event_key(workspace_id, EVENT_ID)
    return workspace_id, api_key, event_key, str(ids.request_id(event_key, CONFIG_ID))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: python -m tests.local.demo_invoke events/<function>_<trigger>.json")
    sys.exit(main(Path(sys.argv[1])))
