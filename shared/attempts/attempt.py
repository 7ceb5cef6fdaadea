"""An attempt of a delivery: admit, claim, send, settle, queue the next one.

A message is done only when what follows from it is stored, so any message may come twice. A message
that is not done goes back into its queue and counts towards the dead letters, so only a fault of
ours sends one back.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from shared.attempts import log_lines, outcome, request
from shared.attempts.reader import AttemptContext, AttemptReader, Unreadable
from shared.clock import MS_PER_S, Clock
from shared.configs.models import WebhookConfig
from shared.deliveries.ledger import Ledger, is_leased
from shared.deliveries.models import Attempt, AttemptOrigin, Delivery, DeliveryState, Reason
from shared.deliveries.queue import AttemptMessage, Queue
from shared.deliveries.transitions import NotDue, is_parked
from shared.dialects import Rendered
from shared.endpoints import admission
from shared.endpoints.admission import AdmissionControl, Admitted, Deferred, Rejected
from shared.endpoints.breaker import EndpointHealth
from shared.endpoints.monitor import AttemptReport, InFlight, Monitor
from shared.errors import FaultError
from shared.events.models import Event
from shared.outbound.response import Response
from shared.workspaces.models import Retention, Workspace

if TYPE_CHECKING:
    from shared.outbound.sender import Sender

# All messages of a batch at once, so that a slow endpoint delays no other one.
PARALLEL = 10
# When a batch looks for slow requests, and how long a slow request has been under way by then.
WATCHED_AFTER_S = 2
SLOW_AFTER_MS = 1_500
# What the steps beside the request itself may take.
MARGIN_MS = 5 * MS_PER_S
# If the function has too little time left: until a worker that is less busy gets the message.
BREATHER_MS = 1 * MS_PER_S

_EXPIRED = Rejected(state=DeliveryState.FAILED, reason=Reason.EVENT_EXPIRED)


class LeaseSpentError(FaultError):
    """The worker stood still after its claim; another one may have taken the attempt over."""


class Task(NamedTuple):
    """An attempt that may be made. `content` is the body that was kept, or the event to render."""

    message: AttemptMessage
    config: WebhookConfig
    workspace: Workspace
    health: EndpointHealth
    content: Rendered | Event
    retention: Retention

    @property
    def event(self) -> Event | None:
        return _event_in(self.content)

    @property
    def needs_ms(self) -> int:
        return self.config.timeout_s * MS_PER_S + MARGIN_MS

    def rendered(self, delivery: Delivery) -> Rendered:
        if isinstance(self.content, Rendered):
            return self.content
        return request.rendered(self.config, self.workspace, self.content, delivery)


class ThreadPools:
    """Threads that are kept from batch to batch: starting them takes a tenth of an attempt.

    No work runs on after its batch. The threads are kept if all work is done; if the batch ends by
    an exception, they finish their work and end.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._idle: list[ThreadPoolExecutor] = []

    @contextmanager
    def threads(self) -> Iterator[ThreadPoolExecutor]:
        """Threads for one batch, which must ask for the results of all that it submits."""
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


class AttemptRunner:
    """Makes the attempts of one batch. `remaining_ms` tells how long the function may still run;
    `retention_days` is how long the stack keeps what a workspace does not limit."""

    def __init__(
        self,
        reader: AttemptReader,
        admission_control: AdmissionControl,
        ledger: Ledger,
        sender: "Sender",
        monitor: Monitor,
        retries: Queue,
        clock: Clock,
        random: outcome.Random,
        pools: ThreadPools,
        retention_days: int,
        remaining_ms: Callable[[], int],
    ) -> None:
        self._reader = reader
        self._admission = admission_control
        self._ledger = ledger
        self._sender = sender
        self._monitor = monitor
        self._retries = retries
        self._clock = clock
        self._random = random
        self._pools = pools
        self._retention_days = retention_days
        self._remaining_ms = remaining_ms
        self._in_flight = InFlight()

    def run(self, messages: Sequence[AttemptMessage]) -> list[bool]:
        """For each message, of which there are PARALLEL at most, whether it is done."""
        contexts = self._reader.read(messages)
        with self._pools.threads() as threads:
            work = [
                threads.submit(self._is_done, *each)
                for each in zip(messages, contexts, strict=True)
            ]
            if futures.wait(work, WATCHED_AFTER_S).not_done:
                self._report_slow()
            return [one.result() for one in work]

    def _is_done(self, message: AttemptMessage, context: AttemptContext | Unreadable) -> bool:
        if isinstance(context, Unreadable):
            log_lines.broke(message, context.error)
            return False
        try:
            self.attempt(message, context)
        except Exception as error:
            log_lines.broke(message, error)
            return False
        return True

    def attempt(self, message: AttemptMessage, context: AttemptContext) -> None:
        """Before an early return, what follows from it is stored."""
        content = self._content(message, context)
        task = self._task(message, context, content)
        if isinstance(task, Rejected):
            self._reject(message, context, content, task)
            return
        if self._remaining_ms() < task.needs_ms:
            self._retries.send([message], BREATHER_MS)
            return
        now = self._clock()
        admitted = self._admission.admit(message, task.config, task.health, now)
        if isinstance(admitted, Deferred):
            self._defer(task, admitted, now)
            return
        delivery = self._ledger.claim(message, task.event, task.retention, now)
        if not isinstance(delivery, Delivery):
            self._admission.withdraw(task.config, admitted)
            self._return(delivery)
            return
        started_at = self._clock()
        response = self._send(task, delivery, started_at)
        now = self._clock()
        wait = outcome.next_wait(delivery, task.config, response, now, self._random)
        origin = _origin(delivery, admitted)
        attempt = outcome.attempt_of(delivery, task.config, origin, response, started_at, wait)
        is_settled = self._settle(task, delivery, attempt, now)
        if is_settled and attempt.next_wait_ms is not None:
            self._queue_next(delivery, now + attempt.next_wait_ms, now)
        log_lines.settled(delivery, task.config, attempt, is_settled)
        if is_settled:
            self._monitor.report(self._report(task, delivery, attempt, admitted, now))

    def _content(self, message: AttemptMessage, context: AttemptContext) -> Rendered | Event | None:
        """A later attempt whose body was lost is rendered again from its event."""
        known = context.kept or context.event
        return self._reader.event(message) if known is None and message.attempt > 1 else known

    def _task(
        self, message: AttemptMessage, context: AttemptContext, content: Rendered | Event | None
    ) -> Task | Rejected:
        if content is None:
            return _EXPIRED
        config = admission.receiver(context.config, _event_in(content))
        if isinstance(config, Rejected):
            return config
        retention = self._retention(context)
        return Task(message, config, context.workspace, context.health, content, retention)

    def _reject(
        self,
        message: AttemptMessage,
        context: AttemptContext,
        content: Rendered | Event | None,
        rejected: Rejected,
    ) -> None:
        event, state, reason = _event_in(content), rejected.state, rejected.reason
        retention, now = self._retention(context), self._clock()
        if self._ledger.reject(message, event, state, reason, retention, now):
            log_lines.rejected(message, rejected)

    def _defer(self, task: Task, deferred: Deferred, now: int) -> None:
        found = self._ledger.defer(
            task.message, task.event, deferred.reason, deferred.at, task.retention, now
        )
        if isinstance(found, Delivery):
            self._queue_next(found, deferred.at, now)
            log_lines.deferred(task.message, deferred)
        else:
            self._return(found)

    def _return(self, found: NotDue | None) -> None:
        """Queue an attempt that is not due; there is nothing to do if the delivery has moved on."""
        if found is not None:
            self._retries.send([found.message], found.wait_ms)

    def _send(self, task: Task, delivery: Delivery, started_at: int) -> Response:
        """Send the request; keep its body if a later attempt is to send it again.

        Raises LeaseSpentError if the request could outlast the lease.
        """
        config, rendered = task.config, task.rendered(delivery)
        if not is_leased(delivery, started_at + config.timeout_s * MS_PER_S):
            raise LeaseSpentError
        prepared = request.prepare(config, delivery.request_id, rendered, started_at)
        with self._in_flight.request(task.message, config, started_at):
            response = self._sender.post(
                prepared.url, prepared.headers, rendered.body, config.timeout_s
            )
        if not outcome.is_success(response, config) and task.event is not None:
            last_at = outcome.last_attempt_at(config, started_at)
            self._ledger.keep(delivery, rendered, task.retention, self._clock(), last_at)
        return response

    def _settle(self, task: Task, delivery: Delivery, attempt: Attempt, now: int) -> bool:
        """False if another worker has taken the attempt over."""
        is_end = not attempt.succeeded and attempt.next_wait_ms is None
        notice = None
        if is_end:
            notice = self._monitor.exhaustion_notice(task.config, delivery, attempt, now)
        return self._ledger.settle(delivery, attempt, task.retention, now, notice)

    def _queue_next(self, delivery: Delivery, next_at: int, now: int) -> None:
        """A wait that the delay queue does not reach is in the due index alone."""
        if not is_parked(next_at, now):
            self._retries.send([delivery.next_message], next_at - now)

    def _report(
        self, task: Task, delivery: Delivery, attempt: Attempt, admitted: Admitted, now: int
    ) -> AttemptReport:
        was_slow = self._in_flight.was_slow(task.message)
        return AttemptReport(
            task.config, delivery, attempt, task.health, admitted.probe, was_slow, now
        )

    def _report_slow(self) -> None:
        """Record endpoints that have not answered yet, so that other workers pause them."""
        now = self._clock()
        for message, config in self._in_flight.slow(now - SLOW_AFTER_MS):
            try:
                self._monitor.record_slow(config, now)
            except Exception as error:  # advice: no attempt fails if the table does not take it
                log_lines.slow_not_recorded(message, error)
                return

    def _retention(self, context: AttemptContext) -> Retention:
        return context.workspace.retention(self._retention_days)


def _event_in(content: Rendered | Event | None) -> Event | None:
    return content if isinstance(content, Event) else None


def _origin(delivery: Delivery, admitted: Admitted) -> AttemptOrigin:
    """Of the attempt that was begun. A resend stays a resend if it is the probe as well."""
    resend = delivery.resend
    if resend is not None and delivery.attempt == resend.after + 1:
        return AttemptOrigin.RESEND
    if admitted.probe is not None:
        return AttemptOrigin.PROBE
    is_replay = delivery.replay_id is not None and delivery.attempt == 1
    return AttemptOrigin.REPLAY if is_replay else AttemptOrigin.SCHEDULE
