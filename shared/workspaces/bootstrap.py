"""Workspaces and their first keys, for whoever may invoke the function directly."""

import re
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from shared import ids
from shared.clock import Clock
from shared.errors import InvalidError
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
)
from shared.workspaces.store import WorkspaceStore

_MAX_SLUG = 64


class Bootstrap(Model):
    """A slug that is left out is made from the name."""

    operation: Literal["bootstrap"]
    name: Name
    slug: Slug | None = None
    limits: Limits = Field(default_factory=Limits)
    redirect_hosts: RedirectHosts = ()
    retention_days: Days | None = None
    content_days: Days | None = None
    scopes: Annotated[frozenset[Scope], Field(min_length=1)] = frozenset(Scope)


class Bootstrapped(Model):
    workspace_id: str
    api_key: str


class Configure(Model):
    """What is left out stays, in `limits` too. `redirect_hosts` replace those that there are."""

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
    try:
        return _COMMANDS.validate_python(values)
    except ValidationError as error:
        # pydantic begins each path with the operation's name.
        raise from_problems(error.errors(include_url=False, include_input=False), skip=1) from None


def run(
    command: Command, store: WorkspaceStore, clock: Clock, stack_days: int
) -> Bootstrapped | Workspace:
    """`stack_days` is the longest that the stack keeps anything."""
    match command:
        case Bootstrap():
            return bootstrap(command, store, clock, stack_days)
        case Configure():
            return configure(command, store, stack_days)


def bootstrap(
    command: Bootstrap, store: WorkspaceStore, clock: Clock, stack_days: int
) -> Bootstrapped:
    """The key has every scope, or those asked for; its secret is in the answer and nowhere else."""
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
    _check_days(workspace, stack_days)
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
    _check_days(changed, stack_days)
    return store.replace(old, changed)


def _check_days(workspace: Workspace, stack_days: int) -> None:
    record = workspace.retention_days or stack_days
    if record > stack_days:
        raise InvalidError.at("retention_days", f"the stack keeps nothing beyond {stack_days} days")
    if (workspace.content_days or record) > record:
        raise InvalidError.at("content_days", f"must not be more than the retention, {record} days")


def slug_of(name: str) -> str:
    """`Über uns & Co.` becomes `uber-uns-co`; what leaves nothing becomes `workspace`."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")
    return words[:_MAX_SLUG].strip("-") or "workspace"
