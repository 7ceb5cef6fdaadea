"""What came of a request to a customer's server."""

from shared.model import Model
from shared.outbound.exchange import Cause


class Timings(Model):
    """Milliseconds; None for what did not happen, as `dns` to `tls` on a reused connection."""

    total: int
    dns: int | None = None
    connect: int | None = None
    tls: int | None = None
    first_byte: int | None = None  # after the request was sent


class Response(Model):
    """It counts as answered only if `cause` is None: an answer that broke off, or dripped on past
    the deadline, has a status code and a cause.
    """

    status_code: int | None
    cause: Cause | None
    detail: str
    address: str | None
    retry_after: str | None
    excerpt: str
    timings: Timings
