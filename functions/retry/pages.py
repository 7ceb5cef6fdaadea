"""Pages of jobs: a turn message asks for one. Of the sweep, a page is what there is time for."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from functions.retry.sweeping import relay
from shared import jobs, settings
from shared.attempts.release import Releaser
from shared.attempts.wiring import health, ledger, retry_queue
from shared.aws import clients
from shared.aws.runtime import Record, each, message_id
from shared.clock import MS_PER_S, now_ms
from shared.configs.store import ConfigStore
from shared.deliveries.store import DeliveryStore
from shared.events.log import LogReader
from shared.events.store import EventStore
from shared.jobs import JobKind, JobMessage, JobStore
from shared.privacy.content_expiry import ContentExpiry
from shared.privacy.delivery_erasure import DeliveryErasure
from shared.repair.event_scan import EventScan
from shared.repair.relay import Relay
from shared.replays.deliveries import ReplayDeliveries
from shared.replays.eligibility import Eligibility
from shared.replays.replayer import Replayer
from shared.replays.source import ReplaySource
from shared.replays.steps import Steps
from shared.workspaces.store import WorkspaceStore

# A page takes less.
MARGIN_MS = 8 * MS_PER_S
# What a turn of the sweep should have, or it would begin for nothing.
LEAST_SWEEP_MS = 2 * MS_PER_S
# Of overdue jobs in a run, and between two looks at the time.
MAX_OVERDUE = 500
AT_ONCE = 50
PARALLEL = 10


def is_turn(record: Record) -> bool:
    try:
        JobMessage.model_validate_json(record["body"])
    except ValidationError:
        return False
    return True


def do(records: list[Record], context: LambdaContext) -> list[str]:
    """The ids of the messages whose page failed. One for which there is no time is dropped: its
    job is overdue then, and given another turn. Sweeps come last, and share the time."""
    shares = iter(range(len(records), 0, -1))

    def do_page(record: Record) -> None:
        left_ms = context.get_remaining_time_in_millis()
        spare_ms = (left_ms - MARGIN_MS) // next(shares)
        turn = JobMessage.model_validate_json(record["body"])
        if spare_ms > (LEAST_SWEEP_MS if turn.kind is JobKind.SWEEP else 0):
            _worker(turn.kind, has_time(context, left_ms - spare_ms)).turn(turn)

    return each(sorted(records, key=_is_sweep), message_id, do_page)


def requeue_overdue(has_time: Callable[[], bool]) -> None:
    """Those that have waited longest; the next run finds what there are more, or no time for."""
    if not has_time():
        return
    now = now_ms()
    overdue = _jobs().overdue(now, MAX_OVERDUE)
    with ThreadPoolExecutor(PARALLEL) as pool:
        for start in range(0, len(overdue), AT_ONCE):
            if not has_time():
                return
            some = overdue[start : start + AT_ONCE]
            retry_queue().send([job.next_turn for job in some])
            list(pool.map(lambda job: _jobs().requeued(job, now), some))


def has_time(context: LambdaContext, margin_ms: int) -> Callable[[], bool]:
    return lambda: context.get_remaining_time_in_millis() > margin_ms


def _is_sweep(record: Record) -> bool:
    turn = JobMessage.model_validate_json(record["body"])
    return turn.job_id.startswith(jobs.sweep_id(""))


def _worker(
    kind: JobKind, has_time: Callable[[], bool]
) -> Releaser | Replayer | ContentExpiry | Relay:
    match kind:
        case JobKind.RELEASE:
            return _releaser()
        case JobKind.REPLAY:
            return _replayer()
        case JobKind.EMPTYING:
            return _emptier()
        case JobKind.SWEEP:
            return relay(has_time)


@cache
def _jobs() -> JobStore:
    return JobStore(clients.config_table())


@cache
def _releaser() -> Releaser:
    return Releaser(
        jobs=_jobs(),
        configs=ConfigStore(clients.config_table()),
        health=health(),
        deliveries=DeliveryStore(clients.event_table()),
        ledger=ledger(),
        queue=retry_queue(),
        clock=now_ms,
    )


@cache
def _replayer() -> Replayer:
    env = settings.load()
    workspaces = WorkspaceStore(clients.config_table())
    return Replayer(
        steps=Steps(clients.config_table(), env.retention_days),
        configs=ConfigStore(clients.config_table()),
        health=health(),
        source=ReplaySource(clients.event_table()),
        eligibility=Eligibility(clients.event_table(), workspaces, env.retention_days, now_ms),
        deliveries=ReplayDeliveries(clients.event_table(), env.retention_days, env.repair_after_s),
        queue=retry_queue(),
        clock=now_ms,
    )


@cache
def _emptier() -> ContentExpiry:
    env = settings.load()
    days, repair_after_s = env.retention_days, env.repair_after_s
    return ContentExpiry(
        jobs=_jobs(),
        workspaces=WorkspaceStore(clients.config_table()),
        logs=LogReader(clients.event_table()),
        events=EventStore(clients.event_table(), days, repair_after_s),
        deliveries=DeliveryErasure(clients.event_table()),
        unseen=EventScan(clients.config_table(), clients.event_table(), repair_after_s, now_ms),
        queue=retry_queue(),
        clock=now_ms,
        stack_days=days,
    )
