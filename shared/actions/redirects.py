"""Allowed redirects of an action: https, to a host that the workspace allows."""

import re

from shared.errors import InvalidError

MAX_URL = 2048

# A list of allowed characters, because browsers disagree about unusual URLs. No user, no port, no
# backslash, no blank, no control character; characters outside ASCII only as %XX.
_URL = re.compile(r"https://(?P<host>[A-Za-z0-9.-]+)(?:[/?#][!-\[\]-~]*)?")


def check(url: str, allowed_hosts: tuple[str, ...], field: str) -> None:
    """Raises InvalidError that names `field`, but not the allowed hosts."""
    found = _URL.fullmatch(url)
    if found is None or len(url) > MAX_URL:
        message = f"must be an https URL without user and port, of up to {MAX_URL} characters"
        raise InvalidError.at(field, f"{message}, other than ASCII as %XX")
    if not any(_matches(found["host"].lower(), host) for host in allowed_hosts):
        raise InvalidError.at(field, "is not on a host that the workspace allows (redirect_hosts)")


def _matches(host: str, allowed: str) -> bool:
    """`*.example.com` is every host under example.com, and not example.com itself."""
    if allowed.startswith("*."):
        return host.endswith(allowed[1:]) and host != allowed[1:]
    return host == allowed
