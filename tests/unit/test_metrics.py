from hypothesis import given
from hypothesis import strategies as st

from shared.observability import FAILED, LATENESS, METRICS, MS, Metric, measured

# Source: "Specification: Embedded metric format", Amazon CloudWatch User Guide.
UNITS = {"Count", "Milliseconds"}


@given(st.dictionaries(st.sampled_from(METRICS), st.integers(0, 10**9), min_size=1))
def test_whatever_is_measured_is_declared_once_and_has_its_value(values: dict[Metric, int]) -> None:
    fields = measured(values)

    about = fields["_aws"]["CloudWatchMetrics"]
    declared = [metric["Name"] for part in about for metric in part["Metrics"]]
    assert sorted(declared) == sorted(metric.name for metric in values)
    assert all(fields[metric.name] == value for metric, value in values.items())
    assert isinstance(fields["_aws"]["Timestamp"], int)


def test_a_cause_is_a_dimension_of_failures_and_not_of_what_is_measured_beside() -> None:
    first, second = measured({FAILED: 1, LATENESS: 20})["_aws"]["CloudWatchMetrics"]

    assert (first["Dimensions"], first["Metrics"][0]["Unit"]) == ([["service"]], MS)
    assert second["Dimensions"] == [["service", "cause"]]


def test_no_id_is_a_dimension() -> None:
    assert {metric.by for metric in METRICS} == {None, "reason", "cause"}
    assert {metric.unit for metric in METRICS} == UNITS
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_nothing_measured_is_nothing_said() -> None:
    assert measured({}) == {}
