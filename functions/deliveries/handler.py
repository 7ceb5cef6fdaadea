"""What happened: events, deliveries and their attempts, and visitors, over HTTPS."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.deliveries.routes import clickfunnels, replays, sending, visitors
from functions.deliveries.routes.log import api
from shared.aws.runtime import collected_when_warm
from shared.web.operations import api_for

# Imported for the operations that they declare.
__all__ = ["APIS", "lambda_handler", "replays", "sending", "visitors"]

APIS = {"": api, clickfunnels.PREFIX: clickfunnels.api}


@collected_when_warm
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return api_for(event, APIS).handle(event, context)
