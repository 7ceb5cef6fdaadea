"""Webhook configs in ConfigTable, each with a small item for every event type that it wants.

A config and its items change in one transaction; a version number lets one of two saves win.
A config that begins to receive, or gets another URL, begins with a clean bill of health, and what
was held for it is released.
"""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from shared import jobs
from shared.aws.items import Update, from_item, to_item
from shared.aws.table import Table, batch_get
from shared.aws.transaction import TransactionRefusedError, transact
from shared.clock import MS_PER_S
from shared.configs import listings
from shared.configs.assets import KEEP_DELETED_MS, change_all
from shared.configs.models import ALL_TYPES, ConfigName, Status, Trigger, WebhookConfig
from shared.configs.triggers import Wanted
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from shared.tables import config_table

if TYPE_CHECKING:
    pass

# DynamoDB takes 400 KB. What its triggers say is written twice, and a transaction takes 4 MB.
MAX_BYTES = 350_000

_COLUMNS = frozenset(WebhookConfig.model_fields)


class ConfigStore:
    def __init__(self, table: Table) -> None:
        self._dynamodb = table.client
        self._table = table.name

    def add(self, config: WebhookConfig, limit: int) -> None:
        """Raises ConflictError if the id is taken, by a deleted config too; ClaimedError if another
        config has its claim; InvalidError if it is too large; ForbiddenError if the workspace has
        `limit` configs of the kind."""
        items = [
            self._put(config, "attribute_not_exists(pk)", {}),
            *listings.entries(self._table, config),
            *self._triggers(config, None),
        ]
        if config.status is not Status.DELETED:
            items.append(self._count(config, 1, limit))
        try:
            transact(self._dynamodb, items)
        except TransactionRefusedError as error:
            if 0 in error.failed:
                raise ConflictError(
                    f"The id {config.id} is taken. Choose another, or save by PUT."
                ) from None
            if config.listing and config.listing.claim and 1 in error.failed:
                raise listings.IdTakenError from None
            raise ForbiddenError(f"The plan limit of {limit} webhook configs is reached.") from None

    def replace(self, old: WebhookConfig, new: WebhookConfig) -> None:
        """Raises ConflictError if `old` is no longer what is stored."""
        items = [
            self._put(new, "version = :old", {":old": old.version}),
            *self._triggers(new, old),
        ]
        if new.status is Status.DELETED and old.status is not Status.DELETED:
            items += [self._count(new, -1, None), *listings.removals(self._table, new)]
        if new.is_receiving and not (old.is_receiving and old.url == new.url):
            items += self._fresh_start(new)
        try:
            transact(self._dynamodb, items)
        except TransactionRefusedError:
            raise _saved_meanwhile(new.id) from None

    def remove(self, config: WebhookConfig) -> None:
        """For good. Raises ConflictError if `config` is no longer what is stored."""
        key = to_item(config_key(config.workspace_id, config.id))
        delete = {
            "TableName": self._table,
            "Key": key,
            "ConditionExpression": "version = :old",
            "ExpressionAttributeValues": to_item({":old": config.version}),
        }
        gone = config.model_copy(update={"status": Status.DELETED})
        items = [{"Delete": delete}, *self._triggers(gone, config)]
        if config.status is not Status.DELETED:
            items += [self._count(config, -1, None), *listings.removals(self._table, config)]
        try:
            transact(self._dynamodb, items)
        except TransactionRefusedError:
            raise _saved_meanwhile(config.id) from None

    def change_all(self, workspace_id: str, ids: Sequence[str], changes: dict[str, Any]) -> None:
        """Change fields of up to 100 configs, all or none; triggers stay.

        A transaction has no room for their releases too. They go first: one that finds its config
        as it was waits, and one whose change never comes ends without having done anything.
        """
        if changes.get("status") is Status.ACTIVE:
            self._release_all(workspace_id, ids, changes["updated_at"])
        wanted = {config_id: config_key(workspace_id, config_id) for config_id in ids}
        change_all(self._dynamodb, self._table, wanted, changes)

    def find(self, workspace_id: str, config_id: str) -> WebhookConfig:
        answer = self._dynamodb.get_item(
            TableName=self._table,
            Key=to_item(config_key(workspace_id, config_id)),
            ConsistentRead=True,
        )
        if "Item" not in answer:
            raise NotFoundError(f"No webhook config {config_id} is known here.")
        return config_from(from_item(answer["Item"]))

    def find_many(self, workspace_id: str, ids: Sequence[str]) -> list[WebhookConfig]:
        """In the order of `ids`; those that are not known are left out."""
        wanted = [config_key(workspace_id, config_id) for config_id in dict.fromkeys(ids)]
        found = batch_get(self._dynamodb, {self._table: wanted})[self._table]
        by_id = {values["id"]: config_from(values) for values in found}
        return [by_id[config_id] for config_id in dict.fromkeys(ids) if config_id in by_id]

    def names(self, workspace_id: str, consistently: bool = False) -> Iterator[ConfigName]:
        """All of a workspace, deleted ones too, in the order of their ids."""
        columns = {f"#{name}": name for name in ConfigName.model_fields}
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=to_item(
                {":pk": config_table.workspace(workspace_id), ":prefix": config_table.CONFIG_PREFIX}
            ),
            ProjectionExpression=", ".join(columns),
            ExpressionAttributeNames=columns,
            ConsistentRead=consistently,
        )
        for page in pages:
            for item in page["Items"]:
                yield ConfigName.model_validate(from_item(item))

    def wanting(self, workspace_id: str, event_type: str) -> list[Wanted]:
        """Read consistently: a config that was made before an event gets it."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=to_item(
                {":pk": config_table.triggers(workspace_id, event_type)}
            ),
            ConsistentRead=True,
        )
        return [_wanted(from_item(item)) for page in pages for item in page["Items"]]

    def _put(self, config: WebhookConfig, condition: str, values: dict[str, Any]) -> Any:
        put: dict[str, Any] = {
            "TableName": self._table,
            "Item": _item(config),
            "ConditionExpression": condition,
        }
        if values:
            put["ExpressionAttributeValues"] = to_item(values)
        return {"Put": put}

    def _count(self, config: WebhookConfig, change: int, limit: int | None) -> Any:
        """The workspace keeps the number of its configs, so that no list is read to check it."""
        name = "config_count" if config.listing is None else "subscription_count"
        update = Update().add(name, change)
        if limit is not None:
            full = f"attribute_not_exists({name}) OR {name} < :when_limit"
            update.when(full, {"limit": limit})
        key = to_item(
            {"pk": config_table.workspace(config.workspace_id), "sk": config_table.WORKSPACE_SK}
        )
        return {"Update": {"TableName": self._table, "Key": key, **update.request()}}

    def _fresh_start(self, config: WebhookConfig) -> Iterator[Any]:
        key = to_item(health_key(config.workspace_id, config.id))
        yield {"Delete": {"TableName": self._table, "Key": key}}
        job = jobs.release(config.workspace_id, config.id, config.updated_at)
        yield jobs.starting(self._table, job)

    def _release_all(self, workspace_id: str, ids: Sequence[str], now: int) -> None:
        """Of those that were not active."""
        dormant = [c for c in self.find_many(workspace_id, ids) if c.status is not Status.ACTIVE]
        started = [jobs.release(workspace_id, config.id, now) for config in dormant]
        if started:
            transact(self._dynamodb, [jobs.starting(self._table, job) for job in started])

    def _triggers(self, new: WebhookConfig, old: WebhookConfig | None) -> Iterator[Any]:
        wanted = () if new.status is Status.DELETED else new.listed_under
        known = () if old is None or old.status is Status.DELETED else old.listed_under
        since = _since(new, old)
        for event_type in wanted:
            update = _trigger_update(new, event_type, since)
            yield {"Update": {"TableName": self._table, **update}}
        for event_type in known:
            if event_type not in wanted:
                key = to_item(_trigger_key(new, event_type))
                yield {"Delete": {"TableName": self._table, "Key": key}}


def _saved_meanwhile(config_id: str) -> ConflictError:
    return ConflictError(
        f"The config {config_id} was saved by somebody else meanwhile. Read it and save again."
    )


def config_key(workspace_id: str, config_id: str) -> dict[str, str]:
    return {"pk": config_table.workspace(workspace_id), "sk": config_table.config_sk(config_id)}


def health_key(workspace_id: str, config_id: str) -> dict[str, str]:
    return {"pk": config_table.endpoint(workspace_id, config_id), "sk": config_table.HEALTH_SK}


def config_from(values: dict[str, Any]) -> WebhookConfig:
    return WebhookConfig.model_validate({name: values[name] for name in values.keys() & _COLUMNS})


def _item(config: WebhookConfig) -> dict[str, Any]:
    values = config.model_dump(mode="json", exclude_none=True)
    size = len(json.dumps(values, ensure_ascii=False).encode())
    if size > MAX_BYTES:
        raise InvalidError(
            f"The webhook config is too large: it would take {size} bytes, and {MAX_BYTES} is the "
            "limit. Name fewer pages, funnels or event types."
        )
    if config.deleted_at is not None:
        values["expires_at"] = (config.deleted_at + KEEP_DELETED_MS) // MS_PER_S
    return to_item(values | config_key(config.workspace_id, config.id))


def _trigger_key(config: WebhookConfig, event_type: str) -> dict[str, str]:
    return {"pk": config_table.triggers(config.workspace_id, event_type), "sk": config.id}


def _since(new: WebhookConfig, old: WebhookConfig | None) -> int:
    """From when on a type that is new in the lists is wanted.

    One that moves between its own list and that of all types may have been wanted before, by events
    that are on their way: they are not lost, at worst a few more come.
    """
    if old is None or old.status is Status.DELETED:
        return new.updated_at
    moves = (ALL_TYPES in new.listed_under) != (ALL_TYPES in old.listed_under)
    return old.updated_at if moves else new.updated_at


def _trigger_update(config: WebhookConfig, event_type: str, since: int) -> dict[str, Any]:
    """A type that was wanted before keeps its `since`."""
    listed = [t for t in config.triggers if event_type in (t.event_type, ALL_TYPES)]
    filters = [trigger.model_dump(exclude_defaults=True) for trigger in listed]
    update = Update().once({"since": since}).set({"filters": filters})
    return {"Key": to_item(_trigger_key(config, event_type)), **update.request()}


def _wanted(values: dict[str, Any]) -> Wanted:
    filters = tuple(Trigger.model_validate(trigger) for trigger in values["filters"])
    return Wanted(config_id=values["sk"], since=values["since"], filters=filters)
