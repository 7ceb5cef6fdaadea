"""An action of a funnel's node, and the link that lets anybody follow it."""

from typing import Annotated

from pydantic import Field, StringConstraints

from shared.events.context import Scalars
from shared.model import Model
from shared.workspaces.models import Workspace

# Characters that need no escape in a path, so that an action has one address.
AssetId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._~-]{0,63}$")]
ActionNumber = Annotated[int, Field(ge=0, le=10**9)]


class Action(Model):
    """`node_id` is the node that shows the link or the form."""

    funnel_id: AssetId
    node_id: AssetId
    action_number: ActionNumber

    @property
    def path(self) -> str:
        return f"/v1/actions/{self.funnel_id}/{self.node_id}/{self.action_number}"


class Link(Model):
    """The content of a signed link: `fields` win over the fields of a request."""

    expires_at: int | None = None
    redirect: str | None = None
    fields: Scalars = Field(default_factory=dict)


class Follower(Model):
    """The caller of an action: the workspace itself with its key, or anybody with its link."""

    workspace: Workspace
    link: Link | None = None
