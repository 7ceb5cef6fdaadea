"""Categories of webhook configs: names to group them by."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.aws.items import from_item, to_item
from shared.aws.table import Table, batch_get, is_condition
from shared.clock import MS_PER_S
from shared.configs.assets import KEEP_DELETED_MS, change_all
from shared.configs.models import Status
from shared.errors import ConflictError, NotFoundError
from shared.model import Model
from shared.tables import config_table

if TYPE_CHECKING:
    pass


class Category(Model):
    id: str
    workspace_id: str
    name: str
    status: Status = Status.ACTIVE
    created_at: int
    updated_at: int
    deleted_at: int | None = None
    version: int = 1


_COLUMNS = frozenset(Category.model_fields)


class CategoryStore:
    def __init__(self, table: Table) -> None:
        self._dynamodb = table.client
        self._table = table.name

    def add(self, category: Category) -> None:
        """Raises ConflictError if the id is taken, by a deleted category too."""
        taken = f"The id {category.id} is taken. Choose another, or save by PUT."
        self._put(category, "attribute_not_exists(pk)", {}, taken)

    def replace(self, old: Category, new: Category) -> None:
        """Raises ConflictError if `old` is no longer what is stored."""
        changed = f"The category {new.id} was saved by somebody else meanwhile. Save again."
        self._put(new, "version = :old", {":old": old.version}, changed)

    def change_all(self, workspace_id: str, ids: Sequence[str], changes: dict[str, Any]) -> None:
        wanted = {category_id: _key(workspace_id, category_id) for category_id in ids}
        change_all(self._dynamodb, self._table, wanted, changes)

    def find(self, workspace_id: str, category_id: str) -> Category:
        found = self.find_many(workspace_id, [category_id])
        if not found:
            raise NotFoundError(f"No category {category_id} is known here.")
        return found[0]

    def find_many(self, workspace_id: str, ids: Sequence[str]) -> list[Category]:
        """In the order of `ids`; those that are not known are left out."""
        wanted = [_key(workspace_id, category_id) for category_id in dict.fromkeys(ids)]
        found = batch_get(self._dynamodb, {self._table: wanted})[self._table]
        by_id = {values["id"]: category_from(values) for values in found}
        return [by_id[category_id] for category_id in dict.fromkeys(ids) if category_id in by_id]

    def all(self, workspace_id: str) -> Iterator[Category]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=to_item(
                {
                    ":pk": config_table.workspace(workspace_id),
                    ":prefix": config_table.CATEGORY_PREFIX,
                }
            ),
        )
        for page in pages:
            yield from (category_from(from_item(item)) for item in page["Items"])

    def _put(
        self, category: Category, condition: str, values: dict[str, Any], conflict: str
    ) -> None:
        request: dict[str, Any] = {"Item": _item(category), "ConditionExpression": condition}
        if values:
            request["ExpressionAttributeValues"] = to_item(values)
        try:
            self._dynamodb.put_item(TableName=self._table, **request)
        except ClientError as error:
            if not is_condition(error):
                raise
            raise ConflictError(conflict) from None


def _key(workspace_id: str, category_id: str) -> dict[str, str]:
    return {"pk": config_table.workspace(workspace_id), "sk": config_table.category_sk(category_id)}


def category_from(values: dict[str, Any]) -> Category:
    return Category.model_validate({name: values[name] for name in values.keys() & _COLUMNS})


def _item(category: Category) -> dict[str, Any]:
    values = category.model_dump(mode="json")
    if category.deleted_at is not None:
        values["expires_at"] = (category.deleted_at + KEEP_DELETED_MS) // MS_PER_S
    return to_item(values | _key(category.workspace_id, category.id))
