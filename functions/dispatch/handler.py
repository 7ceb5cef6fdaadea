"""First attempts: a batch of pointer messages from the dispatch queue."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.aws.batch import failures
from shared.aws.garbage import collected_when_warm
from shared.delivery.wiring import deliver


@collected_when_warm
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return failures(deliver(event["Records"], context))
