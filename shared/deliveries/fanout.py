"""An event becomes deliveries: one for each config that wants it, always with the same ids."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from shared import ids
from shared.configs.models import ALL_TYPES, Interest, interested
from shared.configs.store import ConfigStore
from shared.deliveries.queue import AttemptMessage, Queue
from shared.events import operational
from shared.events.models import Event

# So many messages are on their way at a time; between them the time is looked at.
CHUNK = 2_000

Wanting = Callable[[str, str], list[Interest]]


def remembering(configs: ConfigStore) -> Wanting:
    """Asks once for each workspace and event type. For the length of a batch, not longer."""
    known = cache(configs.interests)

    def ask(workspace_id: str, event_type: str) -> list[Interest]:
        return known(workspace_id, event_type) + known(workspace_id, ALL_TYPES)

    return ask


def first_pointers(event: Event, ask: Wanting) -> list[AttemptMessage]:
    """An event that names its configs goes to them, whatever their triggers.

    No config is told of itself: what it is told of is, most often, that it cannot be told.
    """
    config_ids = event.config_ids or interested(event, ask(event.workspace_id, event.event_type))
    if operational.is_operational(event.event_id):
        config_ids = [one for one in config_ids if one != operational.config_of(event)]
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
    queue: Queue, pointers: Mapping[str, Sequence[AttemptMessage]], has_time: Callable[[], bool]
) -> list[str]:
    """Send the pointers of each record, in order. The records for which there was no time."""
    chunk, unsent = list[AttemptMessage](), list[str]()
    names = iter(pointers)
    for name in names:
        chunk.extend(pointers[name])
        unsent.append(name)
        if len(chunk) < CHUNK:
            continue
        if not has_time():
            return [*unsent, *names]
        queue.send(chunk)
        chunk, unsent = [], []
    queue.send(chunk)
    return []
