"""Virtual time: tasks that run until they wait, one at a time, in an order that a seed decides.

A task is a greenlet, so the handlers' own code waits without knowing that it does. Times are
milliseconds since the simulation began.
"""

import heapq
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from greenlet import getcurrent, greenlet

from shared.standalone.engine.values import UnsupportedError

T = TypeVar("T")


class CrashError(BaseException):
    """The process is gone: nothing that catches errors catches this."""


class StuckError(AssertionError):
    """A task waits for what will never happen."""


class Group:
    """Tasks, in the order of their beginning, that live and die together, as threads do."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.deadline: int | None = None
        self.skew_ms = 0
        self.was_skewed = False
        self.is_dead = False
        self.tasks: dict[Task, None] = {}
        self.on_death: list[Callable[[str], None]] = []


class Task(greenlet):
    """`claimed` are the attempts that it has claimed, by request id, `sending` its last request."""

    def __init__(self, simulation: "Simulation", group: Group, work: Callable[[], Any]) -> None:
        super().__init__(self._run_to_its_end, simulation.hub)
        self.simulation = simulation
        self.group = group
        self.result: Any = None
        self.failure: BaseException | None = None
        self.is_done = False
        self.claimed: dict[UUID, int] = {}
        self.sending: Any = None
        self._work = work
        self._waiting: list[Callable[[], None]] = []

    def _run_to_its_end(self) -> None:
        self.group.tasks[self] = None
        self.simulation.tasks[self] = None
        try:
            self.result = self._work()
        except UnsupportedError:
            raise
        except BaseException as error:  # a crash too ends here, not in the hub
            self.failure = error
        self.is_done = True
        del self.group.tasks[self]
        del self.simulation.tasks[self]
        for wake in self._waiting:
            wake()

    def when_done(self, wake: Callable[[], None]) -> None:
        if self.is_done:
            wake()
        else:
            self._waiting.append(wake)


class Simulation:
    def __init__(self) -> None:
        self.now = 0
        self.hub = getcurrent()
        self.tasks: dict[Task, None] = {}
        self._agenda: list[tuple[int, int, Callable[[], object]]] = []
        self._number = 0

    def at(self, moment: int, action: Callable[[], object]) -> None:
        """Run `action`, which must not wait, at that moment."""
        self._number += 1
        heapq.heappush(self._agenda, (max(moment, self.now), self._number, action))

    def after(self, wait_ms: int, action: Callable[[], object]) -> None:
        self.at(self.now + wait_ms, action)

    def spawn(self, work: Callable[[], Any], group: Group) -> Task:
        task = Task(self, group, work)
        self.at(self.now, lambda: _resume(task))
        return task

    def run(self, work: Callable[[], T]) -> T:
        """Run `work` as a task, and time with it, to its end; give or raise what came of it."""
        task = self.spawn(work, Group("client"))
        self.run_until(lambda: task.is_done)
        if task.failure is not None:
            raise task.failure
        result: T = task.result
        return result

    def advance(self, wait_ms: int) -> None:
        """Let so much time pass, with all that happens in it."""
        end = self.now + wait_ms
        while self._agenda and self._agenda[0][0] <= end:
            self._step()
        self.now = end

    def run_until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            if not self._agenda:
                raise StuckError
            self._step()

    def close(self) -> None:
        """End every task: one that is left would run on when its memory is collected."""
        self._agenda.clear()
        for task in list(self.tasks):
            kill(task.group, "closed")
        self.advance(0)

    def _step(self) -> None:
        self.now, _, action = heapq.heappop(self._agenda)
        action()


def current() -> Task | None:
    """The task that runs, None outside of all."""
    task = getcurrent()
    return task if isinstance(task, Task) else None


def _task() -> Task:
    task = current()
    if task is None:
        raise StuckError("Only a task can wait.")
    return task


def _resume(task: Task) -> None:
    if not task.is_done and not (task.group.is_dead and not task):
        task.switch()


def sleep(wait_ms: int) -> None:
    """Wait; the process ends in the middle of it if its time runs out."""
    task = _task()
    simulation, group = task.simulation, task.group
    check_alive(group)
    end = simulation.now + wait_ms
    if group.deadline is not None and end > group.deadline:
        simulation.at(group.deadline, lambda: _resume(task))
        simulation.hub.switch()
        check_alive(group)
        crash(group, "timed out")
    simulation.at(end, lambda: _resume(task))
    simulation.hub.switch()
    check_alive(group)


def wait_for(subscribe: Callable[[Callable[[], None]], None]) -> None:
    """Wait until the one who is given `wake` calls it."""
    task = _task()
    subscribe(lambda: task.simulation.at(task.simulation.now, lambda: _resume(task)))
    task.simulation.hub.switch()
    check_alive(task.group)


def check_alive(group: Group) -> None:
    if group.is_dead:
        raise CrashError


def crash(group: Group, why: str) -> None:
    """End the process of the current task: none of its tasks takes another step."""
    kill(group, why)
    raise CrashError(why)


def kill(group: Group, why: str) -> None:
    if group.is_dead:
        return
    group.is_dead = True
    for tell in group.on_death:
        tell(why)
    running = current()
    for task in list(group.tasks):
        if task is not running:
            task.simulation.at(task.simulation.now, lambda task=task: _resume(task))  # type: ignore[misc]
