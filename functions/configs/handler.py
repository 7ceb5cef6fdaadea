"""Webhook configs, categories, keys and action links over HTTPS, in the APIs of three systems.

An operator invokes the function directly to make a workspace or to change its settings.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.configs.routes import (
    action_links,
    apikeys,
    categories,
    clickfunnels,
    eventtypes,
    flowestate,
    moving,
    public,
    webhook_configs,
)
from functions.configs.wiring import api, env, workspaces
from shared.aws.runtime import collected_when_warm
from shared.clock import now_ms
from shared.web.operations import api_for, is_http
from shared.workspaces.provisioning import read, run

# The routes are imported because they declare operations of `api`.
__all__ = [
    "action_links",
    "api",
    "apikeys",
    "categories",
    "eventtypes",
    "lambda_handler",
    "moving",
    "public",
    "webhook_configs",
]


APIS = {"": api, flowestate.PREFIX: flowestate.api, clickfunnels.PREFIX: clickfunnels.api}


@collected_when_warm
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    if is_http(event):
        return api_for(event, APIS).handle(event, context)
    return run(read(event), workspaces(), now_ms, env().retention_days).model_dump()
