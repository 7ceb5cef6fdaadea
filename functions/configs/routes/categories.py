"""FunnelFlux's category calls, for the only type of category here: `webhookconfig`."""

from collections.abc import Iterable
from typing import Literal

from functions.configs.wiring import api, categories, configs
from shared import ids
from shared.apis.funnelflux import models as wire
from shared.clock import now_ms
from shared.configs.categories import Category, empty
from shared.configs.models import LISTED, Status
from shared.model import Model
from shared.workspaces.models import Caller, Scope


class CategoryRead(Model):
    idCategory: str
    categoryName: str
    categoryType: Literal["webhookconfig"] = "webhookconfig"
    status: Status


@api.get("/v1/category/list", Scope.CONFIGS_READ)
def list_categories(caller: Caller, query: wire.CategoryListQuery) -> list[CategoryRead]:
    """List categories by status, in the order of their ids."""
    found = categories().all(caller.workspace_id)
    return [_shown(category) for category in found if category.status in LISTED[query.status]]


@api.get("/v1/category/find/byId", Scope.CONFIGS_READ, errors=(404,))
def find_category(caller: Caller, query: wire.CategoryQuery) -> CategoryRead:
    """Read a category. 404 if the id is unknown."""
    return _shown(categories().find(caller.workspace_id, query.idCategory))


@api.get("/v1/category/find/byIds", Scope.CONFIGS_READ)
def find_categories(caller: Caller, query: wire.CategoriesQuery) -> list[CategoryRead]:
    """Read several categories, in the order of the ids given; unknown ids are left out."""
    wanted = wire.split_ids(query.idCategories)
    return [_shown(found) for found in categories().find_many(caller.workspace_id, wanted)]


@api.post("/v1/category/save", Scope.CONFIGS_WRITE, status=204, errors=(409,))
def create_category(caller: Caller, body: wire.CategoryBody) -> None:
    """Create a category under an id of the client's choice. 409 if the id is taken."""
    categories().add(
        Category.new(body.idCategory, caller.workspace_id, body.categoryName, body.status, now_ms())
    )


@api.put("/v1/category/save", Scope.CONFIGS_WRITE, status=204, errors=(404, 409))
def save_category(caller: Caller, body: wire.CategoryBody) -> None:
    """Replace a category. The status `deleted` deletes it and takes its configs out of it.

    404 if the id is unknown; 409 if the category is deleted, or was saved by somebody else
    meanwhile.
    """
    old = categories().find_undeleted(caller.workspace_id, body.idCategory)
    categories().replace(old, old.changed(now_ms(), name=body.categoryName, status=body.status))
    if body.status is Status.DELETED:
        empty(old, configs(), now_ms)


@api.post("/v1/category/duplicate", Scope.CONFIGS_WRITE, errors=(404, 409), omit_none=True)
def duplicate_category(
    caller: Caller, query: wire.CategoryQuery, body: wire.DuplicateRequest
) -> wire.DuplicateResponse:
    """Create an empty category with the name in the body, and return its id.

    A category has no field but its name, so `parentId` and `bodyUpdates` are ignored. 404 if the id
    in the query is unknown; 409 if that category is deleted.
    """
    categories().find_undeleted(caller.workspace_id, query.idCategory)
    now = now_ms()
    new_id = ids.new_asset_id(now)
    categories().add(Category.new(new_id, caller.workspace_id, body.name, Status.ACTIVE, now))
    return wire.DuplicateResponse(id=new_id)


@api.delete("/v1/category/delete", Scope.CONFIGS_WRITE, status=204, errors=(404, 409))
def delete_category(caller: Caller, query: wire.CategoryQuery) -> None:
    """Delete a category and take its configs out of it.

    404 if the id is unknown; 409 if the category was saved by somebody else meanwhile.
    """
    old = categories().find(caller.workspace_id, query.idCategory)
    if old.status is not Status.DELETED:
        categories().replace(old, old.changed(now_ms(), status=Status.DELETED))
    empty(old, configs(), now_ms)


@api.put("/v1/category/archive", Scope.CONFIGS_WRITE, status=204, errors=(404,))
def archive_categories(caller: Caller, body: wire.StringList) -> None:
    """Archive categories, all or none. 404 names every unknown id."""
    _change(caller, body.entries, Status.ARCHIVED)


@api.put("/v1/category/unarchive", Scope.CONFIGS_WRITE, status=204, errors=(404,))
def unarchive_categories(caller: Caller, body: wire.StringList) -> None:
    """Make archived categories active again, all or none. 404 names every unknown id."""
    _change(caller, body.entries, Status.ACTIVE)


def _change(caller: Caller, entries: Iterable[str], status: Status) -> None:
    changes = {"status": status, "updated_at": now_ms()}
    categories().change_all(caller.workspace_id, list(entries), changes)


def _shown(category: Category) -> CategoryRead:
    return CategoryRead(idCategory=category.id, categoryName=category.name, status=category.status)
