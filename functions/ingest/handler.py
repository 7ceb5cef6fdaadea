"""Accepts events over HTTPS, from EventBridge and the intake queue, and by direct invocation."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.ingest import wiring
from functions.ingest.routes import actions, funnelytics
from functions.ingest.routes.events import api
from shared.aws.runtime import collected_when_warm, each, failures, message_id
from shared.observability import logger
from shared.web.operations import is_http

# Imported for the operations that they declare.
__all__ = ["actions", "api", "funnelytics", "lambda_handler"]


@collected_when_warm
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    if is_http(event):
        return api.handle(event, context)
    logger.set_correlation_id(context.aws_request_id)
    if "Records" in event:
        return failures(each(event["Records"], message_id, wiring.intake().receive))
    return wiring.intake().invoke(event, context.aws_request_id)
