"""DNS look-ups with a time limit, which `getaddrinfo` does not have.

Each look-up runs in a thread that cannot be stopped: if the name servers are silent, it outlives
its attempt by half a minute. So the number of look-ups is limited: an attempt joins a running
look-up of its host if there are PER_HOST of them, and hosts whose look-ups timed out recently may
take only half of all threads.
"""

import errno
import socket
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from typing import NamedTuple

from shared.outbound import ssrf

PENDING = 64
PENDING_SLOW = PENDING // 2
PER_HOST = 2
REMEMBERED = 1024

_Host = tuple[str, int]  # and port


class Address(NamedTuple):
    """The arguments of `socket.connect`, after every address of the name was vetted."""

    family: socket.AddressFamily
    sockaddr: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


_Lookup = Future[list[Address]]


class TooManyLookupsError(OSError):
    def __init__(self) -> None:
        super().__init__(errno.EAGAIN, "too many look-ups of other hosts are unanswered")


class Lookups:
    """The look-ups of one worker, for all its threads."""

    def __init__(self, policy: ssrf.Policy) -> None:
        self._policy = policy
        self._lock = threading.Lock()
        self._pending: dict[_Host, list[_Lookup]] = {}
        self._slow: OrderedDict[str, None] = OrderedDict()

    def addresses(self, host: str, port: int, until: float) -> list[Address]:
        """All addresses of the host, vetted. Raises TimeoutError at `until` (monotonic seconds),
        TooManyLookupsError, and the errors of `resolve`."""
        lookup = self._begin_or_join(host, port)
        try:
            found = lookup.result(until - time.monotonic())
        except TimeoutError:
            self._remember_slow(host)
            raise
        with self._lock:
            self._slow.pop(host, None)
        return found

    def _begin_or_join(self, host: str, port: int) -> _Lookup:
        with self._lock:
            same = self._pending.get((host, port), [])
            if len(same) >= PER_HOST:
                return same[-1]
            if sum(map(len, self._pending.values())) >= self._limit_for(host):
                raise TooManyLookupsError
            return self._begin((host, port))

    def _limit_for(self, host: str) -> int:
        return PENDING_SLOW if host in self._slow else PENDING

    def _begin(self, host: _Host) -> _Lookup:
        lookup: _Lookup = Future()
        run = threading.Thread(target=self._run, args=(host, lookup), name="lookup", daemon=True)
        run.start()
        self._pending.setdefault(host, []).append(lookup)
        return lookup

    def _run(self, host: _Host, lookup: _Lookup) -> None:
        try:
            found = resolve(*host, self._policy)
        except Exception as error:
            self._end(host, lookup)
            lookup.set_exception(error)
        else:
            self._end(host, lookup)
            lookup.set_result(found)

    def _end(self, host: _Host, lookup: _Lookup) -> None:
        with self._lock:
            self._pending[host].remove(lookup)
            if not self._pending[host]:
                del self._pending[host]

    def _remember_slow(self, host: str) -> None:
        with self._lock:
            self._slow[host] = None
            self._slow.move_to_end(host)
            if len(self._slow) > REMEMBERED:
                self._slow.popitem(last=False)


def resolve(host: str, port: int, policy: ssrf.Policy) -> list[Address]:
    """All addresses of the name, from one look-up.

    Raises RefusedAddressError if one of them is not public, and OSError if the look-up fails.
    """
    # Bytes, because Python loads and runs its IDNA codec for text; the URL is encoded already.
    found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    addresses = [Address(family, sockaddr) for family, _, _, _, sockaddr in found]
    if not policy.allow_private:
        ssrf.vet(str(address.sockaddr[0]) for address in addresses)
    return list(dict.fromkeys(addresses))
