"""AWS Signature Version 4 for Lambda function URLs, by botocore's own signer.

Source: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import parse_qsl, quote, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

_SERVICE = "lambda"
# Lambda writes the first three itself, and would check the signature against its own values; it
# would take the value of the last one for the hash of the body.
_LEFT_OUT = ("x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "x-amz-content-sha256")


class Credentials(Protocol):
    """Credentials of a role change every few hours; frozen credentials are of one moment."""

    def get_frozen_credentials(self) -> ReadOnlyCredentials: ...


def as_sent(url: str) -> str:
    """The spelling of a URL that is sent and that both ends sign.

    Some readers take a `+` in a query for a blank and some for itself; all take `%20` for a blank.
    The query does not go through requests: if one `%` begins no escape, requests would escape
    every `%` again.
    """
    import requests  # takes long, and readers of deliveries do not need it

    written = urlsplit(url)
    bare = written._replace(query="", fragment="").geturl()
    sent = urlsplit(requests.Request("POST", bare).prepare().url or bare)
    pairs = parse_qsl(written.query, keep_blank_values=True, errors="surrogateescape")
    query = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in pairs)
    return sent._replace(query=query).geturl()


def signed(
    url: str, headers: Mapping[str, str], body: bytes, region: str, credentials: Credentials
) -> dict[str, str]:
    """The headers of a POST to a URL in its sent spelling, with the headers of the signature."""
    named = {name: value for name, value in headers.items() if name.lower() not in _LEFT_OUT}
    request = AWSRequest("POST", url, headers=named, data=body)
    SigV4Auth(credentials.get_frozen_credentials(), _SERVICE, region).add_auth(request)
    return dict(request.headers.items())


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~", errors="surrogateescape")
