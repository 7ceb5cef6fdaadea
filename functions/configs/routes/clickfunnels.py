"""ClickFunnels' endpoint calls."""

from collections.abc import Sequence

from functions.configs.wiring import checks, configs, keyring, listings
from shared.apis.clickfunnels import endpoints as wire
from shared.apis.clickfunnels.numbers import (
    AfterQuery,
    check_workspace,
    missing,
    next_page,
    page_of,
)
from shared.apis.clickfunnels.problems import ENVELOPE, ClickFunnelsProblems
from shared.clock import now_ms
from shared.configs.models import Status, WebhookConfig
from shared.dialects import clickfunnels_ids
from shared.errors import ConflictError
from shared.web.authentication import Request
from shared.web.operations import Answered, Api
from shared.workspaces.models import Caller, Scope

PREFIX = "/api/v2"
IN_WORKSPACE = f"{PREFIX}/workspaces/<workspace>/webhooks/outgoing/endpoints"
ENDPOINT = f"{PREFIX}/webhooks/outgoing/endpoints/<endpoint>"
# How many numbers are tried for endpoints that are made in the same millisecond.
ROUNDS = 20

api = Api(ClickFunnelsProblems(), bearer=keyring)


@api.get(IN_WORKSPACE, Scope.WEBHOOKS_MANAGE)
def list_endpoints(
    caller: Caller, workspace: str, query: AfterQuery, request: Request
) -> Answered[list[wire.Endpoint]]:
    """List the endpoints of the workspace, 20 a page, by id.

    The headers `Pagination-Next` and `Link` lead to the next page.
    """
    check_workspace(caller.workspace_id, workspace)
    known = listings().ids(caller.workspace_id, wire.DIALECT)
    found = configs().find_many(caller.workspace_id, known)
    page, more = page_of([wire.shown(config) for config in found if _is_there(config)], query)
    address = f"{request.origin}{request.path}"
    more_at = next_page(address, query, page[-1].id) if more else {}
    return Answered(page, headers=more_at)


@api.post(IN_WORKSPACE, Scope.WEBHOOKS_MANAGE, status=201, errors=(404, 409, 422))
def create_endpoint(
    caller: Caller, workspace: str, body: wire.CreateEndpoint
) -> wire.CreatedEndpoint:
    """Create an endpoint. The `webhook_secret` is shown here and never again.

    404 for the number of another workspace; 409 if too many endpoints are made at the same moment;
    422 for a forbidden URL or an unknown event type.
    """
    check_workspace(caller.workspace_id, workspace)
    new = body.webhooks_outgoing_endpoint
    _check(caller, new.url, new.event_type_ids or ())
    for moment in range(now := now_ms(), now + ROUNDS):
        config = wire.created(new, caller.workspace_id, caller.key.client, moment)
        try:
            configs().add(config, caller.workspace.limits.subscriptions)
        except ConflictError:
            continue
        return wire.shown_with_secret(config)
    raise ConflictError("Too many endpoints are made at this moment. Repeat the request.")


@api.get(ENDPOINT, Scope.WEBHOOKS_MANAGE)
def get_endpoint(caller: Caller, endpoint: str) -> wire.Endpoint:
    """Read an endpoint by its `id` or its `public_id`."""
    return wire.shown(_find(caller, endpoint))


@api.put(ENDPOINT, Scope.WEBHOOKS_MANAGE, errors=(409, 422))
def update_endpoint(caller: Caller, endpoint: str, body: wire.UpdateEndpoint) -> wire.Endpoint:
    """Change an endpoint. Lists are replaced; a field that is left out stays.

    A change enables an endpoint that the platform disabled. 409 if the endpoint was saved by
    somebody else meanwhile; 422 for a forbidden URL or an unknown event type.
    """
    old, change = _find(caller, endpoint), body.webhooks_outgoing_endpoint
    _check(caller, change.url, change.event_type_ids or ())
    new = wire.changed(old, change, now_ms())
    configs().replace(old, new)
    return wire.shown(new)


@api.delete(ENDPOINT, Scope.WEBHOOKS_MANAGE, status=204, errors=(409,))
def delete_endpoint(caller: Caller, endpoint: str) -> None:
    """Delete an endpoint for good. 409 if it was saved by somebody else meanwhile."""
    configs().remove(_find(caller, endpoint))


def _find(caller: Caller, identifier: str) -> WebhookConfig:
    number = clickfunnels_ids.number_from(identifier)
    known = number is not None and listings().at(caller.workspace_id, wire.DIALECT, number)
    config = next(iter(configs().find_many(caller.workspace_id, [known] if known else [])), None)
    if config is None or not _is_there(config):
        raise missing()
    return config


def _is_there(config: WebhookConfig) -> bool:
    return config.status is not Status.DELETED


def _check(caller: Caller, url: str | None, types: Sequence[str]) -> None:
    if url is not None:
        checks().url(f"{ENVELOPE}url", url)
    checks().event_types(f"{ENVELOPE}event_type_ids", caller.workspace_id, types)
