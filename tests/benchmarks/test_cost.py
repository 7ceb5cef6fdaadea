"""What delivering costs, held by counts and units: no time is looked at."""

from collections.abc import Mapping

import pytest

from tests.benchmarks import calls, cost, journey
from tests.benchmarks.bill import bill
from tests.benchmarks.meter import Used
from tests.benchmarks.prices import prices

EVENTS = 10
KB = 1024
# That a workspace is active: one for all events of a minute.
NOTE = 1


@pytest.fixture(scope="module", params=[False, True], ids=["of nobody", "of a visitor"])
def used(request: pytest.FixtureRequest) -> tuple[Mapping[str, Used], bool]:
    return journey.stages(KB, EVENTS, visitor=request.param), request.param


def test_each_call_stays_within_its_target() -> None:
    for figure in calls.table().figures:
        assert figure.is_met, figure


def test_an_event_of_a_kilobyte_is_accepted_by_a_write_unit_and_one_for_each_index(
    used: tuple[Mapping[str, Used], bool],
) -> None:
    stages, visitor = used

    indexes = ["log", *(["visitor"] if visitor else [])]
    wanted = dict.fromkeys((f"EventTable/{name}" for name in indexes), EVENTS)
    assert stages["accept"].writes == wanted | {"EventTable": EVENTS + NOTE}


def test_a_delivery_that_succeeds_at_once_costs_three_write_units(
    used: tuple[Mapping[str, Used], bool],
) -> None:
    stages, _ = used

    assert stages["first attempts"].writes == {
        "EventTable": 2 * EVENTS,
        "EventTable/log": EVENTS,
    }


def test_a_delivery_that_fails_once_costs_no_more_than_it_did() -> None:
    stages = journey.stages(KB, EVENTS, failures=1)

    assert stages["first attempts"].write_units <= 9 * EVENTS
    assert stages["later attempts"].write_units <= 8 * EVENTS


@pytest.mark.parametrize("visitor", [False, True])
def test_a_million_deliveries_of_a_kilobyte_cost_no_more_than_promised(visitor: bool) -> None:
    assert cost.of(KB, 0, visitor).delivering <= cost.AT_MOST_USD


def test_a_bill_adds_up() -> None:
    stages = {"fanout": Used(batches=1), "first attempts": Used(batches=1)}
    stages["fanout"].calls["SendMessageBatch"] = 1
    stages["first attempts"].writes["EventTable"] = 20

    made = bill(stages, deliveries=10, events=10, attempts=10)

    amounts = {one.price: round(one.amount, 3) for one in made.components}
    assert amounts["api_request"] == 1
    assert amounts["lambda_request"] == 1.2
    assert amounts["write_unit"] == 2
    assert amounts["sqs_request"] == 0.3
    assert {one.price: one.usd for one in made.components}["write_unit"] == pytest.approx(1.25)


def test_every_price_has_a_source() -> None:
    assert all(price.source.startswith("https://") for price in prices().prices.values())
    assert all(peer.source.startswith("https://") for peer in prices().peers)
