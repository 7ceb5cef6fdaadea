import ipaddress
import json
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3.util import parse_url

from shared.outbound import dns, ssrf
from shared.outbound.ssrf import Policy, RefusedAddressError, RefusedUrlError

ROWS = json.loads(Path(__file__).with_name("refused_addresses.json").read_text(encoding="utf-8"))
# The reasons of the table, and how we put them.
WORDS = {
    "6to4": "6to4",
    "address-spelling": "an address in an unusual spelling",
    "anycast": "anycast",
    "benchmarking": "benchmarking",
    "carrier-grade-nat": "carrier-grade NAT",
    "discard": "discard only|dummy prefix",
    "documentation": "documentation",
    "forbidden-character": "a space, a backslash or a control character",
    "fragment": "a fragment",
    "invalid-name": "not a valid domain name",
    "ipv4-compatible": "IPv4-compatible",
    "ipv4-translated": "IPv4-translated",
    "link-local": "link-local",
    "local-name": "a name for local use",
    "loopback": "loopback",
    "multicast": r"\(multicast\)",
    "nat64-local": "local-use NAT64",
    "not-absolute": "must be absolute",
    "not-global-unicast": "outside 2000::/3",
    "percent-in-host": "holds a %",
    "port": "port .* is not allowed",
    "private": r"\(private",
    "protocol-assignments": "protocol assignments",
    "reserved": "reserved",
    "returned": "returned",
    "scheme": "must start with https",
    "segment-routing": "segment routing",
    "site-local": "site-local",
    "teredo": "Teredo",
    "this-network": "this network",
    "too-long": "longer than 2048",
    "unreadable": "cannot be read",
    "unspecified": "unspecified",
    "user-info": "a user name or password",
}
PUBLIC = Policy()
LOCAL = Policy(allow_private=True)

unhurried = settings(deadline=None)  # a busy machine is no finding


def _refused(kind: str) -> list[Any]:
    return [
        pytest.param(row["input"], WORDS[row["refused"]], id=row["name"])
        for row in ROWS
        if row["kind"] == kind and row["refused"]
    ]


def _accepted_rows(kind: str) -> list[Any]:
    return [
        pytest.param(row["input"], id=row["name"])
        for row in ROWS
        if row["kind"] == kind and not row["refused"]
    ]


def _inputs(kind: str) -> list[str]:
    return [row["input"] for row in ROWS if row["kind"] == kind]


def _as_host(text: str) -> str:
    return f"https://{text}.example/"


def _names_resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def lookup(host: bytes, port: int, **_: int) -> list[Any]:
        families = [socket.AF_INET6 if ":" in text else socket.AF_INET for text in addresses]
        return [
            (family, socket.SOCK_STREAM, 6, "", (text, port))
            for family, text in zip(families, addresses, strict=True)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)


class TestUrls:
    @pytest.mark.parametrize(("url", "words"), _refused("url"))
    def test_that_break_a_rule_are_refused_for_it(self, url: str, words: str) -> None:
        with pytest.raises(RefusedUrlError, match=words):
            ssrf.check_url(url, PUBLIC)

    @pytest.mark.parametrize("url", _accepted_rows("url"))
    def test_of_public_servers_are_accepted(self, url: str) -> None:
        ssrf.check_url(url, PUBLIC)

    @pytest.mark.parametrize(
        ("url", "hint"),
        [
            ("http://example.com/", "must start with https://"),
            ("example.com", "like https://example.com/path"),
            ("https://example.com:8080/", "port 8080 is not allowed; allowed: 443, 8443"),
            ("https://u:p@example.com/", "use the auth settings instead"),
            ("https://example.com/#a", "remove it"),
            ("https://10.0.0.1/", r"10\.0\.0\.0/8 \(private\)"),
            ("https://0x7f.1/", "write it plainly"),
            ("https://intranet/", "use a public domain name"),
        ],
    )
    def test_are_refused_with_a_way_out(self, url: str, hint: str) -> None:
        with pytest.raises(RefusedUrlError, match=hint):
            ssrf.check_url(url, PUBLIC)

    def test_are_never_quoted_in_the_refusal(self) -> None:
        url = "https://user:hunter2@example.com:1/path?token=hunter2#hunter2"

        with pytest.raises(RefusedUrlError) as refusal:
            ssrf.check_url(url, PUBLIC)

        assert "hunter2" not in str(refusal.value)

    def test_may_use_the_ports_of_the_policy_only(self) -> None:
        policy = Policy(ports=frozenset({9443}))

        ssrf.check_url("https://example.com:9443/", policy)

        with pytest.raises(RefusedUrlError, match="allowed: 9443"):
            ssrf.check_url("https://example.com/", policy)

    @pytest.mark.parametrize(
        "url",
        [
            "http://127.0.0.1:54321/ok",
            "http://[::1]:8080/",
            "https://localhost:9999/",
            "http://receiver/",
        ],
    )
    def test_may_be_http_and_private_in_local_runs(self, url: str) -> None:
        ssrf.check_url(url, LOCAL)

    @pytest.mark.parametrize(
        "url", ["ftp://127.0.0.1/", "http://u:p@localhost/", "http://a..b/", "http://h:0/"]
    )
    def test_keep_their_shape_in_local_runs(self, url: str) -> None:
        with pytest.raises(RefusedUrlError):
            ssrf.check_url(url, LOCAL)

    @unhurried
    @given(st.ip_addresses(v=4))
    def test_with_an_address_are_judged_like_the_address(self, address: IPv4Address) -> None:
        assert _accepted(f"https://{address}/") is (ssrf.flaw_of(address) is None)

    @unhurried
    @given(st.ip_addresses(v=4))
    def test_with_an_address_in_another_base_are_refused(self, address: IPv4Address) -> None:
        for host in (f"{int(address)}", f"{int(address):#x}", f"0{int(address):o}"):
            assert not _accepted(f"https://{host}/")

    @unhurried
    @given(st.one_of(st.sampled_from(_inputs("url")), st.text(max_size=30).map(_as_host)))
    def test_lead_requests_to_the_host_that_was_checked(self, url: str) -> None:
        if not _accepted(url):
            return

        sent = requests.Request("POST", url).prepare().url

        assert urlsplit(sent).hostname == (parse_url(url).host or "").strip("[]")
        assert _accepted(str(sent))

    @unhurried
    @given(st.text(max_size=60))
    def test_of_any_shape_are_accepted_or_refused_and_nothing_else(self, text: str) -> None:
        for url in (text, f"https://{text}", f"https://{text}/", f"https://example.com/{text}"):
            _accepted(url)


def _accepted(url: str) -> bool:
    try:
        ssrf.check_url(url, PUBLIC)
    except RefusedUrlError:
        return False
    return True


class TestAddresses:
    @pytest.mark.parametrize(("address", "words"), _refused("address"))
    def test_off_the_public_internet_are_refused_by_range(self, address: str, words: str) -> None:
        with pytest.raises(RefusedAddressError, match=words):
            ssrf.vet([address])

    @pytest.mark.parametrize("address", _accepted_rows("address"))
    def test_on_the_public_internet_are_accepted(self, address: str) -> None:
        ssrf.vet([address])

    @unhurried
    @given(st.ip_addresses())
    def test_that_python_calls_special_are_never_accepted(
        self, address: IPv4Address | IPv6Address
    ) -> None:
        if any(address in IPv6Network(net) for net in ("64:ff9b::/96", "::ffff:0:0/96")):
            return  # judged by what it carries

        special = (
            address.is_private,
            address.is_loopback,
            address.is_link_local,
            address.is_multicast,
            address.is_reserved,
            address.is_unspecified,
        )

        assert not any(special) or ssrf.flaw_of(address)

    @unhurried
    @given(st.ip_addresses(v=4))
    def test_inside_ipv6_are_judged_like_the_address_itself(self, inner: IPv4Address) -> None:
        forms = [f"::ffff:{inner}", f"64:ff9b::{inner}", f"2a00::5efe:{inner}"]

        judged = {ssrf.flaw_of(ipaddress.ip_address(form)) is None for form in forms}

        assert judged == {ssrf.flaw_of(inner) is None}

    @unhurried
    @given(st.ip_addresses(v=4))
    def test_inside_dead_transition_forms_are_refused(self, inner: IPv4Address) -> None:
        in_hex = f"{int(inner) >> 16:x}:{int(inner) & 0xFFFF:x}"
        forms = ["::{0}", "::ffff:0:{0}", "64:ff9b:1::{0}", "2001::{0}", "2002:{1}::1"]

        for form in (pattern.format(inner, in_hex) for pattern in forms):
            assert ssrf.flaw_of(ipaddress.ip_address(form)) is not None


class TestNames:
    @pytest.mark.parametrize(("answer", "words"), _refused("answer"))
    def test_are_refused_for_any_private_address(
        self, monkeypatch: pytest.MonkeyPatch, answer: list[str], words: str
    ) -> None:
        _names_resolve_to(monkeypatch, *answer)

        with pytest.raises(RefusedAddressError, match=words):
            dns.resolve("hooks.example.com", 443, PUBLIC)

    @pytest.mark.parametrize("answer", _accepted_rows("answer"))
    def test_give_all_their_public_addresses_in_order(
        self, monkeypatch: pytest.MonkeyPatch, answer: list[str]
    ) -> None:
        _names_resolve_to(monkeypatch, *answer)

        found = dns.resolve("hooks.example.com", 443, PUBLIC)

        assert [address.sockaddr[0] for address in found] == list(dict.fromkeys(answer))

    def test_give_an_address_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        _names_resolve_to(monkeypatch, "8.8.8.8", "8.8.8.8")

        assert len(dns.resolve("hooks.example.com", 443, PUBLIC)) == 1

    def test_may_be_private_in_local_runs(self) -> None:
        (found,) = dns.resolve("127.0.0.1", 8080, LOCAL)

        assert found == (socket.AF_INET, ("127.0.0.1", 8080))

    def test_are_refused_by_range_without_telling_the_address(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _names_resolve_to(monkeypatch, "10.77.66.55")

        with pytest.raises(RefusedAddressError, match=r"10\.0\.0\.0/8") as refusal:
            dns.resolve("hooks.example.com", 443, PUBLIC)

        assert "10.77.66.55" not in str(refusal.value)


class TestTheTable:
    def test_is_readable_in_any_language(self) -> None:
        assert len({(row["kind"], row["name"]) for row in ROWS}) == len(ROWS)
        for row in ROWS:
            assert set(row) == {"name", "kind", "input", "refused"}
            assert row["kind"] in {"url", "address", "answer"}

    def test_has_every_reason(self) -> None:
        assert {row["refused"] for row in ROWS} - {None} == set(WORDS)

    @pytest.mark.parametrize("network", [*ssrf._V4, *ssrf._V6], ids=str)
    def test_has_both_ends_of_every_range_and_its_neighbours(
        self, network: IPv4Network | IPv6Network
    ) -> None:
        first, last, end = int(network[0]), int(network[-1]), 2**network.max_prefixlen
        numbers = [number for number in (first - 1, first, last, last + 1) if 0 <= number < end]
        address = type(network[0])

        assert {str(address(number)) for number in numbers} <= set(_inputs("address"))
