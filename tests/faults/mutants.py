"""Laws of the platform broken on purpose, at the seams, so that the suite can be seen to notice."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from shared.aws.items import pack, unpack
from shared.standalone.engine.groups import QueuedMessage
from shared.standalone.engine.template import Json
from shared.tables import event_table
from tests.faults.engine.cloud import Cloud
from tests.faults.engine.queues import SqsQueue

Mutant = Callable[[Cloud], None]


def claims_are_unconditional(cloud: Cloud) -> None:
    """Whoever wants an attempt has it."""
    _change(cloud, "dynamodb", "update_item", partial(_unconditional, {"sending"}))


def anyone_records_an_outcome(cloud: Cloud) -> None:
    """Not only the holder of the lease."""
    outcomes = {"delivered", "waiting", "failed"}
    _change(cloud, "dynamodb", "update_item", partial(_unconditional, outcomes))


def delays_are_cut_short(cloud: Cloud) -> None:
    _change(cloud, "sqs", "send_message_batch", _with_half_the_delays)


def nothing_is_repaired(cloud: Cloud) -> None:
    """The schedule never runs."""
    for schedule in cloud.schedules:
        schedule.is_enabled = False
    cloud.schedules.clear()


def messages_are_deleted_before_the_work(cloud: Cloud) -> None:
    for queue in (cloud.queues["DispatchQueue"], cloud.queues["RetryQueue"]):
        queue.receive = partial(_receive_and_delete, queue, queue.receive)  # type: ignore[method-assign]


def messages_are_never_deleted(cloud: Cloud) -> None:
    cloud.queues["DispatchQueue"].delete = lambda *_: None  # type: ignore[method-assign]


def some_events_are_answered_and_not_stored(cloud: Cloud) -> None:
    put = cloud.clients["dynamodb"].put_item

    def forgetful(**request: Any) -> Json:
        is_event = request["Item"]["sk"] == {"S": "EVENT"}
        forgets = is_event and cloud.random.random() < 0.05
        answer: Json = {} if forgets else put(**request)
        return answer

    cloud.clients["dynamodb"].put_item = forgetful


def events_are_stored_without_their_note(cloud: Cloud) -> None:
    """The write of the note is skipped."""
    put = cloud.clients["dynamodb"].put_item

    def careless(**request: Any) -> Json:
        is_note = request["Item"]["pk"]["S"] in event_table.ACTIVE_SHARDS
        answer: Json = {} if is_note else put(**request)
        return answer

    cloud.clients["dynamodb"].put_item = careless


def bodies_change_between_attempts(cloud: Cloud) -> None:
    read = cloud.clients["dynamodb"].batch_get_item

    def careless(**request: Any) -> Json:
        answer: Json = read(**request)
        for items in answer["Responses"].values():
            items[:] = [_with_a_blank(item) if "body" in item else item for item in items]
        return answer

    cloud.clients["dynamodb"].batch_get_item = careless


def _change(cloud: Cloud, service: str, call: str, change: Callable[[Json], Json]) -> None:
    client = cloud.clients[service]
    real = getattr(client, call)
    setattr(client, call, lambda **request: real(**change(request)))


def _unconditional(states: set[str], request: Json) -> Json:
    """An update of a delivery to one of the states is made whatever stands there."""
    expression, values = request["UpdateExpression"], request["ExpressionAttributeValues"]
    state = re.search(r"#state = (:\w+)", expression)
    if state is None or values[state[1]]["S"] not in states:
        return request
    words = set(re.findall(r"[#:]\w+", expression))
    names = request["ExpressionAttributeNames"]
    return {name: value for name, value in request.items() if name != "ConditionExpression"} | {
        "ExpressionAttributeNames": {alias: names[alias] for alias in words & names.keys()},
        "ExpressionAttributeValues": {name: values[name] for name in words & values.keys()},
    }


def _with_half_the_delays(request: Json) -> Json:
    entries = [e | {"DelaySeconds": e["DelaySeconds"] // 2} for e in request["Entries"]]
    return request | {"Entries": entries}


def _receive_and_delete(
    queue: SqsQueue, receive: Callable[[int], list[QueuedMessage]], limit: int
) -> list[QueuedMessage]:
    messages = receive(limit)
    for message in messages:
        queue.delete(message, message.received_at)
    return messages


def _with_a_blank(item: Json) -> Json:
    return item | {"body": {"B": pack(unpack(item["body"]["B"]) + b" ")}}
