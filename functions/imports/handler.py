"""Objects of JSON Lines in the import bucket become events."""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared import settings
from shared.aws import clients
from shared.aws.dead_letters import DeadLetters, dead_letter
from shared.aws.runtime import Record, collected_when_warm, each, failures, message_id
from shared.clock import MS_PER_S, now_ms
from shared.errors import InvalidError
from shared.events.accept import Acceptor
from shared.events.own_types import EventTypeStore
from shared.events.schema_check import SchemaChecker
from shared.events.store import EventStore
from shared.imports.bucket import ImportBucket
from shared.imports.importer import Importer
from shared.imports.messages import job_in, message_of
from shared.imports.models import ImportJob, ImportState, Tally
from shared.metrics import ACCEPTED, DUPLICATES, REFUSED_LINES, Metric, measured
from shared.observability import logger
from shared.retention import Retention
from shared.workspaces.store import WorkspaceStore

# A batch of lines takes less, and so do the report and the message that follow it.
MARGIN_MS = 20 * MS_PER_S


@collected_when_warm
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """A run for each message; an import that has not come to its end goes on by another one."""

    def work(record: Record) -> None:
        try:
            _run(job_in(record["body"], now_ms()), context)
        except InvalidError as error:
            _dead_letters().put([dead_letter(record["body"], message_id(record), error)])

    return failures(each(event["Records"], message_id, work))


def _run(job: ImportJob, context: LambdaContext) -> None:
    about: dict[str, Any] = job.source.model_dump()
    run = _importer(context).run(job)
    if run is None:
        logger.info("import.gone", **about)
        return
    about |= {"state": run.state, "lines": run.job.position.line}
    logger.info("import.run", **about, **measured(_counts(job.tally, run.job.tally)))
    if run.state is ImportState.RUNNING:
        queue_url = settings.resource("IMPORT_QUEUE_URL")
        clients.sqs().send_message(QueueUrl=queue_url, MessageBody=message_of(run.job))


def _counts(before: Tally, after: Tally) -> dict[Metric, int]:
    """What this run added, as `ingest` counts it: no line of a file has a log line of its own."""
    return {
        ACCEPTED: after.accepted - before.accepted,
        DUPLICATES: after.repeated - before.repeated,
        REFUSED_LINES: after.refused - before.refused,
    }


def _importer(context: LambdaContext) -> Importer:
    bucket, door = _parts()
    return Importer(
        bucket=bucket,
        door=door,
        retention_of=_retention_of,
        clock=now_ms,
        has_time=lambda: context.get_remaining_time_in_millis() > MARGIN_MS,
    )


@cache
def _parts() -> tuple[ImportBucket, Acceptor]:
    env = settings.load()
    store = EventStore(clients.event_table(), env.retention_days, env.repair_after_s)
    types = EventTypeStore(clients.config_table())
    door = Acceptor(store, SchemaChecker(types.find_schema, now_ms), now_ms)
    return ImportBucket(clients.s3()), door


def _retention_of(workspace_id: str) -> Retention:
    env = settings.load()
    workspace = WorkspaceStore(clients.config_table()).get(workspace_id)
    return workspace.retention(env.retention_days)


@cache
def _dead_letters() -> DeadLetters:
    return DeadLetters(clients.sqs(), settings.resource("DEAD_LETTERS_URL"), now_ms)
