"""Dead letters: shown with their reasons, sent back to their queue, or deleted."""

import click

from shared.cli import show
from shared.cli.api import CommandError
from shared.cli.options import on_stack
from shared.cli.sqs import LETTERS
from shared.cli.target import QUEUES, CommandTarget


@click.command()
@click.argument("queue", type=click.Choice(list(QUEUES)))
@click.option("--delete", is_flag=True, help="Delete them; nothing is sent back.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@on_stack
def redrive(target: CommandTarget, queue: str, delete: bool, yes: bool) -> None:
    """Show the first dead letters of a queue and send all of them back to it.

    The dead letters of fanout cannot be sent back: repair makes their deliveries.
    """
    count, first = target.dead_letters(queue)
    if count == 0:
        click.echo(f"There are no dead letters of {queue}.")
        return
    show.table(f"{count} dead letters of {queue}, the first {len(first)}:", LETTERS, first)
    if delete:
        _sure(f"Delete all of them? What {queue} has not done is lost.", yes)
        target.delete_dead_letters(queue)
        click.echo(f"The dead letters of {queue} are deleted.")
        return
    if queue == "fanout":
        raise CommandError(
            "These cannot be sent back: repair makes their deliveries. See --delete."
        )
    _sure(f"Send all of them back to {queue}?", yes)
    click.echo(f"{target.send_back(queue)} sent back to {queue}.")


def _sure(question: str, yes: bool) -> None:
    if not yes:
        click.confirm(question, abort=True)
