"""Every sample of events/ is taken by the function that its name begins with."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.integration.account import IMPORT_BUCKET
from tests.integration.world import World
from tests.local import demo_invoke

FOLDER = Path(__file__).parents[2] / "events"
SAMPLES = sorted(path for path in FOLDER.glob("*.json") if not path.name.startswith("payload_"))


def invoke(world: World, name: str) -> Any:
    text = demo_invoke.localised((FOLDER / name).read_text(), world.workspace_id, world.key)
    text = text.replace(demo_invoke.IMPORT_BUCKET, IMPORT_BUCKET)
    event = json.loads(text.replace(demo_invoke.LINK, link(world)))
    return world.invoke(name.partition("_")[0], event)


def link(world: World) -> str:
    reply = world.call("POST", "/v1/actions/links", demo_invoke.ACTION)
    url: str = reply.body["url"]
    (signed,) = parse_qs(urlsplit(url).query)["flux_link"]
    return signed


def upload(world: World) -> str:
    key = f"{world.workspace_id}/orders.jsonl"
    world.account.upload(key, (FOLDER / "payload_import.jsonl").read_bytes())
    return key


def listed(world: World) -> list[str]:
    return [event["event_type"] for event in world.get("/v1/events").body["data"]]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_a_sample_is_taken_by_its_function(world: World, sample: Path) -> None:
    upload(world)

    answer = invoke(world, sample.name)

    assert answer.get("batchItemFailures", []) == []
    # 404: what is asked for is the delivery of a story that was not played.
    assert answer.get("statusCode", 200) in {200, 201, 202, 404}, answer


@pytest.mark.parametrize("sample", ["imports_s3.json", "imports_continued.json"])
def test_the_samples_of_an_import_read_the_sample_file(world: World, sample: str) -> None:
    key = upload(world)

    invoke(world, sample)

    report = json.loads(world.account.object(f"{key}.report.json"))
    assert (report["state"], report["accepted"], report["refused"]) == ("done", 2, 1)
    assert report["refused_lines"][0]["line"] == 3


def test_the_sample_with_poison_has_it_put_aside_and_the_others_accepted(world: World) -> None:
    invoke(world, "ingest_sqs_poison.json")

    letters = world.account.letters("IntakeDeadLetters")
    assert sorted(listed(world)) == ["contact.identified", "order.completed"]
    assert ["batch_index" in letter["MessageAttributes"] for letter in letters] == [False, True]


def test_the_sample_of_another_service_is_an_event(world: World) -> None:
    invoke(world, "ingest_eventbridge_partner.json")

    assert listed(world) == ["lead.created"]


def test_the_sample_for_those_who_do_not_wait_is_an_event(world: World) -> None:
    invoke(world, "ingest_async.json")

    assert listed(world) == ["order.completed"]
