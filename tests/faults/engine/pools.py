"""ThreadPoolExecutor within a simulation: what it does are tasks of the process that asked for it.

A process may leave its pools to one that comes after it, since all are in this one.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple
from unittest.mock import patch

from tests.faults.engine.simulation import Simulation, Task, current, wait_for


class _Future(Future[Any]):
    """One whose reader waits in virtual time."""

    def result(self, timeout: float | None = None) -> Any:
        if not self.done():
            wait_for(lambda wake: self.add_done_callback(lambda _: wake()))
        return super().result(timeout)


class _Pool:
    """What one executor has to do; `workers` of it at a time. `undone` are in their order."""

    def __init__(self, workers: int) -> None:
        self._idle = workers
        self._work: deque[tuple[_Future, Callable[[], Any], Task]] = deque()
        self.undone: dict[_Future, None] = {}

    def submit(self, work: Callable[[], Any], owner: Task) -> _Future:
        future = _Future()
        self.undone[future] = None
        future.add_done_callback(self.undone.pop)  # type: ignore[arg-type]
        self._work.append((future, work, owner))
        self._start()
        return future

    def _start(self) -> None:
        while self._idle and self._work:
            future, work, owner = self._work.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            self._idle -= 1
            task = owner.simulation.spawn(work, owner.group)
            task.when_done(lambda task=task, future=future: self._finished(task, future))  # type: ignore[misc]

    def _finished(self, task: Task, future: _Future) -> None:
        self._idle += 1
        if task.failure is None:
            future.set_result(task.result)
        else:
            future.set_exception(task.failure)
        self._start()


def _submit(self: Any, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
    owner = current()
    assert owner is not None, "A pool was used outside of the simulation."
    pool = self.__dict__.setdefault("_simulated", _Pool(self._max_workers))
    return pool.submit(lambda: fn(*args, **kwargs), owner)  # type: ignore[no-any-return]


def _shutdown(self: Any, wait: bool = True, *, cancel_futures: bool = False) -> None:
    pool = self.__dict__.get("_simulated")
    owner = current()
    if pool is None or owner is None or owner.group.is_dead:
        return
    for future in list(pool.undone) if wait else []:
        if not future.done():
            wait_for(lambda wake, future=future: future.add_done_callback(lambda _: wake()))  # type: ignore[misc]


class _Waited(NamedTuple):
    done: set[_Future]
    not_done: set[_Future]


def _wait(work: Collection[_Future], timeout: float) -> _Waited:
    """Until all are done, or so many virtual seconds have passed."""
    owner = current()
    assert owner is not None, "A future was waited for outside of the simulation."
    left = [one for one in work if not one.done()]
    if left:
        wait_for(partial(_wake_when_done, left, owner.simulation, timeout))
    done = {one for one in work if one.done()}
    return _Waited(done, set(work) - done)


def _wake_when_done(
    left: list[_Future], simulation: Simulation, timeout: float, wake: Callable[[], None]
) -> None:
    woken = False

    def once() -> None:
        nonlocal woken
        if not woken:
            woken = True
            wake()

    for one in left:
        one.add_done_callback(lambda _: once() if all(each.done() for each in left) else None)
    simulation.after(round(timeout * 1000), once)


@contextmanager
def simulated() -> Iterator[None]:
    with (
        patch.object(ThreadPoolExecutor, "submit", _submit),
        patch.object(ThreadPoolExecutor, "shutdown", _shutdown),
        patch.object(futures, "wait", _wait),
    ):
        yield
