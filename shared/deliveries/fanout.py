"""An event becomes deliveries: one for each config that wants it, always with the same ids."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from shared import ids
from shared.aws.dead_letters import DeadLetters
from shared.aws.items import from_item
from shared.aws.runtime import Record, each
from shared.configs.store import ConfigStore
from shared.configs.triggers import ALL_TYPES, Interest, interested
from shared.deliveries.queue import AttemptMessage, Queue
from shared.events.models import Event, config_of, is_operational
from shared.events.operational import Bus, not_put
from shared.events.store import event_from
from shared.observability import FANNED_OUT, logger, measured

# So many messages are sent between two looks at the time.
CHUNK = 2_000

Wanting = Callable[[str, str], list[Interest]]


class Fanout:
    def __init__(
        self, configs: ConfigStore, queue: Queue, bus: Bus, dead_letters: DeadLetters
    ) -> None:
        self._configs = configs
        self._queue = queue
        self._bus = bus
        self._dead_letters = dead_letters

    def run(self, records: Sequence[Record], has_time: Callable[[], bool]) -> list[str]:
        """The sequence numbers of the records that failed, or for which there was no time.

        A record that cannot be read fails alone. If SQS fails, the exception is raised, and the
        whole batch comes back. A bus that fails delays no delivery.
        """
        ask = remembering(self._configs)
        events, messages = dict[str, Event](), dict[str, list[AttemptMessage]]()

        def read(record: Record) -> None:
            number = _sequence_number(record)
            events[number] = event_from(from_item(record["dynamodb"]["NewImage"]))
            messages[number] = first_messages(events[number], ask)

        failed = each(records, _sequence_number, read)
        failed += send_all(self._queue, messages, has_time)
        sent = [record for record in records if _sequence_number(record) not in failed]
        self._put_on_bus(sent, events)
        deliveries = sum(map(len, messages.values()))
        logger.info("fanned_out", events=len(sent), **measured({FANNED_OUT: deliveries}))
        return failed

    def _put_on_bus(self, records: Sequence[Record], events: Mapping[str, Event]) -> None:
        """The operational events among the records; one that fails becomes a dead letter."""

        def put(record: Record) -> None:
            self._bus.put(events[_sequence_number(record)])

        operational = [
            record
            for record in records
            if is_operational(events[_sequence_number(record)].event_id)
        ]
        failed = each(operational, _sequence_number, put)
        if failed:
            self._dead_letters.put([not_put(events[number]) for number in failed])


def remembering(configs: ConfigStore) -> Wanting:
    """Reads once for each workspace and event type. Keep the result for one batch, not longer."""
    known = cache(configs.interests)

    def ask(workspace_id: str, event_type: str) -> list[Interest]:
        return known(workspace_id, event_type) + known(workspace_id, ALL_TYPES)

    return ask


def first_messages(event: Event, ask: Wanting) -> list[AttemptMessage]:
    """An event that names its configs goes to them, whatever their triggers.

    A config gets no operational event about itself: most say that it cannot be reached.
    """
    config_ids = event.config_ids or interested(event, ask(event.workspace_id, event.event_type))
    if is_operational(event.event_id):
        config_ids = [one for one in config_ids if one != config_of(event)]
    return [
        AttemptMessage(
            workspace_id=event.workspace_id,
            config_id=config_id,
            request_id=ids.request_id(event.key, config_id),
            attempt=1,
        )
        for config_id in config_ids
    ]


def send_all(
    queue: Queue, messages: Mapping[str, Sequence[AttemptMessage]], has_time: Callable[[], bool]
) -> list[str]:
    """Send the messages of each record, in order. Returns the records left for want of time."""
    chunk, unsent = list[AttemptMessage](), list[str]()
    names = iter(messages)
    for name in names:
        chunk.extend(messages[name])
        unsent.append(name)
        if len(chunk) < CHUNK:
            continue
        if not has_time():
            return [*unsent, *names]
        queue.send(chunk)
        chunk, unsent = [], []
    queue.send(chunk)
    return []


def _sequence_number(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])
