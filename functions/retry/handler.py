"""Later attempts and pages of jobs from the retry queue; on a schedule, whatever is due or lost."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.retry import pages
from functions.retry.sweeping import relay
from shared.attempts.wiring import deliver
from shared.aws.runtime import collected_when_warm, failures
from shared.clock import MS_PER_S
from shared.outbound import sender  # noqa: F401 -- its imports take long: as the process starts

# A page of the index takes less, and so do some jobs; what is left is passed on or found later.
MARGIN_MS = 5 * MS_PER_S
# What the jobs have to themselves, after the index, whatever that leaves undone.
JOBS_MS = 5 * MS_PER_S


@collected_when_warm
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    if event.get("operation") == "sweep":
        return sweep(context)
    turns = [record for record in event["Records"] if pages.is_turn(record)]
    attempts = [record for record in event["Records"] if record not in turns]
    if not turns:
        return failures(deliver(attempts, context))
    with ThreadPoolExecutor(1) as pool:
        paging = pool.submit(pages.do, turns, context)
        return failures(deliver(attempts, context) + paging.result())


def sweep(context: LambdaContext) -> dict[str, Any]:
    """The wake index first: jobs are begun by tenants, as many as they like."""
    try:
        return relay(pages.has_time(context, MARGIN_MS + JOBS_MS)).run().model_dump()
    finally:  # neither waits for the other to be mended
        pages.requeue_overdue(pages.has_time(context, MARGIN_MS))
