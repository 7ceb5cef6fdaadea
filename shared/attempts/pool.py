"""Threads that are kept from batch to batch: to start them anew takes a tenth of an attempt."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


class ThreadPools:
    """Nothing runs on after its batch: threads are kept if all that they had to do is done, and
    ended if the batch ends by an exception, which waits for them."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._idle: list[ThreadPoolExecutor] = []

    @contextmanager
    def threads(self) -> Iterator[ThreadPoolExecutor]:
        """For a batch alone, which asks for the results of all that it submits."""
        threads = self._taken()
        try:
            yield threads
        except BaseException:
            threads.shutdown()
            raise
        self._idle.append(threads)

    def _taken(self) -> ThreadPoolExecutor:
        try:
            return self._idle.pop()
        except IndexError:
            return ThreadPoolExecutor(self._size)
