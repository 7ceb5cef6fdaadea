"""When Python looks for garbage in cycles (docs/decisions/0018-performance.md).

Not in a cold start, an eighth of which it would take at Python's own threshold, to find next to
nothing; but afterwards, or what is left in a worker's cycles would grow for thousands of events.
"""

import gc
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# Imports and clients leave up to 100,000 objects, and a first event some more.
_COLD = (150_000, 20, 50)
# An event leaves fewer than 10, and a batch of them is looked through in 0.1 ms.
_WARM = (2_000, 10, 10)


def leave() -> None:
    gc.set_threshold(*_COLD)


def collected_when_warm(handler: Callable[P, T]) -> Callable[P, T]:
    """A cold start ends with the first event: what there is by then stays, and is not looked at."""

    @wraps(handler)
    def handle(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return handler(*args, **kwargs)
        finally:
            if gc.get_threshold()[0] == _COLD[0]:  # some collectors keep only this one
                gc.freeze()
                gc.set_threshold(*_WARM)

    return handle
