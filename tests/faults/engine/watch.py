"""What only the engine sees: who claimed which attempt, what was recorded, what stopped whom."""

from collections import Counter
from uuid import UUID

from shared.standalone.engine.values import Item
from tests.faults.engine import simulation
from tests.faults.engine.receivers import Receivers, Sent
from tests.faults.engine.simulation import Group, Simulation, Task

SETTLED = frozenset({"delivered", "failed", "cancelled", "held"})


class Watch:
    """`states` are those of all deliveries, `stored_at` is when each event was, by partition."""

    def __init__(self, simulation: Simulation, receivers: Receivers) -> None:
        self.states: dict[UUID, str] = {}
        self.settled = 0
        self.stored_at: dict[str, int] = {}
        self.interruptions: Counter[str] = Counter()
        self._simulation = simulation
        self._promised = receivers.promised

    def changed(self, new: Item) -> None:
        sk = new["sk"]["S"]
        if sk.startswith("D#"):
            self._delivery_changed(UUID(sk[2:]), new)
        elif sk == "EVENT":
            self.stored_at.setdefault(new["pk"]["S"], self._simulation.now)

    def interrupted(self, task: Task, why: str) -> None:
        """A request that is out, and whose outcome is not recorded, may be made again."""
        sent: Sent | None = task.sending
        if sent is not None and sent.recorded_at is None:
            sent.interruptions.append(why)
            self.interruptions[why] += 1

    def died(self, group: Group, why: str) -> None:
        for task in group.tasks:
            self.interrupted(task, why)

    def _delivery_changed(self, request_id: UUID, new: Item) -> None:
        state, attempt = new["state"]["S"], int(new["attempt"]["N"])
        before = self.states.get(request_id)
        self.states[request_id] = state
        self.settled += (state in SETTLED) - (before in SETTLED)
        if "next_attempt_at" in new:
            self._promised[request_id, attempt + 1] = int(new["next_attempt_at"]["N"])
        task = simulation.current()
        if task is None:
            return
        if state == "sending":
            task.claimed[request_id] = attempt
        else:
            self._recorded(task, request_id)

    def _recorded(self, task: Task, request_id: UUID) -> None:
        sent: Sent | None = task.sending
        if sent is not None and sent.request_id == request_id:
            sent.recorded_at = self._simulation.now
