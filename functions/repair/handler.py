"""Every minute: whatever is due soon, or was lost, goes back into the retry queue."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.repair.wiring import sweeper
from shared.aws.runtime import collected_when_warm


@collected_when_warm
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """`part` and `parts` are for a stack that splits its runs (docs/scale.md)."""
    swept = sweeper(context).run(event.get("part", 0), event.get("parts", 1))
    return swept.model_dump()
