"""What forms submit: content types by odd inputs."""

import json
from contextlib import suppress
from typing import Any

import pytest
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.actions import forms
from shared.actions.fields import MAX_NAME
from shared.actions.forms import JSON, MAX_BODY_BYTES, TEXT, URLENCODED
from shared.errors import InvalidError, TooLargeError, UnsupportedMediaTypeError
from tests.unit.actions.bodies import ACCEPTED, BOM, FORM, REFUSED, Refused, form, part

TYPED = (InvalidError, TooLargeError, UnsupportedMediaTypeError)


def test_the_table_has_all_it_should() -> None:
    assert len(ACCEPTED) + len(REFUSED) >= 60


@pytest.mark.parametrize(
    ("content_type", "body", "fields"),
    [pytest.param(*row[1:], id=f"{row[1].partition(';')[0]}: {row[0]}") for row in ACCEPTED],
)
def test_a_body_is_read(content_type: str, body: bytes, fields: dict[str, Any]) -> None:
    read = forms.body(body, content_type)

    assert read == fields
    assert [type(value) for value in read.values()] == [type(v) for v in fields.values()]


@pytest.mark.parametrize(
    ("content_type", "body", "refused"),
    [pytest.param(*row[1:], id=f"{row[1].partition(';')[0]}: {row[0]}") for row in REFUSED],
)
def test_a_body_is_refused_by_place(content_type: str, body: bytes, refused: Refused) -> None:
    with pytest.raises(InvalidError) as error:
        forms.body(body, content_type)

    assert [field.path for field in error.value.fields] == [refused.path] * bool(refused.path)
    assert refused.message in error.value.message
    assert len(error.value.message) < 400


@pytest.mark.parametrize("content_type", [URLENCODED, FORM, TEXT, JSON, ""])
def test_a_body_over_a_megabyte_is_too_large(content_type: str) -> None:
    with pytest.raises(TooLargeError, match="1048577 bytes, the limit is 1048576"):
        forms.body(b" " * (MAX_BODY_BYTES + 1), content_type)


def test_a_file_may_take_most_of_a_megabyte() -> None:
    file = part("f", b"\r\n--" * 250_000, filename="large.bin")

    assert forms.body(form(file, part("a", b"1")), FORM) == {"f": "large.bin", "a": "1"}


@pytest.mark.parametrize(
    "content_type",
    [
        "application/xml",
        "text/html",
        "image/png",
        "json",
        "multipart/mixed; boundary=b",
        "日本",
    ],
)
def test_another_content_type_is_not_supported(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaTypeError, match=r"Send application/x-www-form-urlencoded"):
        forms.body(b"a=1", content_type)


class TestABodyThatTheApiHasDecoded:
    def test_is_utf_8_whatever_its_charset(self) -> None:
        body = "n=Müller".encode()

        assert forms.body(body, f"{TEXT}; charset=utf-8", is_text=True) == {"n": "Müller"}
        assert forms.body(body, f"{TEXT}; charset=latin1", is_text=True) == {"n": "Müller"}

    def test_and_that_lost_letters_by_it_is_refused(self) -> None:
        with pytest.raises(InvalidError, match="UTF-8 only"):
            forms.body("n=M\ufffdller".encode(), f"{TEXT}; charset=latin1", is_text=True)


class TestAQuery:
    @pytest.mark.parametrize(
        ("raw", "fields"),
        [
            ("", {}),
            ("a=1&b=%C3%BC&b=+", {"a": "1", "b": "ü,  "}),
            ("a", {"a": ""}),
            ("?a=1", {"?a": "1"}),
            ("n=Müller", {"n": "Müller"}),
        ],
    )
    def test_is_read(self, raw: str, fields: dict[str, str]) -> None:
        assert forms.query(raw) == fields

    @pytest.mark.parametrize(
        ("raw", "path"), [("a=%FF", "a"), ("=1", "field 1"), ("a=%00", "a"), ("a=\ud800", "a")]
    )
    def test_is_refused_by_place(self, raw: str, path: str) -> None:
        with pytest.raises(InvalidError) as error:
            forms.query(raw)

        assert [field.path for field in error.value.fields] == [path]


CONTENT_TYPES = st.one_of(
    st.sampled_from([URLENCODED, FORM, TEXT, JSON, "", f"{TEXT}; charset=iso-2022-jp"]),
    st.builds("{}; charset={}".format, st.sampled_from([URLENCODED, TEXT]), st.text(max_size=20)),
    st.text(max_size=60),
)
FRAGMENTS = st.sampled_from(
    [
        *(b"--b", b"\r\n", b"--", b"--b--", b"Content-Disposition: form-data", b"; name=", b'"'),
        *(b"=", b"&", b"%", b"%00", b"%FF", b": ", b"{", b"}", b"[", b",", b'"a":', b"1", b"a"),
        *(b"\0", b"\x1b$B", BOM),
    ]
)
BODIES = st.one_of(st.binary(max_size=300), st.lists(FRAGMENTS, max_size=40).map(b"".join))


@settings(max_examples=1000)
@given(BODIES, CONTENT_TYPES, st.booleans())
@example(b"--b\r\n\r\n--b--", FORM, False)
@example(b"\x1b$B", f"{TEXT}; charset=iso-2022-jp", False)
def test_whatever_comes_is_read_or_refused(body: bytes, content_type: str, is_text: bool) -> None:
    try:
        fields = forms.body(body, content_type, is_text)
    except TYPED:
        return

    for name, value in fields.items():
        assert 0 < len(name) <= MAX_NAME
        assert value is None or isinstance(value, str | bool | int | float)
        if isinstance(value, str):
            assert value.encode().decode() == value
            assert "\0" not in value


@given(st.text(max_size=300))
def test_whatever_query_comes_is_read_or_refused(raw: str) -> None:
    with suppress(InvalidError):
        forms.query(raw)


FIELD_NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_.\[\]-]{0,20}", fullmatch=True)
NOT_IN_FORMS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
PLAIN = st.dictionaries(FIELD_NAMES, st.text(NOT_IN_FORMS, max_size=50), max_size=10)


@given(PLAIN)
def test_a_form_that_a_client_encodes_comes_back(fields: dict[str, str]) -> None:
    files: Any = {name: (None, value) for name, value in fields.items()}
    for sent in (
        requests.Request("POST", "http://a", data=fields).prepare(),
        requests.Request("POST", "http://a", files=files or None).prepare(),
    ):
        body = sent.body or b""
        content = body.encode() if isinstance(body, str) else body
        assert forms.body(content, sent.headers.get("Content-Type", "")) in (
            {name: value.removeprefix("\ufeff") for name, value in fields.items()},
        )
    assert forms.body(json.dumps(fields).encode(), JSON) == fields
