"""Anything in any order: events, faults and disasters, and what must hold at the end."""

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.faults.audit import audit
from tests.faults.engine import simulation
from tests.faults.engine.faults import SEND, Kind, ScriptedFaults
from tests.faults.engine.receivers import Reply
from tests.faults.world import Config, World, new_world

FUNNELS = ("one", "two")
CONFIGS = (
    Config("first", "one", (1, 5, 60)),
    Config("second", "two", (2,)),
    Config("every", "", (1, 950)),  # its last wait is parked in the index
)
OPERATIONS = (
    *("PutItem", "UpdateItem", "GetItem", "BatchGetItem", "Query", "SendMessageBatch"),
    SEND,
)
REPLIES = (Reply(200), Reply(500), Reply(None), Reply(None, reaches=False), Reply(429, 50, "3"))
HOUR_S = 3_600


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._context = new_world()
        self.world: World = self._context.__enter__()
        self.faults = ScriptedFaults()
        self.replies: dict[str, list[Reply]] = {}
        self.sent = 0

    @initialize()
    def begin(self) -> None:
        for config in CONFIGS:
            self.world.make_config(config)
        self.world.advance(HOUR_S)
        self.world.cloud.wire.faults = self.faults
        self.world.cloud.receivers.plan = self._reply

    def _reply(self, config_id: str, *_: Any) -> Reply:
        scripted = self.replies.get(config_id)
        return scripted.pop(0) if scripted else Reply()

    @rule(
        road=st.sampled_from(("http", "batch", "invoke", "intake")),
        funnel=st.sampled_from(FUNNELS),
        size=st.integers(1, 4),
    )
    def send(self, road: str, funnel: str, size: int) -> None:
        number = size if road == "batch" else 1
        ids = [f"event-{self.sent + extra}" for extra in range(number)]
        self.sent += number
        self.world.clients.begin_sending(ids, funnel, road)

    @rule(seconds=st.sampled_from((0.01, 0.1, 1, 5, 31, 61, 181, 660)))
    def pass_time(self, seconds: float) -> None:
        self.world.advance(seconds)

    @rule(
        operation=st.sampled_from(OPERATIONS),
        skip=st.integers(0, 5),
        kind=st.sampled_from(list(Kind)),
        times=st.sampled_from((1, 4)),
    )
    def strike(self, operation: str, skip: int, kind: Kind, times: int) -> None:
        """Four times, so that botocore's own repeats do not help."""
        for number in range(times):
            self.faults.arm(operation, skip + number, kind)

    @rule(
        config=st.sampled_from(CONFIGS),
        replies=st.lists(st.sampled_from(REPLIES), min_size=1, max_size=4),
    )
    def answer(self, config: Config, replies: list[Reply]) -> None:
        self.replies.setdefault(config.id, []).extend(replies)

    @rule(queue=st.sampled_from(("DispatchQueue", "RetryQueue")))
    def purge(self, queue: str) -> None:
        self.world.cloud.queues[queue].purge()

    @rule(function=st.sampled_from(("ingest", "fanout", "dispatch", "retry")))
    def kill(self, function: str) -> None:
        for task in list(self.world.cloud.simulation.tasks):
            if task.group.name == function:
                simulation.kill(task.group, f"{function} was killed")

    @rule(twice=st.sampled_from((0.0, 0.5, 1.0)))
    def hand_out_twice(self, twice: float) -> None:
        for queue in self.world.cloud.queues:
            queue.troubles.twice = queue.troubles.late = twice
        self.world.cloud.stream.repeat_rate = twice

    @rule(is_enabled=st.booleans())
    def stop_or_start_the_stream(self, is_enabled: bool) -> None:
        self.world.cloud.stream.enable(is_enabled)

    @rule(
        queue=st.sampled_from(("IntakeQueue", "DispatchQueue", "RetryQueue")),
        is_enabled=st.booleans(),
    )
    def stop_or_start_a_function(self, queue: str, is_enabled: bool) -> None:
        self.world.cloud.mappings[queue].enable(is_enabled)

    @rule(config=st.sampled_from(CONFIGS), is_enabled=st.booleans())
    def disable_or_enable(self, config: Config, is_enabled: bool) -> None:
        self.world.enable(config.id, is_enabled)

    @rule(lag_s=st.sampled_from((0, 1, 30)))
    def let_the_indexes_lag(self, lag_s: int) -> None:
        self.world.cloud.database.lag_ms = lambda: lag_s * 1000

    @rule(skew_s=st.sampled_from((-300, -20, 0, 20, 300)))
    def set_the_clocks(self, skew_s: int) -> None:
        self.world.jump(skew_s * 1000)

    @invariant()
    def nothing_is_wrong_so_far(self) -> None:
        report = audit(self.world)
        assert not [*report.unexplained, *report.early, *report.changed]

    def teardown(self) -> None:
        try:
            self.faults.disarm()
            self.world.heal()
            self.world.settle(6 * HOUR_S)
            report = audit(self.world)
            assert not report.violations, report.violations
        finally:
            self._context.__exit__(None, None, None)


class TestMachine(Machine.TestCase):  # type: ignore[misc, valid-type]
    settings = settings(
        max_examples=int(os.environ.get("FAULTS_EXAMPLES", "25")),
        stateful_step_count=30,
        suppress_health_check=list(HealthCheck),
    )
