"""Webhook configs in ConfigTable, each with a small item for every event type that it wants.

A config and its items change in one transaction; a version number lets one of two saves win.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.aws import from_item, to_item
from shared.clock import MS_PER_DAY, MS_PER_S
from shared.configs import keys
from shared.configs.models import Status, Trigger, WebhookConfig
from shared.configs.triggers import Wanted
from shared.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# A deleted config stays visible, and its id taken, for as long.
KEEP_DELETED_MS = 30 * MS_PER_DAY

_COLUMNS = frozenset(WebhookConfig.model_fields)


class ConfigStore:
    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def add(self, config: WebhookConfig) -> None:
        """Raises ConflictError if the id is taken, by a deleted config too."""
        taken = f"The id {config.id} is taken. Choose another, or save by PUT."
        self._write(config, None, "attribute_not_exists(pk)", {}, taken)

    def replace(self, old: WebhookConfig, new: WebhookConfig) -> None:
        """Raises ConflictError if `old` is no longer what is stored."""
        changed = (
            f"The config {new.id} was saved by somebody else meanwhile. Read it and save again."
        )
        self._write(new, old, "version = :old", {":old": old.version}, changed)

    def find(self, workspace_id: str, config_id: str) -> WebhookConfig:
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=to_item(config_key(workspace_id, config_id))
        )
        if "Item" not in answer:
            raise NotFoundError(f"No webhook config {config_id} is known here.")
        return config_from(from_item(answer["Item"]))

    def all(self, workspace_id: str) -> Iterator[WebhookConfig]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=to_item(
                {":pk": keys.workspace(workspace_id), ":prefix": keys.CONFIG_PREFIX}
            ),
        )
        for page in pages:
            for item in page["Items"]:
                yield config_from(from_item(item))

    def wanting(self, workspace_id: str, event_type: str) -> list[Wanted]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=to_item({":pk": keys.triggers(workspace_id, event_type)}),
        )
        return [_wanted(from_item(item)) for page in pages for item in page["Items"]]

    def _write(
        self,
        new: WebhookConfig,
        old: WebhookConfig | None,
        condition: str,
        values: dict[str, Any],
        conflict: str,
    ) -> None:
        put: Any = {
            "TableName": self._table,
            "Item": _item(new),
            "ConditionExpression": condition,
        }
        if values:
            put["ExpressionAttributeValues"] = to_item(values)
        try:
            self._dynamodb.transact_write_items(
                TransactItems=[{"Put": put}, *self._trigger_writes(new, old)]
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "TransactionCanceledException":
                raise
            raise ConflictError(conflict) from None

    def _trigger_writes(self, new: WebhookConfig, old: WebhookConfig | None) -> Iterator[Any]:
        wanted = () if new.status is Status.DELETED else new.event_types
        known = (
            {} if old is None or old.status is Status.DELETED else dict.fromkeys(old.event_types)
        )
        for event_type in wanted:
            yield {"Update": {"TableName": self._table, **_trigger_update(new, event_type)}}
        for event_type in known:
            if event_type not in wanted:
                key = to_item(_trigger_key(new, event_type))
                yield {"Delete": {"TableName": self._table, "Key": key}}


def config_key(workspace_id: str, config_id: str) -> dict[str, str]:
    return {"pk": keys.workspace(workspace_id), "sk": keys.config_sk(config_id)}


def config_from(values: dict[str, Any]) -> WebhookConfig:
    return WebhookConfig.model_validate({name: values[name] for name in values.keys() & _COLUMNS})


def _item(config: WebhookConfig) -> dict[str, Any]:
    values = config.model_dump(mode="json", exclude_none=True)
    if config.deleted_at is not None:
        values["expires_at"] = (config.deleted_at + KEEP_DELETED_MS) // MS_PER_S
    return to_item(values | config_key(config.workspace_id, config.id))


def _trigger_key(config: WebhookConfig, event_type: str) -> dict[str, str]:
    return {"pk": keys.triggers(config.workspace_id, event_type), "sk": config.id}


def _trigger_update(config: WebhookConfig, event_type: str) -> dict[str, Any]:
    """A type that was wanted before keeps its `since`."""
    filters = [t for t in config.triggers if t.event_type == event_type]
    values = {
        ":filters": [trigger.model_dump(exclude_none=True) for trigger in filters],
        ":now": config.updated_at,
    }
    return {
        "Key": to_item(_trigger_key(config, event_type)),
        "UpdateExpression": "SET filters = :filters, since = if_not_exists(since, :now)",
        "ExpressionAttributeValues": to_item(values),
    }


def _wanted(values: dict[str, Any]) -> Wanted:
    filters = tuple(Trigger.model_validate(trigger) for trigger in values["filters"])
    return Wanted(config_id=values["sk"], since=values["since"], filters=filters)
