"""Accepted events from the stream of EventTable become pointer messages.

What the platform tells of itself goes onto the bus besides.
"""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared import settings
from shared.aws import clients
from shared.aws.dead_letters import DeadLetters
from shared.aws.items import from_item
from shared.aws.runtime import Record, collected_when_warm, each, failures
from shared.clock import MS_PER_S, now_ms
from shared.configs.store import ConfigStore
from shared.deliveries.fanout import first_pointers, remembering, send_all
from shared.deliveries.queue import AttemptMessage, Queue
from shared.events import operational
from shared.events.bus import Bus, untold
from shared.events.models import Event
from shared.events.store import event_from
from shared.metrics import FANNED_OUT, measured
from shared.observability import logger

# A chunk of messages takes less.
MARGIN_MS = 10 * MS_PER_S


@cache
def _parts() -> tuple[ConfigStore, Queue, Bus, DeadLetters]:
    return (
        ConfigStore(clients.config_table()),
        Queue(clients.sqs(), settings.resource("DISPATCH_QUEUE_URL")),
        Bus(clients.events, settings.resource("EVENT_BUS")),
        DeadLetters(clients.sqs(), settings.resource("DEAD_LETTERS_URL"), now_ms),
    )


@collected_when_warm
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """A record that cannot be read comes back alone, and so does what there was no time for; if SQS
    fails, the whole batch does. A bus that fails holds up nobody's deliveries."""
    configs, queue, bus, dead_letters = _parts()
    ask = remembering(configs)
    events, pointers = dict[str, Event](), dict[str, list[AttemptMessage]]()

    def collect(record: Record) -> None:
        number = _sequence_number(record)
        events[number] = event_from(from_item(record["dynamodb"]["NewImage"]))
        pointers[number] = first_pointers(events[number], ask)

    def tell(record: Record) -> None:
        event = events[_sequence_number(record)]
        if operational.is_operational(event.event_id):
            bus.put(event)

    failed = each(event["Records"], _sequence_number, collect)
    failed += send_all(queue, pointers, lambda: context.get_remaining_time_in_millis() > MARGIN_MS)
    sent = [record for record in event["Records"] if _sequence_number(record) not in failed]
    dead_letters.put([untold(events[number]) for number in each(sent, _sequence_number, tell)])
    deliveries = sum(map(len, pointers.values()))
    logger.info("fanned_out", events=len(sent), **measured({FANNED_OUT: deliveries}))
    return failures(failed)


def _sequence_number(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])
