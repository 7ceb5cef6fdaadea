"""Events: listed, and shown with their deliveries."""

import click

from shared.cli import show
from shared.cli.deliveries import COLUMNS
from shared.cli.options import as_json, in_window, on_stack
from shared.cli.target import CommandTarget

PATH = "/v1/events"


@click.group()
def events() -> None:
    """Accepted events: list, show."""


@events.command("list")
@click.option("--type", "event_type", help="Events of this type.")
@in_window
@as_json
@on_stack
def list_events(target: CommandTarget, count: int, as_json: bool, **query: str | None) -> None:
    """The newest events."""
    found = list(target.api.pages(PATH, count, **query))
    columns = ("accepted_at", "event_type", "event_id")
    show.document(found) if as_json else show.table("Events", columns, found)


@events.command("show")
@click.argument("event_id")
@as_json
@on_stack
def show_event(target: CommandTarget, event_id: str, as_json: bool) -> None:
    """One event with its deliveries. Its payload may be personal: only --json shows it."""
    found = target.api.get(f"{PATH}/{event_id}")
    if as_json:
        show.document(found)
        return
    names = ("event_id", "event_type", "accepted_at", "occurred_at", "erased_at")
    show.fields({name: found.get(name) for name in names})
    show.table("Deliveries", COLUMNS, found["deliveries"])
