from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.credentials import Credentials, RefreshableCredentials
from hypothesis import given
from hypothesis import strategies as st

from shared.attempts import sigv4

URL = "https://abc123.lambda-url.eu-central-1.on.aws/"


def sign(credentials: sigv4.Credentials, **headers: str) -> dict[str, str]:
    return sigv4.signed(URL, headers, b"{}", "eu-central-1", credentials)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("", ""),
        ("?", ""),
        ("?a=b+c", "?a=b%20c"),
        ("?a=b%20c", "?a=b%20c"),
        ("?a=b%2bc", "?a=b%2Bc"),
        ("?flag", "?flag="),
        ("?a=1&&b=2", "?a=1&b=2"),
        ("?b=2&a=1", "?b=2&a=1"),
        ("?a=b=c/d?e:@", "?a=b%3Dc%2Fd%3Fe%3A%40"),
        ("?a={x}&b=é~", "?a=%7Bx%7D&b=%C3%A9~"),
        ("?a=%ff%00", "?a=%FF%00"),
        ("?a=%%41%zz", "?a=%25A%25zz"),
    ],
)
def test_a_query_is_sent_in_the_one_spelling_that_everybody_reads_alike(
    written: str, sent: str
) -> None:
    assert sigv4.as_sent(URL + written) == URL + sent


@given(st.lists(st.sampled_from(["%", "%4", "%41", "%ff", "+", "&", "=", "a"])).map("".join))
def test_a_percent_sign_changes_no_other(query: str) -> None:
    sent = sigv4.as_sent(f"{URL}?{query}")

    assert meaning(urlsplit(sent).query) == meaning(query)


def meaning(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#\\")))
def test_the_spelling_is_final_and_means_the_same(query: str) -> None:
    sent = sigv4.as_sent(f"{URL}?{query}")

    assert sigv4.as_sent(sent) == sent
    assert meaning(urlsplit(sent).query) == meaning(query)


def test_headers_that_lambda_writes_itself_are_left_out() -> None:
    sent = sign(
        Credentials("key", "secret"),
        **{"X-Forwarded-For": "192.0.2.1", "X-Amz-Content-Sha256": "0", "X-Team": "growth"},
    )

    assert sent.keys() == {"X-Team", "X-Amz-Date", "Authorization"}
    assert "SignedHeaders=host;x-amz-date;x-team," in sent["Authorization"]


def test_credentials_that_run_out_are_renewed() -> None:
    def renew() -> dict[str, Any]:
        later = datetime.now(UTC) + timedelta(hours=1)
        return {
            "access_key": "new",
            "secret_key": "secret",
            "token": "token",
            "expiry_time": later.isoformat(),
        }

    past = datetime.now(UTC) - timedelta(seconds=1)
    credentials = RefreshableCredentials("old", "secret", "token", past, renew, "test")

    sent = sign(credentials)

    assert sent["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=new/")
