"""A workspace with 3,000 configs, more than a page: the list is complete, an event reads few."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.aws.table import Table
from shared.configs.models import WebhookConfig
from shared.configs.store import ConfigStore
from shared.configs.triggers import Trigger
from tests.local.receiver import Receiver
from tests.local.stack import Stack
from tests.stack.client import Client

MANY = 3_000
PARALLEL = 8


def test_three_thousand_configs_are_listed_and_slow_no_event_down(
    stack: Stack, client: Client, receiver: Receiver, capfd: pytest.CaptureFixture[str]
) -> None:
    empty_ms = _list_ms(client, 0)
    _write(stack, client.workspace_id)
    client.make_config(receiver.url("/hook"), triggers=[{"eventType": "node_execution"}])

    full_ms = _list_ms(client, MANY)
    event_id = client.send()

    client.wait_for(event_id, "delivered")
    assert len(client.deliveries(event_id)) == 1
    with capfd.disabled():
        print(f"\nlist of {MANY} configs: {full_ms:.0f} ms, of none: {empty_ms:.0f} ms")


def _list_ms(client: Client, expected: int) -> float:
    started = time.perf_counter()
    answer = client.call("GET", "/v1/webhookconfig/list?status=all")
    assert len(answer.json()) == expected
    return (time.perf_counter() - started) * 1000


def _write(stack: Stack, workspace_id: str) -> None:
    """Through the store, without the API before it: it is the reading that is tested."""
    store = ConfigStore(Table(stack.client("dynamodb"), stack.outputs["ConfigTableName"]))
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(lambda config: store.add(config, 2 * MANY), _configs(workspace_id)))


def _configs(workspace_id: str) -> Iterator[WebhookConfig]:
    for number in range(MANY - 1):
        yield WebhookConfig(
            id=f"config-{number:05d}",
            workspace_id=workspace_id,
            name=f"Config {number}",
            url="https://example.com/hook",
            triggers=(Trigger(event_type="on_action", funnel_id=str(number)),),
            secret="whsec_bWFkZSB1cCBmb3IgYSB0ZXN0",
            created_at=0,
            updated_at=0,
        )
