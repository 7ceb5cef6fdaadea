"""Webhook configs over HTTPS. Invoked directly, it makes the first workspace and key."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from functions.configs.api import app
from functions.configs.parts import workspaces
from shared.api.resolver import is_http, resolve
from shared.api.validation import invalid
from shared.clock import now_ms
from shared.workspaces.bootstrap import Bootstrap, bootstrap


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    if is_http(event):
        return resolve(app, event, context)
    try:
        command = Bootstrap.model_validate(event)
    except ValidationError as error:
        raise invalid(error) from None
    return bootstrap(command, workspaces(), now_ms).model_dump()
