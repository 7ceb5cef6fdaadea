"""FunnelFlux's category calls, for the one type of category that we have: `webhookconfig`."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Literal

from functions.configs.routes.webhook_configs import LISTED, split_ids
from functions.configs.wiring import api, categories, configs
from shared import ids
from shared.apis.funnelflux import models as wire
from shared.clock import now_ms
from shared.configs.categories import Category
from shared.configs.models import Status
from shared.errors import ConflictError, NotFoundError
from shared.model import Model
from shared.workspaces.models import Caller, Scope


class CategoryRead(Model):
    idCategory: str
    categoryName: str
    categoryType: Literal["webhookconfig"] = "webhookconfig"
    status: Status


@api.get("/v1/category/list", Scope.CONFIGS_READ)
def list_categories(caller: Caller, query: wire.CategoryListQuery) -> list[CategoryRead]:
    """Categories by status."""
    found = categories().all(caller.workspace_id)
    return [_shown(category) for category in found if category.status in LISTED[query.status]]


@api.get("/v1/category/find/byId", Scope.CONFIGS_READ, errors=(404,))
def find_category(caller: Caller, query: wire.CategoryQuery) -> CategoryRead:
    """One category."""
    return _shown(categories().find(caller.workspace_id, query.idCategory))


@api.get("/v1/category/find/byIds", Scope.CONFIGS_READ)
def find_categories(caller: Caller, query: wire.CategoriesQuery) -> list[CategoryRead]:
    """Categories in the order of their ids in the query; unknown ones are left out."""
    wanted = split_ids(query.idCategories)
    return [_shown(found) for found in categories().find_many(caller.workspace_id, wanted)]


@api.post("/v1/category/save", Scope.CONFIGS_WRITE, status=204, errors=(409,))
def create_category(caller: Caller, body: wire.CategoryBody) -> None:
    """Create a category under an id of the client's choice."""
    categories().add(_new(caller, body.idCategory, body.categoryName, body.status))


@api.put("/v1/category/save", Scope.CONFIGS_WRITE, status=204, errors=(404, 409))
def save_category(caller: Caller, body: wire.CategoryBody) -> None:
    """Replace a category.

    With the status `deleted` it is deleted, and its configs are in no category.
    """
    old, now = _undeleted(caller, body.idCategory), now_ms()
    deleted_at = now if body.status is Status.DELETED else None
    _replace(old, now, name=body.categoryName, status=body.status, deleted_at=deleted_at)
    if body.status is Status.DELETED:
        _empty(caller, old.id)


@api.post("/v1/category/duplicate", Scope.CONFIGS_WRITE, errors=(404, 409), omit_none=True)
def duplicate_category(
    caller: Caller, query: wire.CategoryQuery, body: wire.DuplicateRequest
) -> wire.DuplicateResponse:
    """Make an empty category.

    A category has no fields but its name, so `parentId` and `bodyUpdates` have no use.
    """
    _undeleted(caller, query.idCategory)
    category = _new(caller, ids.new_asset_id(now_ms()), body.name, Status.ACTIVE)
    categories().add(category)
    return wire.DuplicateResponse(id=category.id)


@api.delete("/v1/category/delete", Scope.CONFIGS_WRITE, status=204, errors=(404, 409))
def delete_category(caller: Caller, query: wire.CategoryQuery) -> None:
    """Delete a category. Its configs are in no category from now on."""
    old, now = categories().find(caller.workspace_id, query.idCategory), now_ms()
    if old.status is not Status.DELETED:
        _replace(old, now, status=Status.DELETED, deleted_at=now)
    _empty(caller, old.id)


@api.put("/v1/category/archive", Scope.CONFIGS_WRITE, status=204, errors=(404,))
def archive_categories(caller: Caller, body: wire.StringList) -> None:
    """Archive categories, all or none."""
    _change(caller, body.entries, Status.ARCHIVED)


@api.put("/v1/category/unarchive", Scope.CONFIGS_WRITE, status=204, errors=(404,))
def unarchive_categories(caller: Caller, body: wire.StringList) -> None:
    """Make archived categories active again, all or none."""
    _change(caller, body.entries, Status.ACTIVE)


def _new(caller: Caller, category_id: str, name: str, status: Status) -> Category:
    now = now_ms()
    return Category(
        id=category_id,
        workspace_id=caller.workspace_id,
        name=name,
        status=status,
        created_at=now,
        updated_at=now,
        deleted_at=now if status is Status.DELETED else None,
    )


def _replace(old: Category, now: int, **changes: Any) -> None:
    changes |= {"updated_at": now, "version": old.version + 1}
    categories().replace(old, old.model_copy(update=changes))


def _change(caller: Caller, entries: Iterable[str], status: Status) -> None:
    wanted = list(dict.fromkeys(entries))
    changes = {"status": status, "updated_at": now_ms()}
    categories().change_all(caller.workspace_id, wanted, changes)


def _empty(caller: Caller, category_id: str) -> None:
    """Up to 100 configs at once; beyond, by hundreds, and a repetition goes on where it ended.

    The category is deleted before, so that none comes in while the others go.
    """
    while inside := _inside(caller, category_id):
        with suppress(NotFoundError):  # one was deleted meanwhile, and is not found again
            for start in range(0, len(inside), wire.MAX_ENTRIES):
                some = inside[start : start + wire.MAX_ENTRIES]
                changes = {"category_id": "", "updated_at": now_ms()}
                configs().change_all(caller.workspace_id, some, changes)


def _inside(caller: Caller, category_id: str) -> list[str]:
    return [
        config.id
        for config in configs().names(caller.workspace_id, consistently=True)
        if config.category_id == category_id and config.status is not Status.DELETED
    ]


def _undeleted(caller: Caller, category_id: str) -> Category:
    category = categories().find(caller.workspace_id, category_id)
    if category.status is Status.DELETED:
        raise ConflictError(f"The category {category_id} is deleted. Make one with another id.")
    return category


def _shown(category: Category) -> CategoryRead:
    return CategoryRead(idCategory=category.id, categoryName=category.name, status=category.status)
