"""Accepted events from the stream of EventTable become pointer messages."""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared import aws, settings
from shared.batch import Record, each, failures
from shared.configs.store import ConfigStore
from shared.delivery.fanout import first_pointers, remembering
from shared.delivery.queues import Pointer, Queue
from shared.events.store import event_from
from shared.observability import logger


@cache
def _parts() -> tuple[ConfigStore, Queue]:
    env = settings.load()
    return (
        ConfigStore(aws.dynamodb(), env.config_table),
        Queue(aws.sqs(), env.dispatch_queue_url),
    )


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """A record that cannot be read comes back alone; if SQS fails, the whole batch does."""
    configs, queue = _parts()
    ask, pointers = remembering(configs), list[Pointer]()

    def collect(record: Record) -> None:
        image = aws.from_item(record["dynamodb"]["NewImage"])
        pointers.extend(first_pointers(event_from(image), ask))

    failed = each(event["Records"], _sequence_number, collect)
    queue.send(pointers)
    logger.info("fanned_out", events=len(event["Records"]), deliveries=len(pointers))
    return failures(failed)


def _sequence_number(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])
