import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidError
from shared.events import funnelytics, intake
from shared.events.models import NewEvent
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW

COMMERCE = "__commerce_action__"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
KEYS = st.sampled_from(["session", "email", "dateTime", "purchase_data", "carBrand"])
ITEM_KEYS = st.sampled_from([*factories.purchase_json(), "quantity"])


def events(values: Any, name: str = "Demo", project: str = WORKSPACE) -> list[NewEvent]:
    return funnelytics.events(project, name, values, NOW)


def payload(event: NewEvent) -> dict[str, Any]:
    return event.payload()


def wrong(values: Any, name: str = "Demo") -> str:
    with pytest.raises(InvalidError) as refusal:
        events(values, name)
    return refusal.value.fields[0].path


class TestAnAction:
    def test_becomes_a_custom_event(self) -> None:
        (event,) = events(factories.lead_json(), "Lead")

        assert event.event_type == "custom_event_triggered"
        assert payload(event) == {
            "visitor": {"visitor_id": "12345678"},
            "tracking_fields": {
                "carBrand": "Lamborghini",
                "carModel": "Urus",
                "productionYear": "2021",
            },
            "custom_event": {
                "custom_event_id": event.event_id,
                "timestamp": NOW,
                "event_data1": "Lead",
                "pii_email": "alice@example.com",
            },
        }

    def test_may_say_nothing_but_its_name(self) -> None:
        (event,) = events({}, "Lead")

        assert payload(event).keys() == {"custom_event"}

    def test_happened_when_it_says(self) -> None:
        (event,) = events(factories.lead_json(dateTime="2023-11-05T21:18:04+00:00"))

        assert event.occurred_at == 1_699_219_084_000
        assert payload(event)["custom_event"]["timestamp"] == 1_699_219_084_000

    @pytest.mark.parametrize(
        "name", ["Demo", "lead captured", "__half", "half__", "Zoë", "a" * 128]
    )
    def test_may_have_any_name(self, name: str) -> None:
        assert payload(events({}, name)[0])["custom_event"]["event_data1"] == name

    @pytest.mark.parametrize("name", ["", "a" * 129, "a\nb", "__purchase__", "____", "__x__"])
    def test_may_not_have_a_reserved_or_unreadable_name(self, name: str) -> None:
        assert wrong({}, name) == "actionName"

    @pytest.mark.parametrize("nested", [{"a": 1}, [1], [], {}])
    def test_is_flat(self, nested: Any) -> None:
        assert wrong(factories.lead_json(car=nested)) == "car"

    def test_has_no_purchases(self) -> None:
        assert wrong(factories.commerce_json()) == "purchase_data"
        assert wrong({"purchase_data": None}) == "purchase_data"

    @pytest.mark.parametrize("values", [None, [], "lead", 5])
    def test_is_an_object(self, values: Any) -> None:
        with pytest.raises(InvalidError, match="must be a JSON object"):
            events(values)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("dateTime", "yesterday"),
            ("dateTime", "2023-11-05T21:18:04"),
            ("dateTime", -1),
            ("email", ""),
            ("email", 5),
            ("email", "e" * 321),
            ("session", 1.5),
            ("session", True),
        ],
    )
    def test_that_is_wrong_somewhere_says_where_in_its_senders_words(
        self, name: str, value: Any
    ) -> None:
        assert wrong(factories.lead_json(**{name: value})) == name


class TestAPurchase:
    def test_becomes_a_conversion(self) -> None:
        (event,) = events(factories.commerce_json(), COMMERCE)

        assert event.event_type == "conversion_triggered"
        assert payload(event)["conversion"] == {
            "conversion_id": event.event_id,
            "transaction": "123456",
            "revenue": "300000.00",
            "conversion_timestamp": NOW,
            "event_data1": "LAMBO007",
            "event_data2": "LAMBO Urus",
            "pii_email": "alice@example.com",
            "passthrough_params": {"currency": "USD"},
        }

    def test_becomes_a_conversion_for_each_item(self) -> None:
        items = [
            factories.purchase_json(quantity=3),
            factories.purchase_json(__total_in_cents__=60_000_000, __order__="654321"),
        ]

        first, second = events(factories.commerce_json(*items), COMMERCE)

        assert first.event_id != second.event_id
        assert payload(first)["conversion"]["passthrough_params"] == {
            "currency": "USD",
            "quantity": 3,
        }
        assert payload(second)["conversion"]["revenue"] == "600000.00"
        assert payload(first)["tracking_fields"] == payload(second)["tracking_fields"]

    @pytest.mark.parametrize(
        ("cents", "revenue"),
        [
            ("30000000", "300000.00"),
            (30_000_000, "300000.00"),
            ("1999", "19.99"),
            (0, "0.00"),
            (5, "0.05"),
            (-5, "-0.05"),
            ("-1999", "-19.99"),
            ("007", "0.07"),
        ],
    )
    def test_is_counted_in_cents_and_told_in_decimals(self, cents: Any, revenue: str) -> None:
        item = factories.purchase_json(__total_in_cents__=cents)

        (event,) = events(factories.commerce_json(item), COMMERCE)

        assert payload(event)["conversion"]["revenue"] == revenue

    @given(st.integers(min_value=-(10**15) + 1, max_value=10**15 - 1), st.booleans())
    def test_loses_no_cent(self, cents: int, as_text: bool) -> None:
        item = factories.purchase_json(__total_in_cents__=str(cents) if as_text else cents)

        (event,) = events(factories.commerce_json(item), COMMERCE)

        assert Decimal(payload(event)["conversion"]["revenue"]) == Decimal(cents) / 100

    @pytest.mark.parametrize("cents", [19.99, "19.99", "", "1e3", True, None, "x", 10**15])
    def test_is_counted_in_nothing_else(self, cents: Any) -> None:
        item = factories.purchase_json(__total_in_cents__=cents)

        path = wrong(factories.commerce_json(factories.purchase_json(), item), COMMERCE)

        assert path == "purchase_data.1.__total_in_cents__"

    @pytest.mark.parametrize("name", list(factories.purchase_json()))
    def test_needs_each_of_its_fields(self, name: str) -> None:
        item = factories.purchase_json()
        del item[name]

        assert wrong(factories.commerce_json(item), COMMERCE) == f"purchase_data.0.{name}"

    @pytest.mark.parametrize("currency", ["usd", "US", "EURO", "€", 840])
    def test_has_a_currency_of_three_letters(self, currency: Any) -> None:
        item = factories.purchase_json(__currency__=currency)

        assert wrong(factories.commerce_json(item), COMMERCE) == "purchase_data.0.__currency__"

    def test_keeps_its_currency_whatever_it_is_called_besides(self) -> None:
        item = factories.purchase_json(currency="doubloons")

        (event,) = events(factories.commerce_json(item), COMMERCE)

        assert payload(event)["conversion"]["passthrough_params"]["currency"] == "USD"

    @pytest.mark.parametrize("given_", [None, {}, "x", [], [{}] * 101])
    def test_comes_in_an_array_of_up_to_100(self, given_: Any) -> None:
        assert wrong(factories.lead_json(purchase_data=given_), COMMERCE) == "purchase_data"

    def test_must_be_there_in_a_commerce_action(self) -> None:
        assert wrong(factories.lead_json(), COMMERCE) == "purchase_data"

    def test_is_an_object(self) -> None:
        values = factories.lead_json(purchase_data=[factories.purchase_json(), "x"])

        assert wrong(values, COMMERCE) == "purchase_data.1"

    def test_is_flat_in_itself(self) -> None:
        item = factories.purchase_json(options={"colour": "red"})

        assert wrong(factories.commerce_json(item), COMMERCE) == "purchase_data.0.options"


class TestTheSameAction:
    @given(st.permutations(list(factories.lead_json())))
    def test_has_the_same_id_in_any_order_of_keys(self, order: list[str]) -> None:
        values = factories.lead_json()

        (one,), (other,) = events(values), events({key: values[key] for key in order})

        assert one.event_id == other.event_id

    @pytest.mark.parametrize(
        ("values", "name", "project"),
        [
            (factories.lead_json(dateTime="2023-11-05T21:18:04+00:00"), "Demo", WORKSPACE),
            (factories.lead_json(carModel="Huracan"), "Demo", WORKSPACE),
            (factories.lead_json(), "Lead", WORKSPACE),
            (factories.lead_json(), "Demo", "another"),
        ],
    )
    def test_is_another_one_with_another_body_name_date_or_project(
        self, values: dict[str, Any], name: str, project: str
    ) -> None:
        (one,), (other,) = events(factories.lead_json()), events(values, name, project)

        assert one.event_id != other.event_id

    def test_is_told_how_to_be_sent_again(self) -> None:
        assert "add its dateTime" in funnelytics.duplicate().message


@given(KEYS, JSON)
def test_any_value_of_an_action_is_accepted_or_refused_and_nothing_else(
    name: str, value: Any
) -> None:
    for action, values in (("Demo", factories.lead_json()), (COMMERCE, factories.commerce_json())):
        try:
            new = events(values | {name: value}, action)
        except InvalidError:
            continue
        for one in new:
            json.dumps(intake.accept(one, WORKSPACE, NOW).payload)


@given(ITEM_KEYS, JSON)
def test_any_value_of_a_purchase_is_accepted_or_refused_and_nothing_else(
    name: str, value: Any
) -> None:
    try:
        new = events(factories.commerce_json(factories.purchase_json(**{name: value})), COMMERCE)
    except InvalidError:
        return

    assert len(new) == 1
