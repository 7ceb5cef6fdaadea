"""The options that every command has, and the translation of AWS errors."""

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from shared.cli.api import UnreachableError
from shared.cli.stack import StackTarget
from shared.cli.standalone import StandaloneTarget
from shared.cli.target import CommandTarget

Command = Callable[..., None]

_OPTIONS = (
    click.option("--stack", metavar="NAME", help="A stack on AWS, with the credentials in use."),
    click.option("--local", is_flag=True, help="The stack on this machine, of `make up`."),
    click.option("--standalone", is_flag=True, help="The program of `make serve`."),
    click.option(
        "--state-folder",
        "state",
        envvar="FUNNELHOOKS_STATE",
        default=".local",
        show_default=True,
        type=click.Path(path_type=Path),
        help="The folder with stack.json or standalone.json, for --local and --standalone.",
    ),
    click.option(
        "--key",
        envvar="FUNNELHOOKS_API_KEY",
        help="API key. The variable FUNNELHOOKS_API_KEY keeps it out of the shell's history.",
    ),
    click.option("--workspace", envvar="FUNNELHOOKS_WORKSPACE", help="Id of the workspace."),
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")

_WINDOW = (
    click.option("--since", help="RFC 3339, such as 2026-01-31T12:00:00Z."),
    click.option("--until", help="RFC 3339."),
    click.option("--count", default=50, show_default=True, type=click.IntRange(1)),
)


def in_window(command: Command) -> Command:
    """Adds the options that choose a part of a log."""
    return _with(command, _WINDOW)


def on_stack(command: Command) -> Command:
    """Adds the options that name a stack, and passes them to the command as a CommandTarget."""

    @wraps(command)
    def run(
        stack: str | None,
        local: bool,
        standalone: bool,
        state: Path,
        key: str | None,
        workspace: str | None,
        **options: Any,
    ) -> None:
        if [bool(stack), local, standalone].count(True) != 1:
            raise click.UsageError(
                "Name the stack: --stack NAME on AWS, or --local, or --standalone."
            )
        target: CommandTarget
        try:
            if standalone:
                target = StandaloneTarget(state, key, workspace)
            elif local:
                target = StackTarget.local(state, key, workspace)
            else:
                target = StackTarget(str(stack), {}, None, key, workspace)
            command(target, **options)
        except (BotoCoreError, ClientError) as error:
            raise UnreachableError(
                f"AWS refused: {error}\nCheck the credentials and the region in use."
            ) from None

    return _with(run, _OPTIONS)


def _with(command: Command, options: Sequence[Callable[[Command], Command]]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
