"""The customers' servers: each delivery has its plan of answers, and all that is sent is noted."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from shared.outbound.response import Cause, Response, Timings
from tests.faults.engine import simulation
from tests.faults.engine.faults import SEND, Call
from tests.faults.engine.simulation import Task
from tests.faults.engine.wire import Wire


class Reply(NamedTuple):
    """`status` None: no answer within the time, or no connection at all."""

    status: int | None = 200
    latency_ms: int = 80
    retry_after: str | None = None
    reaches: bool = True

    @property
    def succeeds(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


# From the config, the delivery and how many requests of it came before, to the answer.
Plan = Callable[[str, UUID, int], Reply]


@dataclass(eq=False)
class Sent:
    """A request that went out, and what became of the worker that sent it."""

    request_id: UUID
    config_id: str
    attempt: int
    at: int
    wall_ms: int
    body: str
    task: Task
    reply: Reply
    skew_ms: int = 0
    promised_ms: int | None = None
    answered: bool = False
    recorded_at: int | None = None
    interruptions: list[str] = field(default_factory=list)


class Receivers:
    """Stands behind `Sender.post`. `promised` is when each next attempt may be made, as it was
    last said, by the delivery and the number of the attempt."""

    def __init__(self, wire: Wire, wall_ms: Callable[[], int]) -> None:
        self.plan: Plan = lambda config_id, request_id, seen: Reply()
        self.sent: list[Sent] = []
        self.by_delivery: dict[UUID, list[Sent]] = {}
        self.promised: dict[tuple[UUID, int], int] = {}
        self._wire = wire
        self._wall_ms = wall_ms

    def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float = 10
    ) -> Response:
        task = simulation.current()
        assert task is not None
        kind = self._wire.faults.at(Call(task.group.name, SEND))
        if kind is not None:
            self._wire.struck.note(kind, SEND)
        self._wire.stop(task, kind, SEND, before=True)
        sent = self._note(task, url, headers, body)
        answer = _exchanged(sent.reply, timeout_s)
        sent.answered = True
        self._wire.stop(task, kind, SEND, before=False)
        return answer

    def _note(self, task: Task, url: str, headers: Mapping[str, str], body: bytes) -> Sent:
        request_id, config_id = UUID(headers["webhook-id"]), url.rpartition("/")[2]
        known = self.by_delivery.setdefault(request_id, [])
        sent = Sent(
            request_id=request_id,
            config_id=config_id,
            attempt=task.claimed.get(request_id, 0),
            at=task.simulation.now,
            wall_ms=self._wall_ms(),
            body=hashlib.sha256(body).hexdigest(),
            task=task,
            reply=self.plan(config_id, request_id, len(known)),
            skew_ms=self._wall_ms() - task.simulation.now,
            promised_ms=self.promised.get((request_id, task.claimed.get(request_id, 0))),
        )
        known.append(sent)
        self.sent.append(sent)
        task.sending = sent
        return sent


def _exchanged(reply: Reply, timeout_s: float) -> Response:
    timeout_ms = round(timeout_s * 1000)
    if reply.status is not None and reply.latency_ms < timeout_ms:
        simulation.sleep(reply.latency_ms)
        return _answer(reply.status, None, reply)
    simulation.sleep(timeout_ms if reply.reaches else min(reply.latency_ms, timeout_ms))
    return _answer(None, Cause.TIMEOUT if reply.reaches else Cause.CONNECT, reply)


def _answer(status: int | None, cause: Cause | None, reply: Reply) -> Response:
    return Response(
        status_code=status,
        cause=cause,
        detail="",
        address="192.0.2.1",
        retry_after=reply.retry_after,
        excerpt="",
        timings=Timings(total=reply.latency_ms),
    )
