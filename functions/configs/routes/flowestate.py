"""FlowEstate's subscription calls: webhook configs that a client such as Zapier or Make owns."""

from collections.abc import Iterable, Sequence

from functions.configs.wiring import checks, configs, event_types, keyring, listings
from shared.apis.checks import is_built_in
from shared.apis.flowestate import subscriptions as wire
from shared.apis.flowestate.problems import FlowEstateProblems
from shared.clock import now_ms
from shared.configs.listings import ClaimTakenError
from shared.configs.models import Status, WebhookConfig
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from shared.events import catalogue
from shared.events.catalogue import System
from shared.events.own_types import OwnType
from shared.web.operations import Answered, Api
from shared.workspaces.models import Caller, Client, Scope

PREFIX = "/api/v1/webhooks"
# The holder of a claim may be deleted between the write that it refuses and the read of it.
ROUNDS = 3
MAX_ID_LENGTH = 64

_BUILT_IN = catalogue.groups(System.FLOWESTATE)

api = Api(FlowEstateProblems(), bearer=keyring)


@api.get(f"{PREFIX}/events", Scope.WEBHOOKS_MANAGE)
def list_subscribable_events(caller: Caller) -> wire.EventTypes:
    """List the event types that a subscription can name, and their groups for a menu.

    FlowEstate's types come first, then the workspace's own.
    """
    own = list(event_types().all(caller.workspace_id))
    groups = {group: list(names) for group, names in _BUILT_IN.items()}
    for kind in own:
        groups.setdefault(kind.group or "Other", []).append(kind.name)
    return wire.EventTypes(events=_names(own), groups=groups)


@api.get(f"{PREFIX}/subscriptions", Scope.WEBHOOKS_MANAGE)
def list_subscriptions(caller: Caller, query: wire.SubscriptionsQuery) -> wire.SubscriptionPage:
    """List the subscriptions of the calling client, newest first."""
    ids = listings().ids(caller.workspace_id, wire.listing(caller.key.client))[::-1]
    end = query.offset + query.limit
    found = configs().find_many(caller.workspace_id, ids[query.offset : end])
    pagination = wire.Pagination(
        total=len(ids), limit=query.limit, offset=query.offset, hasMore=end < len(ids)
    )
    return wire.SubscriptionPage(data=tuple(map(wire.shown, found)), pagination=pagination)


@api.post(
    f"{PREFIX}/subscriptions",
    Scope.WEBHOOKS_MANAGE,
    status=201,
    errors=(409,),
    also=(200,),
)
def create_subscription(
    caller: Caller, body: wire.NewSubscription
) -> Answered[wire.CreatedSubscription | wire.Subscription]:
    """Subscribe a URL to one event type.

    If this client has a subscription with the same `external_id`, that subscription is returned
    with 200 and without its secret; if the platform had disabled it, it is enabled again. 409 if
    the client has subscribed the URL to the event type before, without an `external_id`.
    """
    supported = _names(event_types().all(caller.workspace_id))
    _check(body, supported)
    new = wire.subscribed(body, caller.workspace_id, caller.key.client, now_ms())
    for _ in range(ROUNDS):
        try:
            configs().add(new, caller.workspace.limits.subscriptions)
            return Answered(wire.created(new, supported))
        except ClaimTakenError:
            known = _holder(new)
        if known is not None and body.external_id is not None:
            if known.disabled_reason is not None:
                configs().replace(known, known.enabled_again(now_ms()))
            return Answered(wire.existing(known, supported), 200)
    raise ConflictError(
        "This client has subscribed that URL to that event. Delete the subscription first, or tell "
        "the two apart by an external_id."
    )


@api.get(f"{PREFIX}/subscriptions/<subscription_id>", Scope.WEBHOOKS_MANAGE)
def get_subscription(caller: Caller, subscription_id: str) -> wire.SubscriptionRead:
    """Read a subscription of the calling client."""
    return wire.shown(_own(caller, subscription_id))


@api.delete(f"{PREFIX}/subscriptions/<subscription_id>", Scope.WEBHOOKS_MANAGE, errors=(409,))
def delete_subscription(caller: Caller, subscription_id: str) -> wire.Deleted:
    """Delete a subscription of the calling client for good.

    403 for a config that is managed in the dashboard; 409 if the subscription was saved by somebody
    else meanwhile.
    """
    configs().remove(_own(caller, subscription_id))
    return wire.Deleted(id=subscription_id)


def _unknown(subscription_id: str) -> NotFoundError:
    return NotFoundError(f"No subscription {subscription_id} is known here.")


def _own(caller: Caller, config_id: str) -> WebhookConfig:
    if len(config_id) > MAX_ID_LENGTH:  # DynamoDB refuses to read a key of more than 1 KB.
        raise NotFoundError("No subscription has an id of that length.")
    config = next(iter(configs().find_many(caller.workspace_id, [config_id])), None)
    if config is None or config.status is Status.DELETED:
        raise _unknown(config_id)
    if config.listing and config.listing.name == wire.listing(caller.key.client):
        return config
    if config.managed_by is Client.DASHBOARD:
        raise ForbiddenError(
            f"The subscription {config_id} is managed in the dashboard. Change it there."
        )
    raise _unknown(config_id)


def _holder(new: WebhookConfig) -> WebhookConfig | None:
    if new.listing is None or new.listing.claim is None:
        return None
    found = listings().claimant(new.workspace_id, new.listing.name, new.listing.claim)
    return next(iter(configs().find_many(new.workspace_id, [found] if found else [])), None)


def _check(new: wire.NewSubscription, supported: Sequence[str]) -> None:
    checks().url("target_url", new.target_url)
    if new.event not in supported and not is_built_in(new.event):
        raise InvalidError.at(
            "event", f"{new.event} is no event type; GET {PREFIX}/events lists them"
        )


def _names(own: Iterable[OwnType]) -> list[str]:
    """FlowEstate's types in its order, then the workspace's."""
    built_in = [name for names in _BUILT_IN.values() for name in names]
    return [*built_in, *(kind.name for kind in own)]
