"""An event becomes deliveries: one for each config that wants it, always with the same ids."""

from collections.abc import Callable

from shared import ids
from shared.configs.store import ConfigStore
from shared.configs.triggers import Wanted, wanting
from shared.delivery.queues import Pointer
from shared.events.models import Event

Wanting = Callable[[str, str], list[Wanted]]


def remembering(configs: ConfigStore) -> Wanting:
    """Asks once for each workspace and event type. For the length of a batch, not longer."""
    known: dict[tuple[str, str], list[Wanted]] = {}

    def ask(workspace_id: str, event_type: str) -> list[Wanted]:
        question = (workspace_id, event_type)
        if question not in known:
            known[question] = configs.wanting(*question)
        return known[question]

    return ask


def first_pointers(event: Event, ask: Wanting) -> list[Pointer]:
    """An event that names its configs goes to them, whatever their triggers."""
    config_ids = event.config_ids or wanting(event, ask(event.workspace_id, event.event_type))
    return [
        Pointer(
            workspace_id=event.workspace_id,
            config_id=config_id,
            request_id=ids.request_id(event.key, config_id),
            attempt=1,
        )
        for config_id in config_ids
    ]
