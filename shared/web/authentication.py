"""The door of an operation: what is shown there, and who is let in."""

from typing import Any, Generic, Protocol, TypeVar

from shared.model import Model
from shared.workspaces.models import Scope


class Request(Model):
    """A request without its body. Header names are in lower case, `query` is as it was sent."""

    path: str
    query: str
    headers: dict[str, str]
    source_ip: str

    @property
    def origin(self) -> str:
        """As the caller reached the API: by its own domain, or the gateway's, over TLS on AWS."""
        scheme = self.headers.get("x-forwarded-proto", "http")
        return f"{scheme}://{self.headers['host']}"


Who = TypeVar("Who", bound=Model)


class Authenticated(Model, Generic[Who]):
    """A caller that may go on, and headers for every answer that it gets, such as rate limits."""

    caller: Who
    headers: dict[str, str]


class Authenticator(Protocol):
    def admit(self, request: Request, scope: Scope) -> Authenticated[Any]:
        """Raises what the caller is refused for: no key, no scope, too many requests."""
        ...
