"""Which destinations may be called: rules for a URL, and for every address behind its name.

The lists are spelled out, because `ipaddress.is_global` changes with the Python version.
Sources: the IANA IPv4 and IPv6 special-purpose address registries and the RFCs they name.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from shared.model import Model

MAX_URL_LENGTH = 2048

_V4 = {
    IPv4Network("0.0.0.0/8"): "this network",
    IPv4Network("10.0.0.0/8"): "private",
    IPv4Network("100.64.0.0/10"): "carrier-grade NAT",
    IPv4Network("127.0.0.0/8"): "loopback",
    IPv4Network("169.254.0.0/16"): "link-local, cloud metadata",
    IPv4Network("172.16.0.0/12"): "private",
    IPv4Network("192.0.0.0/24"): "protocol assignments",
    IPv4Network("192.0.2.0/24"): "documentation",
    IPv4Network("192.31.196.0/24"): "AS112 anycast",
    IPv4Network("192.52.193.0/24"): "multicast tunnelling anycast",
    IPv4Network("192.88.99.0/24"): "6to4 relay anycast",
    IPv4Network("192.168.0.0/16"): "private",
    IPv4Network("192.175.48.0/24"): "AS112 anycast",
    IPv4Network("198.18.0.0/15"): "benchmarking",
    IPv4Network("198.51.100.0/24"): "documentation",
    IPv4Network("203.0.113.0/24"): "documentation",
    IPv4Network("224.0.0.0/4"): "multicast",
    IPv4Network("240.0.0.0/4"): "reserved and broadcast",
}

_V6 = {
    IPv6Network("::/128"): "unspecified",
    IPv6Network("::1/128"): "loopback",
    IPv6Network("::/96"): "IPv4-compatible",
    IPv6Network("::ffff:0:0:0/96"): "IPv4-translated",
    IPv6Network("64:ff9b:1::/48"): "local-use NAT64",
    IPv6Network("100::/64"): "discard only",
    IPv6Network("100:0:0:1::/64"): "dummy prefix",
    IPv6Network("2001::/32"): "Teredo",
    IPv6Network("2001:2::/48"): "benchmarking",
    IPv6Network("2001::/23"): "protocol assignments",
    IPv6Network("2001:db8::/32"): "documentation",
    IPv6Network("2002::/16"): "6to4, withdrawn",
    IPv6Network("2620:4f:8000::/48"): "AS112 anycast",
    IPv6Network("3ffe::/16"): "6bone, returned",
    IPv6Network("3fff::/20"): "documentation",
    IPv6Network("5f00::/16"): "segment routing",
    IPv6Network("fc00::/7"): "private (unique local)",
    IPv6Network("fe80::/10"): "link-local",
    IPv6Network("fec0::/10"): "site-local",
    IPv6Network("ff00::/8"): "multicast",
}

_V4_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)  # RFC 5214, section 6.1

# RFC 6762, RFC 8375, and ".internal", which ICANN reserved for private use in 2024.
_LOCAL_NAMES = ("localhost", "local", "internal", "home.arpa")

_FORBIDDEN = re.compile(r"[\s\\\x00-\x20\x7f-\x9f]")
_START = re.compile(r"(https?)://([^/?#]+)", re.IGNORECASE)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)


class Policy(Model):
    """`allow_private` also allows http and every port; only local runs set it."""

    allow_private: bool = False
    ports: frozenset[int] = frozenset({443, 8443})


class RefusedUrlError(ValueError):
    """The URL breaks a rule. The text names the rule, and what is accepted."""


class RefusedAddressError(ValueError):
    """The host resolves to an address that is not on the public internet."""


# Pure, and called again at every attempt.
@lru_cache(maxsize=1024)
def check_url(url: str, policy: Policy) -> None:
    """Raise RefusedUrlError unless the URL may be called. Looks up no name."""
    parsed = _parse(url)
    if parsed.scheme != "https" and not policy.allow_private:
        raise RefusedUrlError("the URL must start with https://")
    _check_port(parsed, policy)
    _check_host(parsed.host or "", policy)


def _parse(url: str) -> Url:
    if len(url) > MAX_URL_LENGTH:
        raise RefusedUrlError(f"the URL is longer than {MAX_URL_LENGTH} characters")
    if _FORBIDDEN.search(url):
        raise RefusedUrlError(
            "the URL holds a space, a backslash or a control character; encode it"
        )
    start = _START.match(url)
    if not start:
        raise RefusedUrlError("the URL must be absolute, like https://example.com/path")
    if "@" in start[2]:
        raise RefusedUrlError(
            "the URL holds a user name or password; use the auth settings instead"
        )
    if "%" in start[2]:
        raise RefusedUrlError("the host of the URL holds a %; write it plainly")
    if "#" in url:
        raise RefusedUrlError("the URL holds a fragment (#…), which is never sent; remove it")
    return _as_sent(url)


def _as_sent(url: str) -> Url:
    """Parse as `requests` does, so that no URL means one host here and another one there."""
    try:
        return parse_url(url)
    except LocationParseError:
        raise RefusedUrlError("the host or port of the URL cannot be read") from None


def _check_port(parsed: Url, policy: Policy) -> None:
    port = 443 if parsed.port is None else parsed.port
    allowed = 1 <= port <= 65535 if policy.allow_private else port in policy.ports
    if not allowed:
        listed = ", ".join(map(str, sorted(policy.ports)))
        raise RefusedUrlError(f"port {port} is not allowed; allowed: {listed}")


def _check_host(host: str, policy: Policy) -> None:
    if host.startswith("["):
        _check_literal(_literal(IPv6Address, host[1:-1]), policy)
    elif _NUMBER.fullmatch(host.removesuffix(".").rpartition(".")[2]):
        _check_literal(_literal(IPv4Address, host), policy)
    else:
        _check_name(host.removesuffix("."), policy)


def _literal(kind: type[IPv4Address] | type[IPv6Address], text: str) -> IPv4Address | IPv6Address:
    try:
        return kind(text)
    except ValueError:
        # The C library also reads 0x7f.1, 017700000001 and 2130706433 as 127.0.0.1.
        unusual = "the host is an address in an unusual spelling; write it plainly"
        raise RefusedUrlError(unusual) from None


def _check_literal(address: IPv4Address | IPv6Address, policy: Policy) -> None:
    flaw = None if policy.allow_private else flaw_of(address)
    if flaw:
        raise RefusedUrlError(f"the host is not on the public internet: {flaw}")


def _check_name(name: str, policy: Policy) -> None:
    labels = name.split(".")
    if len(name) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise RefusedUrlError("the host is not a valid domain name")
    if policy.allow_private:
        return
    if len(labels) == 1 or any(f".{name}".endswith(f".{local}") for local in _LOCAL_NAMES):
        raise RefusedUrlError("the host is a name for local use; use a public domain name")


def vet(addresses: Iterable[str]) -> None:
    """Raise RefusedAddressError if one address is not public, whichever the client would take."""
    for text in addresses:
        flaw = flaw_of(ip_address(text.partition("%")[0]))
        if flaw:
            # The range and not the address: the text is shown to the person who set the URL.
            raise RefusedAddressError(f"the host leads to an address that is not public: {flaw}")


def flaw_of(address: IPv4Address | IPv6Address) -> str | None:
    """Why the address is not on the public internet; None if it is."""
    if isinstance(address, IPv4Address):
        return _listed(address, _V4)
    carried = _carried(address)
    flaw = flaw_of(carried) if carried else None
    if flaw:
        return f"{flaw} inside IPv6"
    if address in _V4_MAPPED or address in _NAT64:
        return None
    return _listed(address, _V6) or _outside(address)


def _listed(
    address: IPv4Address | IPv6Address,
    networks: dict[IPv4Network, str] | dict[IPv6Network, str],
) -> str | None:
    return next((f"{net} ({use})" for net, use in networks.items() if address in net), None)


def _outside(address: IPv6Address) -> str | None:
    return None if address in _GLOBAL_UNICAST else f"outside {_GLOBAL_UNICAST} (global unicast)"


def _carried(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address to which a mapped, translated or ISATAP address leads.

    6to4, Teredo and similar ranges carry one too, but are refused as a whole.
    """
    bits = int(address)
    if address in _V4_MAPPED or address in _NAT64 or bits >> 32 & 0xFFFF_FFFF in _ISATAP:
        return IPv4Address(bits & 0xFFFF_FFFF)
    return None
