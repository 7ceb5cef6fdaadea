"""Replays: started, and watched with a progress bar."""

import time
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from shared.cli import show
from shared.cli.api import ApiClient, CommandError, Json
from shared.cli.options import as_json, on_stack
from shared.cli.target import CommandTarget

PATH = "/v1/replays"
_OUTCOMES = ("delivered", "failed", "held", "cancelled")
_GOES_ON = ("counting", "running")


@click.command()
@click.option("--config", "config_id", help="The config that the events are sent to.")
@click.option("--since", help="Events accepted from this time on: RFC 3339.")
@click.option("--until", help="Events accepted until this time: RFC 3339; by default now.")
@click.option("--type", "event_types", multiple=True, help="Only this type; may be repeated.")
@click.option("--in-state", "states", multiple=True, help="Only events whose delivery is failed, …")
@click.option("--from-config", "from_config_id", help="Only events that went to this config.")
@click.option("--rate", "rate_per_second", type=click.IntRange(1), help="Events a second.")
@click.option("--dry-run", is_flag=True, help="Only count the events.")
@click.option("--follow", metavar="REPLAY_ID", help="Watch a replay that was started before.")
@click.option("--no-wait", is_flag=True, help="Start it and do not watch.")
@click.option("--every", default=2.0, show_default=True, help="Seconds between two requests.")
@as_json
@on_stack
def replay(
    target: CommandTarget,
    follow: str | None,
    no_wait: bool,
    every: float,
    as_json: bool,
    **wanted: Any,
) -> None:
    """Send the events of a period to a config again, and watch. Ctrl-C only stops watching."""
    started = {"replay_id": follow} if follow else _start(target.api, wanted)
    if wanted["dry_run"] or no_wait:
        show.document(started) if as_json else show.fields(started)
        return
    ended = watch(target.api, started["replay_id"], every)
    show.document(ended) if as_json else show.fields(ended)
    if ended.get("failed"):
        raise CommandError(f"{ended['failed']} deliveries failed: deliveries list --state failed")


def _start(api: ApiClient, wanted: Json) -> Json:
    if not wanted["config_id"] or not wanted["since"]:
        raise click.UsageError("Give --config and --since, or --follow REPLAY_ID.")
    body = {name: value for name, value in wanted.items() if value}
    return dict(api.post(PATH, body))


def watch(api: ApiClient, replay_id: str, every: float) -> Json:
    """The replay when it has ended or is paused."""
    with _bar() as bar:
        task = bar.add_task(replay_id, total=None)
        while True:
            found: Json = api.get(f"{PATH}/{replay_id}")
            bar.update(
                task, description=found["state"], total=_total(found), completed=_done(found)
            )
            if not _goes_on(found):
                return found
            time.sleep(every)


def _goes_on(found: Json) -> bool:
    return found["state"] in _GOES_ON or (found["state"] == "finished" and bool(_pending(found)))


def _pending(found: Json) -> int:
    return int(found.get("pending") or 0)


def _total(found: Json) -> int:
    return int(found["total"]) - int(found.get("skipped") or 0)


def _done(found: Json) -> int:
    return sum(int(found.get(name) or 0) for name in _OUTCOMES)


def _bar() -> Progress:
    """On standard error, so that the output can be piped."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True))
