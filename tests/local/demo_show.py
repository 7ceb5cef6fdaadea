"""What the demo shows: lines that read alike in a terminal, a pipe and a log."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.local.demo_api import Answer, Delivery
from tests.local.demo_check import CLAIMS, Expected, Result, counted, verified

# For pipes and logs, which have no width of their own.
WIDTH = 120
# What the table takes with everything of a delivery in one line.
ROOMY = 114
NEXT = """
{what} is left running. What to try next:

  . .local/{env}; AUTH="Authorization: Bearer $KEY"

  # The delivery that waits: each attempt, why it failed, when the next one is due
  curl -s "$API/v1/deliveries/{request_id}" -H "$AUTH" | .venv/bin/python -m json.tool

  # A config of your own; this shows what it is sent: .venv/bin/python -m tests.local.demo_listen
  curl -s "$API/v1/webhookconfig/save" -H "$AUTH" -H "Content-Type: application/json" -d '{{
    "idWebhookConfig": "mine", "webhookConfigName": "Mine", "url": "http://127.0.0.1:9000/hook"}}'

  # An event for it, and what became of that
  curl -s "$API/v1/events" -H "$AUTH" -H "Content-Type: application/json" \\
    -H "Idempotency-Key: my-event-1" -d @events/payload_conversion.json
  curl -s "$API/v1/events/my-event-1" -H "$AUTH" | .venv/bin/python -m json.tool

{commands}"""


class Place(StrEnum):
    """Where the demo runs."""

    STANDALONE = "standalone"
    MINISTACK = "ministack"


# What is left running, the file with its variables, and the commands to go on with.
LEFT: dict[Place, tuple[str, str, str]] = {
    Place.STANDALONE: (
        "The standalone program",
        "standalone.env",
        """  make demo                 once more, on the same data
  make demo ON=ministack    the same on the deployed template, with IAM
  make down                 stop it; its data stays in .local/standalone
  .local/standalone.log     what the functions have logged""",
    ),
    Place.MINISTACK: (
        "The stack",
        "stack.env",
        """  make demo ON=ministack    once more; started functions answer sooner
  make logs                 what the functions have logged
  make down                 stop the stack and forget its data""",
    ),
}


class Screen:
    def __init__(self, console: Console | None = None) -> None:
        self.console = console or _console()

    def heading(self, text: str) -> None:
        self._print(f"\n{text}", "bold")

    def line(self, text: str) -> None:
        self._print(f"  {text}")

    def call(self, answer: Answer, about: str) -> None:
        self.line(f"{answer.request:<40} {answer.status} {answer.took_ms:>5} ms   {about}")

    def webhook(self, after_s: float, config: str, event_type: str, answer: int) -> None:
        self.line(f"{after_s:>6.2f} s   → {config:<6} {event_type:<23} answered {answer}")

    def _verdict(self, claim: str, problems: Sequence[str]) -> None:
        mark, style = ("✗", "red") if problems else ("✓", "green")
        self._print(f"{mark} {claim if not problems else f'Not so: {claim}'}", style)
        for problem in problems:
            self._print(f"    {problem}", style)

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator["Bar"]:
        """A bar below the lines, where there is a terminal to draw it on."""
        columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(
            *columns,
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        ) as progress:
            yield Bar(progress, title, total)

    def results(self, results: Sequence[Result]) -> None:
        self.heading("What came of it")
        self.console.print(_table(results, is_narrow=self.console.width < ROOMY))
        if any((result.wait_ms or 0) < 0 for result in results):
            self.line("A time below zero: the webhook was there before the 202 was back.")

    def failing(self, expected: Expected, delivery: Delivery, now: datetime) -> None:
        last = str(delivery.attempts[-1]) if delivery.attempts else "never attempted"
        self.line(f"{expected} is {delivery.state}; {last}; {_next_attempt(delivery, now)}")

    def judge(self, results: Sequence[Result]) -> bool:
        """Say what holds and what does not; whether all of it holds."""
        self.heading("What was checked")
        numbers = counted(results)
        found = [(claim.format(**numbers), against(results)) for claim, against in CLAIMS]
        for claim, problems in found:
            self._verdict(claim, problems)
        return not any(problems for _, problems in found)

    def next_steps(self, place: Place, request_id: str) -> None:
        what, env, commands = LEFT[place]
        self._print(NEXT.format(what=what, env=env, commands=commands, request_id=request_id))

    def way_out(self, place: Place) -> None:
        what, _, commands = LEFT[place]
        self._print(f"\n{what} is left running. To look closer:\n\n{commands}", "bold")

    def _print(self, text: str, style: str | None = None) -> None:
        # Whoever copies a command wants it in one line.
        self.console.print(text, style=style, soft_wrap=True)


class Bar:
    def __init__(self, progress: Progress, title: str, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task(title, total=total)

    def show(self, done: int) -> None:
        self._progress.update(self._task, completed=done)


def _console() -> Console:
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = WIDTH
    return console


def _table(results: Sequence[Result], *, is_narrow: bool) -> Table:
    """In a narrow terminal the request id stands below the event type."""
    gap = 0 if is_narrow else 1
    table = Table(box=SIMPLE_HEAD, padding=(0, gap, 0, 0), pad_edge=False, show_edge=False)
    ids = ["Event type\nRequest id"] if is_narrow else ["Event type", "Request id"]
    for name in (*ids, "Config", "Attempts", "Status", "Signed"):
        table.add_column(name, no_wrap=True, justify="right" if name == "Attempts" else "left")
    table.add_column("202 → receipt", justify="right")
    for result in results:
        both = _ids(result)
        cells = ["\n".join(both)] if is_narrow else both
        table.add_row(*cells, *_cells(result), style=None if result.is_there else "red")
    return table


def _ids(result: Result) -> list[str]:
    request_id = "" if result.delivery is None else result.delivery.request_id
    return [result.expected.outcome.event_type, request_id]


def _cells(result: Result) -> list[str]:
    delivery = result.delivery
    return [
        result.expected.config.name,
        "" if delivery is None else str(delivery.attempt),
        "missing" if delivery is None else delivery.state,
        _signature(result),
        "" if result.wait_ms is None else f"{result.wait_ms} ms",
    ]


def _signature(result: Result) -> str:
    if not result.received:
        return ""
    right = all(verified(request, result.expected.config) for request in result.received)
    return "verified" if right else "WRONG"


def _next_attempt(delivery: Delivery, now: datetime) -> str:
    if delivery.next_attempt_at is None:
        return "no other attempt is planned"
    due = datetime.fromisoformat(delivery.next_attempt_at).astimezone(UTC)
    wait_s = max(0, round((due - now).total_seconds()))
    return f"the next is due at {due:%H:%M:%S} UTC, in {wait_s} s"
