"""Objects of JSON Lines in the import bucket become events."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.imports.wiring import importer
from shared.aws.runtime import collected_when_warm, each, failures, message_id
from shared.clock import MS_PER_S

# A batch of lines takes less, and so do the report and the message that follow it.
MARGIN_MS = 20 * MS_PER_S


@collected_when_warm
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    def has_time() -> bool:
        return context.get_remaining_time_in_millis() > MARGIN_MS

    return failures(each(event["Records"], message_id, importer(has_time).receive))
