"""Later attempts and pages of jobs from the retry queue; on a schedule, whatever is due or lost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.retry import pages
from shared import aws, settings
from shared.batch import failures
from shared.clock import MS_PER_S, now_ms
from shared.configs.store import ConfigStore
from shared.delivery.fanout import remembering
from shared.delivery.parts import retry_queue
from shared.delivery.sweep import Sweep, Swept
from shared.delivery.unseen import Unseen
from shared.delivery.wake import WakeIndex
from shared.delivery.wiring import deliver
from shared.garbage import collected_when_warm
from shared.metrics import BEHIND, measured
from shared.observability import logger

# A page of the index takes less, and so do some jobs; what is left is found a minute later.
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
        swept = _swept(_has_time(context, MARGIN_MS + JOBS_MS)).model_dump()
        logger.info("swept", **swept | measured({BEHIND: swept["behind_ms"]}))
        return swept
    finally:  # neither waits for the other to be mended
        pages.requeue_overdue(_has_time(context, MARGIN_MS))


def _has_time(context: LambdaContext, margin_ms: int) -> Callable[[], bool]:
    return lambda: context.get_remaining_time_in_millis() > margin_ms


def _swept(has_time: Callable[[], bool]) -> Swept:
    env, dynamodb = settings.load(), aws.dynamodb()
    repair_after_s = env.repair_after_s
    whole = Sweep(
        wake=WakeIndex(dynamodb, env.event_table, env.retention_days, repair_after_s),
        unseen=Unseen(dynamodb, env.event_table, env.config_table, repair_after_s, now_ms),
        queue=retry_queue(),
        ask=remembering(ConfigStore(dynamodb, env.config_table)),
        clock=now_ms,
        has_time=has_time,
    )
    return whole.run()
