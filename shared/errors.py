"""What can be wrong with a request, as values that every edge can translate.

FunnelhooksError
├── InvalidError            malformed or out of bounds; names the fields
├── UnauthenticatedError    no key, or one that is not known
├── ForbiddenError          the key lacks a scope, or the plan a place
├── NotFoundError           unknown here, or another workspace's
├── ConflictError           the id is taken, or the state forbids it
├── LoopError               a delivery of ours that came straight back in
├── TooLargeError           more bytes than the stated limit
├── UnsupportedMediaTypeError
└── RateLimitedError        too many requests; says when to come back
"""

from shared.model import Model


class Field(Model):
    """One wrong place: a dotted path into the request and what is wrong there."""

    path: str
    message: str


class FunnelhooksError(Exception):
    code = "error"

    def __init__(self, message: str, fields: tuple[Field, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields


class InvalidError(FunnelhooksError):
    code = "invalid"

    @classmethod
    def at(cls, path: str, message: str) -> "InvalidError":
        return cls(f"{path}: {message}", (Field(path=path, message=message),))


class UnauthenticatedError(FunnelhooksError):
    code = "unauthenticated"


class ForbiddenError(FunnelhooksError):
    code = "forbidden"


class NotFoundError(FunnelhooksError):
    code = "not_found"


class ConflictError(FunnelhooksError):
    code = "conflict"


class LoopError(FunnelhooksError):
    code = "loop"


class TooLargeError(FunnelhooksError):
    code = "too_large"


class UnsupportedMediaTypeError(FunnelhooksError):
    code = "unsupported_media_type"


class RateLimitedError(FunnelhooksError):
    code = "rate_limited"

    def __init__(self, limit: int, retry_after_s: int, of: str = "requests a minute") -> None:
        super().__init__(f"More than {limit} {of}. Come back in {retry_after_s} s.")
        self.limit = limit
        self.retry_after_s = retry_after_s


class ContentionError(Exception):
    """A fault of ours: at each try others changed the same item. A repetition may succeed."""


class Problem(Model):
    # Without a docstring, which would be a text of the API document.

    code: str
    message: str
    fields: tuple[Field, ...] | None = None

    @classmethod
    def of(cls, error: FunnelhooksError) -> "Problem":
        return cls(code=error.code, message=error.message, fields=error.fields or None)

    @classmethod
    def fault(cls, message: str) -> "Problem":
        return cls(code="internal", message=message)
