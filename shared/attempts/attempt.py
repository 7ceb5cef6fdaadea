"""The story of an attempt: read, admit, claim, send, settle, schedule the next.

A message is done with only when what follows from it is stored, so any of them may come twice. What
goes back into the queue as undone counts towards its dead letters, so only a fault of ours does.
"""

from collections.abc import Callable, Sequence
from concurrent import futures
from typing import NamedTuple

from shared.attempts import log_lines, outcome, request, schedule
from shared.attempts.pool import ThreadPools
from shared.attempts.reader import AttemptContext, AttemptReader, Unreadable
from shared.clock import MS_PER_S, Clock
from shared.configs.models import WebhookConfig
from shared.deliveries.ledger import Ledger
from shared.deliveries.models import Attempt, AttemptOrigin, Delivery, DeliveryState, Reason
from shared.deliveries.queue import AttemptMessage, Queue
from shared.deliveries.transitions import is_parked
from shared.dialects import Rendered
from shared.endpoints import admission
from shared.endpoints.admission import AdmissionControl, Admitted, Deferred, Rejected
from shared.endpoints.breaker import EndpointHealth
from shared.endpoints.monitor import AttemptReport, InFlight, Monitor
from shared.events.models import Event
from shared.outbound.response import Response
from shared.outbound.sender import Sender
from shared.retention import Retention
from shared.workspaces.models import Workspace

# All messages of a batch at once, so that a slow endpoint holds up nobody else's.
PARALLEL = 10
# When a batch looks up from its work, and from when on what it is at is said to hang.
LOOKED_AFTER_S = 2
HANGING_AFTER_MS = 1_500
# What admit, claim, settle and schedule may take beside the exchange itself.
MARGIN_MS = 5 * MS_PER_S
# For what the function has no time left for: a moment for a worker that is less busy.
BREATHER_MS = 1 * MS_PER_S

_EXPIRED = Rejected(state=DeliveryState.FAILED, reason=Reason.EVENT_EXPIRED)


class LeaseSpentError(Exception):
    """The worker stood still after its claim, and another may have taken the attempt over."""


class Task(NamedTuple):
    """An attempt that may be made: of what was kept, or of an event to be rendered."""

    pointer: AttemptMessage
    config: WebhookConfig
    workspace: Workspace
    health: EndpointHealth
    content: Rendered | Event
    retention: Retention

    @property
    def event(self) -> Event | None:
        return self.content if isinstance(self.content, Event) else None

    def rendered(self, delivery: Delivery) -> Rendered:
        if isinstance(self.content, Rendered):
            return self.content
        return request.rendered(self.config, self.workspace, self.content, delivery)


class AttemptRunner:
    """`remaining_ms` tells how long the function may still run."""

    def __init__(
        self,
        reader: AttemptReader,
        gate: AdmissionControl,
        ledger: Ledger,
        sender: Sender,
        monitor: Monitor,
        retries: Queue,
        clock: Clock,
        random: schedule.Random,
        pool: ThreadPools,
        retention_days: int,
        remaining_ms: Callable[[], int],
    ) -> None:
        self._reader = reader
        self._gate = gate
        self._ledger = ledger
        self._sender = sender
        self._monitor = monitor
        self._retries = retries
        self._clock = clock
        self._random = random
        self._pool = pool
        self._retention_days = retention_days
        self._remaining_ms = remaining_ms
        self._under_way = InFlight()

    def deliver(self, pointers: Sequence[AttemptMessage]) -> list[bool]:
        """For each pointer, of which there are PARALLEL at most, whether it is done with."""
        materials = self._reader.read(pointers)
        with self._pool.threads() as threads:
            work = [
                threads.submit(self._is_done, *each)
                for each in zip(pointers, materials, strict=True)
            ]
            if futures.wait(work, LOOKED_AFTER_S).not_done:
                self._tell_who_hangs()
            return [one.result() for one in work]

    def _tell_who_hangs(self) -> None:
        """While they still do, for the sake of those that other workers are about to send."""
        now = self._clock()
        for pointer, config in self._under_way.hanging(now - HANGING_AFTER_MS):
            try:
                self._monitor.hangs(config, now)
            except Exception as error:  # it is advice: nobody waits for a table to take it
                log_lines.hang_not_recorded(pointer, error)
                return

    def _is_done(self, pointer: AttemptMessage, material: AttemptContext | Unreadable) -> bool:
        if isinstance(material, Unreadable):
            log_lines.broke(pointer, material.error)
            return False
        try:
            self._attempt(pointer, material)
        except Exception as error:
            log_lines.broke(pointer, error)
            return False
        return True

    def _attempt(self, pointer: AttemptMessage, material: AttemptContext) -> None:
        content = self._content(pointer, material)
        if content is None:
            self._set_aside(pointer, material, None, _EXPIRED)
            return
        event = content if isinstance(content, Event) else None
        config = admission.receiver(material.config, event)
        if isinstance(config, Rejected):
            self._set_aside(pointer, material, event, config)
        elif self._remaining_ms() < config.timeout_s * MS_PER_S + MARGIN_MS:
            self._retries.send([pointer], BREATHER_MS)
        else:
            retention = material.workspace.retention(self._retention_days)
            self._admit(
                Task(pointer, config, material.workspace, material.health, content, retention)
            )

    def _content(
        self, pointer: AttemptMessage, material: AttemptContext
    ) -> Rendered | Event | None:
        """A later attempt whose body was lost is rendered again from its event."""
        known = material.kept or material.event
        return self._reader.event(pointer) if known is None and pointer.attempt > 1 else known

    def _set_aside(
        self,
        pointer: AttemptMessage,
        material: AttemptContext,
        event: Event | None,
        aside: Rejected,
    ) -> None:
        now, retention = self._clock(), material.workspace.retention(self._retention_days)
        if self._ledger.reject(pointer, event, aside.state, aside.reason, retention, now):
            log_lines.set_aside(pointer, aside)

    def _admit(self, task: Task) -> None:
        now = self._clock()
        admitted = self._gate.admit(task.pointer, task.config, task.health, now)
        if isinstance(admitted, Deferred):
            self._put_off(task, admitted, now)
            return
        claimed = self._ledger.claim(task.pointer, task.event, task.retention, now)
        if isinstance(claimed, Delivery):
            self._send(task, claimed, admitted)
            return
        self._gate.withdraw(task.config, admitted)
        if claimed is not None:
            self._retries.send([claimed.message], claimed.wait_ms)

    def _put_off(self, task: Task, later: Deferred, now: int) -> None:
        found = self._ledger.defer(
            task.pointer, task.event, later.reason, later.at, task.retention, now
        )
        if isinstance(found, Delivery):
            self._queue_next(found, later.at, now)
            log_lines.put_off(task.pointer, later)
        elif found is not None:
            self._retries.send([found.message], found.wait_ms)

    def _send(self, task: Task, delivery: Delivery, admitted: Admitted) -> None:
        started_at, config, rendered = self._clock(), task.config, task.rendered(delivery)
        if not delivery.is_leased(started_at + config.timeout_s * MS_PER_S):
            raise LeaseSpentError
        prepared = request.prepare(config, delivery.request_id, rendered, started_at)
        with self._under_way.request(task.pointer, config, started_at):
            answer = self._sender.post(
                prepared.url, prepared.headers, rendered.body, config.timeout_s
            )
        if not outcome.is_success(answer, config) and task.event is not None:
            last_at = outcome.last_attempt_at(config, started_at)
            self._ledger.keep(delivery, rendered, task.retention, self._clock(), last_at)
        self._settle(task, delivery, admitted, answer, started_at)

    def _settle(
        self, task: Task, delivery: Delivery, admitted: Admitted, answer: Response, started_at: int
    ) -> None:
        config, now = task.config, self._clock()
        trigger = _origin(delivery, admitted)
        wait = outcome.next_wait(delivery, config, answer, now, self._random)
        attempt = outcome.attempt_of(delivery, config, trigger, answer, started_at, wait)
        settled = self._record(task, delivery, attempt, now)
        log_lines.settled(delivery, config, attempt, settled)
        if settled:
            hung = self._under_way.has_hung(task.pointer)
            report = AttemptReport(
                config, delivery, attempt, task.health, admitted.probe, hung, now
            )
            self._monitor.report(report)

    def _record(self, task: Task, delivery: Delivery, attempt: Attempt, now: int) -> bool:
        """False if the attempt was no longer ours to settle."""
        is_end = not attempt.succeeded and attempt.next_wait_ms is None
        told = (
            self._monitor.telling_of_the_end(task.config, delivery, attempt, now)
            if is_end
            else None
        )
        settled = self._ledger.settle(delivery, attempt, task.retention, now, told)
        if settled and attempt.next_wait_ms is not None:
            self._queue_next(delivery, now + attempt.next_wait_ms, now)
        return settled

    def _queue_next(self, delivery: Delivery, next_at: int, now: int) -> None:
        """What has to wait longer than the delay queue reaches is in the wake index alone."""
        if not is_parked(next_at, now):
            self._retries.send([delivery.next_pointer], next_at - now)


def _origin(delivery: Delivery, admitted: Admitted) -> AttemptOrigin:
    """A resend is one even if it tries, too, whether the endpoint is back."""
    is_probe = admitted.probe is not None and delivery.origin is not AttemptOrigin.RESEND
    return AttemptOrigin.PROBE if is_probe else delivery.origin
