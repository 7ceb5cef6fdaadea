"""Later attempts and pages of jobs, from the retry queue."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.retry.wiring import is_job, run_jobs
from shared.attempts.wiring import deliver
from shared.aws.runtime import collected_when_warm, failures
from shared.outbound import sender  # noqa: F401 -- its imports take long: as the process starts


@collected_when_warm
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    jobs = [record for record in event["Records"] if is_job(record)]
    attempts = [record for record in event["Records"] if record not in jobs]
    if not jobs:
        return failures(deliver(attempts, context))
    with ThreadPoolExecutor(1) as pool:
        failed = pool.submit(run_jobs, jobs, context)
        return failures(deliver(attempts, context) + failed.result())
