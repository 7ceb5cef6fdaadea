"""Contents leave the table of the deployed stack, by the rights that its functions have there."""

import json
import time

from shared.aws.table import Table
from shared.clock import MS_PER_DAY
from shared.events.models import Event
from shared.events.store import EventStore
from shared.ids import event_key
from tests.local.receiver import Receiver, Reply
from tests.local.stack import Stack
from tests.stack.client import Client, until
from tests.stack.conftest import PARAMETERS

SECRET = "alice@example.com"


def test_contents_past_their_time_are_gone_from_the_table(stack: Stack, receiver: Receiver) -> None:
    client = Client(stack)
    receiver.script("/in", [Reply(body=SECRET.encode())])
    config = client.make_config(receiver.url("/in"))
    events, event = store(stack), of_the_day_before_yesterday(client, config.id)
    events.add(event)
    (delivery,) = client.wait_for(event.event_id, "delivered")

    configure(stack, client, content_days=1)
    until(lambda: events.get(client.workspace_id, "old").payload == "{}", "the event is empty")

    found = stack.client("dynamodb").get_paginator("scan")
    items = [
        json.dumps(item, default=str)
        for page in found.paginate(TableName=stack.outputs["EventTableName"])
        for item in page["Items"]
        if item["pk"]["S"].startswith(f"W#{client.workspace_id}#")
    ]
    assert SECRET in receiver.requests("/in")[0].body.decode()
    assert [item for item in items if SECRET in item] == []
    assert client.deliveries("old")[0]["request_id"] == delivery["request_id"]


def store(stack: Stack) -> EventStore:
    repair_after_s = int(PARAMETERS["RepairAfterSeconds"])
    return EventStore(
        Table(stack.client("dynamodb"), stack.outputs["EventTableName"]), 30, repair_after_s
    )


def of_the_day_before_yesterday(client: Client, config_id: str) -> Event:
    at = round(time.time() * 1000) - 2 * MS_PER_DAY
    return Event(
        workspace_id=client.workspace_id,
        key=event_key(client.workspace_id, "old"),
        event_id="old",
        event_type="node_execution",
        accepted_at=at,
        occurred_at=at,
        payload=json.dumps({"visitor": {"visitor_id": "1", "city": SECRET}}),
        fingerprint="",
        config_ids=(config_id,),
    )


def configure(stack: Stack, client: Client, **settings: int) -> None:
    command = {"operation": "configure", "workspace_id": client.workspace_id} | settings
    answer = stack.client("lambda").invoke(
        FunctionName=stack.outputs["ConfigsFunctionName"], Payload=json.dumps(command)
    )
    assert "FunctionError" not in answer
