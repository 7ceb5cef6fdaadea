"""How an operator, who may invoke the function directly, makes and configures workspaces."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from shared import ids
from shared.clock import Clock
from shared.input.validation import from_problems
from shared.model import Model
from shared.workspaces import apikeys
from shared.workspaces.models import (
    Client,
    Days,
    Limits,
    Name,
    RedirectHosts,
    Scope,
    Slug,
    Workspace,
    slug_of,
)
from shared.workspaces.store import WorkspaceStore


class Bootstrap(Model):
    """Make a workspace. Without a `slug`, it is made from the name."""

    operation: Literal["bootstrap"]
    name: Name
    slug: Slug | None = None
    limits: Limits = Field(default_factory=Limits)
    redirect_hosts: RedirectHosts = ()
    retention_days: Days | None = None
    content_days: Days | None = None
    scopes: Annotated[frozenset[Scope], Field(min_length=1)] = frozenset(Scope)


class Bootstrapped(Model):
    """The secret `api_key` is shown here and never again."""

    workspace_id: str
    api_key: str


class Configure(Model):
    """Change a workspace. A field that is left out stays, also in `limits`.

    `redirect_hosts` replaces all hosts.
    """

    operation: Literal["configure"]
    workspace_id: str
    name: Name | None = None
    slug: Slug | None = None
    limits: Limits | None = None
    redirect_hosts: RedirectHosts | None = None
    retention_days: Days | None = None
    content_days: Days | None = None


Command = Annotated[Bootstrap | Configure, Field(discriminator="operation")]


_COMMANDS: TypeAdapter[Command] = TypeAdapter(Command, config=ConfigDict(defer_build=True))


def read(values: Any) -> Command:
    """Raises InvalidError that names the wrong fields."""
    try:
        return _COMMANDS.validate_python(values)
    except ValidationError as error:
        # pydantic begins each path with the operation's name.
        raise from_problems(error.errors(include_url=False, include_input=False), skip=1) from None


def run(
    command: Command, store: WorkspaceStore, clock: Clock, stack_days: int
) -> Bootstrapped | Workspace:
    """`stack_days` is how long the stack keeps records. Raises InvalidError and NotFoundError."""
    match command:
        case Bootstrap():
            return bootstrap(command, store, clock, stack_days)
        case Configure():
            return configure(command, store, stack_days)


def bootstrap(
    command: Bootstrap, store: WorkspaceStore, clock: Clock, stack_days: int
) -> Bootstrapped:
    """Make a workspace and its first key, which has the scopes of the command."""
    workspace = Workspace(
        workspace_id=ids.new_workspace_id(),
        name=command.name,
        slug=command.slug or slug_of(command.name),
        limits=command.limits,
        redirect_hosts=command.redirect_hosts,
        retention_days=command.retention_days,
        content_days=command.content_days,
        created_at=clock(),
    )
    workspace.check_retention(stack_days)
    key, secret = apikeys.generate(
        workspace.workspace_id, "First key", Client.DASHBOARD, command.scopes, workspace.created_at
    )
    store.add(workspace)
    store.add_key(key, secret)
    return Bootstrapped(workspace_id=workspace.workspace_id, api_key=secret)


def configure(command: Configure, store: WorkspaceStore, stack_days: int) -> Workspace:
    old = store.get(command.workspace_id)
    limits = {} if command.limits is None else command.limits.model_dump(exclude_unset=True)
    hosts = command.redirect_hosts
    changed = old.model_copy(
        update={
            "name": command.name or old.name,
            "slug": command.slug or old.slug,
            "limits": old.limits.model_copy(update=limits),
            "redirect_hosts": old.redirect_hosts if hosts is None else hosts,
            "retention_days": command.retention_days or old.retention_days,
            "content_days": command.content_days or old.content_days,
        }
    )
    changed.check_retention(stack_days)
    return store.replace(old, changed)
