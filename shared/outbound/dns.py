"""Names looked up with a time limit, which `getaddrinfo` does not have.

Each look-up runs in a thread that nobody can stop: when name servers are silent it outlives the
attempt that wanted it by half a minute. So their number is bounded, and fairly: an attempt joins
the look-ups of its host when there are enough of them, and hosts that hung of late leave half of
all places to the others.
"""

import errno
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future

from shared.outbound import ssrf

PENDING = 64
PENDING_HUNG = PENDING // 2
PER_HOST = 2
REMEMBERED = 1024

_Lookup = Future[list[ssrf.Address]]
_Place = tuple[str, int]


class TooManyLookupsError(OSError):
    def __init__(self) -> None:
        super().__init__(errno.EAGAIN, "too many look-ups of other hosts are unanswered")


class Lookups:
    """The look-ups of one worker, for all its threads."""

    def __init__(self, policy: ssrf.Policy) -> None:
        self._policy = policy
        self._lock = threading.Lock()
        self._pending: dict[_Place, list[_Lookup]] = {}
        self._hung: OrderedDict[str, None] = OrderedDict()

    def addresses(self, host: str, port: int, until: float) -> list[ssrf.Address]:
        """All addresses of the host, vetted. TimeoutError at `until`, by the monotonic clock."""
        lookup = self._begun_or_joined(host, port)
        try:
            found = lookup.result(until - time.monotonic())
        except TimeoutError:
            self._remember_hung(host)
            raise
        with self._lock:
            self._hung.pop(host, None)
        return found

    def _begun_or_joined(self, host: str, port: int) -> _Lookup:
        with self._lock:
            same = self._pending.get((host, port), [])
            if len(same) >= PER_HOST:
                return same[-1]
            if sum(map(len, self._pending.values())) >= self._places_for(host):
                raise TooManyLookupsError
            return self._begun((host, port))

    def _places_for(self, host: str) -> int:
        return PENDING_HUNG if host in self._hung else PENDING

    def _begun(self, place: _Place) -> _Lookup:
        lookup: _Lookup = Future()
        run = threading.Thread(target=self._run, args=(place, lookup), name="lookup", daemon=True)
        run.start()
        self._pending.setdefault(place, []).append(lookup)
        return lookup

    def _run(self, place: _Place, lookup: _Lookup) -> None:
        try:
            found = ssrf.resolve(*place, self._policy)
        except Exception as error:
            self._end(place, lookup)
            lookup.set_exception(error)
        else:
            self._end(place, lookup)
            lookup.set_result(found)

    def _end(self, place: _Place, lookup: _Lookup) -> None:
        with self._lock:
            self._pending[place].remove(lookup)
            if not self._pending[place]:
                del self._pending[place]

    def _remember_hung(self, host: str) -> None:
        with self._lock:
            self._hung[host] = None
            self._hung.move_to_end(host)
            if len(self._hung) > REMEMBERED:
                self._hung.popitem(last=False)
