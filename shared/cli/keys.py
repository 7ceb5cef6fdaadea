"""API keys: made and listed."""

import click

from shared.cli import show
from shared.cli.options import as_json, on_stack
from shared.cli.target import CommandTarget
from shared.workspaces.models import Client, Scope

PATH = "/v1/integration/apikeys"


@click.group()
def keys() -> None:
    """API keys of the workspace: create, list."""


@keys.command("create")
@click.option("--name", required=True)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="May be repeated. The calling key must have the scope.",
)
@click.option("--client", type=click.Choice([client.value for client in Client]), default="api")
@click.option("--expires-at", help="RFC 3339. Without it, the key does not expire.")
@as_json
@on_stack
def create_key(
    target: CommandTarget,
    name: str,
    scopes: tuple[str, ...],
    client: str,
    expires_at: str | None,
    as_json: bool,
) -> None:
    """Make a key. Its secret is shown only now."""
    body = {"name": name, "client": client, "scopes": list(scopes), "expiresAt": expires_at}
    made = target.api.post(PATH, {key: value for key, value in body.items() if value is not None})
    if as_json:
        show.document(made)
        return
    show.fields(made | {"scopes": " ".join(made["scopes"])})
    click.echo("Keep the secret now: only its hash is stored.")


@keys.command("list")
@as_json
@on_stack
def list_keys(target: CommandTarget, as_json: bool) -> None:
    """The workspace's keys, oldest first, without their secrets."""
    found = target.api.get(PATH)
    columns = ("id", "name", "client", "prefix", "active", "lastUsedAt", "expiresAt")
    show.document(found) if as_json else show.table("API keys", columns, found)
