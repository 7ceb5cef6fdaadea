"""The `on_action` event that is made from a link or a form."""

import re
from typing import Any

from shared.actions.fields import data
from shared.actions.models import Action, Follower
from shared.actions.routing import EVENT_ID, check_not_reserved, context, spelled, text_of
from shared.events.context import Scalars
from shared.model import Model
from shared.web.authentication import Request

MAX_HEADER = 2048
# Fields of the payload itself, which are not allowed in action_data.
_TOP_LEVEL = ("is_action", "action_number")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")

Json = dict[str, Any]
Objects = dict[str, dict[str, Any]]


class Submission(Model):
    """The fields of a request. If both have a name, the body wins."""

    query: Scalars
    body: Scalars


def on_action(action: Action, follower: Follower, submission: Submission, request: Request) -> Json:
    """The event as `POST /v1/events` takes it. Fields of a signed link win over all others."""
    query, body = spelled(submission.query), spelled(submission.body)
    fixed: Scalars = {}
    browser: Objects = {}
    if follower.link is not None:
        check_not_reserved(query | body)
        fixed, browser = spelled(follower.link.fields), _browser(request)
    everything = query | body | fixed
    event = {
        "event_type": "on_action",
        "is_action": True,
        "action_number": action.action_number,
        **_objects(_place(action, everything), context(everything), browser),
    }
    optional = {"event_id": text_of(everything, EVENT_ID), "url_buffer": data(query | fixed)}
    return event | _given(optional)


def _place(action: Action, fields: Scalars) -> Objects:
    place = {"funnel_id": action.funnel_id, "node_id": action.node_id}
    values = {name: value for name, value in data(fields).items() if name not in _TOP_LEVEL}
    values["origin_node_id"] = action.node_id
    return {"funnel": place, "hit": place, "action_data": values}


def _objects(*parts: Objects) -> Objects:
    """The parts merged; later parts win. A hit without an id is left out."""
    names = [name for part in parts for name in part]
    together = {
        name: {key: value for part in parts for key, value in part.get(name, {}).items()}
        for name in names
    }
    if "hit_id" not in together["hit"]:
        del together["hit"]
    return together


def _browser(request: Request) -> Objects:
    """With a signed link the visitor's browser sends the request, so its headers describe it."""
    language = _LANGUAGE.match(request.headers.get("accept-language", "").strip())
    visitor = {
        "ip": request.source_ip,
        "user_agent": _shown(request.headers.get("user-agent", "")),
        "language": language[0] if language else "",
    }
    referrer = {"referrer": _shown(request.headers.get("referer", ""))}
    about = {"visitor": _given(visitor), "session": _given(referrer), "hit": _given(referrer)}
    return _given(about)


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


def _shown(text: str) -> str:
    return "".join(character for character in text[:MAX_HEADER] if character.isprintable())
