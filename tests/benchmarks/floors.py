"""The least that the work of a function takes, with the same libraries as they come."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import boto3
import requests

from shared.aws.items import from_item
from shared.events.models import TrackingEvent
from shared.events.store import event_from
from shared.standalone.engine.template import Json
from shared.tables import event_table
from tests.benchmarks.scenes import Scene


def ingest(scene: Scene) -> None:
    puts = scene.tape.requests["PutItem"]
    writes = [put for put in puts if put["Item"]["sk"]["S"] == event_table.EVENT_SK]
    for event, write in zip(scene.invocations, writes, strict=True):
        TrackingEvent.model_validate(json.loads(event["body"]))
        _client("dynamodb").put_item(**write)


def fanout(scene: Scene) -> None:
    for invocation in scene.invocations:
        for record in invocation["Records"]:
            event_from(from_item(record["dynamodb"]["NewImage"]))
        for query in scene.tape.requests["Query"]:
            _client("dynamodb").query(**query)
        for batch in scene.tape.requests["SendMessageBatch"]:
            _client("sqs").send_message_batch(**batch)


def attempt(scene: Scene) -> None:
    session, sent = _session(), _last(scene.url)
    claims = scene.tape.requests["UpdateItem"]
    settles = scene.tape.requests["UpdateItem settling"]
    for claim, settle in zip(claims, settles, strict=True):
        _client("dynamodb").update_item(**claim)
        session.post(f"{scene.url}/in", data=sent["body"], headers=sent["headers"])
        _client("dynamodb").update_item(**settle)


def clients() -> list[Any]:
    return [_client(service) for service in ("dynamodb", "sqs")]


@cache
def _client(service: str) -> Any:
    return boto3.client(service)  # type: ignore[call-overload]


@cache
def _session() -> requests.Session:
    """Pooled, and without looking up proxies in the environment for every request."""
    session = requests.Session()
    session.trust_env = False
    return session


@cache
def _last(url: str) -> Json:
    """The request that the function has sent last."""
    found: Json = _session().get(f"{url}/last").json()
    return found


FLOORS: Mapping[str, Callable[[Scene], None]] = {
    "ingest": ingest,
    "fanout": fanout,
    "dispatch": attempt,
    "retry": attempt,
}
