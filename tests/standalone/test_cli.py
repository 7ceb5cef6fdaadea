"""The operator's commands, as they are typed, on a running standalone program."""

import json
import threading
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from shared.cli.__main__ import main
from shared.standalone import admin
from tests.local.receiver import Receiver, Reply
from tests.local.standalone import Standalone
from tests.stack.client import Client, until


class Operator:
    """Types commands about one workspace of a program."""

    def __init__(self, program: Standalone, client: Client) -> None:
        self._state = str(program.data.parent)
        self.environment = {
            "FUNNELHOOKS_API_KEY": client.api_key,
            "FUNNELHOOKS_WORKSPACE": client.workspace_id,
        }

    def run(self, *words: str, code: int = 0, given: str | None = None) -> str:
        """What the command prints; `code` is what it ends with."""
        where = ("--standalone", "--state-folder", self._state)
        done = CliRunner().invoke(main, [*words, *where], input=given, env=self.environment)
        assert done.exit_code == code, done.output
        return done.stderr if code else done.stdout

    def asked(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json"))


@pytest.fixture(name="operator")
def _operator(program: Standalone, client: Client) -> Operator:
    return Operator(program, client)


@pytest.fixture(name="letters")
def _letters(program: Standalone, client: Client) -> list[Any]:
    """Two dead letters of intake, which ingest has refused."""
    admin.call(program.data, "delete", queue="IntakeDeadLetters")
    body = {"workspace_id": client.workspace_id, "event_type": "on_action", "nick": "hunter2"}
    records = [
        {"messageId": f"m-{n}", "body": json.dumps(body), "eventSource": "aws:sqs"} for n in (1, 2)
    ]
    admin.invoke(program.data, "ingest", {"Records": records})
    found: list[Any] = admin.call(program.data, "letters", queue="IntakeDeadLetters", count=10)
    return found


def test_what_happened_is_listed_and_shown(
    operator: Operator, client: Client, receiver: Receiver
) -> None:
    config = client.make_config(receiver.url("/in"))
    event_id = client.send()
    client.wait_for(event_id, "delivered")

    (event,) = operator.asked("events", "list")
    (delivery,) = operator.asked("deliveries", "list", "--config", config.id)

    assert event["event_id"] == event_id
    assert operator.asked("events", "show", event_id)["deliveries"][0]["state"] == "delivered"
    assert "delivered" in operator.run("deliveries", "show", delivery["request_id"])
    assert "404" in operator.run("deliveries", "show", str(uuid.uuid4()), code=1)


def test_a_delivery_is_sent_again(operator: Operator, client: Client, receiver: Receiver) -> None:
    config = client.make_config(receiver.url("/in"))
    client.wait_for(client.send(), "delivered")
    (delivery,) = operator.asked("deliveries", "list", "--config", config.id)

    resent = operator.asked("resend", delivery["request_id"])

    first, second = receiver.wait_for(2, "/in")
    assert resent["reason"] == "resent"
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])


def test_deliveries_are_told_as_they_come(
    operator: Operator, client: Client, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = client.make_config(receiver.url("/in"))
    looks = iter(range(2))

    def between_looks(_: float) -> None:
        if next(looks) == 1:
            raise SystemExit
        client.wait_for(client.send(), "delivered")

    monkeypatch.setattr("shared.cli.deliveries.time", SimpleNamespace(sleep=between_looks))

    told = operator.run("tail", "--json")

    assert {json.loads(line)["config_id"] for line in told.splitlines()} == {config.id}


def test_a_replay_is_counted_and_watched_to_its_end(
    operator: Operator, client: Client, receiver: Receiver
) -> None:
    config = client.make_config(receiver.url("/in"))
    client.wait_for(client.send(), "delivered")
    wanted = ["replay", "--config", config.id, "--since", "2026-01-01T00:00:00Z"]

    counted = operator.asked(*wanted, "--dry-run")
    begun = operator.asked(*wanted, "--no-wait")
    ended = operator.asked("replay", "--follow", begun["replay_id"], "--every", "0.1")

    assert counted["total"] == begun["total"] == 1
    assert (ended["state"], ended["delivered"]) == ("finished", 1)


def test_a_key_is_made_and_works(operator: Operator) -> None:
    made = operator.asked("keys", "create", "--name", "Watcher", "--scope", "events:read")

    assert made["id"] in {key["id"] for key in operator.asked("keys", "list")}
    operator.environment["FUNNELHOOKS_API_KEY"] = made["secret"]
    assert operator.asked("events", "list") == []
    assert "(forbidden)" in operator.run("keys", "list", code=1)


def test_without_a_key_the_first_one_is_used(operator: Operator, program: Standalone) -> None:
    operator.environment.clear()

    listed = operator.asked("keys", "list")

    assert any(program.api_key.startswith(key["prefix"]) for key in listed)


def test_a_workspace_is_made_and_changed(operator: Operator, program: Standalone) -> None:
    made = dict(
        line.split(maxsplit=1)
        for line in operator.run("bootstrap", "--name", "Acme").splitlines()
        if not line.startswith("Keep")
    )
    operator.environment["FUNNELHOOKS_WORKSPACE"] = made["workspace_id"]

    changed = operator.run("configure", "--limit", "configs=5")

    assert made["api_url"] == program.api_url
    assert made["api_key"]
    assert "'configs': 5" in changed
    assert "refused: " in operator.run("configure", "--slug", "NOT A SLUG", code=1)


def test_status_shows_queues_functions_and_endpoints_in_trouble(
    operator: Operator, client: Client, receiver: Receiver, program: Standalone
) -> None:
    receiver.script("/gone", [410])
    config = client.make_config(receiver.url("/gone"))
    client.wait_for(client.send(), "held")
    with pytest.raises(admin.FunctionFailedError):
        admin.invoke(program.data, "retry", {"Records": [{}]})

    found = operator.asked("status")

    (endpoint,) = found["endpoints"]
    assert (endpoint["config_id"], endpoint["trouble"]) == (config.id, "disabled")
    queues = {queue["queue"]: queue for queue in found["queues"]}
    assert queues.keys() == {"intake", "import", "fanout", "dispatch", "retry"}
    assert queues["dispatch"]["delayed"] == 0
    errors = {one["function"]: one["errors_last_hour"] for one in found["functions"]}
    assert errors.keys() >= {"configs", "ingest", "dispatch", "repair"}
    assert errors["retry"] >= 1
    assert errors["deliveries"] == 0


def test_status_shows_an_endpoint_whose_breaker_is_open(
    operator: Operator, client: Client, receiver: Receiver
) -> None:
    receiver.script("/down", [500], repeat=True)
    config = client.make_config(receiver.url("/down"))
    until(lambda: bool(client.send() and operator.asked("status")["endpoints"]), "it is tripped")

    (endpoint,) = operator.asked("status")["endpoints"]

    assert (endpoint["config_id"], endpoint["trouble"]) == (config.id, "tripped")
    assert endpoint["since"]


def test_status_counts_what_waits_and_what_is_under_way(
    operator: Operator, client: Client, receiver: Receiver
) -> None:
    go_on = threading.Event()
    receiver.script("/slow", [Reply(after=go_on)])
    client.make_config(receiver.url("/slow"))
    client.send()
    receiver.wait_for(1, "/slow")

    dispatch = next(q for q in operator.asked("status")["queues"] if q["queue"] == "dispatch")
    go_on.set()

    assert dispatch["in_flight"] >= 1
    assert dispatch["oldest_s"] >= 0


def depth(operator: Operator, queue: str) -> int:
    found = {one["queue"]: one for one in operator.asked("status")["queues"]}
    return int(found[queue]["dead_letters"])


class TestDeadLetters:
    def test_are_shown_with_their_reason_and_without_what_they_hold(
        self, operator: Operator, letters: list[Any]
    ) -> None:
        done = operator.run("redrive", "intake", "--yes")

        assert len(letters) == 2
        assert "2 dead letters of intake, the first 2" in done
        assert "invalid" in done
        assert "hunter2" not in done

    @pytest.mark.usefixtures("letters")
    def test_stay_if_the_operator_says_no(self, operator: Operator) -> None:
        for words in (("redrive", "intake"), ("redrive", "intake", "--delete")):
            assert "Aborted" in operator.run(*words, given="n\n", code=1)

        assert depth(operator, "intake") == 2

    def test_are_sent_back_and_refused_again(
        self, operator: Operator, program: Standalone, letters: list[Any]
    ) -> None:
        done = operator.run("redrive", "intake", given="y\n")

        assert "2 sent back to intake." in done
        until(lambda: depth(operator, "intake") == 2, "both are refused again")
        again = admin.call(program.data, "letters", queue="IntakeDeadLetters", count=10)
        before = {letter["message_id"] for letter in letters}
        assert not before & {letter["message_id"] for letter in again}

    @pytest.mark.usefixtures("letters")
    def test_are_deleted(self, operator: Operator) -> None:
        assert "are deleted" in operator.run("redrive", "intake", "--delete", "--yes")

        assert depth(operator, "intake") == 0
        assert "no dead letters of intake" in operator.run("redrive", "intake")

    def test_of_a_queue_that_is_read_are_none(self, program: Standalone) -> None:
        for call in ("delete", "letters"):
            given = {"queue": "DispatchQueue"} | ({"count": 1} if call == "letters" else {})
            with pytest.raises(admin.FunctionFailedError, match="holds no dead letters"):
                admin.call(program.data, call, **given)


@pytest.mark.parametrize("command", [["status"], ["events", "list"]])
def test_a_program_that_does_not_run_is_told_how_to_start(command: list[str], folder: Path) -> None:
    done = CliRunner().invoke(main, [*command, "--standalone", "--state-folder", str(folder)])

    assert (done.exit_code, done.stderr) == (
        3,
        "Error: The standalone program is not running. Start it: make serve\n",
    )


def test_a_program_that_was_killed_is_told_how_to_start(folder: Path) -> None:
    about = {"api_url": "http://127.0.0.1:1", "api_key": "k", "workspace_id": "w"}
    about["data"] = str(folder)
    (folder / "standalone.json").write_text(json.dumps(about))

    done = CliRunner().invoke(main, ["status", "--standalone", "--state-folder", str(folder)])

    assert (done.exit_code, "make serve" in done.stderr) == (3, True)
