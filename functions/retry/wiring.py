"""What the pages of jobs are made of, and which kind of job has which page."""

from collections.abc import Callable
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
from shared.jobs import Job, JobKind, JobMessage, JobPage, JobRunner, JobStore
from shared.privacy.content_expiry import ContentExpiry
from shared.privacy.delivery_erasure import DeliveryErasure
from shared.repair.event_scan import EventScan
from shared.replays.deliveries import ReplayDeliveries
from shared.replays.eligibility import Eligibility
from shared.replays.replayer import Replayer
from shared.replays.source import ReplaySource
from shared.replays.store import ReplayStore
from shared.workspaces.store import WorkspaceStore

# A page takes less.
MARGIN_MS = 8 * MS_PER_S


def is_job(record: Record) -> bool:
    """Whether the message asks for a page of a job, and not for an attempt."""
    try:
        JobMessage.model_validate_json(record["body"])
    except ValidationError:
        return False
    return True


def run_jobs(records: list[Record], context: LambdaContext) -> list[str]:
    """The ids of the messages whose page failed.

    A message for which there is no time is dropped: its job is overdue then, and repair queues
    another message.
    """

    def run(record: Record) -> None:
        if context.get_remaining_time_in_millis() > MARGIN_MS:
            message = JobMessage.model_validate_json(record["body"])
            _runner().run(message, _PAGES[message.kind]())

    return each(records, message_id, run)


@cache
def _runner() -> JobRunner:
    return JobRunner(JobStore(clients.config_table()), retry_queue(), now_ms)


@cache
def _release() -> Callable[[Job], JobPage]:
    return Releaser(
        configs=ConfigStore(clients.config_table()),
        health=health(),
        deliveries=DeliveryStore(clients.event_table()),
        ledger=ledger(),
        queue=retry_queue(),
        clock=now_ms,
    ).page


@cache
def _replay() -> Callable[[Job], JobPage]:
    env = settings.load()
    configs, events = clients.config_table(), clients.event_table()
    return Replayer(
        replays=ReplayStore(configs, env.retention_days),
        configs=ConfigStore(configs),
        health=health(),
        source=ReplaySource(events),
        eligibility=Eligibility(events, WorkspaceStore(configs), env.retention_days, now_ms),
        deliveries=ReplayDeliveries(events, env.retention_days, env.repair_after_s),
        queue=retry_queue(),
        clock=now_ms,
    ).page


@cache
def _content_expiry() -> Callable[[Job], JobPage]:
    env = settings.load()
    configs, events = clients.config_table(), clients.event_table()
    return ContentExpiry(
        workspaces=WorkspaceStore(configs),
        logs=LogReader(events),
        events=EventStore(events, env.retention_days, env.repair_after_s),
        deliveries=DeliveryErasure(events),
        event_scan=EventScan(configs, events, env.repair_after_s, now_ms),
        clock=now_ms,
        stack_days=env.retention_days,
    ).page


_PAGES: dict[JobKind, Callable[[], Callable[[Job], JobPage]]] = {
    JobKind.RELEASE: _release,
    JobKind.REPLAY: _replay,
    JobKind.CONTENT_EXPIRY: _content_expiry,
}
