"""The errors of the platform: what is wrong with a request, and what fails on our side.

FunnelhooksError              refuses a request; every edge translates it into its own answer
├── InvalidError              malformed or out of bounds; names the fields
├── UnauthenticatedError      no API key, or an unknown one
├── ForbiddenError            the key lacks a scope, or the workspace has reached a limit
├── NotFoundError             unknown, or of another workspace
├── ConflictError             the id is taken, or the state forbids it
├── LoopError                 a delivery of ours that came straight back in
├── TooLargeError             more bytes than the stated limit
├── UnsupportedMediaTypeError
└── RateLimitedError          too many requests; says when to come back

FaultError                    a fault of ours: answered 500, or brought back by the queue
├── ContentionError           others changed the same item at each try
├── ItemsNotReadError         DynamoDB left items of a batch unread    shared/aws/table.py
├── DeadLettersNotSentError   SQS refused some of the dead letters     shared/aws/dead_letters.py
├── MessagesNotSentError      SQS refused some of the messages         shared/deliveries/queue.py
├── EventNotPublishedError    EventBridge refused the event            shared/events/operational.py
├── LeaseSpentError           the request could outlast its lease      shared/attempts/attempt.py
├── SweepError                some entries could not be repaired       shared/repair/sweeper.py
└── MissingVariableError      the template lacks a variable            shared/settings.py

An error that is in neither tree stays within its room, whose functions handle it.
"""

from shared.model import Model


class Field(Model):
    """A dotted path into the request, and what is wrong there."""

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


class FaultError(Exception):
    """A fault of ours. A repetition may succeed."""


class ContentionError(FaultError):
    """Others changed the same item at each try."""


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
