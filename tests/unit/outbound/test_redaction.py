import base64
import html
import json
import string
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.outbound import redaction
from shared.outbound.redaction import MASK

TOKEN = 'tok/EN+with=signs & "quotes" é 😀'
PRINTABLE = st.text(string.ascii_letters + string.digits + string.punctuation + " ", min_size=8)


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _every_sign_escaped(text: str) -> str:
    return "".join(f"\\u{ord(character):04x}" for character in text)


def _as_hex_entities(text: str) -> str:
    return "".join(f"&#x{ord(character):X};" for character in text)


SPELLINGS: list[Callable[[str], str]] = [
    str,
    str.upper,
    str.swapcase,
    quote,
    lambda text: quote(text, safe=""),
    quote_plus,
    lambda text: quote(text).lower(),
    lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    _in_json,
    lambda text: _in_json(text).replace("/", "\\/"),
    lambda text: json.dumps(text, ensure_ascii=False),
    html.escape,
    _as_hex_entities,
    lambda text: quote(quote(text)),
    lambda text: _in_json(_in_json(text)),
    lambda text: quote(_in_json(text)),
    lambda text: html.escape(_in_json(text)),
    lambda text: "\r\n\t".join(text[i : i + 4] for i in range(0, len(text), 4)),
]


class TestTheSecretsOfARequest:
    @pytest.mark.parametrize(
        ("name", "value", "secret"),
        [
            ("Authorization", "Bearer abcdefgh", "abcdefgh"),
            ("authorization", "abcdefgh", "abcdefgh"),
            ("X-Api-Key", "abcdefgh", "abcdefgh"),
            ("X-Whatever", "Bearer abcdefgh", "abcdefgh"),
            ("webhook-signature", "v1,abc= v1,def=", "abc= def="),
            ("X-FlowEstate-Signature", "sha256=0123456789abcdef", "0123456789abcdef"),
            ("Authorization", _basic("u", "pass:word"), "pass:word"),
            ("Authorization", _basic("u", "pässword"), "pässword"),
            ("Authorization", _basic("u", "password").replace(" ", "   "), "password"),
            ("Authorization", _basic("us", "password").rstrip("="), "password"),
            ("Proxy-Authorization", "basic dTpwYXNz", "pass"),
        ],
    )
    def test_are_told_by_name_or_value(self, name: str, value: str, secret: str) -> None:
        assert secret in redaction.secrets_of({name: value})

    def test_are_not_what_everybody_may_read(self) -> None:
        headers = {"webhook-id": "msg_1", "webhook-timestamp": "1", "User-Agent": "Funnelhooks/1"}

        assert redaction.secrets_of(headers) == []

    @pytest.mark.parametrize("value", ["Basic !!!", "Basic", "Basic dXNlcg", "Basic /w==", ""])
    def test_may_be_no_good_basic_authentication(self, value: str) -> None:
        redaction.secrets_of({"Authorization": value})


class TestMasking:
    @pytest.mark.parametrize("spelled", SPELLINGS)
    def test_finds_a_secret_in_every_spelling(self, spelled: Callable[[str], str]) -> None:
        echo = f'{{"before": 1, "echo": "{spelled(TOKEN)}", "after": 2}}'

        masked = redaction.redacted(echo, [TOKEN])

        assert masked.startswith('{"before": 1, "echo": ')
        assert masked.endswith(', "after": 2}')
        assert MASK in masked
        assert len(masked) < len('{"before": 1, "echo": "", "after": 2}') + 2 * len(MASK)

    # Lines are broken before anything is escaped: within an escape, nobody breaks them.
    @given(PRINTABLE, st.sampled_from(SPELLINGS), st.sampled_from(SPELLINGS[:-1]))
    def test_leaves_nothing_of_any_secret_under_any_two_spellings(
        self,
        secret: str,
        first: Callable[[str], str],
        second: Callable[[str], str],
    ) -> None:
        assume(len(redaction._reduced(secret).text) >= redaction.RUN)

        masked = redaction.redacted(f"<{second(first(secret))}>", [secret])

        assert MASK in masked
        assert redaction.redacted(masked, [secret]) == masked
        assert len(masked.replace(MASK, "")) < 40

    @given(st.text(), st.lists(PRINTABLE, max_size=3))
    def test_changes_nothing_but_what_it_masks(self, text: str, secrets: list[str]) -> None:
        rest = iter(text)

        assert all(
            character in rest for part in redaction.redacted(text, secrets).split(MASK)
            for character in part
        )  # fmt: skip

    @given(st.text() | PRINTABLE.map(quote) | PRINTABLE.map(_every_sign_escaped))
    def test_reduces_secrets_as_it_reduces_text(self, text: str) -> None:
        assert redaction._reduced_secret(text) == redaction._reduced(text).text

    @given(st.text())
    def test_without_secrets_changes_nothing(self, text: str) -> None:
        assert redaction.redacted(text, []) == text
        assert redaction.redacted(text, [""]) == text

    @pytest.mark.parametrize("part", ["0123456789", "89abcdefghij", "cdefghijk", "4567-89ab"])
    def test_finds_parts_of_eight_characters_and_more(self, part: str) -> None:
        assert redaction.redacted(f"…{part}…", ["0123456789abcdefghijk"]) == f"…{MASK}…"

    @pytest.mark.parametrize(
        ("text", "masked"),
        [
            ("abc", MASK),
            ('{"password":"abc"}', f'{{"password":"{MASK}"}}'),
            ("password=abc&x=1", f"password={MASK}&x=1"),
            ("%22abc%22", f"%22{MASK}%22"),
            ("ABC, abc.", f"{MASK}, {MASK}."),
            ("an abcess, a tabc", "an abcess, a tabc"),
            ("abcabc", "abcabc"),
        ],
    )
    def test_finds_a_short_secret_where_it_stands_by_itself(self, text: str, masked: str) -> None:
        assert redaction.redacted(text, ["abc"]) == masked

    def test_finds_every_occurrence_and_several_secrets(self) -> None:
        text = "one: first-secret, two: second-secret, one: first-secret"

        masked = redaction.redacted(text, ["first-secret", "second-secret"])

        assert masked == f"one: {MASK}, two: {MASK}, one: {MASK}"

    def test_takes_a_time_that_grows_with_the_text_alone(self) -> None:
        text = "\\" * 700 + "%25" * 300 + "&" * 300

        assert redaction.redacted(text, ["x" * 8192]) == text
