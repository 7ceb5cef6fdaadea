"""What happened: events, deliveries and their attempts, over HTTPS."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.deliveries.api import api


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return api.handle(event, context)
