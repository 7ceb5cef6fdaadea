"""Workspaces and keys in ConfigTable; a key is found by the hash of its secret."""

from typing import TYPE_CHECKING

from shared import ids
from shared.aws import from_item, to_item
from shared.configs import keys
from shared.workspaces.models import ApiKey, Workspace

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_COLUMNS = tuple(ApiKey.model_fields)


class WorkspaceStore:
    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def add(self, workspace: Workspace) -> None:
        key = {"pk": keys.workspace(workspace.workspace_id), "sk": keys.WORKSPACE_SK}
        self._dynamodb.put_item(
            TableName=self._table,
            Item=to_item(workspace.model_dump() | key),
            ConditionExpression="attribute_not_exists(pk)",
        )

    def exists(self, workspace_id: str) -> bool:
        key = {"pk": keys.workspace(workspace_id), "sk": keys.WORKSPACE_SK}
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=to_item(key), ProjectionExpression="pk"
        )
        return "Item" in answer

    def add_key(self, key: ApiKey, secret: str) -> None:
        values = key.model_dump(exclude={"scopes"}) | {"scopes": sorted(key.scopes)}
        self._dynamodb.put_item(TableName=self._table, Item=to_item(values | _key_of(secret)))

    def find_key(self, secret: str) -> ApiKey | None:
        answer = self._dynamodb.get_item(TableName=self._table, Key=to_item(_key_of(secret)))
        if "Item" not in answer:
            return None
        values = from_item(answer["Item"])
        return ApiKey.model_validate({name: values[name] for name in _COLUMNS if name in values})


def _key_of(secret: str) -> dict[str, str]:
    return {"pk": keys.api_key(ids.sha256_hex(secret)), "sk": keys.API_KEY_SK}
