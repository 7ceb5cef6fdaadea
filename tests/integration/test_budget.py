"""What it costs: how often each step asks AWS. This is the bill that users pay."""

from collections import Counter

import pytest

from tests import factories
from tests.integration.world import World
from tests.local.receiver import Receiver

# What every management call costs: it counts towards the limit of its key.
COUNTED = {"UpdateItem": 1}


def made(world: World) -> Counter[str]:
    counted = Counter(world.calls.names)
    world.calls.clear()
    return counted


def test_an_event_is_accepted_by_one_write(world: World) -> None:
    world.send()
    first = made(world)
    world.send()
    second = made(world)

    # The key, its workspace and the record of its use, which are remembered from then on, and the
    # note that the workspace is active, for a minute.
    assert first == {"GetItem": 2, "UpdateItem": 1, "PutItem": 2}
    assert second == {"PutItem": 1}


def test_a_workspace_stores_one_activity_marker_a_minute(world: World) -> None:
    world.send()
    world.clock.advance(60)
    made(world)

    world.send()
    first = made(world)
    world.send()

    assert (first["PutItem"], made(world)["PutItem"]) == (2, 1)


def test_an_event_that_comes_twice_costs_a_write_and_no_read(world: World) -> None:
    world.send(event_id="order-1")
    made(world)

    world.send(event_id="order-1")

    assert made(world) == {"PutItem": 1}


def test_a_batch_of_100_costs_100_writes(world: World) -> None:
    world.send()
    made(world)

    world.call("POST", "/v1/events", {"events": [{"event_type": "on_action"}] * 100})

    assert made(world) == {"PutItem": 100}


def test_a_built_in_type_is_not_looked_up_and_another_one_once(world: World) -> None:
    events = [factories.resource_json("parcel.sent")] * 100
    world.send()
    made(world)

    world.call("POST", "/v1/events", factories.resource_json("lead.won"))
    built_in = made(world)
    world.call("POST", "/v1/events", {"events": events})
    other = made(world)

    assert built_in == {"PutItem": 1}
    assert other == {"GetItem": 1, "PutItem": 100}


def test_several_purchases_are_accepted_by_one_transaction(world: World) -> None:
    headers = {"x-api-key": world.key, "x-project-id": world.workspace_id}
    body = factories.commerce_json(factories.purchase_json(), factories.purchase_json())

    world.call("POST", "/api/v1/webhook/__commerce_action__", body, headers=headers)

    # The visitor is looked for before; nobody is known yet. The workspace is noted.
    asked = {"BatchGetItem": 1, "PutItem": 1, "TransactWriteItems": 1}
    assert made(world) == {"GetItem": 2, "UpdateItem": 1} | asked


def test_an_action_of_a_known_visitor_costs_two_reads_and_writes_nothing_about_them(
    world: World,
) -> None:
    headers = {"x-api-key": world.key, "x-project-id": world.workspace_id}
    for number in range(2):
        made(world)
        body = factories.lead_json(number=number)
        world.call("POST", "/api/v1/webhook/Demo", body, headers=headers)

    (transaction,) = world.calls.of("TransactWriteItems")
    assert len(transaction["TransactItems"]) == 2  # what was accepted, and the event
    assert made(world) == {"BatchGetItem": 2, "TransactWriteItems": 1}


@pytest.mark.parametrize(("configs", "batches"), [(1, 1), (10, 1), (11, 2)])
def test_a_fanout_costs_two_queries_and_a_send_for_ten_deliveries(
    world: World, configs: int, batches: int
) -> None:
    for number in range(configs):
        world.make_config("http://127.0.0.1:9/in", f"config-{number}")
    world.send()
    made(world)

    world.fan_out()

    assert made(world) == {"Query": 2, "SendMessageBatch": batches}


def test_a_fanout_asks_once_for_all_events_of_a_type(world: World) -> None:
    world.make_config("http://127.0.0.1:9/in")
    for _ in range(10):
        world.send()
    made(world)

    world.fan_out()

    assert made(world) == {"Query": 2, "SendMessageBatch": 1}


def test_an_event_that_nobody_wants_costs_two_queries(world: World) -> None:
    world.send()
    made(world)

    world.fan_out()

    assert made(world) == {"Query": 2}


@pytest.mark.parametrize("count", [1, 10])
def test_a_delivery_costs_two_writes_and_its_share_of_a_read(
    world: World, receiver: Receiver, count: int
) -> None:
    world.make_config(receiver.url("/in"))
    for _ in range(count):
        world.send()
    world.fan_out()
    made(world)

    world.work("DispatchQueue")

    assert made(world) == {"BatchGetItem": 1, "UpdateItem": 2 * count}


def test_a_failed_first_attempt_keeps_its_body_and_queues_the_next(
    world: World, receiver: Receiver
) -> None:
    receiver.script("/in", [500, 500])
    world.make_config(receiver.url("/in"))
    world.send()
    world.fan_out()
    made(world)

    world.work("DispatchQueue")
    first = made(world)
    world.wait(1)
    second = made(world)

    # Claim, settle, and the health of the endpoint.
    assert first == {"BatchGetItem": 1, "UpdateItem": 3, "PutItem": 1, "SendMessageBatch": 1}
    assert second == {"BatchGetItem": 1, "UpdateItem": 3, "SendMessageBatch": 1}


def test_the_first_success_after_a_failure_is_written_and_the_next_one_is_not(
    world: World, receiver: Receiver
) -> None:
    receiver.script("/in", [500])
    world.make_config(receiver.url("/in"))
    world.deliver()
    made(world)

    world.wait(1)
    recovering = made(world)
    world.deliver()
    delivering = made(world)

    assert recovering == {"BatchGetItem": 1, "UpdateItem": 3}
    assert delivering["UpdateItem"] == 2


def test_a_config_with_a_rate_limit_costs_a_write_more(world: World, receiver: Receiver) -> None:
    world.make_config(receiver.url("/in"), rateLimitPerSecond=5)
    world.send()
    world.fan_out()
    made(world)

    world.work("DispatchQueue")

    assert made(world) == {"BatchGetItem": 1, "UpdateItem": 3}


def test_a_parked_delivery_costs_no_message(world: World, receiver: Receiver) -> None:
    receiver.script("/in", [500])
    world.make_config(receiver.url("/in"), retrySchedule=[3600])
    world.send()
    world.fan_out()
    made(world)

    world.work("DispatchQueue")

    assert made(world) == {"BatchGetItem": 1, "UpdateItem": 3, "PutItem": 1}


def test_a_sweep_with_nothing_to_do_asks_each_shard_once(world: World) -> None:
    world.sweep()

    # The shards of the due index, those of the event scan with their cursors, and the jobs.
    assert made(world) == {"Query": 17, "GetItem": 8}


def test_a_page_of_a_log_costs_one_query(world: World, receiver: Receiver) -> None:
    world.make_config(receiver.url("/in"))
    world.deliver()
    world.get("/v1/events")
    made(world)

    world.get("/v1/events")
    events = made(world)
    world.get("/v1/deliveries", config_id="crm", state="waiting")
    deliveries = made(world)

    assert events == deliveries == {"Query": 1} | COUNTED


def test_a_delivery_is_found_by_one_read(world: World, receiver: Receiver) -> None:
    world.make_config(receiver.url("/in"))
    event_id = world.deliver()
    world.delivery(event_id)
    made(world)

    world.delivery(event_id)

    assert made(world) == {"GetItem": 1} | COUNTED


def test_what_a_delivery_sent_costs_a_read_more_and_only_if_asked_for(
    world: World, receiver: Receiver
) -> None:
    world.make_config(receiver.url("/in"))
    path = f"/v1/deliveries/{world.request_id(world.deliver())}"
    world.get(path)
    made(world)

    world.get(path, include="request")

    assert made(world) == {"GetItem": 1, "BatchGetItem": 1} | COUNTED


def test_a_resend_costs_two_reads_a_write_and_a_message(world: World, receiver: Receiver) -> None:
    world.make_config(receiver.url("/in"))
    event_id = world.deliver()
    world.delivery(event_id)
    made(world)

    world.call("POST", f"/v1/deliveries/{world.request_id(event_id)}/resend")

    reads = {"GetItem": 1, "BatchGetItem": 1}
    assert made(world) == reads | {"UpdateItem": 2, "SendMessageBatch": 1}  # one is counted


def test_reads_that_decide_about_an_attempt_are_consistent(
    world: World, receiver: Receiver
) -> None:
    world.make_config(receiver.url("/in"))
    world.send()
    world.fan_out()
    world.calls.clear()

    world.work("DispatchQueue")

    (read,) = world.calls.of("BatchGetItem")
    assert all(table["ConsistentRead"] for table in read["RequestItems"].values())
