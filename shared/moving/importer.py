"""Import: what each line of an export does to the workspace that takes it.

Each line is stored under the id that it names, by itself: a refused line stops no other line.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from shared.apis.checks import ConfigChecks
from shared.apis.funnelflux import mapping
from shared.clock import Clock
from shared.configs.categories import Category, CategoryStore
from shared.configs.listings import ClaimTakenError
from shared.configs.models import Status, WebhookConfig
from shared.configs.store import ConfigStore
from shared.errors import (
    ConflictError,
    Field,
    FunnelhooksError,
    InvalidError,
    NotFoundError,
    TooLargeError,
)
from shared.events.own_types import EventTypeStore, OwnType
from shared.model import Model
from shared.moving import config_lines, lines
from shared.moving.lines import (
    KEPT_BY_THE_STACK,
    MAX_LINES,
    CategoryLine,
    ConfigLine,
    EventTypeLine,
    Line,
    WorkspaceLine,
)
from shared.workspaces.models import Caller
from shared.workspaces.store import WorkspaceStore


class LineOutcome(StrEnum):
    ACCEPTED = "accepted"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class LineReport(Model):
    """`secret` is the signing secret of a new config; it is shown here and never again.

    `needs_secrets` names the fields whose secrets are not known here. The config is disabled until
    it is saved with them; its deliveries are held.
    """

    line: int
    kind: str | None = None
    id: str | None = None
    outcome: LineOutcome
    reason: str | None = None
    fields: tuple[Field, ...] | None = None
    secret: str | None = None
    needs_secrets: tuple[str, ...] | None = None


class ImportReport(Model):
    """How many lines were new, changed something, changed nothing or were refused."""

    accepted: int
    updated: int
    unchanged: int
    refused: int
    lines: tuple[LineReport, ...]


class WorkspaceImporter:
    def __init__(
        self,
        workspaces: WorkspaceStore,
        categories: CategoryStore,
        event_types: EventTypeStore,
        configs: ConfigStore,
        checks: ConfigChecks,
        clock: Clock,
    ) -> None:
        self._workspaces = workspaces
        self._categories = categories
        self._event_types = event_types
        self._configs = configs
        self._checks = checks
        self._clock = clock

    def run(self, caller: Caller, content: bytes) -> ImportReport:
        """Raises TooLargeError over MAX_PAGE_BYTES or MAX_LINES; empty lines do not count."""
        numbered = lines.split(content)
        if len(numbered) > MAX_LINES:
            raise TooLargeError(f"There are {len(numbered)} lines, the limit is {MAX_LINES}.")
        return _report([self._imported(caller, number, text) for number, text in numbered])

    def _imported(self, caller: Caller, number: int, text: bytes) -> LineReport:
        about: dict[str, Any] = {"line": number}
        try:
            line = lines.read(text)
            about |= {"kind": line.kind, "id": lines.id_of(line)}
            return LineReport(**about | self._apply(caller, line))
        except FunnelhooksError as error:
            refused = {"outcome": LineOutcome.REFUSED, "reason": error.message}
            return LineReport(**about | refused, fields=error.fields or None)

    def _apply(self, caller: Caller, line: Line) -> dict[str, Any]:
        """The fields of the report, without those that name the line."""
        match line:
            case WorkspaceLine():
                return {"outcome": self._workspace(caller, line)}
            case CategoryLine():
                return {"outcome": self._category(caller, line)}
            case EventTypeLine():
                return {"outcome": self._event_type(caller, line)}
            case ConfigLine():
                return self._config(caller, line)

    def _workspace(self, caller: Caller, line: WorkspaceLine) -> LineOutcome:
        old = self._workspaces.get(caller.workspace_id)
        given = line.model_dump(exclude={"kind", *KEPT_BY_THE_STACK}, exclude_unset=True)
        required = {"name": line.name or old.name, "slug": line.slug or old.slug}
        new = old.model_copy(update=given | required)
        if new == old:
            return LineOutcome.UNCHANGED
        self._workspaces.replace(old, new)
        return LineOutcome.UPDATED

    def _category(self, caller: Caller, line: CategoryLine) -> LineOutcome:
        now = self._clock()
        found = self._categories.find_many(caller.workspace_id, [line.idCategory])
        if not found:
            new = Category.new(
                line.idCategory, caller.workspace_id, line.categoryName, line.status, now
            )
            self._categories.add(new)
            return LineOutcome.ACCEPTED
        (old,) = found
        if old.status is Status.DELETED:
            raise ConflictError(f"The category {old.id} was deleted here, and its id is taken.")
        if (old.name, old.status) == (line.categoryName, line.status):
            return LineOutcome.UNCHANGED
        new = old.changed(now, name=line.categoryName, status=line.status)
        self._categories.replace(old, new)
        return LineOutcome.UPDATED

    def _event_type(self, caller: Caller, line: EventTypeLine) -> LineOutcome:
        line.check()
        now, values = self._clock(), line.model_dump(exclude={"kind"})
        try:
            old = self._event_types.find(caller.workspace_id, line.name)
        except NotFoundError:
            old = None
        if old is not None and old.model_dump(include=set(values)) == values:
            return LineOutcome.UNCHANGED
        times = {"created_at": now, "updated_at": now}
        own = OwnType(workspace_id=caller.workspace_id, **values, **times)
        _, is_new = self._event_types.save(own, caller.workspace.limits.event_types)
        return LineOutcome.ACCEPTED if is_new else LineOutcome.UPDATED

    def _config(self, caller: Caller, line: ConfigLine) -> dict[str, Any]:
        mapping.check(line, caller.workspace_id, self._checks)
        old = self._known(caller, line.idWebhookConfig)
        new, missing = config_lines.read(line, caller.workspace_id, self._clock(), old)
        report = {"needs_secrets": missing or None}
        if old is None:
            self._add(caller, new)
            return report | {"outcome": LineOutcome.ACCEPTED, "secret": new.secret}
        if config_lines.is_same(old, new):
            return report | {"outcome": LineOutcome.UNCHANGED}
        self._configs.replace(old, new)
        return report | {"outcome": LineOutcome.UPDATED}

    def _known(self, caller: Caller, config_id: str) -> WebhookConfig | None:
        try:
            found = self._configs.find(caller.workspace_id, config_id)
        except NotFoundError:
            return None
        if found.status is Status.DELETED:
            raise ConflictError(f"The config {config_id} was deleted here, and its id is taken.")
        return found

    def _add(self, caller: Caller, new: WebhookConfig) -> None:
        limits = caller.workspace.limits
        limit = limits.configs if new.listing is None else limits.subscriptions
        try:
            self._configs.add(new, limit)
        except ClaimTakenError:
            raise InvalidError.at(
                "listing.claim", "another subscription of that client has it here"
            ) from None


def _report(reports: Sequence[LineReport]) -> ImportReport:
    outcomes = [report.outcome for report in reports]
    counts = {str(outcome): outcomes.count(outcome) for outcome in LineOutcome}
    return ImportReport(**counts, lines=tuple(reports))
