"""The output of a command: a table for people, JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

# The width of a table that is piped.
WIDTH = 160


def as_text(value: Any) -> str:
    return "–" if value is None else str(value)


def console() -> Console:
    found = Console(highlight=False)
    return found if found.is_terminal else Console(width=WIDTH, highlight=False)


def table(title: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """`columns` are keys of the rows."""
    shown = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for column in columns:
        shown.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        # Text, so that rich finds no markup in it.
        shown.add_row(*(Text(as_text(row.get(column))) for column in columns))
    console().print(shown)


def document(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def line(value: Any) -> None:
    click.echo(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def fields(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        click.echo(f"{name:<16} {as_text(value)}")
