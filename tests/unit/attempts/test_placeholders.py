import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from shared.attempts import placeholders
from shared.attempts.placeholders import MisplacedPlaceholderError
from shared.outbound import ssrf
from tests import factories

BODY = json.dumps(
    {
        "event_type": "node_execution",
        "visitor": {"visitor_id": "visitor_1", "country_code": "DE", "city": "Zürich"},
        "hit": {"hit_id": "hit_1", "hit_timestamp": 1780062493202, "is_entrance": True},
        "tracking_fields": {"campaign": "spring & sale", "ratio": 0.10, "utm.source": "x.com"},
        "url_buffer": {"campaign": "summer", "first name": "Alice"},
        "action_data": {"campaign": "autumn", "email": "a+b@example.com", "gone": None},
        "visitor_tags": ["a", "b"],
    }
).encode()

NAMES = st.sampled_from(
    ["data-a", "data-{", "hit", "visitor", "visitor.visitor_id", "url_buffer.a", "event_type", "no"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
SELF_REFERRING = st.sampled_from(
    ["{hit}", "{data-a}", "&b={visitor}", "#", "\r\nX-Evil: 1", "\0", "\ud800"]
)
OBJECTS = st.dictionaries(
    st.sampled_from(["a", "hit_id", "visitor_id"]),
    SCALARS | SELF_REFERRING | st.lists(SCALARS, max_size=2),
)
PAYLOADS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("url_buffer", "tracking_fields", "action_data", "hit", "visitor", "session"),
        OBJECTS | SCALARS,
    )
    | {"event_type": st.text()},
)
URL_TEXT = st.text(st.sampled_from("abc=%&+.-/?:{}") | st.characters(codec="utf-8"), max_size=20)


def in_url(url: str, body: bytes = BODY) -> str:
    return placeholders.rendered(url, {}, body)[0]


def in_header(value: str, body: bytes = BODY) -> str:
    return placeholders.rendered("https://example.com/", {"X-A": value}, body)[1]["X-A"]


class TestAPlaceholder:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("{hit}", "hit_1"),
            ("{visitor}", "visitor_1"),
            ("{visitor.country_code}", "DE"),
            ("{event_type}", "node_execution"),
            ("{tracking_fields.campaign}", "spring & sale"),
            ("{data-campaign}", "summer"),
            ("{data-ratio}", "0.1"),
            ("{data-email}", "a+b@example.com"),
            ("{data-utm.source}", "x.com"),
            ("{data-first name}", "Alice"),
            ("{hit.hit_timestamp}", "1780062493202"),
            ("{hit.is_entrance}", "true"),
            ("a{hit}b{hit}c", "ahit_1bhit_1c"),
        ],
    )
    def test_becomes_its_value(self, text: str, value: str) -> None:
        url = in_url(f"https://example.com/?v={text}")

        assert parse_qs(urlsplit(url).query) == {"v": [value]}
        assert in_header(text) == value

    @pytest.mark.parametrize(
        "text",
        [
            "{nothing}",
            "{data-nothing}",
            "{data-gone}",
            "{visitor.nothing}",
            "{event_type.nothing}",
            "{visitor.city.nothing}",
            "{session.hit_id}",
            "{tracking_fields}",
            "{visitor_tags}",
        ],
    )
    def test_without_a_value_becomes_empty(self, text: str) -> None:
        assert in_url(f"https://example.com/?a=1&v={text}") == "https://example.com/?a=1&v="
        assert in_header(f"[{text}]") == "[]"

    @pytest.mark.parametrize(
        ("body", "hit", "visitor"),
        [
            ({"session": {"hit_id": "h", "visitor_id": "v"}}, "h", "v"),
            ({"hit": {"visitor_id": "v"}, "session": {"visitor_id": "w"}}, "", "v"),
            ({"visitor": {"ip": "::1"}, "hit": {"hit_id": "h"}}, "h", ""),
            ([], "", ""),
        ],
    )
    def test_for_an_id_looks_where_the_body_has_it(self, body: Any, hit: str, visitor: str) -> None:
        assert in_header("{hit}/{visitor}", json.dumps(body).encode()) == f"{hit}/{visitor}"

    @pytest.mark.parametrize(
        "text",
        [
            '{"a":1}',
            "{a: b}",
            "{}",
            "{",
            "}",
            "{hit",
            "hit}",
            "{.a}",
            "{a..b}",
            "{a b}",
            "%7Bhit%7D",
        ],
    )
    def test_is_not_every_brace(self, text: str) -> None:
        assert in_url(f"https://example.com/?v={text}") == f"https://example.com/?v={text}"
        assert in_header(text) == text

    def test_keeps_numbers_to_the_last_digit(self) -> None:
        body = b'{"conversion":{"value":12345678901234567890.10,"n":1e400}}'

        assert in_header("{conversion.value} {conversion.n}", body) == (
            "12345678901234567890.10 1e400"
        )

    def test_names_in_urls_may_be_percent_encoded(self) -> None:
        assert in_url("https://example.com/?v={data-first%20name}").endswith("?v=Alice")

    def test_is_filled_in_once(self) -> None:
        body = b'{"url_buffer":{"a":"{hit}","b":"{data-a}"},"hit":{"hit_id":"h"}}'

        assert in_url("https://example.com/?v={data-a}", body).endswith("?v=%7Bhit%7D")
        assert in_header("{data-b}", body) == "{data-a}"


class TestInAUrl:
    def test_values_are_percent_encoded(self) -> None:
        url = in_url("https://example.com/p?c={tracking_fields.campaign}&city={visitor.city}&x=1")

        assert url == "https://example.com/p?c=spring%20%26%20sale&city=Z%C3%BCrich&x=1"

    @pytest.mark.parametrize(
        ("url", "place"),
        [
            ("{visitor}://example.com/", "scheme, host or port"),
            ("https://{visitor}.example.com/", "scheme, host or port"),
            ("https://example.com:{hit}/", "scheme, host or port"),
            ("https://{hit}@example.com/", "scheme, host or port"),
            ("https://example.com/{data-path}", "path"),
            ("https://example.com/{data-a/b}/c", "path"),
            ("https://example.com/?{hit}=1", "parameter names"),
            ("https://example.com/?a=1&{hit}", "parameter names"),
            ("https://example.com/#{hit}", "fragment"),
            ("https://example.com/#?a={hit}", "fragment"),
        ],
    )
    def test_any_other_place_is_refused(self, url: str, place: str) -> None:
        with pytest.raises(MisplacedPlaceholderError, match=f"in the {place} of the URL"):
            placeholders.check(url)

        assert in_url(url) == url

    @pytest.mark.parametrize(
        "url",
        [
            "https://example.com/",
            "https://example.com?v={hit}",
            "https://example.com/a?v={hit}&w=x={data-a}/{visitor.city}",
            'https://example.com/{"a"}?v={"a":1}',
        ],
    )
    def test_values_of_the_query_are_accepted(self, url: str) -> None:
        placeholders.check(url)

    def test_the_guard_can_judge_it_beforehand(self) -> None:
        url = placeholders.without("https://example.com/?v={data-first name}&w={hit}")

        ssrf.check_url(url, ssrf.Policy())
        assert url == "https://example.com/?v=x&w=x"

    @given(URL_TEXT, st.lists(st.tuples(st.text("ab-", max_size=3), NAMES)), PAYLOADS)
    def test_no_payload_changes_anything_but_query_values(
        self, path: str, parameters: list[tuple[str, str]], payload: dict[str, Any]
    ) -> None:
        query = "&".join(f"{name}={{{placeholder}}}" for name, placeholder in parameters)
        url = f"https://example.com:8443/{path}?{query}"

        rendered = in_url(url, json.dumps(payload).encode())

        assert parse_url(rendered)[:5] == parse_url(url)[:5]
        assert rendered.count("&") == url.count("&")
        assert rendered.count("#") == url.count("#")

    @given(st.text())
    def test_any_text_stays_what_it_is_without_placeholders(self, text: str) -> None:
        assert placeholders.without(text.replace("{", "")) == text.replace("{", "")

    @given(st.text(st.characters(codec="utf-8")))
    def test_every_value_arrives(self, value: str) -> None:
        url = in_url(
            "https://example.com/?v={data-v}", json.dumps({"url_buffer": {"v": value}}).encode()
        )

        assert parse_qs(urlsplit(url).query, keep_blank_values=True) == {"v": [value]}


class TestInAHeader:
    def test_line_breaks_and_controls_are_left_out(self) -> None:
        body = json.dumps({"action_data": {"x": "a\r\nX-Evil: 1\0\x1b\u202e\u2028"}}).encode()

        assert in_header("{data-x}", body) == "aX-Evil: 1"

    def test_other_letters_are_written_as_in_a_url(self) -> None:
        assert in_header("{visitor.city} 100%") == "Z%C3%BCrich 100%"

    def test_an_empty_value_leaves_no_blank_behind(self) -> None:
        assert in_header("{data-nothing} a") == "a"

    @given(st.lists(NAMES, min_size=1), PAYLOADS)
    def test_no_payload_breaks_the_line(self, names: list[str], payload: dict[str, Any]) -> None:
        value = in_header(" ".join(f"{{{name}}}" for name in names), json.dumps(payload).encode())

        assert value.isascii()
        assert value.isprintable()
        assert value == value.strip()


def test_without_a_brace_the_body_is_not_read() -> None:
    headers = {"X-Team": "growth"}

    rendered = placeholders.rendered("https://example.com/?a=1", headers, b"not JSON")

    assert rendered == ("https://example.com/?a=1", headers)


def test_the_examples_of_the_contract_fill_in() -> None:
    for event_type in ("node_execution", "conversion_triggered", "custom_event_triggered"):
        body = json.dumps(factories.event_json(event_type)).encode()

        assert in_header("{visitor} {hit} {data-campaign}", body) == (
            "visitor_123 hit_123 spring_sale"
        )
