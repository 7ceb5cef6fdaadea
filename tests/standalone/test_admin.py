"""The operator's socket: for its owner alone, and what can be asked there."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.clock import now_ms
from shared.standalone import admin
from shared.standalone.engine.file import DataFile
from shared.standalone.queues import FileQueue, FileQueues
from shared.standalone.timer import ThreadTimer
from tests.standalone.timers import DrivenTimer

DECLARED = {
    "Letters": {},
    "Work": {
        "VisibilityTimeout": 60,
        "RedrivePolicy": {
            "deadLetterTargetArn": {"Fn::GetAtt": ["Letters", "Arn"]},
            "maxReceiveCount": 1,
        },
    },
}
REASON = {"error_code": {"StringValue": "invalid", "DataType": "String"}}


@pytest.fixture(name="data")
def _data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short path, as a socket needs it."""
    return tmp_path_factory.mktemp("data")


def fail(**_: Any) -> None:
    raise KeyError("visitor")


@pytest.fixture(name="server")
def _server(data: Path) -> Iterator[admin.AdminServer]:
    calls = {"echo": lambda **given: given, "fail": fail}
    server = admin.AdminServer(admin.socket_path(data), calls)
    server.start()
    yield server
    server.stop()


@pytest.mark.usefixtures("server")
class TestTheSocket:
    def test_answers_a_call(self, data: Path) -> None:
        assert admin.call(data, "echo", name="é", deep={"n": [1, None]}) == {
            "name": "é",
            "deep": {"n": [1, None]},
        }

    def test_is_for_its_owner_alone(self, data: Path) -> None:
        mode = (data / admin.SOCKET).stat().st_mode

        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600

    def test_tells_what_failed(self, data: Path) -> None:
        with pytest.raises(admin.FunctionFailedError, match="KeyError: 'visitor'"):
            admin.call(data, "fail")

    def test_goes_on_after_a_failure(self, data: Path) -> None:
        with pytest.raises(admin.FunctionFailedError):
            admin.call(data, "no-such-call")

        assert admin.call(data, "echo") == {}


def test_a_socket_that_a_dead_program_has_left_is_replaced(data: Path) -> None:
    first = admin.AdminServer(admin.socket_path(data), {})
    second = admin.AdminServer(admin.socket_path(data), {"who": lambda: "second"})
    second.start()

    answer = admin.call(data, "who")

    second.stop()
    first._server.server_close()
    assert answer == "second"
    assert not (data / admin.SOCKET).exists()


def test_without_a_program_there_is_nobody_to_ask(data: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        admin.call(data, "queues")


def test_a_path_that_is_too_long_for_a_socket_is_told_before_anything_is_made(data: Path) -> None:
    longest = data / ("d" * (admin.MAX_PATH_BYTES - len(str(data / "x" / admin.SOCKET)) + 1))

    assert len(str(admin.socket_path(longest))) == admin.MAX_PATH_BYTES
    with pytest.raises(admin.DataPathTooLongError, match=r"has 104 bytes.* at most 103"):
        admin.socket_path(longest.with_name(longest.name + "d"))


@pytest.fixture(name="queues")
def _queues(data: Path) -> Iterator[FileQueues]:
    timer, file = ThreadTimer(), DataFile(data / "file")
    timer.start()
    queues = FileQueues(DECLARED, file, now_ms, timer)
    queues.start()
    yield queues
    timer.stop()
    file.close()


def bodies(queue: FileQueue) -> list[str]:
    return [message["body"] for message in queue.look(1_000)]


class TestDeadLetters:
    def test_are_looked_at_oldest_first_and_stay(self, queues: FileQueues) -> None:
        letters = queues["Letters"]
        for number in range(3):
            letters.send(f"m-{number}", group="g", attributes=REASON)

        first, second = letters.look(2)

        assert (first["body"], second["body"]) == ("m-0", "m-1")
        assert (first["group"], first["receives"], first["attributes"]) == ("g", 0, REASON)
        assert letters.counts()["waiting"] == 3

    def test_move_to_their_queue_with_all_that_they_had(self, queues: FileQueues) -> None:
        letters, work = queues["Letters"], queues["Work"]
        for number in range(250):
            letters.send(f"m-{number}", group=f"g-{number % 3}", attributes=REASON)

        assert letters.move(work) == 250

        assert letters.look(1) == []
        assert sorted(bodies(work)) == sorted(f"m-{number}" for number in range(250))
        assert {one["group"] for one in work.look(250)} == {"g-0", "g-1", "g-2"}
        assert all(one["attributes"] == REASON for one in work.look(250))
        assert len(work.receive(10)) == 10

    def test_are_deleted(self, queues: FileQueues) -> None:
        letters = queues["Letters"]
        for number in range(25):
            letters.send(f"m-{number}")

        assert letters.move(None) == 25

        assert letters.counts()["waiting"] == 0
        assert letters.move(None) == 0

    def test_that_come_back_meanwhile_are_not_moved_for_ever(self, queues: FileQueues) -> None:
        letters = queues["Letters"]
        letters.send("m-1")

        assert letters.move(letters) == 1

        assert bodies(letters) == ["m-1"]

    def test_keep_the_group_of_the_message(self, data: Path) -> None:
        timer, file = DrivenTimer(), DataFile(data / "file")
        queues = FileQueues(DECLARED, file, now_ms, timer)
        letters, work = queues["Letters"], queues["Work"]
        work.send("m-1", group="tenant")
        work.receive(1)
        timer.advance(60_000)

        assert work.receive(1) == []

        (letter,) = letters.look(10)
        assert (letter["body"], letter["group"]) == ("m-1", "tenant")


def test_a_queue_tells_what_it_holds(queues: FileQueues) -> None:
    work = queues["Work"]
    assert work.counts() == {"waiting": 0, "in_flight": 0, "delayed": 0, "oldest_s": None}
    for delay_s in (0, 0, 900):
        work.send("m", delay_s)

    work.receive(1)

    counts = work.counts()
    assert counts["oldest_s"] >= 0
    assert (counts["waiting"], counts["in_flight"], counts["delayed"]) == (1, 1, 1)
    assert work.depth() == 3
