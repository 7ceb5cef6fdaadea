"""`python -m shared.standalone`: the whole platform as one program on one machine."""

import sys
from pathlib import Path

import click

from shared.standalone.admin import DataPathTooLongError
from shared.standalone.backup import backup
from shared.standalone.engine.file import DataFileError
from shared.version import VERSION

ROOT = Path(__file__).parents[2]
PORT = 8700


def _parameters(given: tuple[str, ...]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    if wrong := next((name for name, sign, _ in pairs if not sign), None):
        raise click.BadParameter(f"{wrong}: write NAME=VALUE, such as RetentionDays=7")
    return {name: value for name, _, value in pairs}


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", type=click.Path(path_type=Path), default=Path(".local/standalone"))
@click.option("--port", type=click.IntRange(0, 65_535), default=PORT, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--metrics-port", type=click.IntRange(0, 65_535), help="For /metrics, on loopback.")
@click.option("--cert", type=click.Path(exists=True, path_type=Path), help="For HTTPS, in PEM.")
@click.option("--key", type=click.Path(exists=True, path_type=Path), help="Of the certificate.")
@click.option(
    "--proxy", "proxies", multiple=True, metavar="ADDRESS", help="Whose X-Forwarded-* are believed."
)
@click.option("--parameter", multiple=True, metavar="NAME=VALUE", help="Of template.yaml.")
@click.option(
    "--template", type=click.Path(exists=True, path_type=Path), default=ROOT / "template.yaml"
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    default=Path(".local"),
    envvar="FUNNELHOOKS_STATE",
    help="Where standalone.json is left.",
)
@click.pass_context
def main(
    context: click.Context,
    state: Path,
    data: Path,
    port: int,
    host: str,
    metrics_port: int | None,
    cert: Path | None,
    key: Path | None,
    proxies: tuple[str, ...],
    parameter: tuple[str, ...],
    template: Path,
) -> None:
    """Run the platform on this machine, in the foreground, with its data in the folder DATA."""
    context.obj = data
    if context.invoked_subcommand is not None:
        return
    from shared.standalone.server import NoStartError, Options, Program  # takes a second

    if (cert is None) != (key is None):
        raise click.UsageError("--cert and --key go together.")
    options = Options(
        template, data, state, host, port, metrics_port, cert, key, _parameters(parameter), proxies
    )
    try:
        program = Program(options)
    except (DataFileError, DataPathTooLongError, NoStartError, OSError) as error:
        raise click.ClickException(str(error)) from None
    sys.exit(program.run())


@main.command("backup")
@click.argument("to", type=click.Path(path_type=Path))
@click.pass_obj
def backup_command(data: Path, to: Path) -> None:
    """Copy the data file to TO, whether or not the program runs."""
    size = backup(data, to)
    click.echo(f"{to}: {size:,} bytes")


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(VERSION)


if __name__ == "__main__":
    main(prog_name="python -m shared.standalone")
