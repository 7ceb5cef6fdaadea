"""The story of an attempt: read, claim, send, settle, schedule the next.

A message is done with only when what follows from it is stored, so any of them may come twice.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from shared.clock import MS_PER_S, Clock
from shared.configs.models import Status, WebhookConfig
from shared.delivery import request, schedule
from shared.delivery.ledger import Ledger, NotDue, is_parked
from shared.delivery.models import Attempt, Delivery, Reason, State
from shared.delivery.queues import Pointer, Queue
from shared.delivery.reader import Materials, Reader
from shared.delivery.sender import Answer, Cause, Sender
from shared.dialects import DIALECTS, Dialect
from shared.events.models import Event
from shared.observability import fault, logger

# All messages of a batch at once, so that a slow endpoint holds up nobody else's.
PARALLEL = 10
# What claim, settle and schedule may take beside the exchange itself.
MARGIN_MS = 5 * MS_PER_S


class NoTimeError(Exception):
    """The function would end before the attempt could be settled; the message comes again."""


class EventGoneError(Exception):
    """Neither the kept body nor the event is there any more."""


class Courier:
    """`remaining_ms` tells how long the function may still run."""

    def __init__(
        self,
        reader: Reader,
        ledger: Ledger,
        sender: Sender,
        retries: Queue,
        clock: Clock,
        random: schedule.Random,
        remaining_ms: Callable[[], int],
    ) -> None:
        self._reader = reader
        self._ledger = ledger
        self._sender = sender
        self._retries = retries
        self._clock = clock
        self._random = random
        self._remaining_ms = remaining_ms

    def deliver(self, pointers: Sequence[Pointer]) -> list[bool]:
        """For each pointer whether it is done with."""
        materials = self._reader.read(pointers)
        with ThreadPoolExecutor(PARALLEL) as pool:
            return list(pool.map(lambda pointer: self._is_done(pointer, materials), pointers))

    def _is_done(self, pointer: Pointer, materials: Materials) -> bool:
        try:
            self._attempt(pointer, materials)
        except Exception as error:
            logger.error("attempt.broke", **_ids(pointer), **fault(error))
            return False
        return True

    def _attempt(self, pointer: Pointer, materials: Materials) -> None:
        config, event = materials.config(pointer), materials.event(pointer)
        if pointer.attempt == 1 and event is None:
            logger.warning("event.gone", **_ids(pointer))
        elif (aside := _aside(config, event)) is not None:
            self._set_aside(pointer, event, *aside)
        elif config is not None:
            self._claim(pointer, config, event, materials.body(pointer))

    def _set_aside(
        self, pointer: Pointer, event: Event | None, state: State, reason: Reason
    ) -> None:
        if self._ledger.set_aside(pointer, event, state, reason, self._clock()):
            logger.info("delivery.set_aside", **_ids(pointer), state=state, reason=reason)

    def _claim(
        self, pointer: Pointer, config: WebhookConfig, event: Event | None, body: bytes | None
    ) -> None:
        if self._remaining_ms() < config.timeout_s * MS_PER_S + MARGIN_MS:
            raise NoTimeError
        claimed = self._ledger.claim(pointer, event, self._clock())
        if isinstance(claimed, NotDue):
            self._retries.send([pointer], claimed.wait_ms)
        elif claimed is not None:
            self._send(claimed, config, body or self._render(pointer, claimed, config, event), body)

    def _render(
        self, pointer: Pointer, delivery: Delivery, config: WebhookConfig, event: Event | None
    ) -> bytes:
        event = event or self._reader.event(pointer)
        if event is None:
            raise EventGoneError
        built_at = delivery.built_at or delivery.created_at
        return DIALECTS[config.dialect].body(event, delivery.request_id, built_at)

    def _send(
        self, delivery: Delivery, config: WebhookConfig, body: bytes, kept: bytes | None
    ) -> None:
        started_at = self._clock()
        prepared = request.prepare(config, delivery, body, started_at)
        answer = self._sender.post(prepared.url, prepared.headers, body, config.timeout_s)
        if not _is_success(answer, DIALECTS[config.dialect]) and kept is None:
            self._ledger.keep_body(delivery, body, self._clock())
        self._settle(delivery, config, answer, started_at)

    def _settle(
        self, delivery: Delivery, config: WebhookConfig, answer: Answer, started_at: int
    ) -> None:
        dialect, now = DIALECTS[config.dialect], self._clock()
        succeeded = _is_success(answer, dialect)
        wait_ms, reason = (None, None) if succeeded else self._wait(delivery, config, answer, now)
        attempt = _attempt_of(delivery, answer, started_at, succeeded, wait_ms)
        if succeeded:
            settled = self._ledger.delivered(delivery, attempt, now)
        elif wait_ms is None or reason is None:
            settled = self._ledger.failed(delivery, attempt, now)
        else:
            settled = self._ledger.waiting(delivery, attempt, reason, now + wait_ms, now)
            if settled and not is_parked(now + wait_ms, now):
                self._retries.send([delivery.pointer(delivery.attempt + 1)], wait_ms)
        _log(delivery, attempt, settled)

    def _wait(
        self, delivery: Delivery, config: WebhookConfig, answer: Answer, now: int
    ) -> tuple[int | None, Reason | None]:
        waits = config.retry_schedule or DIALECTS[config.dialect].schedule
        planned = schedule.wait_ms(waits, delivery.attempt, self._random)
        if planned is None:
            return None, None
        asked = schedule.asked_wait_ms(answer.status_code, answer.retry_after, now)
        reason = Reason.RETRY_AFTER if asked > planned else Reason.ATTEMPT_FAILED
        return max(planned, asked), reason


def _aside(config: WebhookConfig | None, event: Event | None) -> tuple[State, Reason] | None:
    """Where a delivery goes that is not to be attempted now, and why."""
    if event is not None and event.erased_at is not None:
        return State.CANCELLED, Reason.ERASED
    if config is None:
        return State.CANCELLED, Reason.CONFIG_UNKNOWN
    if config.status is Status.DELETED:
        return State.CANCELLED, Reason.CONFIG_DELETED
    if config.status is Status.ARCHIVED:
        return State.HELD, Reason.CONFIG_ARCHIVED
    if not config.enabled:
        return State.HELD, Reason.CONFIG_DISABLED
    if event is not None and not DIALECTS[config.dialect].can_express(event):
        return State.CANCELLED, Reason.NOT_EXPRESSIBLE
    return None


def _is_success(answer: Answer, dialect: Dialect) -> bool:
    """The status decides: a receiver that has said yes is not asked again for the rest of it."""
    return answer.status_code is not None and dialect.is_success(answer.status_code)


def _attempt_of(
    delivery: Delivery, answer: Answer, started_at: int, succeeded: bool, wait_ms: int | None
) -> Attempt:
    return Attempt(
        number=delivery.attempt,
        started_at=started_at,
        succeeded=succeeded,
        status_code=answer.status_code,
        cause=None if succeeded else answer.cause or Cause.HTTP_STATUS,
        detail=_detail(answer),
        address=answer.address,
        timings=answer.timings,
        excerpt=answer.excerpt,
        next_wait_ms=wait_ms,
    )


def _detail(answer: Answer) -> str:
    redirected = answer.status_code is not None and 300 <= answer.status_code <= 399
    return answer.detail or ("Redirects are not followed" if redirected else "")


def _ids(pointer: Pointer) -> dict[str, Any]:
    return pointer.model_dump(mode="json")


def _log(delivery: Delivery, attempt: Attempt, settled: bool) -> None:
    """One wide line for each attempt, where its outcome is known."""
    logger.info(
        "attempt.settled" if settled else "attempt.lost_its_lease",
        workspace_id=delivery.workspace_id,
        config_id=delivery.config_id,
        event_id=delivery.event_id,
        event_type=delivery.event_type,
        request_id=str(delivery.request_id),
        attempt=attempt.number,
        succeeded=attempt.succeeded,
        status_code=attempt.status_code,
        cause=attempt.cause,
        total_ms=attempt.timings.total,
        next_wait_ms=attempt.next_wait_ms,
    )
