"""Content expiry: a workspace may keep contents for a shorter time than the records around them.

A job goes through the log of the workspace, oldest event first, up to the oldest moment whose
contents are kept. It deletes the payload of an event, and the excerpts of the responses to its
deliveries; the records stay. An event with a delivery that may still be sent keeps its payload and
is listed as late; each pass begins with the late events. A page that is done twice does no harm, so
a crash repeats the last one.
"""

from concurrent.futures import ThreadPoolExecutor

from shared.clock import MS_PER_MINUTE, MS_PER_S, Clock
from shared.errors import NotFoundError
from shared.events import log
from shared.events.log import Log, LogReader
from shared.events.models import Event
from shared.events.store import EventStore
from shared.input.paging import Page as LogPage
from shared.input.paging import Window, read_cursor
from shared.jobs import END, Cursor, Job, JobPage
from shared.privacy.delivery_erasure import DeliveryErasure
from shared.repair.event_scan import EventScan
from shared.tables import event_table
from shared.workspaces.models import Workspace
from shared.workspaces.store import WorkspaceStore

# Events of a page are held in memory; each may have 256 KiB.
PAGE = 50
PARALLEL = 10
# Events that are not done by then are late. So a page with very many deliveries ends.
PAGE_MS = 5 * MS_PER_S
PASS_EVERY_MS = 360 * MS_PER_MINUTE


# Parts of a pass: the late events, then the log from where the last pass ended.
_LATE, _LOG = 0, 1


class ContentExpiry:
    def __init__(
        self,
        workspaces: WorkspaceStore,
        logs: LogReader,
        events: EventStore,
        deliveries: DeliveryErasure,
        event_scan: EventScan,
        clock: Clock,
        stack_days: int,
    ) -> None:
        self._workspaces = workspaces
        self._logs = logs
        self._events = events
        self._deliveries = deliveries
        self._event_scan = event_scan
        self._clock = clock
        self._stack_days = stack_days

    def page(self, job: Job) -> JobPage:
        """Delete the contents of a page of events. The job ends with its workspace, or once the
        workspace keeps contents for as long as records."""
        workspace = self._workspace(job)
        retention = None if workspace is None else workspace.retention(self._stack_days)
        if retention is None or retention.content_ms == retention.record_ms:
            return END
        return self._do_page(job, retention.shows_content_since(self._clock()))

    def _workspace(self, job: Job) -> Workspace | None:
        try:
            return self._workspaces.get(job.workspace_id)
        except NotFoundError:
            return None

    def _do_page(self, job: Job, kept_since: int) -> JobPage:
        cursor, workspace_id = job.cursor, job.workspace_id
        is_late = cursor.part == _LATE
        entries = log.late_events_of(workspace_id) if is_late else log.events_of(workspace_id, None)
        found = self._entries(entries, cursor.after, kept_since)
        emptied = self._empty(workspace_id, found, is_late)
        following = _beyond(cursor, _position(entries, found, cursor.after), found.cursor is None)
        is_over = found.cursor is None and not is_late
        return JobPage(
            cursor=following,
            next_at=self._clock() + (PASS_EVERY_MS if is_over else 0),
            line="emptied" if found.items else "",
            done={"workspace_id": workspace_id, "seen": len(found.items), "emptied": emptied},
        )

    def _entries(self, entries: Log, after: str, kept_since: int) -> LogPage:
        """A page of entries from before `kept_since` (ms)."""
        if after >= event_table.log_sk(kept_since, ""):  # contents are kept longer than before
            return LogPage(items=(), cursor=None)
        cursor = entries.cursor_after(after) if after else None
        window = Window(until=kept_since - 1, limit=PAGE, cursor=cursor)
        return self._logs.page(entries, window, ascending=True)

    def _empty(self, workspace_id: str, page: LogPage, is_late: bool) -> int:
        """The number of events that have no content any more.

        Once repair has seen an event, all of its deliveries exist.
        """
        until = self._clock() + PAGE_MS
        is_seen = self._event_scan.seen(workspace_id)
        events = self._events.at_all([item["pk"] for item in page.items])

        def empty(event: Event) -> bool:
            is_empty = is_seen(event) and self._empty_event(event, until)
            if not is_empty and not is_late:
                self._events.list_late(event)
            return is_empty

        with ThreadPoolExecutor(PARALLEL) as pool:
            return sum(pool.map(empty, events))

    def _empty_event(self, event: Event, until: int) -> bool:
        if not self._deliveries.delete_excerpts(event, lambda: self._clock() < until):
            return False
        self._events.delete_content(event, self._clock())
        return True


def _beyond(cursor: Cursor, position: str, is_last: bool) -> Cursor:
    """While the late events are read, `kept` is the position in the log."""
    if cursor.part == _LOG:
        return Cursor(part=_LATE, kept=position) if is_last else Cursor(part=_LOG, after=position)
    if is_last:
        return Cursor(part=_LOG, after=cursor.kept)
    return Cursor(part=_LATE, after=position, kept=cursor.kept)


def _position(entries: Log, page: LogPage, before: str) -> str:
    """The position of the last entry of the page; `before` if the page is empty."""
    if page.cursor is not None:
        return read_cursor(entries.name, page.cursor)
    return str(page.items[-1]["log_sk"]) if page.items else before
