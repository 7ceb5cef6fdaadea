"""A config made after 500 events gets each of them once, by a replay that dies twice."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.local.receiver import Receiver
from tests.local.stack import Stack
from tests.stack.client import Client, until

EVENTS = 500
BATCH = 100


def test_five_hundred_events_reach_a_later_config_once_though_the_job_is_killed_twice(
    stack: Stack, client: Client, receiver: Receiver
) -> None:
    since = round(time.time() * 1000) - 60_000
    _send(client)
    config = client.make_config(receiver.url("/late"))
    until(lambda: _count(client, config.id, since) == EVENTS, "the log shows every event")

    body = {"config_id": config.id, "since": since, "rate_per_second": 50}
    started = client.call("POST", "/v1/replays", json=body)
    path = f"/v1/replays/{started.json()['replay_id']}"
    until(_reaches(client, path, "pending", 1), "it is doing its first page")
    killed = [_kill_workers(stack)]
    until(_reaches(client, path, "queued", EVENTS // 2), "half is queued")
    killed.append(_kill_workers(stack))
    until(_reaches(client, path, "delivered", EVENTS), "all is delivered")

    known = _show(client, path)
    received = Counter(
        request.headers["x-funnelflux-request-id"] for request in receiver.requests("/late")
    )
    assert started.status_code == 202
    assert (known["state"], known["total"], known["queued"]) == ("finished", EVENTS, EVENTS)
    assert (known["skipped"], known["pending"], known["failed"]) == (0, 0, 0)
    assert len(received) == EVENTS
    assert all(killed)


def test_a_replay_is_paused_resumed_cancelled_and_listed(
    client: Client, receiver: Receiver
) -> None:
    config = client.make_config(receiver.url("/late"))
    since = round(time.time() * 1000) - 60_000
    started = client.call("POST", "/v1/replays/", json={"config_id": config.id, "since": since})
    path = f"/v1/replays/{started.json()['replay_id']}"

    answers = [client.call("POST", f"{path}/{action}") for action in ("pause", "resume/", "cancel")]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [answer.json()["state"] for answer in answers] == ["paused", "running", "cancelled"]
    assert [one["state"] for one in client.call("GET", "/v1/replays").json()["data"]] == [
        "cancelled"
    ]
    assert client.call("POST", f"{path}/resume").status_code == 409


def _send(client: Client) -> None:
    for _ in range(EVENTS // BATCH):
        body = {"events": [{"event_type": "node_execution"}] * BATCH}
        answer = client.call("POST", "/v1/events", json=body)
        assert answer.status_code == 202, answer.text


def _count(client: Client, config_id: str, since: int) -> int:
    body = {"config_id": config_id, "since": since, "dry_run": True}
    return int(client.call("POST", "/v1/replays", json=body).json()["total"])


def _show(client: Client, path: str) -> dict[str, Any]:
    answer = client.call("GET", path)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _reaches(client: Client, path: str, name: str, number: int) -> Callable[[], bool]:
    """A busy machine may leave a question without an answer; it is asked again."""

    def has_reached() -> bool:
        time.sleep(1)  # a look at it costs the emulator a look at every item
        answer = client.call("GET", path)
        return answer.status_code == 200 and answer.json()[name] >= number

    return has_reached


def _kill_workers(stack: Stack) -> int:
    """The environments of `retry` are gone, with whatever they were doing; how many there were."""
    ours = {
        f"AWS_ENDPOINT_URL={stack.endpoint_url}",
        f"AWS_LAMBDA_FUNCTION_NAME={stack.outputs['RetryFunctionName']}",
    }
    found = [
        int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if _has(path, ours)
    ]
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    return len(found)


def _has(environ: Path, variables: set[str]) -> bool:
    try:
        return variables <= set(environ.read_text(errors="replace").split("\0"))
    except OSError:  # another user's, or gone
        return False
