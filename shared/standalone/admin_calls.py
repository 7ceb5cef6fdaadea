"""What the operator may ask of a running program, as an operator of AWS asks AWS."""

from collections.abc import Callable, Iterator, Mapping
from time import monotonic
from typing import Any, TypeVar

from shared.standalone.engine.template import Json
from shared.standalone.platform import Platform
from shared.standalone.queues import FileQueue

HOUR_S = 3_600
T = TypeVar("T")


class NotFoundHereError(Exception):
    """A call, a function, a queue or a table of that name is not there."""


class AdminCalls(Mapping[str, Callable[..., Any]]):
    """The calls by their names. Once a call returns, what it has changed is on disk."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._calls: dict[str, Callable[..., Any]] = {
            "invoke": self._invoke,
            "items": self._items,
            "functions": self._functions,
            "queues": self._queues,
            "letters": self._letters,
            "send-back": self._send_back,
            "delete": self._delete,
        }

    def __getitem__(self, name: str) -> Callable[..., Any]:
        call = _found(self._calls, name)

        def durable(**given: Any) -> Any:
            answer = call(**given)
            self._platform.file.catch_up()
            self._platform.file.wait_until_durable()
            return answer

        return durable

    def __iter__(self) -> Iterator[str]:
        return iter(self._calls)

    def __len__(self) -> int:
        return len(self._calls)

    def _invoke(self, function: str, event: Any) -> Any:
        """A direct invocation: so a workspace is made, or an event is sent by IAM."""
        return _found(self._platform.functions, function).invoke(event)

    def _items(self, table: str, keys: list[Json]) -> list[Json]:
        """Items by their keys, in DynamoDB's JSON; those that are there."""
        read = _found(self._platform.tables, table)
        return [item for key in keys if (item := read.get(key)) is not None]

    def _functions(self) -> list[Json]:
        """Of each function, how many invocations have failed in the last hour."""
        since = monotonic() - HOUR_S
        return [
            {"function": name, "errors_last_hour": function.failures_since(since)}
            for name, function in self._platform.functions.items()
        ]

    def _queues(self) -> list[Json]:
        return [{"queue": queue.name, **queue.counts()} for queue in self._platform.queues]

    def _letters(self, queue: str, count: int) -> list[Json]:
        """The oldest messages of a dead-letter queue, which stay there."""
        return self._dead_letters(queue).look(count)

    def _send_back(self, queue: str, to: str) -> int:
        """The number of messages. If the program dies meanwhile, one may be in both queues."""
        return self._dead_letters(queue).move(self._queue(to))

    def _delete(self, queue: str) -> int:
        return self._dead_letters(queue).move(None)

    def _dead_letters(self, name: str) -> FileQueue:
        queue = self._queue(name)
        if any(mapping.queue is queue for mapping in self._platform.mappings):
            raise NotFoundHereError(f"{name} is read by a function, and holds no dead letters.")
        return queue

    def _queue(self, name: str) -> FileQueue:
        return _found({queue.name: queue for queue in self._platform.queues}, name)


def _found(known: Mapping[str, T], name: str) -> T:
    if name not in known:
        raise NotFoundHereError(f"{name} is not one of {', '.join(sorted(known))}.")
    return known[name]
