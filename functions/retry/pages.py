"""Pages of jobs: a job message asks for one."""

from functools import cache

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from shared import settings
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
from shared.replays.deliveries import ReplayDeliveries
from shared.replays.eligibility import Eligibility
from shared.replays.replayer import Replayer
from shared.replays.source import ReplaySource
from shared.replays.steps import Steps
from shared.workspaces.store import WorkspaceStore

# A page takes less.
MARGIN_MS = 8 * MS_PER_S


def is_turn(record: Record) -> bool:
    try:
        JobMessage.model_validate_json(record["body"])
    except ValidationError:
        return False
    return True


def do(records: list[Record], context: LambdaContext) -> list[str]:
    """The ids of the messages whose page failed.

    A message for which there is no time is dropped: its job is overdue then, and repair queues
    another message.
    """

    def do_page(record: Record) -> None:
        if context.get_remaining_time_in_millis() > MARGIN_MS:
            turn = JobMessage.model_validate_json(record["body"])
            _worker(turn.kind).turn(turn)

    return each(records, message_id, do_page)


def _worker(kind: JobKind) -> Releaser | Replayer | ContentExpiry:
    match kind:
        case JobKind.RELEASE:
            return _releaser()
        case JobKind.REPLAY:
            return _replayer()
        case JobKind.EMPTYING:
            return _emptier()


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
