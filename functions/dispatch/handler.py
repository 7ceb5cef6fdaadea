"""First attempts: a batch of attempt messages from the dispatch queue."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.attempts.wiring import deliver
from shared.aws.runtime import collected_when_warm, failures
from shared.outbound import sender  # noqa: F401 -- its imports take long: as the process starts


@collected_when_warm
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return failures(deliver(event["Records"], context))
