"""Signed links: anybody may follow the action until the link expires or is revoked.

    /v1/actions/{funnel}/{node}/{number}?flux_link={workspace}.{fixed fields}.{signature}

The signature is HMAC-SHA256, with the workspace's link secret, over the path and the parts
before it in `flux_link` (docs/decisions/0012-action-links.md).
"""

import base64
import hashlib
import hmac
import re
from urllib.parse import parse_qsl

from shared.actions.models import Action, Link
from shared.errors import ForbiddenError, InvalidError

LINK_KEY = "flux_link"
# Browsers, mail programs and API Gateway (10 KiB for all headers) accept this length.
MAX_URL = 4096

_LINK = re.compile(
    r"(?P<claims>(?P<workspace_id>[A-Za-z0-9-]{1,64})\.(?P<link>[A-Za-z0-9_-]+))"
    r"\.(?P<signature>[A-Za-z0-9_-]{43})"
)


class SignedLink:
    """The parts of `flux_link`. None of them can be trusted until `open` has checked them."""

    def __init__(self, text: str) -> None:
        """Raises ForbiddenError if the text has another form."""
        parts = _LINK.fullmatch(text)
        if parts is None:
            raise refused()
        self.workspace_id = parts["workspace_id"]
        self._claims = parts["claims"]
        self._link = parts["link"]
        self._signature = parts["signature"]

    def open(self, path: str, secret: str, now: int) -> Link:
        """The link. Raises ForbiddenError if it was changed, has expired or is for another path."""
        expected = _signature(secret, path, self._claims)
        if not hmac.compare_digest(self._signature, expected):
            raise refused()
        link = Link.model_validate_json(_decoded(self._link))
        if link.expires_at is not None and now >= link.expires_at:
            raise refused()
        return link


def find(query: str) -> str | None:
    """The `flux_link` of a raw query; None without it. Raises ForbiddenError if repeated."""
    found = [value for name, value in parse_qsl(query, True) if name == LINK_KEY]
    if len(found) > 1:
        raise refused()
    return found[0] if found else None


def url(base: str, action: Action, link: Link, workspace_id: str, secret: str) -> str:
    fixed = _encoded(link.model_dump_json(exclude_defaults=True).encode())
    claims = f"{workspace_id}.{fixed}"
    signature = _signature(secret, action.path, claims)
    made = f"{base}{action.path}?{LINK_KEY}={claims}.{signature}"
    if len(made) > MAX_URL:
        raise InvalidError.at(
            "params", f"make a link of {len(made)} characters; the limit is {MAX_URL}"
        )
    return made


def refused() -> ForbiddenError:
    """The same error for every reason, so that it reveals none."""
    return ForbiddenError("This link is not valid: it has expired, was changed, or was revoked.")


def _signature(secret: str, path: str, claims: str) -> str:
    message = f"{path}\n{claims}".encode()
    return _encoded(hmac.new(secret.encode(), message, hashlib.sha256).digest())


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
