"""Purging every queue loses nothing: the runs of `repair` bring every delivery back."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.local.receiver import Receiver
from tests.local.stack import Stack
from tests.stack.client import Client, until

MANY = 25
# Fewer failures in a row than trip a breaker.
FEW = 4


def test_deliveries_lost_before_their_first_attempt_come_back(
    stack: Stack, client: Client, receiver: Receiver
) -> None:
    client.make_config(receiver.url("/hook"))

    with paused(stack, "DispatchQueueUrl"):
        events = [client.send() for _ in range(MANY)]
        until(lambda: waiting_in(stack, "DispatchQueueUrl") >= MANY, "all are queued")
        purge(stack, "DispatchQueueUrl")

    receiver.wait_for(MANY, "/hook")
    for event_id in events:
        client.wait_for(event_id, "delivered")
    assert len(receiver.requests("/hook")) == MANY


def test_deliveries_lost_while_they_wait_for_a_retry_come_back(
    stack: Stack, client: Client, receiver: Receiver
) -> None:
    receiver.script("/flaky", [500] * FEW)
    client.make_config(receiver.url("/flaky"), retrySchedule=[2, 2])

    with paused(stack, "RetryQueueUrl"):
        events = [client.send() for _ in range(FEW)]
        for event_id in events:
            client.wait_for(event_id, "waiting")
        purge(stack, "RetryQueueUrl")

    for event_id in events:
        client.wait_for(event_id, "delivered")
    assert len(receiver.requests("/flaky")) == 2 * FEW


@contextmanager
def paused(stack: Stack, queue: str) -> Iterator[None]:
    """Nobody takes messages from the queue meanwhile."""
    mappings = stack.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    name = stack.outputs[queue].rpartition("/")[2]
    (mapping,) = (m["UUID"] for m in mappings if m["EventSourceArn"].endswith(f":{name}"))
    stack.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=False)
    try:
        yield
    finally:
        stack.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=True)


def waiting_in(stack: Stack, queue: str) -> int:
    attributes = stack.client("sqs").get_queue_attributes(
        QueueUrl=stack.outputs[queue], AttributeNames=["ApproximateNumberOfMessages"]
    )["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"])


def purge(stack: Stack, queue: str) -> None:
    stack.client("sqs").purge_queue(QueueUrl=stack.outputs[queue])
