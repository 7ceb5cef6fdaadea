"""Files of events in the import bucket, from the notice to the report."""

import gzip
import json
import random
import string
from typing import Any
from unittest.mock import patch

import pytest

from shared.clock import rfc3339
from shared.events.store import EventStore
from shared.imports import importer, streams
from shared.imports.bucket import ImportBucket
from shared.tables import event_table
from tests import factories
from tests.fakes import NOW
from tests.integration.account import IMPORT_BUCKET
from tests.integration.world import CrashError, World

VISIBILITY_S = 720
BOM = b"\xef\xbb\xbf"


def line(event_type: str = "node_execution", **changes: Any) -> str:
    return json.dumps(factories.event_json(event_type, **changes))


def upload(world: World, content: bytes | str, name: str = "orders.jsonl") -> str:
    """The key of an object that S3 has told of."""
    key = f"{world.workspace_id}/{name}"
    raw = content.encode() if isinstance(content, str) else content
    announce(world, key, world.account.upload(key, raw))
    return key


def handed_in(world: World) -> int:
    """Events that were to be stored, new or not."""
    items = [call["Item"] for call in world.calls.of("PutItem")]
    return sum(item["sk"] == {"S": event_table.EVENT_SK} for item in items)


def announce(world: World, key: str, etag: str) -> None:
    world.put_message("ImportQueue", notice(key, etag))


def notice(key: str, etag: str) -> dict[str, Any]:
    """Source: Amazon S3 User Guide, "Event message structure"."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "123456789012",
        "time": "2026-04-29T18:04:15Z",
        "region": "us-east-1",
        "resources": [f"arn:aws:s3:::{IMPORT_BUCKET}"],
        "detail": {
            "version": "0",
            "bucket": {"name": IMPORT_BUCKET},
            "object": {"key": key, "size": 5, "etag": etag, "sequencer": "00617F08299329D189"},
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": "123456789012",
            "source-ip-address": "203.0.113.42",
            "reason": "PutObject",
        },
    }


def run(world: World) -> list[str]:
    """Hand every message over until the queue is empty; those that came back."""
    came_back: list[str] = []
    while records := world.receive("ImportQueue"):
        for record in records:
            came_back += world.work_on("ImportQueue", [record])
    return came_back


def report(world: World, key: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(world.account.object(f"{key}.report.json"))
    return found


def counts(world: World, key: str) -> tuple[int, int, int]:
    shown = report(world, key)
    return shown["accepted"], shown["repeated"], shown["refused"]


def listed(world: World) -> list[str]:
    return [event["event_id"] for event in world.get("/v1/events", limit="100").body["data"]]


class TestAnImport:
    def test_makes_an_event_of_each_line(self, world: World) -> None:
        key = upload(world, f"{line(event_id='a')}\n{line('on_action', event_id='b')}\n")

        came_back = run(world)

        assert came_back == []
        assert sorted(listed(world)) == ["a", "b"]
        assert world.get("/v1/events/b").body["event_type"] == "on_action"
        assert world.depth("ImportQueue") == world.depth("ImportDeadLetters") == 0
        assert counts(world, key) == (2, 0, 0)

    def test_reports_beside_the_object(self, world: World) -> None:
        etag = world.account.upload(f"{world.workspace_id}/a/b.jsonl", line().encode())
        announce(world, f"{world.workspace_id}/a/b.jsonl", etag)

        run(world)

        assert report(world, f"{world.workspace_id}/a/b.jsonl") == {
            "state": "done",
            "reason": None,
            "bucket": IMPORT_BUCKET,
            "key": f"{world.workspace_id}/a/b.jsonl",
            "etag": etag,
            "workspace_id": world.workspace_id,
            "lines": 1,
            "accepted": 1,
            "repeated": 0,
            "refused": 0,
            "refused_lines": [],
            "started_at": rfc3339(NOW),
            "updated_at": rfc3339(NOW),
            "duration_ms": 0,
        }

    def test_says_of_each_refused_line_where_and_why(self, world: World) -> None:
        lines = [line(event_id="a"), '{"event_type": "on_action", "colour": "red"}', "", "{", "5"]
        key = upload(world, "\n".join([*lines, line(event_id="z")]))

        run(world)

        refused = report(world, key)["refused_lines"]
        assert [one["line"] for one in refused] == [2, 4, 5]
        assert refused[0]["message"] == "colour: is not a known field"
        assert {one["code"] for one in refused} == {"invalid"}
        assert "red" not in json.dumps(refused)
        assert sorted(listed(world)) == ["a", "z"]
        assert counts(world, key) == (2, 0, 3)

    def test_goes_on_behind_an_event_that_no_item_can_hold(self, world: World) -> None:
        noise = "".join(random.Random(1).choices(string.ascii_letters, k=260_000))  # noqa: S311
        huge = line(event_id="a", visitor={"visitor_id": noise}, hit=None, session=None)
        key = upload(world, "\n".join([huge, line(event_id="b")]))

        run(world)

        (refused,) = report(world, key)["refused_lines"]
        assert refused["message"].startswith("visitor.visitor_id: ")
        assert listed(world) == ["b"]

    def test_counts_the_refused_lines_beyond_a_hundred(self, world: World) -> None:
        key = upload(world, "{\n" * 250)

        run(world)

        assert counts(world, key) == (0, 0, 250)
        assert [one["line"] for one in report(world, key)["refused_lines"]] == list(range(1, 101))

    def test_refuses_a_line_that_is_too_long_and_goes_on(self, world: World) -> None:
        long = line(event_id="long", tracking_fields={"a": "x" * 300_000})
        key = upload(world, f"{line(event_id='a')}\n{long}\n{line(event_id='b')}")

        run(world)

        (refused,) = report(world, key)["refused_lines"]
        assert (refused["line"], refused["code"]) == (2, "too_large")
        assert sorted(listed(world)) == ["a", "b"]

    def test_holds_events_to_the_schemas_of_their_types(self, world: World) -> None:
        wanted = {"type": "object", "required": ["score"]}
        registered = {"name": "quiz.completed", "group": "Quiz", "schema": wanted}
        assert world.call("POST", "/v1/eventtypes", registered).status < 300
        data = [{"score": 1}, {}]
        lines = [json.dumps(factories.resource_json("quiz.completed", data=one)) for one in data]
        key = upload(world, "\n".join(lines))

        run(world)

        assert counts(world, key) == (1, 0, 1)
        assert "score" in report(world, key)["refused_lines"][0]["message"]

    def test_takes_what_editors_and_exports_write(self, world: World) -> None:
        content = (
            BOM + f"{line(event_id='a')}\r\n\r\n  \n{line(event_id='b')}\r\n".encode() + b"\xff\n"
        )
        key = upload(world, content + line(event_id="c").encode())

        run(world)

        assert sorted(listed(world)) == ["a", "b", "c"]
        (refused,) = report(world, key)["refused_lines"]
        assert refused["line"] == 5
        assert "UTF-8" in refused["message"]

    @pytest.mark.parametrize("content", ["", "\n", "\r\n \n", BOM])
    def test_of_nothing_is_done(self, world: World, content: bytes | str) -> None:
        key = upload(world, content)

        run(world)

        assert counts(world, key) == (0, 0, 0)
        assert report(world, key)["state"] == "done"

    def test_goes_on_to_the_configs_like_any_event(self, world: World) -> None:
        world.make_config("http://127.0.0.1:9/in")
        upload(world, line())

        run(world)
        world.fan_out()

        assert world.depth("DispatchQueue") == 1

    def test_reads_no_more_of_an_object_than_it_holds(self, world: World) -> None:
        upload(world, (line() + "\n") * 3)
        world.calls.clear()

        run(world)

        assert handed_in(world) == 3
        assert world.calls.names.count("PutObject") == 1


class TestAPackedObject:
    def test_is_unpacked(self, world: World) -> None:
        content = gzip.compress(line(event_id="a").encode()) + gzip.compress(b"\n" + b"{\n")
        key = upload(world, content, "orders.jsonl.gz")

        run(world)

        assert listed(world) == ["a"]
        assert counts(world, key) == (1, 0, 1)

    @pytest.mark.parametrize("content", [b"no gzip", gzip.compress(b"x" * 1000, mtime=0)[:-12]])
    def test_that_is_damaged_fails_and_says_so(self, world: World, content: bytes) -> None:
        key = upload(world, content, "orders.jsonl.gz")

        came_back = run(world)

        assert came_back == []
        assert report(world, key)["state"] == "failed"
        assert "gzip" in report(world, key)["reason"]

    def test_that_is_a_bomb_is_let_go_before_it_bursts(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(streams.unpacked, "__defaults__", (100_000,))
        bomb = gzip.compress(f"{line(event_id='a')}\n".encode() + b"\n" * 10_000_000)
        key = upload(world, bomb, "bomb.jsonl.gz")

        run(world)

        assert report(world, key)["state"] == "failed"
        assert "more than 100000 bytes" in report(world, key)["reason"]
        assert report(world, key)["lines"] < 100_000

    def test_goes_on_where_it_had_come_to(self, world: World) -> None:
        lines = "\n".join(line(event_id=f"e{number}") for number in range(250))
        key = upload(world, gzip.compress(lines.encode()), "orders.jsonl.gz")
        world.context.remaining_ms = 0

        run(world)

        assert counts(world, key) == (250, 0, 0)
        assert report(world, key)["lines"] == 250


class TestANoticeThatComesTwice:
    def test_adds_nothing_and_reports_the_same(self, world: World) -> None:
        key = upload(world, f"{line(event_id='a')}\n" + line("on_action") + "\n{")
        run(world)
        before = report(world, key)

        announce(world, key, before["etag"])
        run(world)

        assert len(listed(world)) == 2
        assert report(world, key) == before

    def test_finds_lines_alike_to_be_events_of_their_own(self, world: World) -> None:
        key = upload(world, "\n".join(['{"event_type": "on_action"}'] * 3))

        run(world)

        assert len(listed(world)) == 3
        assert counts(world, key) == (3, 0, 0)


class TestALineThatRepeats:
    def test_an_event_by_its_nature_is_counted_as_such(self, world: World) -> None:
        key = upload(world, "\n".join([line("conversion_triggered")] * 3))

        run(world)

        assert counts(world, key) == (1, 2, 0)

    def test_an_event_that_came_by_another_road_is_counted_as_such(self, world: World) -> None:
        world.send(event_id="a")
        key = upload(world, line(event_id="a") + "\n" + line(event_id="a", action_number=9))

        run(world)

        assert counts(world, key) == (0, 1, 1)
        assert "taken" in report(world, key)["refused_lines"][0]["message"]

    def test_another_line_is_counted_as_such(self, world: World) -> None:
        key = upload(world, "\n".join([line(event_id="a")] * 4))

        run(world)

        assert listed(world) == ["a"]
        assert counts(world, key) == (1, 3, 0)

    def test_another_object_is_counted_as_such(self, world: World) -> None:
        upload(world, line(event_id="a"), "first.jsonl")
        second = upload(world, line(event_id="a"), "second.jsonl")

        run(world)

        assert counts(world, second) == (0, 1, 0)


class TestALongImport:
    def test_goes_on_by_a_message_until_it_is_done(self, world: World) -> None:
        content = "\n".join(
            "{" if number % 50 == 7 else line(event_id=f"e{number}") for number in range(950)
        )
        key = upload(world, content)
        world.context.remaining_ms = 0

        run(world)

        assert counts(world, key) == (931, 0, 19)
        assert report(world, key)["lines"] == 950
        assert report(world, key)["state"] == "done"
        assert [one["line"] for one in report(world, key)["refused_lines"]][:2] == [8, 58]
        assert handed_in(world) == 931

    def test_shows_how_far_it_is(self, world: World) -> None:
        key = upload(world, "\n".join(line(event_id=f"e{number}") for number in range(150)))
        world.context.remaining_ms = 0

        world.work("ImportQueue")

        assert report(world, key)["state"] == "running"
        assert report(world, key)["accepted"] == 100
        assert world.depth("ImportQueue") == 1

    @pytest.mark.parametrize(
        ("target", "step", "after"),
        [
            (EventStore, "add", False),
            (EventStore, "add", True),
            (ImportBucket, "write", False),
            (ImportBucket, "write", True),
        ],
    )
    def test_counts_right_after_a_crash(
        self, world: World, target: type, step: str, after: bool
    ) -> None:
        content = [line(event_id=f"e{number % 120}") for number in range(240)]
        key = upload(world, "\n".join(["{", *content]))
        world.context.remaining_ms = 0

        with world.failing(target, step, after), pytest.raises(CrashError):
            run(world)
        world.clock.advance(VISIBILITY_S + 1)
        run(world)

        accepted, repeated, refused = counts(world, key)
        assert (accepted, repeated, refused) == (120, 120, 1)
        assert len(listed(world)) == 100  # a page of them

    def test_of_one_endless_line_comes_to_its_end(self, world: World) -> None:
        key = upload(world, b"x" * 3_000_000 + b"\n" + line(event_id="a").encode())
        world.context.remaining_ms = 0

        with patch.object(importer, "BATCH", 2):
            run(world)

        assert listed(world) == ["a"]
        assert counts(world, key) == (1, 0, 1)
        assert report(world, key)["refused_lines"][0]["line"] == 1

    def test_is_not_lost_when_aws_fails(self, world: World) -> None:
        key = upload(world, line(event_id="a"))
        with patch.object(ImportBucket, "write", side_effect=OSError):
            came_back = run(world)

        world.clock.advance(VISIBILITY_S + 1)
        run(world)

        assert len(came_back) == 1
        assert counts(world, key) == (1, 0, 0)


class TestAnObject:
    def test_that_is_gone_is_left(self, world: World) -> None:
        key = upload(world, line())
        world.account.delete_object(key)

        came_back = run(world)

        assert came_back == []
        assert world.account.objects() == []

    def test_that_was_replaced_leaves_the_report_to_its_successor(self, world: World) -> None:
        key = upload(world, line(event_id="old"))
        upload(world, line(event_id="new"))

        run(world)

        assert listed(world) == ["new"]
        assert counts(world, key) == (1, 0, 0)

    def test_that_is_replaced_between_two_runs_is_let_go(self, world: World) -> None:
        key = upload(world, "\n".join(line(event_id=f"old{n}") for n in range(150)))
        world.context.remaining_ms = 0
        world.work("ImportQueue")

        upload(world, line(event_id="new"))
        run(world)

        assert world.get("/v1/events/new").status == 200
        assert report(world, key)["lines"] == 1

    @pytest.mark.parametrize("key", ["orders.jsonl", "unknown/orders.jsonl", "/orders.jsonl"])
    def test_of_no_workspace_is_refused_in_its_report(self, world: World, key: str) -> None:
        announce(world, key, world.account.upload(key, line().encode()))

        came_back = run(world)

        assert came_back == []
        assert report(world, key)["state"] == "failed"
        assert "workspace" in report(world, key)["reason"]
        assert listed(world) == []

    def test_may_have_any_name(self, world: World) -> None:
        key = upload(world, line(event_id="a"), "Bestellungen März (1)+/%2F\U0001f600.jsonl")

        run(world)

        assert counts(world, key) == (1, 0, 0)

    def test_whose_report_could_have_no_name_is_put_aside_with_the_reason(
        self, world: World
    ) -> None:
        upload(world, line(), "x" * 970 + ".jsonl")

        came_back = run(world)

        (letter,) = world.account.letters("ImportDeadLetters")
        assert came_back == []
        assert letter["MessageAttributes"]["error_fields"]["StringValue"] == '["key"]'


@pytest.mark.parametrize("poison", ["{", "5", "{}", '{"detail-type": "Object Created"}'])
def test_a_message_that_is_none_is_put_aside_with_the_reason(world: World, poison: str) -> None:
    world.put_message("ImportQueue", poison)
    key = upload(world, line())

    came_back = run(world)

    (letter,) = world.account.letters("ImportDeadLetters")
    assert came_back == []
    assert letter["Body"] == poison
    assert letter["MessageAttributes"]["error_code"]["StringValue"] == "invalid"
    assert counts(world, key) == (1, 0, 0)
