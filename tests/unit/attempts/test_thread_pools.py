import threading
from collections.abc import Callable, Iterable, Iterator
from threading import Barrier, Event
from typing import TypeVar

import pytest

from shared.attempts.attempt import ThreadPools

SIZE = 3

T = TypeVar("T")
R = TypeVar("R")


@pytest.fixture
def pool() -> Iterator[ThreadPools]:
    """Its threads are ended: they would be idle until the last of all tests."""
    made = ThreadPools(SIZE)
    yield made
    for threads in made._idle:
        threads.shutdown()


def done(pool: ThreadPools, work: Callable[[T], R], each: Iterable[T]) -> list[R]:
    """A batch of it."""
    with pool.threads() as threads:
        return [one.result() for one in [threads.submit(work, one) for one in each]]


def together(pool: ThreadPools) -> set[int]:
    """The threads that work when all of them must."""
    barrier = Barrier(SIZE)

    def work(_: int) -> int:
        barrier.wait(60)
        return threading.get_ident()

    return set(done(pool, work, range(SIZE)))


class TestAPool:
    def test_does_more_work_than_it_has_threads(self, pool: ThreadPools) -> None:
        assert done(pool, str, range(20)) == [str(number) for number in range(20)]

    def test_keeps_its_threads_from_batch_to_batch(self, pool: ThreadPools) -> None:
        first, second = together(pool), together(pool)

        assert len(first) == SIZE
        assert first == second

    def test_gives_a_batch_beside_another_threads_of_its_own(self, pool: ThreadPools) -> None:
        def work(_: int) -> tuple[int, list[int]]:
            return threading.get_ident(), done(pool, lambda _: threading.get_ident(), [1])

        ((own, others),) = done(pool, work, [1])

        assert own not in others


class TestABatchThatBreaks:
    def test_is_over_when_the_last_of_it_is(self, pool: ThreadPools) -> None:
        broke, ended = Event(), list[str]()

        def work(name: str) -> None:
            if name == "breaks":
                broke.set()
                raise KeyboardInterrupt
            broke.wait(60)
            ended.append(name)

        with pytest.raises(KeyboardInterrupt):
            done(pool, work, ["slow", "slower", "breaks"])

        assert sorted(ended) == ["slow", "slower"]

    def test_leaves_no_thread_to_the_next(self, pool: ThreadPools) -> None:
        before = set(threading.enumerate())

        with pytest.raises(ZeroDivisionError):
            done(pool, lambda number: 1 // number, [1, 0])

        assert set(threading.enumerate()) <= before
        assert done(pool, lambda number: 1 // number, [1]) == [1]
