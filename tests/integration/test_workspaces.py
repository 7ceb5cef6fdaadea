"""Workspaces, made and configured by whoever may invoke the function."""

from typing import Any

import pytest

from shared.aws import clients
from shared.aws.table import Table
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.workspaces.models import Limits, Workspace
from shared.workspaces.store import WorkspaceStore
from tests.integration.world import World


def store() -> WorkspaceStore:
    return WorkspaceStore(Table(clients.dynamodb(), "ConfigTable"))


def configure(world: World, **settings: Any) -> dict[str, Any]:
    command = {"operation": "configure", "workspace_id": world.workspace_id} | settings
    return dict(world.invoke("configs", command))


def stored(world: World) -> Workspace:
    return store().get(world.workspace_id)


class TestANewWorkspace:
    def test_has_a_slug_made_from_its_name_and_the_usual_limits(self, world: World) -> None:
        made = world.invoke("configs", {"operation": "bootstrap", "name": "Acme & Söhne"})

        workspace = store().get(made["workspace_id"])

        assert (workspace.name, workspace.slug) == ("Acme & Söhne", "acme-sohne")
        assert workspace.limits == Limits()

    def test_may_bring_its_own(self, world: World) -> None:
        limits = {"configs": 5, "events_per_second": 7}
        command = {"operation": "bootstrap", "name": "Acme", "slug": "a-1", "limits": limits}

        workspace = store().get(world.invoke("configs", command)["workspace_id"])

        assert workspace.slug == "a-1"
        assert workspace.limits == Limits(configs=5, events_per_second=7)


class TestAConfiguredWorkspace:
    def test_keeps_what_is_left_out(self, world: World) -> None:
        configure(world, slug="kept", limits={"configs": 5})

        answer = configure(world, name="New", limits={"subscriptions": 6})

        assert stored(world) == Workspace.model_validate(answer)
        assert (answer["name"], answer["slug"]) == ("New", "kept")
        assert Limits(**answer["limits"]) == Limits(configs=5, subscriptions=6)

    def test_keeps_its_hosts_until_others_replace_them(self, world: World) -> None:
        configure(world, redirect_hosts=["a.example"])
        kept = configure(world, name="New")
        emptied = configure(world, redirect_hosts=[])

        assert kept["redirect_hosts"] == ["a.example"]
        assert emptied["redirect_hosts"] == []

    def test_has_limits_within_bounds(self, world: World) -> None:
        with pytest.raises(InvalidError) as refusal:
            configure(world, limits={"requests_per_minute": 0})

        assert [field.path for field in refusal.value.fields] == ["limits.requests_per_minute"]

    def test_must_exist(self, world: World) -> None:
        with pytest.raises(NotFoundError):
            configure(world, workspace_id="none", name="New")

    def test_is_not_made_by_a_change(self, world: World) -> None:
        ghost = stored(world).model_copy(update={"workspace_id": "none"})

        with pytest.raises(NotFoundError):
            store().replace(ghost, ghost)

    def test_does_not_lose_one_of_two_changes(self, world: World) -> None:
        old = stored(world)
        configure(world, name="First")

        with pytest.raises(ConflictError, match="changed by somebody else"):
            store().replace(old, old.model_copy(update={"slug": "second"}))

        assert stored(world).name == "First"
