"""Deliveries: listed, shown, watched, resent."""

import time
from collections.abc import Iterator
from typing import Any

import click

from shared.cli import show
from shared.cli.api import ApiClient, CommandError, Json
from shared.cli.options import as_json, in_window, on_stack
from shared.cli.target import CommandTarget
from shared.clock import MS_PER_S, now_ms

COLUMNS = (
    "created_at",
    "config_id",
    "event_type",
    "state",
    "reason",
    "attempt",
    "status_code",
    "request_id",
)
ATTEMPT = ("number", "trigger", "started_at", "status_code", "cause", "detail", "next_wait_ms")
PATH = "/v1/deliveries"
# For each config, each time.
NEWEST = 100


@click.group()
def deliveries() -> None:
    """Deliveries of a config or an event: list, show."""


@deliveries.command("list")
@click.option("--config", "config_id", help="Deliveries to this config.")
@click.option("--event", "event_id", help="Deliveries of this event.")
@click.option("--state", "in_state", help="In this state, such as failed, waiting or held.")
@click.option("--type", "event_type", help="Deliveries of events of this type.")
@in_window
@as_json
@on_stack
def list_deliveries(
    target: CommandTarget, count: int, as_json: bool, in_state: str | None, **query: str | None
) -> None:
    """The newest deliveries of a config or an event."""
    found = list(target.api.pages(PATH, count, state=in_state, **query))
    show.document(found) if as_json else show.table("Deliveries", COLUMNS, found)


@deliveries.command("show")
@click.argument("request_id")
@as_json
@on_stack
def show_delivery(target: CommandTarget, request_id: str, as_json: bool) -> None:
    """One delivery, by the request id that its receiver saw, with its attempts."""
    found = target.api.get(f"{PATH}/{request_id}")
    if as_json:
        show.document(found)
        return
    shown = (*COLUMNS, "event_id", "next_attempt_at", "settled_at")
    show.fields({name: found.get(name) for name in shown})
    show.table("Attempts", ATTEMPT, found["attempts"])


@click.command()
@click.argument("request_id")
@click.option("--retry", is_flag=True, help="Start the retry schedule anew.")
@as_json
@on_stack
def resend(target: CommandTarget, request_id: str, retry: bool, as_json: bool) -> None:
    """Send a delivery again: the same bytes under the same request id."""
    found = target.api.post(f"{PATH}/{request_id}/resend", {"retry": retry})
    show.document(found) if as_json else show.table("Resent", COLUMNS, [found])


@click.command()
@click.option("--config", "config_ids", multiple=True, help="Only this config; may be repeated.")
@click.option("--every", default=2.0, show_default=True, help="Seconds between two requests.")
@click.option("--seconds", type=float, help="Stop after so many; else with Ctrl-C.")
@as_json
@on_stack
def tail(
    target: CommandTarget,
    config_ids: tuple[str, ...],
    every: float,
    seconds: float | None,
    as_json: bool,
) -> None:
    """Show deliveries as they are made and change, from now on. --json: a line of JSON each."""
    ids = config_ids or all_configs(target.api)
    if not ids:
        raise CommandError("The workspace has no active config. Make one first.")
    ends_at = None if seconds is None else time.monotonic() + seconds
    for delivery in changes(target.api, ids, every, ends_at):
        show.line(delivery) if as_json else click.echo(_line(delivery))


def all_configs(api: ApiClient) -> tuple[str, ...]:
    listed = api.get("/v1/webhookconfig/list", status="active")
    return tuple(config["idWebhookConfig"] for config in listed)


def changes(
    api: ApiClient, config_ids: tuple[str, ...], every: float, ends_at: float | None
) -> Iterator[Json]:
    """Each delivery that is made from now on, again after each change."""
    since, seen = now_ms() - MS_PER_S, dict[str, tuple[Any, ...]]()
    while ends_at is None or time.monotonic() < ends_at:
        for config_id in config_ids:
            newest = list(api.pages(PATH, NEWEST, config_id=config_id, since=since))
            for delivery in reversed(newest):
                known = (delivery["state"], delivery.get("reason"), delivery["attempt"])
                if seen.get(delivery["request_id"]) != known:
                    seen[delivery["request_id"]] = known
                    yield delivery
        time.sleep(every)


def _line(delivery: Json) -> str:
    return "  ".join(show.as_text(delivery.get(column)) for column in COLUMNS)
