"""The first workspace and its first key, for whoever may invoke the function directly."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared import ids
from shared.clock import Clock
from shared.model import Model
from shared.workspaces.models import ApiKey, Client, Scope, Workspace
from shared.workspaces.store import WorkspaceStore


class Bootstrap(Model):
    operation: Literal["bootstrap"]
    name: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    scopes: Annotated[frozenset[Scope], Field(min_length=1)] = frozenset(Scope)


class Bootstrapped(Model):
    workspace_id: str
    api_key: str


def bootstrap(command: Bootstrap, store: WorkspaceStore, clock: Clock) -> Bootstrapped:
    """The key has every scope, or those asked for; its secret is in the answer and nowhere else."""
    workspace = Workspace(
        workspace_id=ids.new_workspace_id(), name=command.name, created_at=clock()
    )
    secret = ids.new_api_key()
    key = ApiKey(
        id=ids.new_key_id(),
        workspace_id=workspace.workspace_id,
        name="First key",
        client=Client.DASHBOARD,
        scopes=command.scopes,
        created_at=workspace.created_at,
    )
    store.add(workspace)
    store.add_key(key, secret)
    return Bootstrapped(workspace_id=workspace.workspace_id, api_key=secret)
