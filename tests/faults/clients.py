"""Those who send events: by every road into `ingest`, and again until they have an answer."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from shared.standalone.engine.template import Json
from tests.faults.engine import simulation
from tests.faults.engine.cloud import Cloud
from tests.faults.engine.simulation import Group, Task
from tests.integration.invocations import function_for, http_event

# The longest wait before a client asks again who was not answered, or answered 5xx.
MAX_WAIT_MS = 60_000


class Clients:
    """Of one workspace. `accepted` were answered 2xx; `unanswered` may have been stored, or not.

    Both hold the funnel of each event by its id. `insisted` are the ids sent more than once.
    """

    def __init__(self, cloud: Cloud, workspace_id: str, key: str) -> None:
        self.accepted: dict[str, str] = {}
        self.unanswered: dict[str, str] = {}
        self.insisted: set[str] = set()
        self._tasks: list[Task] = []
        self._cloud = cloud
        self._workspace_id = workspace_id
        self._key = key
        self._roads: dict[str, Callable[[list[str], str], set[str]]] = {
            "http": self._by_http,
            "batch": self._by_batch,
            "invoke": self._by_invocation,
            "intake": self._by_queue,
        }

    @property
    def roads(self) -> Sequence[str]:
        return tuple(self._roads)

    @property
    def are_waiting(self) -> bool:
        """For an answer, or to ask again."""
        return any(not task.is_done for task in self._tasks)

    def begin_sending(self, event_ids: Sequence[str], funnel: str, road: str) -> None:
        """Only the road `batch` takes more than one at a time."""
        self.unanswered |= dict.fromkeys(event_ids, funnel)
        self._tasks = [task for task in self._tasks if not task.is_done]
        self._tasks.append(
            self._cloud.simulation.spawn(
                lambda: self._send(list(event_ids), funnel, road), Group("client")
            )
        )

    def call(self, method: str, path: str, body: Any) -> Any:
        """Within a task: the answer of the API, None if the function died."""
        headers = {"content-type": "application/json", "authorization": f"Bearer {self._key}"}
        event = http_event(method, path, body, {}, headers)
        return self._cloud.invoke(function_for(method, path), event)

    def _send(self, event_ids: list[str], funnel: str, road: str) -> None:
        wait_ms = 1_000
        while True:
            taken = self._roads[road](event_ids, funnel)
            for event_id in sorted(taken):
                self.accepted[event_id] = self.unanswered.pop(event_id, funnel)
            event_ids = [event_id for event_id in event_ids if event_id not in taken]
            if not event_ids:
                return
            self.insisted.update(event_ids)
            simulation.sleep(wait_ms)
            wait_ms = min(2 * wait_ms, MAX_WAIT_MS)

    def _by_http(self, event_ids: list[str], funnel: str) -> set[str]:
        answer = self.call("POST", "/v1/events", event_json(event_ids[0], funnel))
        return set(event_ids[:1]) if _status(answer) == 202 else set()

    def _by_batch(self, event_ids: list[str], funnel: str) -> set[str]:
        events = [event_json(event_id, funnel) for event_id in event_ids]
        answer = self.call("POST", "/v1/events", {"events": events})
        results = json.loads(answer["body"])["results"] if _status(answer) == 202 else []
        return {result["event_id"] for result in results if "event_id" in result}

    def _by_invocation(self, event_ids: list[str], funnel: str) -> set[str]:
        answer = self._cloud.invoke("ingest", self._whole_event(event_ids[0], funnel))
        return set() if answer is None else {answer["event_id"]}

    def _by_queue(self, event_ids: list[str], funnel: str) -> set[str]:
        """What the intake queue has taken, it has accepted."""
        for event_id in event_ids:
            self._cloud.queues["IntakeQueue"].send(json.dumps(self._whole_event(event_id, funnel)))
        return set(event_ids)

    def _whole_event(self, event_id: str, funnel: str) -> Json:
        return event_json(event_id, funnel) | {"workspace_id": self._workspace_id}


def event_json(event_id: str, funnel: str) -> Json:
    return {
        "event_type": "on_action",
        "event_id": event_id,
        "funnel": {"funnel_id": funnel, "node_id": "lander"},
        "is_action": True,
        "action_number": 1,
        "action_data": {"email": f"{event_id}@example.com"},
    }


def _status(answer: Any) -> int:
    return 0 if answer is None else int(answer["statusCode"])
