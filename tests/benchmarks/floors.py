"""The least that the work of a function takes, with the same libraries."""

import json
from collections.abc import Callable, Mapping
from functools import cache

import requests
from boto3.dynamodb.types import TypeDeserializer

from shared import aws
from shared.events.models import TrackingEvent
from tests.benchmarks.scenes import Scene
from tests.template import Json

_deserialize = TypeDeserializer().deserialize


def ingest(scene: Scene) -> None:
    for event, write in zip(scene.invocations, scene.tape.requests["PutItem"], strict=True):
        TrackingEvent.model_validate(json.loads(event["body"]))
        aws.dynamodb().put_item(**write)


def fanout(scene: Scene) -> None:
    for invocation in scene.invocations:
        for record in invocation["Records"]:
            image = record["dynamodb"]["NewImage"]
            json.loads({name: _deserialize(value) for name, value in image.items()}["payload"])
        for query in scene.tape.requests["Query"]:
            aws.dynamodb().query(**query)
        for batch in scene.tape.requests["SendMessageBatch"]:
            aws.sqs().send_message_batch(**batch)


def attempt(scene: Scene) -> None:
    session, sent = _session(), _last(scene.url)
    claims = scene.tape.requests["UpdateItem"]
    settles = scene.tape.requests["UpdateItem settling"]
    for claim, settle in zip(claims, settles, strict=True):
        aws.dynamodb().update_item(**claim)
        session.post(f"{scene.url}/in", data=sent["body"], headers=sent["headers"])
        aws.dynamodb().update_item(**settle)


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
