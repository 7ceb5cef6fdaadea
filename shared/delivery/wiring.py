"""What dispatch and retry are made of: the same parts, another queue in front."""

from functools import cache
from random import random
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared import aws, settings
from shared.batch import Record, each, failures, message_id
from shared.clock import now_ms
from shared.delivery.courier import Courier
from shared.delivery.guard import Policy
from shared.delivery.ledger import Ledger
from shared.delivery.queues import Pointer, Queue
from shared.delivery.reader import Reader
from shared.delivery.sender import Sender


@cache
def _settings() -> settings.Settings:
    return settings.load()


@cache
def retry_queue() -> Queue:
    return Queue(aws.sqs(), _settings().retry_queue_url)


@cache
def _sender() -> Sender:
    env = _settings()
    return Sender(Policy(allow_private=env.allow_private_targets, ports=env.ports))


def deliver(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Attempt every delivery that a batch of SQS messages points to."""
    pointers: dict[str, Pointer] = {}

    def read(record: Record) -> None:
        pointers[message_id(record)] = Pointer.model_validate_json(record["body"])

    unreadable = each(event["Records"], message_id, read)
    done = _courier(context).deliver(list(pointers.values()))
    undone = [message for message, is_done in zip(pointers, done, strict=True) if not is_done]
    return failures(unreadable + undone)


def _courier(context: LambdaContext) -> Courier:
    env = _settings()
    return Courier(
        reader=Reader(aws.dynamodb(), env.config_table, env.event_table),
        ledger=Ledger(aws.dynamodb(), env.event_table, env.retention_days, env.repair_after_s),
        sender=_sender(),
        retries=retry_queue(),
        clock=now_ms,
        random=random,
        remaining_ms=context.get_remaining_time_in_millis,
    )
