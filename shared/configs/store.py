"""Webhook configs in ConfigTable, each with a small item for every event type that it wants.

A config and these items change in one transaction; the config's version decides which of two
concurrent saves wins. When a config starts to receive, or gets another URL, the same transaction
deletes the health of its endpoint and starts the job that releases its held deliveries.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from shared import jobs
from shared.aws.items import IS_NEW, Condition, Update, as_model
from shared.aws.table import Query, Table
from shared.clock import MS_PER_DAY, MS_PER_S
from shared.configs import listings
from shared.configs.models import ConfigName, Status, WebhookConfig
from shared.configs.triggers import ALL_TYPES, Interest
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from shared.tables import config_table
from shared.tables.config_table import config_key, health_key, workspace_key

# DynamoDB takes 400 KB an item and 4 MB a transaction, and the triggers are written twice.
MAX_BYTES = 350_000
# So many configs or categories are changed in a transaction, which takes 100 items.
MAX_CHANGED = 100
# How long a deleted config or category stays visible, and its id taken.
KEEP_DELETED_MS = 30 * MS_PER_DAY


class ConfigStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, config: WebhookConfig, limit: int) -> None:
        """Raises ConflictError if the id is taken, also by a deleted config; ClaimTakenError if
        another config has its claim; InvalidError if it is too large; ForbiddenError if the
        workspace has `limit` configs of its kind."""
        operations = [
            self._table.putting(_item(config), IS_NEW),
            *listings.adding(self._table, config),
            *self._listing_triggers(config, None),
        ]
        if config.status is not Status.DELETED:
            operations.append(self._counting(config, 1, limit))
        refused = self._table.transact(operations)
        if 0 in refused:
            raise ConflictError(f"The id {config.id} is taken. Choose another, or save by PUT.")
        if config.listing and config.listing.claim and 1 in refused:
            raise listings.ClaimTakenError
        if refused:
            raise ForbiddenError(f"The plan limit of {limit} webhook configs is reached.")

    def replace(self, old: WebhookConfig, new: WebhookConfig) -> None:
        """Raises ConflictError if `old` is no longer what is stored; InvalidError if `new` is too
        large."""
        operations = [
            self._table.putting(_item(new), _is_still(old)),
            *self._listing_triggers(new, old),
        ]
        if new.status is Status.DELETED and old.status is not Status.DELETED:
            operations += [self._counting(new, -1), *listings.removing(self._table, new)]
        if new.is_receiving and not (old.is_receiving and old.url == new.url):
            operations += self._fresh_start(new)
        if self._table.transact(operations):
            raise _saved_meanwhile(new.id)

    def remove(self, config: WebhookConfig) -> None:
        """Delete the config for good.

        Raises ConflictError if `config` is no longer what is stored.
        """
        gone = config.model_copy(update={"status": Status.DELETED})
        operations = [
            self._table.deleting(config_key(config.workspace_id, config.id), _is_still(config)),
            *self._listing_triggers(gone, config),
        ]
        if config.status is not Status.DELETED:
            operations += [self._counting(config, -1), *listings.removing(self._table, config)]
        if self._table.transact(operations):
            raise _saved_meanwhile(config.id)

    def change_all(self, workspace_id: str, ids: Sequence[str], changes: dict[str, Any]) -> None:
        """Change fields of up to 100 configs, all or none; the triggers stay.

        The transaction has no room for the release jobs too, so they are written before it. A job
        that finds its config unchanged waits; if the change never comes, it ends without effect.
        Raises NotFoundError that names every unknown id.
        """
        if changes.get("status") is Status.ACTIVE:
            self._release_all(workspace_id, ids, changes["updated_at"])
        wanted = {config_id: config_key(workspace_id, config_id) for config_id in ids}
        change_all(self._table, wanted, changes)

    def find(self, workspace_id: str, config_id: str) -> WebhookConfig:
        """Raises NotFoundError. A deleted config is found for 30 days."""
        found = self._table.get(config_key(workspace_id, config_id))
        if found is None:
            raise NotFoundError(f"No webhook config {config_id} is known here.")
        return as_model(WebhookConfig, found)

    def find_undeleted(self, workspace_id: str, config_id: str) -> WebhookConfig:
        """Raises NotFoundError, and ConflictError if the config is deleted."""
        config = self.find(workspace_id, config_id)
        if config.status is Status.DELETED:
            raise ConflictError(
                f"The config {config_id} is deleted. Make a new one with another id."
            )
        return config

    def find_many(self, workspace_id: str, ids: Sequence[str]) -> list[WebhookConfig]:
        """Configs in the order of `ids`; unknown ids are left out."""
        wanted = [config_key(workspace_id, config_id) for config_id in dict.fromkeys(ids)]
        found = map(partial(as_model, WebhookConfig), self._table.get_many(wanted))
        by_id = {config.id: config for config in found}
        return [by_id[config_id] for config_id in dict.fromkeys(ids) if config_id in by_id]

    def names(self, workspace_id: str, consistently: bool = False) -> Iterator[ConfigName]:
        """All configs of a workspace, including deleted ones, in the order of their ids."""
        query = Query(
            "pk = :pk AND begins_with(sk, :prefix)",
            {"pk": config_table.workspace(workspace_id), "prefix": config_table.CONFIG_PREFIX},
            columns=tuple(ConfigName.model_fields),
            consistent=consistently,
        )
        return map(ConfigName.model_validate, self._table.items(query))

    def interests(self, workspace_id: str, event_type: str) -> list[Interest]:
        """The configs that are listed under the event type, with their triggers for it.

        The read is consistent: a config that was made before an event gets it.
        """
        query = Query(
            "pk = :pk", {"pk": config_table.triggers(workspace_id, event_type)}, consistent=True
        )
        return [_interest(item) for item in self._table.items(query)]

    def _counting(
        self, config: WebhookConfig, change: int, limit: int | None = None
    ) -> dict[str, Any]:
        """The workspace's item counts its configs, so that no list is read to check the limit."""
        name = "config_count" if config.listing is None else "subscription_count"
        update = Update().add(name, change)
        if limit is not None:
            has_room = f"attribute_not_exists({name}) OR {name} < :when_limit"
            update.when(has_room, {"limit": limit})
        return self._table.updating(workspace_key(config.workspace_id), update)

    def _fresh_start(self, config: WebhookConfig) -> Iterator[dict[str, Any]]:
        yield self._table.deleting(health_key(config.workspace_id, config.id))
        job = jobs.release(config.workspace_id, config.id, config.updated_at)
        yield jobs.starting(self._table, job)

    def _release_all(self, workspace_id: str, ids: Sequence[str], now: int) -> None:
        """Start the release jobs of the configs that are not active."""
        dormant = [c for c in self.find_many(workspace_id, ids) if c.status is not Status.ACTIVE]
        started = [jobs.release(workspace_id, config.id, now) for config in dormant]
        if started:
            self._table.transact([jobs.starting(self._table, job) for job in started])

    def _listing_triggers(
        self, new: WebhookConfig, old: WebhookConfig | None
    ) -> Iterator[dict[str, Any]]:
        """Operations that list `new` under its event types, and no longer under others."""
        wanted = () if new.status is Status.DELETED else new.listed_under
        known = () if old is None or old.status is Status.DELETED else old.listed_under
        since = _since(new, old)
        for event_type in wanted:
            key = _trigger_key(new, event_type)
            yield self._table.updating(key, _trigger_update(new, event_type, since))
        for event_type in known:
            if event_type not in wanted:
                yield self._table.deleting(_trigger_key(new, event_type))


def change_all(
    table: Table, keys: Mapping[str, Mapping[str, str]], changes: Mapping[str, Any]
) -> None:
    """Change fields of up to 100 configs or categories, all or none; `keys` are by id.

    Raises NotFoundError that names every id that is unknown or deleted.
    """
    ids = list(keys)
    update = Update().set(changes).add("version", 1)
    update.when("attribute_exists(pk) AND #status <> :when_deleted", {"deleted": Status.DELETED})
    refused = table.transact([table.updating(keys[name], update) for name in ids])
    if refused:
        unknown = ", ".join(ids[position] for position in sorted(refused))
        raise NotFoundError(f"Not known here: {unknown}. Nothing was changed.")


def _is_still(config: WebhookConfig) -> Condition:
    return Condition("version = :when_old", {"old": config.version})


def _saved_meanwhile(config_id: str) -> ConflictError:
    return ConflictError(
        f"The config {config_id} was saved by somebody else meanwhile. Read it and save again."
    )


def _item(config: WebhookConfig) -> dict[str, Any]:
    """Raises InvalidError if the config is too large to be stored."""
    values = config.model_dump(mode="json", exclude_none=True)
    size = len(json.dumps(values, ensure_ascii=False).encode())
    if size > MAX_BYTES:
        raise InvalidError(
            f"The webhook config is too large: it would take {size} bytes, and {MAX_BYTES} is the "
            "limit. Name fewer pages, funnels or event types."
        )
    if config.deleted_at is not None:
        values["expires_at"] = (config.deleted_at + KEEP_DELETED_MS) // MS_PER_S
    return values | config_key(config.workspace_id, config.id)


def _trigger_key(config: WebhookConfig, event_type: str) -> dict[str, str]:
    return {"pk": config_table.triggers(config.workspace_id, event_type), "sk": config.id}


def _since(new: WebhookConfig, old: WebhookConfig | None) -> int:
    """The moment (ms) from which on a newly listed event type is wanted.

    A config that moves between the list of a type and the list of all types may have wanted that
    type before. Events that are on their way must not be lost, so the moment is that of the last
    save: at worst the config gets a few events too many.
    """
    if old is None or old.status is Status.DELETED:
        return new.updated_at
    moves = (ALL_TYPES in new.listed_under) != (ALL_TYPES in old.listed_under)
    return old.updated_at if moves else new.updated_at


def _trigger_update(config: WebhookConfig, event_type: str, since: int) -> Update:
    """An event type that was listed before keeps its `since`."""
    listed = [t for t in config.triggers if event_type in (t.event_type, ALL_TYPES)]
    filters = [trigger.model_dump(exclude_defaults=True) for trigger in listed]
    return Update().once({"since": since}).set({"filters": filters})


def _interest(item: Mapping[str, Any]) -> Interest:
    return Interest(config_id=item["sk"], since=item["since"], triggers=item["filters"])
