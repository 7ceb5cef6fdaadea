"""Accepted events, from the stream of EventTable, become attempt messages."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.fanout.wiring import fanout
from shared.aws.runtime import collected_when_warm, failures
from shared.clock import MS_PER_S

# A chunk of messages takes less.
MARGIN_MS = 10 * MS_PER_S


@collected_when_warm
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    def has_time() -> bool:
        return context.get_remaining_time_in_millis() > MARGIN_MS

    return failures(fanout().run(event["Records"], has_time))
