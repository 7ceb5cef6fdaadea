"""What happened: events, deliveries and their attempts, and visitors, over HTTPS."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.deliveries import visitors
from functions.deliveries.api import api

# Imported for the operations that it declares.
__all__ = ["api", "lambda_handler", "visitors"]


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return api.handle(event, context)
