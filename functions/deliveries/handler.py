"""Events, deliveries with their attempts, replays and visitors over HTTPS."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.deliveries.routes import clickfunnels, deliveries, events, replays, visitors
from functions.deliveries.wiring import api
from shared.aws.runtime import collected_when_warm
from shared.web.operations import api_for

# The routes are imported because they declare operations of `api`.
__all__ = ["APIS", "deliveries", "events", "lambda_handler", "replays", "visitors"]

APIS = {"": api, clickfunnels.PREFIX: clickfunnels.api}


@collected_when_warm
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return api_for(event, APIS).handle(event, context)
