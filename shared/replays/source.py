"""The events that a replay is about, oldest first, from the logs in EventTable. One Query a page.

A source has parts: the log of the workspace, or of what a config was sent, or one of its states.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from shared.aws.items import from_item, to_item
from shared.aws.table import Table
from shared.deliveries.models import DeliveryState
from shared.model import Model
from shared.replays.models import ReplayCursor, Selection
from shared.tables import event_table

if TYPE_CHECKING:
    pass


class ReplayPart(NamedTuple):
    """A partition of the index `by`, and a state that an entry must have."""

    by: str
    partition: str
    state: DeliveryState | None = None


class ReplayEntry(Model):
    """`spot` names it within its source; `pk` is its event's partition."""

    spot: str
    pk: str
    event_id: str
    event_type: str
    replay_id: str | None = None


def parts_of(selection: Selection) -> tuple[ReplayPart, ...]:
    workspace_id, config_id = selection.workspace_id, selection.source_id
    if config_id is None:
        return (ReplayPart("log", event_table.event_log(workspace_id)),)
    sent = event_table.delivery_log(workspace_id, config_id)
    if not selection.states:
        return (ReplayPart("log", sent),)
    return tuple(
        ReplayPart("log", sent, state)
        if state is DeliveryState.DELIVERED  # most are, and have no index by state
        else ReplayPart("state", event_table.state_log(workspace_id, config_id, state))
        for state in selection.states
    )


class ReplaySource:
    """The indexes are a moment behind the table."""

    def __init__(self, table: Table) -> None:
        self._dynamodb = table.client
        self._table = table.name

    def page(
        self, selection: Selection, place: ReplayCursor, size: int
    ) -> tuple[list[ReplayEntry], ReplayCursor | None]:
        """What it finds among the next `size` entries, and where the next page begins, if any."""
        answer = self._dynamodb.query(**self._request(selection, place), Limit=size)
        found = [_entry(place.part, from_item(item)) for item in answer["Items"]]
        return found, _next(selection, place, answer)

    def count(
        self, selection: Selection, place: ReplayCursor, queries: int
    ) -> tuple[int, ReplayCursor | None]:
        """How many there are in the next megabytes, one for each query, and where it stopped."""
        counted, at = 0, place
        for _ in range(queries):
            answer = self._dynamodb.query(**self._request(selection, at), Select="COUNT")
            counted, following = counted + answer["Count"], _next(selection, at, answer)
            if following is None:
                return counted, None
            at = following
        return counted, at

    def _request(self, selection: Selection, place: ReplayCursor) -> dict[str, Any]:
        part = parts_of(selection)[place.part]
        values: dict[str, Any] = {
            ":pk": part.partition,
            ":from": event_table.log_sk(selection.since, ""),
            ":until": event_table.log_sk(selection.until + 1, ""),
        }
        request: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": part.by,
            "KeyConditionExpression": f"{part.by}_pk = :pk AND log_sk BETWEEN :from AND :until",
        }
        if place.after is not None:
            request["ExclusiveStartKey"] = to_item(place.after)
        return _filtered(request, values, selection, part)


def _filtered(
    request: dict[str, Any], values: dict[str, Any], selection: Selection, part: ReplayPart
) -> dict[str, Any]:
    conditions = list[str]()
    if part.state is not None:
        conditions.append("#state = :state")
        request["ExpressionAttributeNames"] = {"#state": "state"}
        values[":state"] = part.state
    if selection.event_types:
        wanted = {f":type{number}": name for number, name in enumerate(selection.event_types)}
        conditions.append(f"event_type IN ({', '.join(wanted)})")
        values |= wanted
    if conditions:
        request["FilterExpression"] = " AND ".join(conditions)
    return request | {"ExpressionAttributeValues": to_item(values)}


def _next(selection: Selection, place: ReplayCursor, answer: Any) -> ReplayCursor | None:
    if "LastEvaluatedKey" in answer:
        return ReplayCursor(part=place.part, after=from_item(answer["LastEvaluatedKey"]))
    is_last = place.part + 1 == len(parts_of(selection))
    return None if is_last else ReplayCursor(part=place.part + 1)


def _entry(part: int, values: dict[str, Any]) -> ReplayEntry:
    known = {name: values[name] for name in values.keys() & ReplayEntry.model_fields.keys()}
    return ReplayEntry.model_validate(known | {"spot": f"{part}#{values['log_sk']}"})
