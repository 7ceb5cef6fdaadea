"""What was accepted against what the receivers saw, and every request against the promises."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from tests.faults.engine.receivers import Sent
from tests.faults.world import Wanted, World

EARLY_MS = 1_000
# A clock that is ahead by no more than this lets nobody think that a lease has run out.
HARMLESS_SKEW_MS = 10_000
CLOCKS = "the workers' clocks differed by more than a lease"
SET = "the clocks were set while a worker had the lease"


@dataclass
class Report:
    """`insisted` of the events were sent more than once; `duplicates` are explained by what stopped
    a worker; `violations` must be empty.
    """

    accepted: int = 0
    insisted: int = 0
    deliveries: int = 0
    requests: int = 0
    states: Counter[str] = field(default_factory=Counter)
    duplicates: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    @property
    def violations(self) -> list[str]:
        return self.lost + self.wrong + self.unexplained + self.early + self.changed


def audit(world: World) -> Report:
    watch, receivers = world.cloud.watch, world.cloud.receivers
    report = Report(
        accepted=len(world.clients.accepted),
        insisted=len(world.clients.insisted),
        requests=len(receivers.sent),
    )
    for wanted in world.wanted():
        report.deliveries += 1
        report.states[watch.states.get(wanted.request_id, "missing")] += 1
        _check(report, world, wanted, receivers.by_delivery.get(wanted.request_id, []))
    known = {wanted.request_id for wanted in world.wanted()}
    strange = receivers.by_delivery.keys() - known
    report.wrong += [f"{request} belongs to no accepted event" for request in strange]
    for queue in world.cloud.queues.dead_letters:
        report.dead_letters[queue.name] = len(queue)
    return report


def _check(report: Report, world: World, wanted: Wanted, sent: list[Sent]) -> None:
    name = f"{wanted.event_id} for {wanted.config_id}"
    state = world.cloud.watch.states.get(wanted.request_id)
    if state not in ("delivered", "failed", "held"):
        report.lost.append(f"{name}: {state or 'was never begun'}")
    report.wrong += [f"{name}: {what}" for what in _wrong_ends(world, wanted, state, sent)]
    report.early += [f"{name}: {what}" for what in _early(sent)]
    _check_repeats(report, name, sent)
    if len({one.body for one in sent}) > 1:
        report.changed.append(f"{name}: its attempts had different bodies")


def _wrong_ends(world: World, wanted: Wanted, state: str | None, sent: list[Sent]) -> Iterator[str]:
    attempts = {one.attempt for one in sent}
    succeeded = {one.attempt for one in sent if one.answered and one.reply.succeeds}
    if state == "delivered" and not succeeded:
        yield "delivered, and no request succeeded"
    if state == "failed" and len(attempts) <= world.waits(wanted.config_id):
        yield f"failed after {len(attempts)} attempts"
    if state == "held" and wanted.config_id not in world.disabled:
        yield "held, and its config was never disabled"
    recorded = [one for one in sent if one.recorded_at is not None and one.reply.succeeds]
    if recorded and max(attempts) > recorded[0].attempt:
        yield "attempted again after it was delivered"


def _early(sent: list[Sent]) -> Iterator[str]:
    """By the clock of the worker that sends."""
    for one in sent:
        early = 0 if one.promised_ms is None else one.promised_ms - one.wall_ms
        if early > EARLY_MS and not one.task.group.was_skewed:
            yield f"attempt {one.attempt} {early} ms early"


def _check_repeats(report: Report, name: str, sent: list[Sent]) -> None:
    """A request for an attempt that was made before must follow from what befell its worker."""
    by_attempt: dict[int, list[Sent]] = {}
    for one in sent:
        by_attempt.setdefault(one.attempt, []).append(one)
    for attempt, requests in by_attempt.items():
        for first, second in pairwise(requests):
            why = _explanation(first, second)
            if why is None:
                when = f"{first.at} and {second.at}"
                report.unexplained.append(f"{name}: attempt {attempt} at {when}")
            else:
                report.duplicates[why] += 1


def _explanation(first: Sent, second: Sent) -> str | None:
    """The worker that sent first was stopped before it could record what came of it, or the lease
    of one of them ran out too early, or too late, by the clocks of others."""
    was_recorded = first.recorded_at is not None and first.recorded_at <= second.at
    if first.interruptions and not was_recorded:
        return first.interruptions[0]
    if second.skew_ms - first.skew_ms > HARMLESS_SKEW_MS and not was_recorded:
        return CLOCKS
    return SET if first.task.group.was_skewed or second.task.group.was_skewed else None
