"""The parts that attempts are made of, made once for the process.

`dispatch` and `retry` send with them; `deliveries` reads and changes deliveries with some of them.
"""

from functools import cache
from random import random
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared import settings
from shared.attempts.attempt import PARALLEL, AttemptRunner, ThreadPools
from shared.attempts.reader import AttemptReader
from shared.aws import clients
from shared.aws.runtime import Record, each, message_id
from shared.clock import now_ms
from shared.deliveries.ledger import Ledger
from shared.deliveries.queue import AttemptMessage, Queue
from shared.endpoints.admission import AdmissionControl
from shared.endpoints.monitor import Monitor
from shared.endpoints.rate_limit import RateLimiter
from shared.endpoints.store import HealthStore
from shared.events.store import EventStore
from shared.outbound.ssrf import Policy

if TYPE_CHECKING:
    from shared.outbound.sender import Sender


def deliver(records: list[Record], context: LambdaContext) -> list[str]:
    """Make the attempts that a batch of SQS messages asks for.

    Returns the ids of the messages that must come again.
    """
    messages: dict[str, AttemptMessage] = {}

    def read(record: Record) -> None:
        messages[message_id(record)] = AttemptMessage.model_validate_json(record["body"])

    undone = each(records, message_id, read)
    done = _runner(context).run(list(messages.values())) if messages else []
    return undone + [
        record_id for record_id, is_done in zip(messages, done, strict=True) if not is_done
    ]


def _runner(context: LambdaContext) -> AttemptRunner:
    return AttemptRunner(
        reader=reader(),
        admission_control=admission_control(),
        ledger=ledger(),
        sender=sender(),
        monitor=_monitor(),
        retries=retry_queue(),
        clock=now_ms,
        random=random,
        pools=_pools(),
        retention_days=env().retention_days,
        remaining_ms=context.get_remaining_time_in_millis,
    )


@cache
def env() -> settings.Settings:
    return settings.load()


@cache
def retry_queue() -> Queue:
    return Queue(clients.sqs(), settings.resource("RETRY_QUEUE_URL"))


@cache
def ledger() -> Ledger:
    return Ledger(clients.event_table(), env().retention_days, env().repair_after_s)


@cache
def reader() -> AttemptReader:
    return AttemptReader(clients.config_table(), clients.event_table())


@cache
def health() -> HealthStore:
    events = EventStore(clients.event_table(), env().retention_days, env().repair_after_s)
    return HealthStore(clients.config_table(), events)


@cache
def admission_control() -> AdmissionControl:
    return AdmissionControl(health(), RateLimiter(clients.config_table()), random)


@cache
def sender() -> "Sender":
    from shared.outbound.sender import Sender  # requests comes with it, which readers do not need

    return Sender(Policy(allow_private=env().allow_private_targets, ports=env().ports))


@cache
def _monitor() -> Monitor:
    return Monitor(health())


@cache
def _pools() -> ThreadPools:
    return ThreadPools(PARALLEL)
