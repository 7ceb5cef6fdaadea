"""The request for a new action link, and the link that it makes."""

from typing import Annotated

from pydantic import Field, StringConstraints

from shared.actions import fields
from shared.actions.links import LINK_KEY
from shared.actions.models import Action, Link
from shared.actions.routing import check_not_reserved
from shared.clock import MS_PER_S, Moment
from shared.errors import InvalidError
from shared.events.context import Scalars
from shared.model import Model

MAX_SECONDS = 10 * 366 * 86_400

OriginText = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class LinkOrigin(Model):
    """Where the link or form stands. The default node is the node of the action."""

    node_id: OriginText | None = None
    node_name: OriginText | None = None
    node_type: OriginText | None = None
    page_id: OriginText | None = None
    page_name: OriginText | None = None


class LinkNew(Action):
    """Without an expiry the link is valid until it is revoked.

    `params` take precedence over the fields of a request that follows the link.
    """

    expires_at: Moment | None = None
    expires_in_s: Annotated[int, Field(ge=1, le=MAX_SECONDS)] | None = None
    redirect: str | None = None
    origin: LinkOrigin = Field(default_factory=LinkOrigin)
    params: Scalars = Field(default_factory=dict)

    def link(self, now: int) -> Link:
        """Raises InvalidError for an expiry in the past, or a parameter that a link cannot fix."""
        return Link(expires_at=self._expiry(now), redirect=self.redirect, fields=self._fields())

    def _expiry(self, now: int) -> int | None:
        """When the link expires (ms); None if it does not."""
        if self.expires_in_s is not None:
            if self.expires_at is not None:
                raise InvalidError.at(
                    "expires_in_s", "is one way to say expires_at; send one of them"
                )
            return now + self.expires_in_s * MS_PER_S
        if self.expires_at is not None and self.expires_at <= now:
            raise InvalidError.at("expires_at", "must be in the future")
        return self.expires_at

    def _fields(self) -> Scalars:
        if LINK_KEY in self.params:
            raise InvalidError.at(LINK_KEY, "is the signature of the link; leave it out")
        check_not_reserved(self.params)
        origin = self.origin.model_dump(exclude_none=True)
        fixed = self.params | {f"flux_origin_{name}": text for name, text in origin.items()}
        return fields.collect(fixed.items())
