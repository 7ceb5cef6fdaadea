"""The deployed stack while its workers are killed, and waits of half a day with a moved clock."""

import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shared.ids import event_key
from shared.tables import event_table
from tests.local.receiver import Receiver, Reply
from tests.local.stack import Stack
from tests.stack.client import Client, until
from tests.stack.workers import kill

EVENTS = 30
KILLS = 3
HOUR_S = 3_600
NEEDS_PROC = pytest.mark.skipif(not Path("/proc/self").exists(), reason="finds workers in /proc")


@NEEDS_PROC
def test_workers_that_are_killed_lose_nothing(
    stack: Stack, client: Client, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.script("/slow", [Reply(delay_s=1)] * (10 * EVENTS))
    client.make_config(receiver.url("/slow"))

    events, killed = [], 0
    for _ in range(KILLS):
        seen = len(receiver.requests("/slow"))
        events += [client.send() for _ in range(EVENTS // KILLS)]
        receiver.wait_for(seen + 1, "/slow")
        killed += kill(stack, "dispatch") + kill(stack, "fanout")

    for event_id in events:
        client.wait_for(event_id, "delivered")
    requests = receiver.requests("/slow")
    sent = Counter(request.headers["webhook-id"] for request in requests)
    bodies = {(request.headers["webhook-id"], request.body) for request in requests}
    assert killed > 0
    assert len(sent) == len(bodies) == EVENTS
    with capsys.disabled():
        print(
            f"\n  {killed} workers killed: {EVENTS} events delivered, 0 lost, "
            f"{len(requests) - EVENTS} requests made again"
        )


def test_waits_of_12_and_24_hours_end_in_the_delay_queue(
    stack: Stack, client: Client, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.script("/later", [500, 500])
    client.make_config(receiver.url("/later"), retrySchedule=[12 * HOUR_S, 24 * HOUR_S])
    event_id = client.send()

    late_ms = []
    for attempt, hours in ((1, 12), (2, 24)):
        receiver.wait_for(attempt, "/later")
        until(
            lambda: delivery(stack, client, event_id).get("state", {}).get("S") == "waiting",
            "it waits",
        )
        parked = delivery(stack, client, event_id)
        promised = move_clock(stack, parked, to_s_before=5)
        arrived = receiver.wait_for(attempt + 1, "/later")[attempt]
        late_ms.append(round(arrived.received_at * 1000) - promised)
        assert 0.9 * hours <= wait_ms(parked) / 1000 / HOUR_S <= 1.1 * hours
        assert number(parked, "next_attempt_at") - number(parked, "wake_at") == 600_000
        assert late_ms[-1] >= -1_000

    client.wait_for(event_id, "delivered")
    with capsys.disabled():
        print(f"\n  waits of 12 h and 24 h, the clock moved: {late_ms} ms late")


def delivery(stack: Stack, client: Client, event_id: str) -> Any:
    """The only one of the event, as it is stored."""
    pk = event_table.partition(client.workspace_id, event_key(client.workspace_id, event_id))
    found = stack.client("dynamodb").query(
        TableName=stack.outputs["EventTableName"],
        KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
        ExpressionAttributeValues={":pk": {"S": pk}, ":prefix": {"S": event_table.DELIVERY_PREFIX}},
    )["Items"]
    return found[0] if found else {}


def move_clock(stack: Stack, parked: Any, to_s_before: int) -> int:
    """As if all of the wait had passed but so much: the moment at which the attempt is due now."""
    due = round(time.time() * 1000) + to_s_before * 1000
    passed = number(parked, "next_attempt_at") - due
    stack.client("dynamodb").update_item(
        TableName=stack.outputs["EventTableName"],
        Key={"pk": parked["pk"], "sk": parked["sk"]},
        UpdateExpression="SET next_attempt_at = :due, wake_at = :wake",
        ExpressionAttributeValues={
            ":due": {"N": str(due)},
            ":wake": {"N": str(number(parked, "wake_at") - passed)},
        },
    )
    return due


def number(item: Any, name: str) -> int:
    return int(item[name]["N"])


def wait_ms(parked: Any) -> int:
    return int(parked["attempts"]["L"][-1]["M"]["next_wait_ms"]["N"])
