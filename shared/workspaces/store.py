"""Workspaces and keys in ConfigTable.

All that is known of a key lies under the hash of its secret, so one GetItem authenticates. A small
pointer in the workspace's partition makes it listable; both are written in one transaction.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared import ids, jobs
from shared.aws.items import Update, from_item, to_item
from shared.aws.table import Table, batch_get, is_condition
from shared.aws.transaction import TransactionRefusedError, transact
from shared.clock import MS_PER_MINUTE, MS_PER_S, Clock, now_ms
from shared.errors import ConflictError, NotFoundError
from shared.tables import config_table
from shared.workspaces.models import ApiKey, Workspace

if TYPE_CHECKING:
    pass

# The last use of a key is recorded no more often.
USE_EVERY_MS = MS_PER_MINUTE
# A counter outlives its minute by so many, and then falls to the table's TTL.
_KEEP_MINUTES = 5

_KEY_COLUMNS = frozenset(ApiKey.model_fields)
_WORKSPACE_COLUMNS = frozenset(Workspace.model_fields)
_SETTINGS = {"name", "slug", "limits", "redirect_hosts", "retention_days", "content_days"}
_UNUSED = (
    "attribute_exists(pk) AND (attribute_not_exists(last_used_at) OR last_used_at <= :when_before)"
)


class WorkspaceStore:
    def __init__(self, table: Table, clock: Clock = now_ms) -> None:
        self._dynamodb = table.client
        self._table = table.name
        self._clock = clock

    def add(self, workspace: Workspace) -> None:
        item = workspace.model_dump() | workspace_key(workspace.workspace_id)
        transact(self._dynamodb, [self._new(item), *self._emptying(workspace)])

    def get(self, workspace_id: str) -> Workspace:
        values = self._read(workspace_key(workspace_id))
        if values is None:
            raise NotFoundError(f"No workspace {workspace_id} is known here.")
        return workspace_from(values)

    def replace(self, old: Workspace, new: Workspace) -> Workspace:
        """Raises ConflictError if `old` is no longer what is stored."""
        update = _changing(new.model_dump(include=_SETTINGS), old.version)
        key = to_item(workspace_key(old.workspace_id))
        change = {"Update": {"TableName": self._table, "Key": key, **update.request()}}
        try:
            transact(self._dynamodb, [change, *self._emptying(new)])
        except TransactionRefusedError:
            raise _changed(f"workspace {self.get(old.workspace_id).workspace_id}") from None
        return self.get(old.workspace_id)

    def _emptying(self, workspace: Workspace) -> Iterator[dict[str, Any]]:
        """The job that keeps its contents no longer than it says, for those that say so."""
        if workspace.content_days is not None:
            job = jobs.emptying(workspace.workspace_id, self._clock())
            yield jobs.going_on(self._table, job)

    def add_key(self, key: ApiKey, secret: str) -> None:
        pointer = _pointer_key(key.workspace_id, key.id) | {"key_sha256": ids.sha256_hex(secret)}
        self._dynamodb.transact_write_items(
            TransactItems=[self._new(_key_values(key) | _key_of(secret)), self._new(pointer)]
        )

    def find_key(self, secret: str) -> ApiKey | None:
        values = self._read(_key_of(secret))
        return None if values is None else _api_key(values)

    def list_keys(self, workspace_id: str) -> list[ApiKey]:
        """The keys of a workspace, in the order in which they were made."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ProjectionExpression="key_sha256",
            ExpressionAttributeValues=to_item(
                {
                    ":pk": config_table.workspace(workspace_id),
                    ":prefix": config_table.API_KEY_PREFIX,
                }
            ),
            ConsistentRead=True,
        )
        hashes = [from_item(item)["key_sha256"] for page in pages for item in page["Items"]]
        found = batch_get(self._dynamodb, {self._table: [_hashed(one) for one in hashes]})
        return sorted(map(_api_key, found[self._table]), key=lambda key: (key.created_at, key.id))

    def get_key(self, workspace_id: str, key_id: str) -> ApiKey:
        values = self._read(self._locate(workspace_id, key_id))
        if values is None:
            raise _unknown(f"API key {key_id}")
        return _api_key(values)

    def replace_key(self, old: ApiKey, new: ApiKey) -> None:
        """Raises ConflictError if `old` is no longer what is stored."""
        changes = _key_values(new, {"name", "scopes", "key_expires_at", "active"})
        key = self._locate(old.workspace_id, old.id)
        self._change(key, changes, old.version, f"API key {old.id}")

    def delete_key(self, workspace_id: str, key_id: str) -> None:
        gone = self._locate(workspace_id, key_id), _pointer_key(workspace_id, key_id)
        try:
            self._dynamodb.transact_write_items(TransactItems=[self._delete(key) for key in gone])
        except self._dynamodb.exceptions.TransactionCanceledException as error:
            if "ConditionalCheckFailed" in _reasons(error):
                raise _unknown(f"API key {key_id}") from None
            if "TransactionConflict" in _reasons(error):
                raise _changed(f"API key {key_id}") from None
            raise

    def touch(self, secret: str, now: int) -> bool:
        """Record a use at `now`. False if another was recorded less than a minute before."""
        update = Update().set({"last_used_at": now}).when(_UNUSED, {"before": now - USE_EVERY_MS})
        try:
            self._dynamodb.update_item(
                TableName=self._table, Key=to_item(_key_of(secret)), **update.request()
            )
        except ClientError as error:
            if not is_condition(error):
                raise
            return False
        return True

    def count_call(self, key_id: str, minute: int) -> int:
        """How many management calls the key has made in the minute, this one included."""
        expires_at = (minute + _KEEP_MINUTES) * MS_PER_MINUTE // MS_PER_S
        answer = self._dynamodb.update_item(
            TableName=self._table,
            Key=to_item({"pk": config_table.rate(key_id), "sk": str(minute)}),
            UpdateExpression="SET expires_at = :expires_at ADD calls :one",
            ExpressionAttributeValues=to_item({":expires_at": expires_at, ":one": 1}),
            ReturnValues="UPDATED_NEW",
        )
        return int(from_item(answer["Attributes"])["calls"])

    def _read(self, key: Mapping[str, str]) -> dict[str, Any] | None:
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=to_item(key), ConsistentRead=True
        )
        return from_item(answer["Item"]) if "Item" in answer else None

    def _locate(self, workspace_id: str, key_id: str) -> dict[str, str]:
        pointer = self._read(_pointer_key(workspace_id, key_id))
        if pointer is None:
            raise _unknown(f"API key {key_id}")
        return _hashed(pointer["key_sha256"])

    def _change(
        self, key: Mapping[str, str], changes: Mapping[str, Any], version: int, what: str
    ) -> dict[str, Any]:
        update = _changing(changes, version)
        try:
            answer = self._dynamodb.update_item(
                TableName=self._table,
                Key=to_item(key),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **update.request(),
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            raise _changed(what) if "Item" in error.response else _unknown(what) from None
        except self._dynamodb.exceptions.TransactionConflictException:
            raise _changed(what) from None
        return from_item(answer["Attributes"])

    def _new(self, values: Mapping[str, Any]) -> Any:
        condition = {"ConditionExpression": "attribute_not_exists(pk)"}
        return {"Put": {"TableName": self._table, "Item": to_item(values), **condition}}

    def _delete(self, key: Mapping[str, str]) -> Any:
        condition = {"ConditionExpression": "attribute_exists(pk)"}
        return {"Delete": {"TableName": self._table, "Key": to_item(key), **condition}}


def _changing(changes: Mapping[str, Any], version: int) -> Update:
    update = Update().set({**changes, "version": version + 1})
    return update.when("version = :when_version", {"version": version})


def workspace_from(values: Mapping[str, Any]) -> Workspace:
    return Workspace.model_validate(_only(values, _WORKSPACE_COLUMNS))


def workspace_key(workspace_id: str) -> dict[str, str]:
    return {"pk": config_table.workspace(workspace_id), "sk": config_table.WORKSPACE_SK}


def _pointer_key(workspace_id: str, key_id: str) -> dict[str, str]:
    return {"pk": config_table.workspace(workspace_id), "sk": config_table.api_key_sk(key_id)}


def _key_of(secret: str) -> dict[str, str]:
    return _hashed(ids.sha256_hex(secret))


def _hashed(secret_sha256: str) -> dict[str, str]:
    return {"pk": config_table.api_key(secret_sha256), "sk": config_table.API_KEY_SK}


def _key_values(key: ApiKey, names: set[str] | None = None) -> dict[str, Any]:
    values = key.model_dump(include=names)
    return values | {"scopes": sorted(key.scopes)}


def _api_key(values: Mapping[str, Any]) -> ApiKey:
    return ApiKey.model_validate(_only(values, _KEY_COLUMNS))


def _only(values: Mapping[str, Any], columns: frozenset[str]) -> dict[str, Any]:
    return {name: values[name] for name in values.keys() & columns}


def _reasons(error: ClientError) -> set[str]:
    reasons: list[dict[str, str]] = error.response.get("CancellationReasons", [])  # type: ignore[assignment]  # botocore's type knows no such field
    return {reason.get("Code", "") for reason in reasons}


def _unknown(what: str) -> NotFoundError:
    return NotFoundError(f"No {what} is known here.")


def _changed(what: str) -> ConflictError:
    return ConflictError(
        f"The {what} was changed by somebody else meanwhile. Read it and try again."
    )
