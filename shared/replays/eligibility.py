"""Which of the events that a replay finds go to its config."""

from collections.abc import Sequence

from shared.aws.table import Table
from shared.clock import Clock
from shared.configs.models import WebhookConfig
from shared.dialects import DIALECTS
from shared.events.models import config_of, is_operational
from shared.events.store import event_from
from shared.model import Model
from shared.replays.deliveries import Found
from shared.replays.source import ReplayEntry
from shared.tables import event_table
from shared.workspaces.store import WorkspaceStore


class _Facts(Model):
    """The attributes of an event that decide."""

    pk: str
    accepted_at: int
    erased_at: int | None = None


class Eligibility:
    def __init__(
        self, table: Table, workspaces: WorkspaceStore, stack_days: int, clock: Clock
    ) -> None:
        self._table = table
        self._workspaces = workspaces
        self._stack_days = stack_days
        self._clock = clock

    def of(self, entries: Sequence[ReplayEntry], config: WebhookConfig) -> list[Found]:
        """The events that exist, have their contents, can be expressed in the dialect of the config
        and do not tell of the config itself."""
        can_express = DIALECTS[config.dialect].can_express
        wanted = [entry for entry in entries if can_express(entry.event_type)]
        facts = self._facts(wanted, self._shows_content_since(config.workspace_id))
        about_it = self._about(config, wanted)
        return [
            _found(entry, facts[entry.pk])
            for entry in wanted
            if entry.pk in facts and entry.pk not in about_it
        ]

    def _shows_content_since(self, workspace_id: str) -> int:
        workspace = self._workspaces.get(workspace_id)
        return workspace.retention(self._stack_days).shows_content_since(self._clock())

    def _facts(self, entries: Sequence[ReplayEntry], since: int) -> dict[str, _Facts]:
        wanted = [_key(pk) for pk in dict.fromkeys(entry.pk for entry in entries)]
        found = self._table.get_many(wanted, tuple(_Facts.model_fields))
        return {
            facts.pk: facts
            for facts in map(_Facts.model_validate, found)
            if facts.erased_at is None and facts.accepted_at >= since
        }

    def _about(self, config: WebhookConfig, entries: Sequence[ReplayEntry]) -> set[str]:
        """The partition keys of operational events about the config."""
        pks = {entry.pk for entry in entries if is_operational(entry.event_id)}
        return {
            values["pk"]
            for values in self._table.get_many(map(_key, pks))
            if config_of(event_from(values)) == config.id
        }


def _key(pk: str) -> dict[str, str]:
    return {"pk": pk, "sk": event_table.EVENT_SK}


def _found(entry: ReplayEntry, facts: _Facts) -> Found:
    return Found(
        position=entry.position,
        key=event_table.event_key_of(entry.pk),
        event_id=entry.event_id,
        event_type=entry.event_type,
        accepted_at=facts.accepted_at,
    )
