"""Workspaces: made and changed, by an invocation of a function of the stack."""

from typing import Any

import click

from shared.cli import show
from shared.cli.api import CommandError
from shared.cli.options import on_stack
from shared.cli.target import CommandTarget

_LIMITS = "configs, event_types, subscriptions, requests_per_minute or events_per_second"


class Limit(click.ParamType[Any]):
    name = "NAME=N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        name, _, number = str(value).partition("=")
        if not number.isdecimal():
            self.fail(f"{value!r} is not a name and a number, such as configs=500", param, ctx)
        return name, int(number)


_limits = click.option("--limit", "limits", multiple=True, type=Limit(), help=f"{_LIMITS}=N")
_slug = click.option("--slug", help="Its short name: lower-case letters, digits, hyphens.")
_hosts = click.option(
    "--redirect-hosts",
    multiple=True,
    metavar="HOST",
    help="A host that actions may redirect to, such as *.example.com. Repeat it for every host.",
)
_days = click.IntRange(1, 365)
_retention = click.option(
    "--retention-days",
    type=_days,
    help="Days for which events and deliveries are kept, within the stack's RetentionDays.",
)
_content = click.option(
    "--content-days",
    type=_days,
    help="Days for which payloads, bodies and responses are kept, at most --retention-days.",
)


@click.command()
@click.option("--name", default="First workspace", show_default=True)
@_slug
@_limits
@_hosts
@_retention
@_content
@on_stack
def bootstrap(target: CommandTarget, **given: Any) -> None:
    """Make a workspace and a key with every scope."""
    made = target.invoke("configs", {"operation": "bootstrap"} | _settings(**given))
    show.fields({"api_url": target.api_url} | made)
    click.echo("Keep the key now: only its hash is stored.")


@click.command()
@click.option("--name", help="Its new name.")
@_slug
@_limits
@_hosts
@_retention
@_content
@click.option("--no-redirect-hosts", is_flag=True, help="Actions may redirect nowhere.")
@on_stack
def configure(target: CommandTarget, no_redirect_hosts: bool, **given: Any) -> None:
    """Change the given settings of a workspace; the others stay."""
    if target.workspace_id is None:
        raise CommandError("Name the workspace: --workspace ID, or FUNNELHOOKS_WORKSPACE.")
    changes = _settings(**given) | ({"redirect_hosts": []} if no_redirect_hosts else {})
    command = {"operation": "configure", "workspace_id": target.workspace_id}
    show.fields(target.invoke("configs", command | changes))


def _settings(**given: Any) -> dict[str, Any]:
    settings = given | {
        "limits": dict(given["limits"]),
        "redirect_hosts": list(given["redirect_hosts"]),
    }
    return {name: value for name, value in settings.items() if value}
