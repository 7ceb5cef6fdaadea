"""Whatever dies in the middle, however the log is filled: each event once, all counted."""

from collections import Counter
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from shared import jobs
from shared.configs.models import WebhookConfig
from shared.deliveries.models import Delivery
from shared.endpoints.breaker import EndpointHealth
from shared.jobs import Cursor, Job, JobMessage, JobPage, JobRunner
from shared.replays import replayer
from shared.replays.deliveries import Found, planned
from shared.replays.models import Replay, ReplayState
from shared.replays.progress import progress
from shared.replays.replayer import Replayer
from shared.replays.source import ReplayEntry
from tests import factories
from tests.fakes import NOW, FakeClock

PAGE = 3
MAX_PAGES = 80
ERASED = "0" * 20


class CrashError(Exception):
    """The process is gone."""


class FakePlatform:
    """Everything that a replayer asks of the tables and the queue; some of its calls kill it.

    `log` are the keys of events, as they stand in it. A crash falls before or after the effect.
    """

    def __init__(self, log: Sequence[str], crashes: dict[int, bool]) -> None:
        self.entries = [
            ReplayEntry(
                position=f"0#{number}", pk=f"W#w#E#{key}", event_id=key, event_type="on_action"
            )
            for number, key in enumerate(log)
        ]
        self.crashes = crashes
        self.calls = 0
        self.made: dict[str, tuple[str, Delivery]] = {}
        self.sent: list[Any] = []
        self.replay = factories.replay(is_counted=False)
        self.job = jobs.replay(factories.WORKSPACE, "crm", self.replay.replay_id, NOW, 0)

    def _do(self, effect: Callable[[], Any]) -> Any:
        self.calls += 1
        dies = self.crashes.get(self.calls)
        if dies is False:
            raise CrashError
        answer = effect()
        if dies is True:
            raise CrashError
        return answer

    # ── The job and the replay; an operation of a transaction is what changes of the replay ───────

    def find_job(self, message: JobMessage) -> Job | None:
        return self.job if message == self.job.message else None

    def advance(self, job: Job, cursor: Cursor, page: JobPage) -> JobMessage:
        def save() -> JobMessage:
            assert job == self.job
            self.job = job.model_copy(update={"turn": job.turn + 1, "cursor": cursor})
            self._change(page.also)
            return self.job.message

        return cast("JobMessage", self._do(save))

    def end(self, job: Job, also: Sequence[Any] = ()) -> None:
        self._do(lambda: self._change(also))

    def _change(self, operations: Sequence[Any]) -> None:
        for changes in operations:
            self.replay = self.replay.model_copy(update=changes)

    def find(self, workspace_id: str, replay_id: str) -> Replay:
        return self.replay

    def counting(self, replay: Replay, number: int, cursor: Cursor | None) -> dict[str, Any]:
        return {
            "total": replay.total + number,
            "is_counted": cursor is None,
            "cursor": cursor or Cursor(),
        }

    def going_on(self, replay: Replay, queued: int, skipped: int, cursor: Cursor) -> dict[str, Any]:
        return _added(replay, queued, skipped) | {"cursor": cursor}

    def finishing(self, replay: Replay, queued: int, skipped: int, now: int) -> list[Any]:
        return [_added(replay, queued, skipped) | {"state": ReplayState.FINISHED}]

    # ── Its log, its deliveries, its queue ────────────────────────────────────────────────────────

    def page(
        self, replay: Replay, cursor: Cursor, size: int
    ) -> tuple[list[ReplayEntry], Cursor | None]:
        start = int(cursor.after or 0)
        end = start + PAGE
        following = Cursor(after=str(end)) if end < len(self.entries) else None
        return self.entries[start:end], following

    def counted(self, replay: Replay, cursor: Cursor, queries: int) -> tuple[int, Cursor | None]:
        page, following = self.page(replay, cursor, PAGE)
        return len(page), following

    def of(self, entries: Sequence[ReplayEntry], config: WebhookConfig) -> list[Found]:
        return [_found(entry) for entry in entries if entry.event_id != ERASED]

    def make(self, replay: Replay, found: Found, at: int, now: int) -> Delivery | None:
        def make() -> Delivery | None:
            new = planned(replay, found, at)
            position, delivery = self.made.setdefault(found.key, (found.position, new))
            return delivery if position == found.position else None

        return cast("Delivery | None", self._do(make))

    def send(self, messages: Sequence[Any], delay_ms: int = 0) -> None:
        self._do(lambda: self.sent.extend(messages))

    def send_at(self, messages: Sequence[tuple[Any, int]], now: int) -> None:
        self.send([message for message, _ in messages])

    def replayer(self) -> Replayer:
        parts: dict[str, Any] = {
            "replays": self,
            "configs": SimpleNamespace(find=lambda *_: factories.config()),
            "health": SimpleNamespace(find=lambda *_: EndpointHealth()),
            "source": SimpleNamespace(page=self.page, count=self.counted),
            "eligibility": self,
            "deliveries": self,
            "queue": self,
        }
        return Replayer(**parts, clock=FakeClock())

    def run(self) -> None:
        """As repair does: whenever the job is overdue, its message is queued again."""
        store = SimpleNamespace(find=self.find_job, advance=self.advance, end=self.end)
        runner = JobRunner(cast("Any", store), self, FakeClock())
        for _ in range(MAX_PAGES):
            try:
                runner.run(self.job.message, self.replayer().page)
            except CrashError:
                continue


def _added(replay: Replay, queued: int, skipped: int) -> dict[str, Any]:
    return {"queued": replay.queued + queued, "skipped": replay.skipped + skipped}


def _found(entry: ReplayEntry) -> Found:
    return Found(
        position=entry.position,
        key=entry.event_id,
        event_id=entry.event_id,
        event_type=entry.event_type,
        accepted_at=NOW,
    )


LOGS = st.lists(
    st.sampled_from([ERASED, *(f"{number:020x}" for number in range(1, 9))]), max_size=20
)
CRASHES = st.dictionaries(st.integers(min_value=1, max_value=60), st.booleans(), max_size=8)


@given(log=LOGS, crashes=CRASHES)
def test_each_event_goes_once_and_every_entry_is_counted_once(
    log: list[str], crashes: dict[int, bool]
) -> None:
    platform = FakePlatform(log, crashes)

    with patch.object(replayer, "PARALLEL", 1):
        platform.run()

    wanted = set(log) - {ERASED}
    assert platform.replay.state is ReplayState.FINISHED
    assert platform.made.keys() == wanted
    assert {message.request_id for message in platform.sent if hasattr(message, "request_id")} == {
        delivery.request_id for _, delivery in platform.made.values()
    }
    assert platform.replay.total == len(log)
    assert platform.replay.queued == len(wanted)
    assert platform.replay.skipped == len(log) - len(wanted)


@given(
    states=st.dictionaries(
        st.sampled_from(["waiting", "sending", "held", "failed"]), st.integers(0, 9)
    ),
    queued=st.integers(0, 50),
)
def test_what_is_not_delivered_tells_what_is(states: dict[str, int], queued: int) -> None:
    known = progress(queued, Counter(states))

    others = known.pending + known.held + known.failed + known.cancelled
    assert others == sum(states.values())
    assert known.delivered == max(0, queued - others)
