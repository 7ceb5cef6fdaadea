"""Actions as a client written for Funnelytics sends them."""

import json
from collections.abc import Callable
from typing import Any

from functions.ingest import wiring
from functions.ingest.routes.funnelytics import accept_action
from shared.errors import ConflictError
from shared.web.operations import RawBody
from shared.workspaces.models import Caller
from tests import factories
from tests.integration.world import Reply, World

COMMERCE = "__commerce_action__"


def post(
    world: World, body: Any, action: str = "Demo", key: str | None = None, project: str = ""
) -> Reply:
    headers = {
        "x-api-key": world.key if key is None else key,
        "x-project-id": project or world.workspace_id,
        "authorization": "",
    }
    return world.call("POST", f"/api/v1/webhook/{action}", body, headers=headers)


def at_once(world: World) -> Callable[[dict[str, Any]], int]:
    """The operation itself, because a worker's resolver serves one request at a time."""
    post(world, {"refused": {}})  # the worker reads its settings
    workspace = wiring.workspaces().get(world.workspace_id)
    caller = Caller(key=factories.api_key(), workspace=workspace)

    def send(body: dict[str, Any]) -> int:
        raw = RawBody(
            content=json.dumps(body).encode(), headers={"content-type": "application/json"}
        )
        try:
            accept_action(caller, "Demo", raw)
        except ConflictError:
            return 409
        return 202

    return send
