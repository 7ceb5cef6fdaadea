"""What became of the lines of an import."""

from collections.abc import Sequence
from enum import StrEnum

from shared.errors import Field
from shared.model import Model


class LineOutcome(StrEnum):
    ACCEPTED = "accepted"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class LineReport(Model):
    """`secret` is the signing secret of a new config, shown here and never again.

    `needs_secrets` are the places of what does not move: the config is disabled until it is saved
    with them, and what it would be sent is held.
    """

    line: int
    kind: str | None = None
    id: str | None = None
    outcome: LineOutcome
    reason: str | None = None
    fields: tuple[Field, ...] | None = None
    secret: str | None = None
    needs_secrets: tuple[str, ...] | None = None


class ImportReport(Model):
    accepted: int
    updated: int
    unchanged: int
    refused: int
    lines: tuple[LineReport, ...]


def report(lines: Sequence[LineReport]) -> ImportReport:
    outcomes = [line.outcome for line in lines]
    counts = {str(outcome): outcomes.count(outcome) for outcome in LineOutcome}
    return ImportReport(**counts, lines=tuple(lines))
