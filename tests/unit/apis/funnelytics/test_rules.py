"""The rules of Funnelytics' document, sentence by sentence."""

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.apis.funnelytics.rules import InboundAction, digest, read
from shared.errors import InvalidError
from shared.events.context import CURRENCIES
from tests import factories
from tests.factories import WORKSPACE

COMMERCE = "__commerce_action__"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
KEYS = st.sampled_from(["session", "email", "dateTime", "purchase_data", "carBrand", "__x__"])
ITEM_KEYS = st.sampled_from([*factories.purchase_json(), "quantity", "__x__"])


def wrong(values: Any, name: str = "Demo") -> list[str]:
    """The keys that the refusal names."""
    with pytest.raises(InvalidError) as refusal:
        read(name, values)
    return [field.path for field in refusal.value.fields]


def message(values: Any, name: str = "Demo") -> str:
    with pytest.raises(InvalidError) as refusal:
        read(name, values)
    return refusal.value.message


def commerce(**changes: Any) -> InboundAction:
    return read(COMMERCE, factories.commerce_json(factories.purchase_json(**changes)))


class TestTheActionName:
    @pytest.mark.parametrize(
        "name", ["Demo", "lead captured", "__half", "half__", "_x_", "Zoë", "a" * 128]
    )
    def test_can_be_anything_you_want(self, name: str) -> None:
        assert read(name, {}).name == name

    @pytest.mark.parametrize("name", ["", "a" * 129, "a\nb", "a\0b"])
    def test_is_1_to_128_characters_that_can_be_read(self, name: str) -> None:
        assert wrong({}, name) == ["actionName"]

    @pytest.mark.parametrize("name", ["__purchase__", "____", "__x__", "__COMMERCE_ACTION__"])
    def test_in_double_underscores_is_reserved(self, name: str) -> None:
        assert wrong({}, name) == ["actionName"]

    def test_of_a_purchase_is_only_this_one(self) -> None:
        assert len(commerce().purchases) == 1
        assert wrong(factories.commerce_json(), "Purchase") == ["purchase_data"]


class TestThePayload:
    @pytest.mark.parametrize("values", [None, [], "lead", 5])
    def test_is_an_object(self, values: Any) -> None:
        assert "must be a JSON object" in message(values)

    @pytest.mark.parametrize("nested", [{"a": 1}, [1], [], {}])
    def test_needs_to_be_flat(self, nested: Any) -> None:
        assert wrong(factories.lead_json(car=nested)) == ["car"]

    @pytest.mark.parametrize("name", ["session", "email", "dateTime"])
    def test_needs_to_be_flat_in_its_own_keys_too(self, name: str) -> None:
        assert wrong(factories.lead_json(**{name: {"a": 1}})) == [name]

    def test_that_is_nested_in_several_places_is_told_all_of_them(self) -> None:
        item = factories.purchase_json(options={"colour": "red"})

        found = wrong(factories.commerce_json(item, car={}, tags=[]), COMMERCE)

        assert found == ["car", "tags", "purchase_data.0.options"]

    @pytest.mark.parametrize("value", ["text", "", 5, 1.5, True, None])
    def test_takes_as_many_key_value_pairs_as_you_want(self, value: Any) -> None:
        values = {f"key {number}": value for number in range(1000)}

        assert read("Demo", values).attributes == values

    @pytest.mark.parametrize("name", ["__sku__", "__visitor__", "____"])
    def test_takes_no_key_in_double_underscores(self, name: str) -> None:
        assert wrong(factories.lead_json(**{name: "x"})) == [name]

    def test_may_say_nothing(self) -> None:
        assert read("Demo", {}).attributes == {}


class TestTheDateTime:
    @pytest.mark.parametrize(
        "text",
        [
            "2023-11-05T21:18:04+00:00",
            "2023-11-05T21:18:04Z",
            "2023-11-06T03:03:04+05:45",
            "2023-11-05T09:18:04-12:00",
            "2023-11-06T11:18:04+14:00",
            "2023-11-05T21:18:04.000000+00:00",
            "20231105T211804Z",
        ],
    )
    def test_is_iso_8601_with_any_offset(self, text: str) -> None:
        assert read("Demo", {"dateTime": text}).date_time == 1_699_219_084_000

    @pytest.mark.parametrize(
        "value", ["yesterday", "2023-11-05T21:18:04", "2023-11-05", "", -1, 1_699_219_084, True]
    )
    def test_is_nothing_else(self, value: Any) -> None:
        assert wrong({"dateTime": value}) == ["dateTime"]

    @pytest.mark.parametrize("values", [{}, {"dateTime": None}])
    def test_may_be_left_out(self, values: dict[str, Any]) -> None:
        assert read("Demo", values).date_time is None


class TestTheSession:
    @pytest.mark.parametrize("value", [12345678, "12345678", " 12345678 "])
    def test_is_a_funnelytics_id(self, value: Any) -> None:
        assert read("Demo", {"session": value}).session == "12345678"

    @pytest.mark.parametrize("value", [1.5, True, "", " ", "s" * 257])
    def test_is_nothing_else(self, value: Any) -> None:
        assert wrong({"session": value}) == ["session"]


class TestTheEmail:
    def test_is_kept_as_it_is_written_but_for_the_space_around_it(self) -> None:
        assert read("Demo", {"email": " Alice@Example.com\n"}).email == "Alice@Example.com"

    @pytest.mark.parametrize("value", ["", " ", 5, "e" * 321])
    def test_is_text_of_up_to_320_characters(self, value: Any) -> None:
        assert wrong({"email": value}) == ["email"]


class TestPurchaseData:
    def test_is_an_array_of_one_or_more_objects(self) -> None:
        one, two = factories.purchase_json(), factories.purchase_json(__sku__="LAMBO008")

        assert len(read(COMMERCE, factories.commerce_json(one)).purchases) == 1
        assert len(read(COMMERCE, factories.commerce_json(one, two)).purchases) == 2

    @pytest.mark.parametrize("given_", [None, {}, "x", [], [{}] * 91])
    def test_is_nothing_else(self, given_: Any) -> None:
        assert wrong(factories.lead_json(purchase_data=given_), COMMERCE) == ["purchase_data"]

    def test_holds_objects_only(self) -> None:
        values = factories.lead_json(purchase_data=[factories.purchase_json(), "x"])

        assert wrong(values, COMMERCE) == ["purchase_data.1"]

    def test_is_required_of_a_commerce_action(self) -> None:
        assert wrong(factories.lead_json(), COMMERCE) == ["purchase_data"]

    @pytest.mark.parametrize("given_", [None, [], [factories.purchase_json()]])
    def test_is_refused_of_every_other_action(self, given_: Any) -> None:
        assert wrong({"purchase_data": given_}) == ["purchase_data"]

    @pytest.mark.parametrize("name", list(factories.purchase_json()))
    def test_needs_each_of_its_five_keys(self, name: str) -> None:
        item = factories.purchase_json()
        del item[name]

        assert wrong(factories.commerce_json(item), COMMERCE) == [f"purchase_data.0.{name}"]

    def test_takes_additional_pairs(self) -> None:
        (purchase,) = commerce(quantity=3, colour="red").purchases

        assert purchase.extras == {"quantity": 3, "colour": "red"}

    def test_takes_no_nested_ones(self) -> None:
        item = factories.purchase_json(options={"colour": "red"})

        assert wrong(factories.commerce_json(item), COMMERCE) == ["purchase_data.0.options"]

    def test_takes_no_other_names_in_double_underscores(self) -> None:
        item = factories.purchase_json(__tax__=5)

        assert wrong(factories.commerce_json(item), COMMERCE) == ["purchase_data.0.__tax__"]

    @pytest.mark.parametrize("name", ["__sku__", "__order__"])
    def test_takes_numbers_for_numbers(self, name: str) -> None:
        (purchase,) = commerce(**{name: 123456}).purchases

        assert "123456" in (purchase.sku, purchase.order)


class TestTheTotalInCents:
    @pytest.mark.parametrize(
        ("cents", "revenue"),
        [
            ("30000000", "300000.00"),
            (30_000_000, "300000.00"),
            ("1999", "19.99"),
            (0, "0.00"),
            ("-0", "0.00"),
            (5, "0.05"),
            (-5, "-0.05"),
            ("-1999", "-19.99"),
            ("007", "0.07"),
        ],
    )
    def test_is_an_integer_or_a_string_of_one(self, cents: Any, revenue: str) -> None:
        (purchase,) = commerce(__total_in_cents__=cents).purchases

        assert purchase.revenue == revenue

    @given(st.integers(min_value=-(10**15) + 1, max_value=10**15 - 1), st.booleans())
    def test_loses_no_cent(self, cents: int, as_text: bool) -> None:
        (purchase,) = commerce(__total_in_cents__=str(cents) if as_text else cents).purchases

        assert Decimal(purchase.revenue) == Decimal(cents) / 100

    @pytest.mark.parametrize(
        "cents",
        [19.99, 5.0, "19.99", "", "-", "--5", "+5", " 5", "1e3", "1_000", "٥", True, None, 10**15],
    )
    def test_is_nothing_else(self, cents: Any) -> None:
        item = factories.purchase_json(__total_in_cents__=cents)

        paths = wrong(factories.commerce_json(factories.purchase_json(), item), COMMERCE)

        assert paths == ["purchase_data.1.__total_in_cents__"]


class TestTheCurrency:
    @pytest.mark.parametrize("code", ["USD", "EUR", "JPY", "KWD", "XCG", "ZWG", "HRK"])
    def test_is_one_of_iso_4217(self, code: str) -> None:
        assert commerce(__currency__=code).purchases[0].currency == code

    @pytest.mark.parametrize("code", ["usd", "US", "EURO", "€", 840, "ABC", "XXX", "", None])
    def test_is_no_other(self, code: Any) -> None:
        item = factories.purchase_json(__currency__=code)

        assert wrong(factories.commerce_json(item), COMMERCE) == ["purchase_data.0.__currency__"]

    def test_is_three_capital_letters(self) -> None:
        assert len(CURRENCIES) > 170
        assert all(len(c) == 3 and c.isascii() and c.isalpha() and c.isupper() for c in CURRENCIES)


class TestTheDigest:
    @given(st.permutations(list(factories.lead_json())))
    def test_is_the_same_in_any_order_of_keys(self, order: list[str]) -> None:
        values = factories.lead_json()

        again = digest(WORKSPACE, "Demo", {key: values[key] for key in order})

        assert again == digest(WORKSPACE, "Demo", values)

    @pytest.mark.parametrize(
        ("values", "name", "project"),
        [
            (factories.lead_json(dateTime="2023-11-05T21:18:04+00:00"), "Demo", WORKSPACE),
            (factories.lead_json(carModel="Huracan"), "Demo", WORKSPACE),
            (factories.lead_json(), "demo", WORKSPACE),
            (factories.lead_json(), "Demo", "another"),
        ],
    )
    def test_is_another_one_for_another_body_name_date_or_project(
        self, values: dict[str, Any], name: str, project: str
    ) -> None:
        assert digest(project, name, values) != digest(WORKSPACE, "Demo", factories.lead_json())


@given(KEYS, JSON)
def test_any_value_of_an_action_is_read_or_refused_and_nothing_else(name: str, value: Any) -> None:
    for action, values in (("Demo", factories.lead_json()), (COMMERCE, factories.commerce_json())):
        with suppress(InvalidError):
            read(action, values | {name: value})


@given(ITEM_KEYS, JSON)
def test_any_value_of_a_purchase_is_read_or_refused_and_nothing_else(name: str, value: Any) -> None:
    with suppress(InvalidError):
        commerce(**{name: value})


@given(st.text(max_size=140), JSON)
def test_any_body_is_read_or_refused_and_nothing_else(name: str, values: Any) -> None:
    for action in (name, COMMERCE):
        with suppress(InvalidError):
            read(action, values)
