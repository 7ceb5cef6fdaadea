"""A name server on loopback, and the C library's own resolver pointed at it."""

import ctypes
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset

_RD_TYPES = {dns.rdatatype.A: socket.AF_INET, dns.rdatatype.AAAA: socket.AF_INET6}


class DnsServer:
    """Answers each question with what `answer` gives for its name and number from 0, to live 0 s.

    A client asks for IPv4 and for IPv6 addresses: that is one question, of which it gets its part.
    """

    def __init__(self, answer: Callable[[str, int], list[str]]) -> None:
        self._answer = answer
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._counts: dict[tuple[str, int], int] = {}
        self.questions: list[str] = []

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                query, client = self._socket.recvfrom(4096)
                self._socket.sendto(self._reply(query), client)
            except OSError:
                return

    def _reply(self, query: bytes) -> bytes:
        message = dns.message.from_wire(query)
        question = message.question[0]
        name = question.name.to_text(omit_final_dot=True)
        reply = dns.message.make_response(message)
        reply.flags |= dns.flags.AA | dns.flags.RA
        family = _RD_TYPES.get(question.rdtype)
        number = self._number_of(name, question.rdtype)
        texts = [text for text in self._answer(name, number) if _family(text) == family]
        if texts:
            reply.answer.append(
                dns.rrset.from_text(question.name, 0, "IN", question.rdtype, *texts)
            )
        return reply.to_wire()

    def _number_of(self, name: str, rdtype: int) -> int:
        number = self._counts.get((name, rdtype), 0)
        self._counts[name, rdtype] = number + 1
        if rdtype == dns.rdatatype.A:
            self.questions.append(name)
        return number


def _family(text: str) -> int:
    return socket.AF_INET6 if ":" in text else socket.AF_INET


@contextmanager
def asked_by_this_process(server: DnsServer) -> Iterator[None]:
    """Let the real `getaddrinfo` ask the server, and nobody else.

    resolv.conf knows no ports, so the resolver's state, which each thread has for itself, is
    changed just before the real call. Source of its layout: `struct __res_state`, glibc's resolv.h.
    """
    real = socket.getaddrinfo

    def getaddrinfo(*args: Any, **kwargs: Any) -> Any:
        _point_at(server.port)
        return real(*args, **kwargs)

    socket.getaddrinfo = getaddrinfo
    try:
        yield
    finally:
        socket.getaddrinfo = real


def can_be_asked() -> bool:
    """glibc on a 64-bit Linux, which asks name servers itself."""
    if not sys.platform.startswith("linux") or sys.maxsize < 2**32:
        return False
    with DnsServer(lambda *_: ["192.0.2.1"]) as server, asked_by_this_process(server):
        try:
            socket.getaddrinfo("is-anybody-there.example.com", 1)
        except (OSError, AttributeError):
            return False
        return bool(server.questions)


def _point_at(port: int) -> None:
    libc = ctypes.CDLL(None)
    libc.__res_init()
    libc.__res_state.restype = ctypes.c_void_p
    state = libc.__res_state()
    ctypes.c_int.from_address(state + 16).value = 1  # how many servers there are
    server = struct.pack("=H", socket.AF_INET) + struct.pack("!H", port)
    server += socket.inet_aton("127.0.0.1") + bytes(8)
    ctypes.memmove(state + 20, server, len(server))
