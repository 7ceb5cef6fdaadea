"""First attempts: a batch of pointer messages from the dispatch queue."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.delivery.wiring import deliver


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return deliver(event, context)
