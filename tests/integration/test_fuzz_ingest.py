"""10,000 requests at random, over all addresses of `ingest`: none of them is a fault of ours.

The seed is printed; FUNNELHOOKS_SEED repeats a run.
"""

import json
import os
from collections import Counter
from random import Random, SystemRandom
from typing import Any

import pytest

from functions.ingest.handler import lambda_handler
from functions.ingest.routes.events import api
from shared.standalone.engine.template import Json
from tests.integration import fuzz
from tests.integration.documented import assert_documented
from tests.integration.invocations import http_event
from tests.integration.world import World

REQUESTS = 10_000
MESSAGES = 1_000
# Some that no address of `ingest` has.
OTHER_METHODS = ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]


@pytest.fixture
def random() -> Random:
    seed = int(os.environ.get("FUNNELHOOKS_SEED") or SystemRandom().randrange(2**32))
    print(f"FUNNELHOOKS_SEED={seed}")  # noqa: T201 -- shown when the test fails
    return Random(seed)  # noqa: S311 -- to be repeated, not to be secret


def request(random: Random, credentials: dict[str, str]) -> Json:
    operation = random.choice(api.operations)
    method = operation.method if random.random() < 0.95 else random.choice(OTHER_METHODS)
    body = fuzz.body(random)
    event = http_event(
        method,
        fuzz.path(random, operation.path),
        body,
        fuzz.query(random),
        fuzz.headers(random, credentials),
    )
    if random.random() < 0.6:
        event |= {"body": body.decode(errors="replace"), "isBase64Encoded": False}
    if random.random() < 0.02:
        event |= {"body": random.choice([None, "\ud800", "%%%", "="]), "isBase64Encoded": True}
    return event


def test_no_request_is_a_fault_of_ours(world: World, random: Random) -> None:
    credentials = {
        "authorization": f"Bearer {world.key}",
        "x-project-id": world.workspace_id,
        "x-api-key": world.key,
    }
    seen: Counter[int] = Counter()

    with world.environment("ingest"):
        for number in range(REQUESTS):
            event = request(random, credentials)
            world.clock.advance(0.1)
            answer: Any = lambda_handler(event, world.context)  # type: ignore[arg-type]
            seen[answer["statusCode"]] += 1
            assert answer["statusCode"] < 500, (number, event)
            check_documented(event, answer)

    print(f"answers: {dict(sorted(seen.items()))}")  # noqa: T201
    # Otherwise the doors would be tested, and nothing behind them.
    assert seen[202] > REQUESTS / 200
    assert seen[400] > REQUESTS / 10


def check_documented(event: Json, answer: Json) -> None:
    """API Gateway would not have sent every method here."""
    method = event["requestContext"]["http"]["method"]
    is_json = answer["headers"].get("Content-Type") == "application/json"
    if is_json and method in {operation.method for operation in api.operations}:
        body = json.loads(answer["body"])
        assert_documented(method, event["rawPath"], answer["statusCode"], body)


def test_no_message_comes_back_or_stops_another(world: World, random: Random) -> None:
    with world.environment("ingest"):
        for number in range(MESSAGES):
            body = fuzz.body(random).decode(errors="replace")
            if random.random() < 0.5:
                detail = body if random.random() < 0.5 else f'{{"events": [{body}]}}'
                body = f'{{"detail-type": "on_action", "id": "{number}", "detail": {detail}}}'
            text = body.replace("{", f'{{"workspace_id": "{world.workspace_id}", ', 1)
            record = {"messageId": f"message-{number}", "body": random.choice([body, text])}

            answer = lambda_handler({"Records": [record]}, world.context)  # type: ignore[arg-type]

            assert answer == {"batchItemFailures": []}, (number, body)
