"""Emptying: what a workspace keeps for a shorter time than its records is taken out of them.

A job goes through the log of the workspace, oldest first, up to what may still be kept. It takes
the payload out of an event and the excerpts of answers out of its deliveries; the records stay. An
event with a delivery that may still be sent keeps its payload and is listed as late; each pass
begins with those. A page that is done twice does no harm, so a crash repeats the last one.
"""

from concurrent.futures import ThreadPoolExecutor

from shared.clock import MS_PER_MINUTE, MS_PER_S, Clock
from shared.deliveries.queue import Queue
from shared.errors import NotFoundError
from shared.events import log
from shared.events.log import Log, LogReader
from shared.events.models import Event
from shared.events.store import EventStore
from shared.input.paging import Page, Window, read_cursor
from shared.jobs import Job, JobMessage, JobStore
from shared.model import Model
from shared.observability import logger
from shared.privacy.delivery_erasure import DeliveryErasure
from shared.repair.event_scan import EventScan
from shared.tables import event_table
from shared.workspaces.models import Workspace
from shared.workspaces.store import WorkspaceStore

# Events of a page are held in memory; each may have 256 KiB.
PAGE = 50
PARALLEL = 10
# What is not done by then is late; a page with very many deliveries takes no longer.
PAGE_MS = 5 * MS_PER_S
PASS_EVERY_MS = 360 * MS_PER_MINUTE


class ExpiryCursor(Model):
    """How far a pass has come: after which of the late ones, until it is through with them; and
    after which entry of the log, from pass to pass."""

    late: str | None = ""
    read_to: str = ""

    @classmethod
    def read(cls, text: str) -> "ExpiryCursor":
        return cls.model_validate_json(text) if text else cls()

    @property
    def after(self) -> str:
        return self.read_to if self.late is None else self.late

    def beyond(self, read_to: str, is_last: bool) -> "ExpiryCursor":
        if self.late is not None:
            return ExpiryCursor(late=None if is_last else read_to, read_to=self.read_to)
        return ExpiryCursor(late="" if is_last else None, read_to=read_to)


class ContentExpiry:
    def __init__(
        self,
        jobs: JobStore,
        workspaces: WorkspaceStore,
        logs: LogReader,
        events: EventStore,
        deliveries: DeliveryErasure,
        unseen: EventScan,
        queue: Queue,
        clock: Clock,
        stack_days: int,
    ) -> None:
        self._jobs = jobs
        self._workspaces = workspaces
        self._logs = logs
        self._events = events
        self._deliveries = deliveries
        self._unseen = unseen
        self._queue = queue
        self._clock = clock
        self._stack_days = stack_days

    def turn(self, turn: JobMessage) -> None:
        """Do a page, and queue the next turn. A turn that was done already is nothing to do."""
        job = self._jobs.find(turn)
        if job is None:
            return
        workspace = self._workspace(job)
        retention = None if workspace is None else workspace.retention(self._stack_days)
        if retention is None or retention.content_ms == retention.record_ms:
            self._jobs.end(job)
            return
        kept_since = retention.shows_content_since(self._clock())
        self._do_page(job, ExpiryCursor.read(job.place), kept_since)

    def _workspace(self, job: Job) -> Workspace | None:
        try:
            return self._workspaces.get(job.workspace_id)
        except NotFoundError:
            return None

    def _do_page(self, job: Job, place: ExpiryCursor, kept_since: int) -> None:
        is_late = place.late is not None
        workspace_id = job.workspace_id
        late, every = log.late_events_of(workspace_id), log.events_of(workspace_id, None)
        entries = late if is_late else every
        page = self._page(entries, place.after, kept_since)
        emptied = self._empty(workspace_id, page, is_late)
        if page.items:
            logger.info("emptied", workspace_id=workspace_id, seen=len(page.items), emptied=emptied)
        self._go_on(job, place.beyond(_read_to(entries, page, place.after), page.cursor is None))

    def _page(self, entries: Log, after: str, kept_since: int) -> Page:
        if after >= event_table.log_sk(
            kept_since, ""
        ):  # contents are kept for longer than they were
            return Page(items=(), cursor=None)
        cursor = entries.cursor_after(after) if after else None
        window = Window(until=kept_since - 1, limit=PAGE, cursor=cursor)
        return self._logs.page(entries, window, ascending=True)

    def _empty(self, workspace_id: str, page: Page, is_late: bool) -> int:
        """How many events are empty now. Of one that the sweep has seen every delivery is there."""
        until = self._clock() + PAGE_MS
        is_seen = self._unseen.seen(workspace_id)
        events = self._events.at_all([item["pk"] for item in page.items])

        def empty(event: Event) -> bool:
            is_empty = is_seen(event) and self._empty_event(event, until)
            if not is_empty and not is_late:
                self._events.list_late(event)
            return is_empty

        with ThreadPoolExecutor(PARALLEL) as pool:
            return sum(pool.map(empty, events))

    def _empty_event(self, event: Event, until: int) -> bool:
        if not self._deliveries.empty(event, lambda: self._clock() < until):
            return False
        self._events.empty(event, self._clock())
        return True

    def _go_on(self, job: Job, place: ExpiryCursor) -> None:
        """The sweep gives the next pass its first turn."""
        now = self._clock()
        is_over = place.late == ""
        next_at = now + (PASS_EVERY_MS if is_over else 0)
        turn = self._jobs.advance(job, place.model_dump_json(), now, next_at)
        if turn is not None and not is_over:
            self._queue.send([turn])


def _read_to(entries: Log, page: Page, before: str) -> str:
    if page.cursor is not None:
        return read_cursor(entries.name, page.cursor)
    return str(page.items[-1]["log_sk"]) if page.items else before
