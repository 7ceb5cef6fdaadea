"""The way through botocore, which the account in memory leaves out: requests as they are sent,
answers as they are read, and what is sent again."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from moto.core.botocore_stubber import BotocoreStubber

from tests import factories
from tests.integration.account import Account
from tests.integration.actions import COMMERCE, post
from tests.integration.moto_account import account_on_moto
from tests.integration.test_imports import line, upload
from tests.integration.world import World
from tests.local.receiver import Receiver


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with account_on_moto() as account:
        yield account


def lose_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every transaction the first answer. The second one DynamoDB knows by its token."""
    real, answers = BotocoreStubber.process_request, dict[str, Any]()

    def lossy(stubber: BotocoreStubber, request: Any) -> Any:
        if not request.headers["X-Amz-Target"].decode().endswith("TransactWriteItems"):
            return real(stubber, request)
        token = json.loads(request.body)["ClientRequestToken"]
        if token in answers:
            return answers[token]
        answers[token] = real(stubber, request)
        raise ReadTimeoutError(endpoint_url="https://dynamodb")

    monkeypatch.setattr(BotocoreStubber, "process_request", lossy)


def test_an_event_is_delivered_by_its_second_attempt(world: World, receiver: Receiver) -> None:
    receiver.script("/in", [500])
    world.make_config(receiver.url("/in"))

    event_id = world.deliver()
    world.wait(1)

    shown = world.delivery(event_id)
    assert (shown["state"], len(shown["attempts"])) == ("delivered", 2)
    assert len({request.body for request in receiver.requests()}) == 1


def test_a_delivery_whose_message_was_lost_is_repaired(world: World, receiver: Receiver) -> None:
    world.make_config(receiver.url("/in"))
    event_id = world.send()
    world.fan_out()
    world.purge("DispatchQueue")

    world.wait(3600)
    world.sweep()
    world.wait(900)

    assert world.state(event_id) == "delivered"


def test_a_file_in_the_bucket_becomes_events(world: World) -> None:
    key = upload(world, f"{line(event_id='a')}\n{line(event_id='b')}\nnone\n")

    assert world.work("ImportQueue") == []

    report = json.loads(world.account.object(f"{key}.report.json"))
    assert (report["accepted"], report["refused"]) == (2, 1)
    assert {event["event_id"] for event in world.events()} == {"a", "b"}


def test_what_is_refused_is_put_aside_with_the_reason(world: World) -> None:
    world.put_message("IntakeQueue", {"workspace_id": world.workspace_id, "event_type": 5})

    assert world.work("IntakeQueue") == []

    (letter,) = world.account.letters("IntakeDeadLetters")
    assert letter["MessageAttributes"]["error_code"]["StringValue"] == "invalid"


def test_a_transaction_whose_answer_was_lost_is_made_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_answers(monkeypatch)

    one = post(world, factories.lead_json())
    two = post(world, factories.commerce_json(), COMMERCE)

    assert (one.status, two.status) == (202, 202)
    assert len(world.events()) == 2
