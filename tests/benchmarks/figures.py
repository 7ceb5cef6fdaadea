"""What a benchmark finds: figures, each with its floor or its bound, in a table per row."""

from shared.model import Model


class Figure(Model):
    """`at_most` bounds the ratio to the floor where there is a floor, else the value itself."""

    what: str
    value: float
    unit: str
    floor: float | None = None
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return None if self.floor is None else self.value / self.floor

    @property
    def is_met(self) -> bool | None:
        """None where nothing is promised."""
        judged = self.value if self.ratio is None else self.ratio
        if self.at_most is not None:
            return judged <= self.at_most
        return None if self.at_least is None else judged >= self.at_least


class Table(Model):
    """`about` says how it was measured, `after` what follows from it."""

    title: str
    about: str
    figures: tuple[Figure, ...]
    after: str = ""
