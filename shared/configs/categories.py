"""Categories of webhook configs: names to group them by."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from shared.aws.items import IS_NEW, Condition, as_model
from shared.aws.table import Query, Table
from shared.clock import MS_PER_S, Clock
from shared.configs.models import Status
from shared.configs.store import KEEP_DELETED_MS, MAX_CHANGED, ConfigStore, change_all
from shared.errors import ConflictError, NotFoundError
from shared.model import Model
from shared.tables import config_table


class Category(Model):
    """Times are milliseconds. `version` counts the saves, as a config's does."""

    id: str
    workspace_id: str
    name: str
    status: Status = Status.ACTIVE
    created_at: int
    updated_at: int
    deleted_at: int | None = None
    version: int = 1

    @classmethod
    def new(
        cls, category_id: str, workspace_id: str, name: str, status: Status, now: int
    ) -> "Category":
        return cls(
            id=category_id,
            workspace_id=workspace_id,
            name=name,
            status=status,
            created_at=now,
            updated_at=now,
            deleted_at=now if status is Status.DELETED else None,
        )

    def changed(self, now: int, **changes: Any) -> "Category":
        """The next version; `deleted_at` follows from a new status."""
        if "status" in changes:
            changes["deleted_at"] = now if changes["status"] is Status.DELETED else None
        return self.model_copy(update={**changes, "updated_at": now, "version": self.version + 1})


class CategoryStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, category: Category) -> None:
        """Raises ConflictError if the id is taken, also by a deleted category."""
        if self._table.put(_item(category), IS_NEW):
            raise ConflictError(f"The id {category.id} is taken. Choose another, or save by PUT.")

    def replace(self, old: Category, new: Category) -> None:
        """Raises ConflictError if `old` is no longer what is stored."""
        if self._table.put(_item(new), Condition("version = :when_old", {"old": old.version})):
            raise ConflictError(
                f"The category {new.id} was saved by somebody else meanwhile. Save again."
            )

    def change_all(self, workspace_id: str, ids: Sequence[str], changes: dict[str, Any]) -> None:
        """Change up to 100 categories, all or none.

        Raises NotFoundError that names every unknown id.
        """
        wanted = {category_id: _key(workspace_id, category_id) for category_id in ids}
        change_all(self._table, wanted, changes)

    def find(self, workspace_id: str, category_id: str) -> Category:
        """Raises NotFoundError. A deleted category is found for 30 days."""
        found = self.find_many(workspace_id, [category_id])
        if not found:
            raise NotFoundError(f"No category {category_id} is known here.")
        return found[0]

    def find_undeleted(self, workspace_id: str, category_id: str) -> Category:
        """Raises NotFoundError, and ConflictError if the category is deleted."""
        category = self.find(workspace_id, category_id)
        if category.status is Status.DELETED:
            raise ConflictError(f"The category {category_id} is deleted. Make one with another id.")
        return category

    def find_many(self, workspace_id: str, ids: Sequence[str]) -> list[Category]:
        """Categories in the order of `ids`; unknown ids are left out."""
        wanted = [_key(workspace_id, category_id) for category_id in dict.fromkeys(ids)]
        found = map(partial(as_model, Category), self._table.get_many(wanted))
        by_id = {category.id: category for category in found}
        return [by_id[category_id] for category_id in dict.fromkeys(ids) if category_id in by_id]

    def all(self, workspace_id: str) -> Iterator[Category]:
        """The categories of a workspace, including deleted ones, in the order of their ids."""
        query = Query(
            "pk = :pk AND begins_with(sk, :prefix)",
            {"pk": config_table.workspace(workspace_id), "prefix": config_table.CATEGORY_PREFIX},
        )
        return map(partial(as_model, Category), self._table.items(query))


def empty(category: Category, configs: ConfigStore, clock: Clock) -> None:
    """Take every config out of a deleted category, up to 100 in a transaction.

    The category is deleted before, so that no config comes in meanwhile. A repetition goes on where
    an interrupted call stopped.
    """
    while inside := _inside(category, configs):
        with suppress(NotFoundError):  # A config was deleted meanwhile; the next round skips it.
            for start in range(0, len(inside), MAX_CHANGED):
                some = inside[start : start + MAX_CHANGED]
                changes = {"category_id": "", "updated_at": clock()}
                configs.change_all(category.workspace_id, some, changes)


def _inside(category: Category, configs: ConfigStore) -> list[str]:
    return [
        config.id
        for config in configs.names(category.workspace_id, consistently=True)
        if config.category_id == category.id and config.status is not Status.DELETED
    ]


def _key(workspace_id: str, category_id: str) -> dict[str, str]:
    return {"pk": config_table.workspace(workspace_id), "sk": config_table.category_sk(category_id)}


def _item(category: Category) -> dict[str, Any]:
    values = category.model_dump(mode="json")
    if category.deleted_at is not None:
        values["expires_at"] = (category.deleted_at + KEEP_DELETED_MS) // MS_PER_S
    return values | _key(category.workspace_id, category.id)
