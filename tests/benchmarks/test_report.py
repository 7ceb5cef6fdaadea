"""The page of figures: a run writes its own rows and leaves the others."""

from datetime import date

from tests.benchmarks import report
from tests.benchmarks.figures import Figure, Table

FACTS = {"machine": "x86_64", "commit": "abc1234"}
ON = date(2026, 11, 21)


def table(title: str, value: float) -> Table:
    return Table(
        title=title, about="About it.", figures=(Figure(what="it", value=value, unit="ms"),)
    )


def test_a_run_of_some_rows_leaves_the_others_as_they_are() -> None:
    order = ("one", "two")
    both = {"one": table("One", 1), "two": table("Two", 2)}
    page = report.markdown("", both, order, FACTS, ON)

    again = report.markdown(page, {"two": table("Two", 3)}, order, FACTS, ON)

    assert again == page.replace("| it | 2 ms |", "| it | 3 ms |")
    assert again.index("## One") < again.index("## Two")
