"""What dispatch and retry are made of: the same parts, another queue in front."""

from functools import cache
from random import random

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.attempts.attempt import PARALLEL, AttemptRunner
from shared.attempts.parts import env, health, ledger, reader, retry_queue
from shared.attempts.pool import ThreadPools
from shared.aws import clients
from shared.aws.runtime import Record, each, message_id
from shared.clock import now_ms
from shared.deliveries.queue import AttemptMessage
from shared.endpoints.admission import AdmissionControl
from shared.endpoints.monitor import Monitor
from shared.endpoints.rate_limit import RateLimiter
from shared.outbound.sender import Sender
from shared.outbound.ssrf import Policy


@cache
def sender() -> Sender:
    return Sender(Policy(allow_private=env().allow_private_targets, ports=env().ports))


@cache
def _monitor() -> Monitor:
    return Monitor(health())


@cache
def _pool() -> ThreadPools:
    return ThreadPools(PARALLEL)


def deliver(records: list[Record], context: LambdaContext) -> list[str]:
    """Attempt what a batch of SQS messages points to; the ids of those that must come again."""
    pointers: dict[str, AttemptMessage] = {}

    def read(record: Record) -> None:
        pointers[message_id(record)] = AttemptMessage.model_validate_json(record["body"])

    unreadable = each(records, message_id, read)
    done = _courier(context).deliver(list(pointers.values())) if pointers else []
    return unreadable + [
        message for message, is_done in zip(pointers, done, strict=True) if not is_done
    ]


def _courier(context: LambdaContext) -> AttemptRunner:
    return AttemptRunner(
        reader=reader(),
        gate=AdmissionControl(health(), RateLimiter(clients.config_table()), random),
        ledger=ledger(),
        sender=sender(),
        monitor=_monitor(),
        retries=retry_queue(),
        clock=now_ms,
        random=random,
        pool=_pool(),
        retention_days=env().retention_days,
        remaining_ms=context.get_remaining_time_in_millis,
    )
