"""Later attempts and pages of jobs, from the retry queue."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.retry import pages
from shared.attempts.wiring import deliver
from shared.aws.runtime import collected_when_warm, failures
from shared.outbound import sender  # noqa: F401 -- its imports take long: as the process starts


@collected_when_warm
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    turns = [record for record in event["Records"] if pages.is_turn(record)]
    attempts = [record for record in event["Records"] if record not in turns]
    if not turns:
        return failures(deliver(attempts, context))
    with ThreadPoolExecutor(1) as pool:
        paging = pool.submit(pages.do, turns, context)
        return failures(deliver(attempts, context) + paging.result())
