"""Action links and forms: following a link or sending a form makes an `on_action` event."""

from pydantic import ValidationError

from functions.ingest import wiring
from functions.ingest.routes.events import EventAccepted, api
from shared.actions import forms, redirects
from shared.actions.event import Submission, on_action
from shared.actions.models import Action, Follower
from shared.actions.routing import REDIRECT, text_of
from shared.events.context import Scalars
from shared.input.validation import invalid
from shared.web.authentication import Request
from shared.web.operations import RawBody, Redirect
from shared.workspaces.models import Scope

PATH = "/v1/actions/<funnel_id>/<node_id>/<action_number>"
LINKS = "/v1/actions/links"


@api.get(PATH, Scope.EVENTS_WRITE, security="action", status=202, errors=(409, 410))
def follow_action_link(
    caller: Follower,
    request: Request,
    body: RawBody,
    funnel_id: str,
    node_id: str,
    action_number: str,
) -> EventAccepted | Redirect:
    """Follow an action link: the query is the data of the event. Every request counts.

    Keys that begin with `flux_` describe the action. A signed link needs no API key.
    """
    return _follow(caller, request, body, _action(funnel_id, node_id, action_number))


@api.post(
    PATH,
    Scope.EVENTS_WRITE,
    security="action",
    status=202,
    errors=(409, 410),
    accepts=Scalars,
    media_types=(forms.URLENCODED, forms.MULTIPART, forms.JSON),
)
def submit_action_form(
    caller: Follower,
    request: Request,
    body: RawBody,
    funnel_id: str,
    node_id: str,
    action_number: str,
) -> EventAccepted | Redirect:
    """Submit an action form: query and body are the data of the event.

    The body may also be `text/plain` with a `key=value` or `key: value` on each line. Keys that
    begin with `flux_` describe the action. A signed link needs no API key.
    """
    return _follow(caller, request, body, _action(funnel_id, node_id, action_number))


@api.post(LINKS)
def move_to_action_links() -> Redirect:
    """The other spelling of an address of `configs`, which an HTTP API cannot route there."""
    return Redirect(location=LINKS, status=308)


def _follow(
    caller: Follower, request: Request, body: RawBody, action: Action
) -> EventAccepted | Redirect:
    submission = Submission(
        query=forms.query(request.query),
        body=forms.body(body.content, body.headers.get("content-type", ""), body.is_text),
    )
    event = on_action(action, caller, submission, request)
    location = _location(caller, submission)
    event_id = wiring.acceptor().accept(event, caller.workspace)
    return Redirect(location=location) if location else EventAccepted(event_id=event_id)


def _location(caller: Follower, submission: Submission) -> str:
    """The redirect; empty if none. Raises InvalidError if the workspace does not allow it now."""
    given = submission.query | submission.body
    wanted = caller.link.redirect if caller.link else text_of(given, REDIRECT, redirects.MAX_URL)
    if wanted:
        redirects.check(wanted, caller.workspace.redirect_hosts, REDIRECT)
    return wanted or ""


def _action(funnel_id: str, node_id: str, action_number: str) -> Action:
    path = {"funnel_id": funnel_id, "node_id": node_id, "action_number": action_number}
    try:
        return Action.model_validate(path)
    except ValidationError as error:
        raise invalid(error) from None
