from typing import Any

from shared.apis.funnelytics import rules
from shared.apis.funnelytics.events import Arrival, events
from shared.events import accept
from shared.events.models import NewEvent
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW

COMMERCE = "__commerce_action__"


def made(values: dict[str, Any], name: str = "Demo") -> list[NewEvent]:
    arrival = Arrival(visitor_id="visitor_1", event_id="fny-1", at_ms=NOW)
    return events(rules.read(name, values), arrival)


def bought(*items: dict[str, Any]) -> list[dict[str, Any]]:
    found = made(factories.commerce_json(*items), COMMERCE)
    return [event.payload()["conversion"] for event in found]


class TestAnAction:
    def test_becomes_a_custom_event(self) -> None:
        (event,) = made(factories.lead_json(), "Lead")

        assert event.event_type == "custom_event_triggered"
        assert event.payload() == {
            "visitor": {"visitor_id": "visitor_1"},
            "tracking_fields": {
                "carBrand": "Lamborghini",
                "carModel": "Urus",
                "productionYear": "2021",
            },
            "custom_event": {
                "custom_event_id": "fny-1",
                "timestamp": NOW,
                "event_data1": "Lead",
                "pii_email": "alice@example.com",
            },
        }

    def test_may_say_nothing_but_its_name(self) -> None:
        (event,) = made({}, "Lead")

        assert event.payload().keys() == {"visitor", "custom_event"}

    def test_happened_when_it_says(self) -> None:
        (event,) = made(factories.lead_json(dateTime="2023-11-05T21:18:04+00:00"))

        assert event.occurred_at == 1_699_219_084_000
        assert event.payload()["custom_event"]["timestamp"] == 1_699_219_084_000

    def test_is_an_event_of_its_visitor(self) -> None:
        (event,) = made(factories.lead_json())

        assert accept.identify(event, WORKSPACE, NOW).visitor_id == "visitor_1"


class TestAPurchase:
    def test_becomes_a_conversion(self) -> None:
        (event,) = made(factories.commerce_json(), COMMERCE)

        assert event.event_type == "conversion_triggered"
        assert event.payload()["conversion"] == {
            "conversion_id": "123456:LAMBO007",
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

        first, second = made(factories.commerce_json(*items), COMMERCE)

        assert [first.event_id, second.event_id] == ["fny-1-1", "fny-1-2"]
        assert first.payload()["conversion"]["passthrough_params"] == {
            "currency": "USD",
            "quantity": 3,
        }
        assert second.payload()["conversion"]["revenue"] == "600000.00"
        assert first.payload()["tracking_fields"] == second.payload()["tracking_fields"]

    def test_is_the_same_conversion_whenever_it_is_sent(self) -> None:
        assert bought(factories.purchase_json()) == bought(factories.purchase_json())

    def test_is_another_conversion_than_the_same_sku_of_the_same_order(self) -> None:
        conversions = bought(factories.purchase_json(), factories.purchase_json())

        ids = [conversion["conversion_id"] for conversion in conversions]
        assert ids == ["123456:LAMBO007", "123456:LAMBO007:2"]

    def test_keeps_its_currency_whatever_it_is_called_besides(self) -> None:
        (conversion,) = bought(factories.purchase_json(currency="doubloons"))

        assert conversion["passthrough_params"]["currency"] == "USD"
