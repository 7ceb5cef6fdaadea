"""Where a browser may be sent."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.actions import redirects
from shared.errors import InvalidError

HOSTS = ("shop.example.com", "*.pages.example")


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example.com",
        "https://shop.example.com/",
        "https://SHOP.example.com/thanks?a=1&b=%C3%BC#top",
        "https://shop.example.com?a=//evil.example",
        "https://shop.example.com#@evil.example",
        "https://a.pages.example/x",
        "https://a.b.pages.example/x",
    ],
)
def test_an_allowed_host_is_one(url: str) -> None:
    redirects.check(url, HOSTS, "redirect")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://shop.example.com/",
        "//shop.example.com/",
        "/thanks",
        "shop.example.com",
        "javascript:alert(1)",
        "data:text/html,x",
        "HTTPS:shop.example.com",
        "https:/shop.example.com/",
        "https:///shop.example.com/",
        "https://shop.example.com:444/",
        "https://user@shop.example.com/",
        "https://shop.example.com@evil.example/",
        "https://shop.example.com%40evil.example/",
        "https://evil.example\\@shop.example.com/",
        "https://shop.example.com\\.evil.example/",
        "https://evil.example/\\shop.example.com",
        "https://evil.example#.pages.example",
        "https://evil.example?.pages.example",
        "https://shop.example.com.",
        "https://shop.example.com.evil.example/",
        "https://evilshop.example.com/",
        "https://pages.example/",
        "https://.pages.example/",
        "https://evilpages.example/",
        "https://shop.example.com/a b",
        "https://shop.example.com/\r\nSet-Cookie: a=1",
        "https://shop.example.com/\n",
        "https://shop.example.com/\t",
        "https://shop.example.com/ü",
        "https://ｓhop.example.com/",
        "https://shop。example.com/",
        " https://shop.example.com/",
        "https://[::1]/",
        "https://shop.example.com/" + "x" * 2048,
    ],
)
def test_anything_else_is_refused_without_naming_a_host(url: str) -> None:
    with pytest.raises(InvalidError) as error:
        redirects.check(url, HOSTS, "redirect")

    assert error.value.fields[0].path == "redirect"
    assert "example" not in error.value.message


def test_nothing_is_allowed_unless_it_is_named() -> None:
    with pytest.raises(InvalidError, match="redirect_hosts"):
        redirects.check("https://shop.example.com/", (), "redirect")


PIECES = st.sampled_from(
    [
        *("https://", "//", "/", "\\", "@", ":", "#", "?", ".", "%40", "\t", "\n", " ", "[", "]"),
        *("shop.example.com", "pages.example", "evil.example", "a"),
    ]
)


@given(st.lists(PIECES, max_size=8).map("".join))
def test_what_is_allowed_is_on_an_allowed_host_for_another_parser_too(url: str) -> None:
    try:
        redirects.check(url, HOSTS, "redirect")
    except InvalidError:
        return

    parts = urlsplit(url)
    assert parts.scheme == "https"
    assert parts.netloc.lower() == parts.hostname
    assert parts.hostname == "shop.example.com" or parts.hostname.endswith(".pages.example")
