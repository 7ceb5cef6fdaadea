"""The response of a customer's server to one request, or why there is none."""

from enum import StrEnum

from shared.model import Model


class Cause(StrEnum):
    """Why an attempt failed. If the time runs out, the cause is `timeout`, whatever the stage."""

    DNS = "dns"
    REFUSED_ADDRESS = "refused_address"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    HTTP_STATUS = "http_status"  # set by the judge of the status code, never by the sender


class Timings(Model):
    """Milliseconds; None for a stage that did not run (`dns` to `tls` on a reused connection)."""

    total: int
    dns: int | None = None
    connect: int | None = None
    tls: int | None = None
    first_byte: int | None = None  # after the request was sent


class Response(Model):
    """`cause` is None if the response is complete.

    A response that broke off, or continued past the deadline, has a status code and a cause.
    """

    status_code: int | None
    cause: Cause | None
    detail: str
    address: str | None
    retry_after: str | None
    excerpt: str
    timings: Timings
