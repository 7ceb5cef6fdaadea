"""A workspace with its configs on the engine, what it must deliver, and how it comes to rest."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID

from shared.ids import event_key, request_id
from shared.standalone.engine.tables import Key
from shared.standalone.engine.template import Json
from shared.tables import event_table
from tests import factories
from tests.faults.clients import Clients
from tests.faults.engine.cloud import LATENCY_MS, Cloud, new_cloud
from tests.faults.engine.faults import NoFaults

UNLIMITED = {"events_per_second": 1_000_000, "requests_per_minute": 1_000_000}


class Config(NamedTuple):
    """Wants the events of its funnel; `waits_s` is its retry schedule, empty for the dialect's."""

    id: str
    funnel: str
    waits_s: tuple[int, ...] = ()


class Wanted(NamedTuple):
    """A delivery that there must be."""

    request_id: UUID
    event_id: str
    config_id: str


class World:
    """`disabled` are the configs that ever were, if only for a moment."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.configs: dict[str, Config] = {}
        self.disabled: set[str] = set()
        command = {"operation": "bootstrap", "name": "Test", "limits": UNLIMITED}
        made = cloud.simulation.run(lambda: cloud.invoke("configs", command))
        self.workspace_id: str = made["workspace_id"]
        self.clients = Clients(cloud, self.workspace_id, made["api_key"])
        self._wanted: dict[str, list[Wanted]] = {}

    def advance(self, seconds: float) -> None:
        self.cloud.simulation.advance(round(seconds * 1000))

    def make_config(self, config: Config) -> None:
        self.configs[config.id] = config
        answer = self._call("POST", "/v1/webhookconfig/save", _saved(config))
        assert answer["statusCode"] == 201, answer

    def enable(self, config_id: str, is_enabled: bool) -> None:
        """The call may fail, as any other."""
        if not is_enabled:
            self.disabled.add(config_id)
        saved = _saved(self.configs[config_id]) | {"enabled": is_enabled}
        self._call("PUT", "/v1/webhookconfig/save", saved)

    def jump(self, skew_ms: int) -> None:
        """All clocks are wrong by so much from now on."""
        self.cloud.skew_ms = skew_ms
        for task in self.cloud.simulation.tasks:
            task.group.was_skewed = True

    # ── What is expected ──────────────────────────────────────────────────────────────────────────

    def stored(self) -> Iterator[tuple[str, str]]:
        """Ids and funnels of the events that were answered 2xx, or are stored all the same."""
        yield from self.clients.accepted.items()
        items = self.cloud.database.tables["EventTable"].items
        for event_id, funnel in self.clients.unanswered.items():
            if self._item_key(event_id) in items:
                yield event_id, funnel

    def wanted(self) -> Iterator[Wanted]:
        for event_id, funnel in self.stored():
            if event_id not in self._wanted:
                self._wanted[event_id] = self._deliveries(event_id, funnel)
            yield from self._wanted[event_id]

    def waits(self, config_id: str) -> int:
        """How many waits its schedule has, so one attempt more."""
        return len(self.configs[config_id].waits_s) or 8

    def _deliveries(self, event_id: str, funnel: str) -> list[Wanted]:
        key = event_key(self.workspace_id, event_id)
        return [
            Wanted(request_id(key, config.id), event_id, config.id)
            for config in self.configs.values()
            if config.funnel in (funnel, "")
        ]

    def _item_key(self, event_id: str) -> Key:
        pk = event_table.partition(self.workspace_id, event_key(self.workspace_id, event_id))
        return pk.encode(), event_table.EVENT_SK.encode()

    # ── Coming to rest ────────────────────────────────────────────────────────────────────────────

    def heal(self) -> None:
        """Nothing of ours fails any more; what the customers' servers do stays as it is."""
        cloud = self.cloud
        cloud.wire.faults = NoFaults()
        self.jump(0)
        cloud.worker_skew_ms = 0
        cloud.stream.repeat_rate = 0
        cloud.stream.enable(True)
        cloud.database.lag_ms = lambda: 0
        for queue in cloud.queues:
            queue.troubles.twice = queue.troubles.late = 0
        for mapping in cloud.mappings.values():
            mapping.enable(True)
        for body in cloud.queues["IntakeDeadLetters"].bodies():  # what an operator does
            cloud.queues["IntakeQueue"].send(body)
        for schedule in cloud.schedules:
            schedule.is_enabled, schedule.twice = True, False

    def settle(self, within_s: int) -> None:
        """Let time pass until all is settled, and messages that are left over are gone too."""
        end = self.cloud.simulation.now + 1000 * within_s
        while self.cloud.simulation.now < end and not self._is_quiet():
            self.advance(30)
        self.advance(5 * 60)

    def _is_quiet(self) -> bool:
        watch = self.cloud.watch
        if watch.settled < len(watch.states) or self.clients.are_waiting:
            return False
        return all(one.request_id in watch.states for one in self.wanted())

    def _call(self, method: str, path: str, body: Any) -> Any:
        return self.cloud.simulation.run(lambda: self.clients.call(method, path, body))


@contextmanager
def new_world(seed: int = 0, latency_ms: tuple[int, int] = LATENCY_MS) -> Iterator[World]:
    with new_cloud(seed, latency_ms) as cloud:
        yield World(cloud)


def _saved(config: Config) -> Json:
    triggers = [{"eventType": "on_action"} | ({"idFunnel": config.funnel} if config.funnel else {})]
    own = {"retrySchedule": list(config.waits_s)} if config.waits_s else {}
    url = f"https://receiver.example.com/{config.id}"
    return factories.config_json(url, idWebhookConfig=config.id, triggers=triggers, **own)
