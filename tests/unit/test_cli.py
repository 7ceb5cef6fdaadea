import io
import json
from collections.abc import Iterator
from typing import Any

import click
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner, Result

from shared.cli import replays, sqs
from shared.cli.__main__ import main
from shared.cli.api import ApiClient
from shared.cli.deliveries import changes

MADE = {"workspace_id": "w-1", "api_key": "fh_secret"}
LETTER = {
    "MessageId": "m-1",
    "ReceiptHandle": "r-1",
    "Body": '{"email": "alice@example.com"}',
    "Attributes": {"ApproximateReceiveCount": "2", "MessageGroupId": "g-1"},
    "MessageAttributes": {"error_code": {"StringValue": "invalid", "DataType": "String"}},
}


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Operation")


class FakeAws:
    """CloudFormation, Lambda and SQS as far as the commands use them."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.answer: dict[str, Any] = MADE
        self.failed = False
        self.outputs = {"ConfigsFunctionName": "configs", "ApiUrl": "https://api.example.com"}
        self.refusal: Exception | None = None
        self.letters = [LETTER]
        self.has_move_tasks = True

    def client(self, _: str) -> "FakeAws":
        return self

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        if self.refusal:
            raise self.refusal
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in self.outputs.items()]
        return {"Stacks": [{"Outputs": outputs}]}

    def invoke(self, **request: str) -> dict[str, Any]:
        self.sent.append(json.loads(request["Payload"]))
        answer: dict[str, Any] = {"Payload": io.BytesIO(json.dumps(self.answer).encode())}
        return answer | ({"FunctionError": "Unhandled"} if self.failed else {})

    def get_paginator(self, _: str) -> "FakeAws":
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        ids = ["IntakeQueue", "IntakeDeadLetters", "FanoutDeadLetters"]
        kind = "AWS::SQS::Queue"
        found = [
            {"LogicalResourceId": name, "PhysicalResourceId": name, "ResourceType": kind}
            for name in ids
        ]
        return [{"StackResourceSummaries": found}]

    def get_queue_attributes(self, **request: Any) -> dict[str, Any]:
        count = len(self.letters) if request["QueueUrl"].endswith("DeadLetters") else 0
        arn = f"arn:{request['QueueUrl']}"
        return {"Attributes": {"ApproximateNumberOfMessages": str(count), "QueueArn": arn}}

    def receive_message(self, **_: Any) -> dict[str, Any]:
        return {"Messages": self.letters[:10]} if self.letters else {}

    def start_message_move_task(self, **request: str) -> None:
        if not self.has_move_tasks:
            raise refusal("InvalidAction")
        self.sent.append(request)

    def list_message_move_tasks(self, **_: Any) -> dict[str, Any]:
        return {"Results": [{"Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": 1}]}

    def send_message(self, **request: str) -> None:
        self.sent.append(request)

    def purge_queue(self, **_: str) -> None:
        self.letters = []

    def delete_message(self, **request: str) -> None:
        self.letters = [one for one in self.letters if one["ReceiptHandle"] not in request.values()]


class FakeApi(ApiClient):
    """Answers by path, one after the other; the last answer stays."""

    def __init__(self, **answers: list[Any]) -> None:
        super().__init__("https://api.example.com", "fh_key")
        self.answers = answers

    def call(self, method: str, path: str, query: Any = None, body: Any = None) -> Any:
        answers = self.answers[path.split("/")[2]]
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    aws = FakeAws()
    monkeypatch.setattr("shared.cli.stack.boto3", aws)
    monkeypatch.delenv("FUNNELHOOKS_API_KEY", raising=False)
    return aws


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=given)


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        else:
            yield *path, name


@pytest.mark.parametrize("path", list(commands(main)), ids=" ".join)
def test_every_command_explains_itself_and_names_each_option_once(path: tuple[str, ...]) -> None:
    result = run(*path, "--help")

    assert result.exit_code == 0
    assert "--local" in result.stdout


def test_bootstrap_prints_the_key(aws: FakeAws) -> None:
    result = run("bootstrap", "--stack", "s", "--slug", "acme")

    assert result.exit_code == 0
    assert aws.sent == [{"operation": "bootstrap", "name": "First workspace", "slug": "acme"}]
    assert "fh_secret" in result.output
    assert "https://api.example.com" in result.output
    assert "Keep the key now" in result.output


def test_configure_sends_what_was_given_and_no_more(aws: FakeAws) -> None:
    aws.answer = {"name": "Acme", "limits": {"configs": 5}}
    limits = ["--limit", "configs=5", "--limit", "events_per_second=9"]

    result = run("configure", "--stack", "s", "--workspace", "w-1", *limits)

    assert result.exit_code == 0
    assert aws.sent == [
        {
            "operation": "configure",
            "workspace_id": "w-1",
            "limits": {"configs": 5, "events_per_second": 9},
        }
    ]
    assert "Keep the key" not in result.output


@pytest.mark.parametrize(
    ("options", "hosts"),
    [
        (["--no-redirect-hosts"], []),
        (
            ["--redirect-hosts", "example.com", "--redirect-hosts", "*.example.com"],
            ["example.com", "*.example.com"],
        ),
    ],
)
def test_configure_names_all_hosts_or_none(
    aws: FakeAws, options: list[str], hosts: list[str]
) -> None:
    run("configure", "--stack", "s", "--workspace", "w-1", *options)

    (sent,) = aws.sent
    assert sent == {"operation": "configure", "workspace_id": "w-1", "redirect_hosts": hosts}


def test_a_refusal_is_told_in_a_sentence(aws: FakeAws) -> None:
    aws.failed, aws.answer = True, {"errorMessage": "slug: is not one", "errorType": "InvalidError"}

    result = run("configure", "--stack", "s", "--workspace", "w-1", "--slug", "A")

    assert result.exit_code == 1
    assert result.stderr == "Error: configs refused: slug: is not one\n"


@pytest.mark.parametrize("limit", ["configs", "configs=many"])
def test_a_limit_is_a_name_and_a_number(aws: FakeAws, limit: str) -> None:
    result = run("configure", "--stack", "s", "--workspace", "w-1", "--limit", limit)

    assert result.exit_code == 2
    assert "such as configs=500" in result.stderr


def test_a_stack_of_another_kind_is_called_that(aws: FakeAws) -> None:
    aws.outputs = {}

    result = run("bootstrap", "--stack", "shop")

    assert result.exit_code == 1
    assert "is it a Funnelhooks stack?" in result.stderr


def test_a_refusal_of_aws_is_told_with_what_to_check(aws: FakeAws) -> None:
    aws.refusal = refusal("AccessDenied")

    result = run("bootstrap", "--stack", "s")

    assert result.exit_code == 3
    assert "Check the credentials and the region" in result.stderr


@pytest.mark.parametrize("named", [[], ["--local", "--stack", "s"]])
def test_a_command_needs_one_stack(named: list[str]) -> None:
    result = run("bootstrap", *named)

    assert result.exit_code == 2
    assert "--stack NAME on AWS, or --local, or --standalone" in result.stderr


def test_a_local_stack_that_is_not_there_is_told_how_to_start() -> None:
    result = run("status", "--local", "--state-folder", "nowhere")

    assert result.exit_code == 3
    assert "make up" in result.stderr


def test_what_asks_the_api_says_where_the_key_belongs(aws: FakeAws) -> None:
    result = run("events", "list", "--stack", "s")

    assert result.exit_code == 1
    assert "FUNNELHOOKS_API_KEY" in result.stderr


def test_redrive_shows_the_reasons_and_no_body_and_asks(aws: FakeAws) -> None:
    result = run("redrive", "intake", "--stack", "s", given="n\n")

    assert result.exit_code == 1
    assert "invalid" in result.stdout
    assert "alice" not in result.output
    assert aws.sent == []


def test_redrive_leaves_the_work_to_sqs(aws: FakeAws) -> None:
    result = run("redrive", "intake", "--stack", "s", "--yes")

    assert aws.sent == [{"SourceArn": "arn:IntakeDeadLetters", "DestinationArn": "arn:IntakeQueue"}]
    assert "1 sent back to intake" in result.stdout


def test_redrive_carries_the_letters_where_sqs_cannot(aws: FakeAws) -> None:
    aws.has_move_tasks = False

    result = run("redrive", "intake", "--stack", "s", "--yes")

    body = LETTER["Body"]
    assert aws.sent == [{"QueueUrl": "IntakeQueue", "MessageBody": body, "MessageGroupId": "g-1"}]
    assert aws.letters == []
    assert "1 sent back to intake" in result.stdout


def test_letters_that_come_back_while_they_are_carried_are_not_carried_for_ever(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws, "delete_message", lambda **_: None)

    assert sqs.carry(aws, "IntakeDeadLetters", "IntakeQueue") == 1


def test_redrive_deletes_what_the_operator_gives_up(aws: FakeAws) -> None:
    kept = run("redrive", "intake", "--stack", "s", "--delete", given="n\n")
    left = len(aws.letters)
    deleted = run("redrive", "intake", "--stack", "s", "--delete", "--yes")

    assert (kept.exit_code, left) == (1, 1)
    assert (deleted.exit_code, aws.letters, aws.sent) == (0, [], [])


def test_dead_letters_of_fanout_are_not_sent_back(aws: FakeAws) -> None:
    result = run("redrive", "fanout", "--stack", "s", "--yes")

    assert result.exit_code == 1
    assert "repair makes their deliveries" in result.stderr
    assert aws.sent == []


def test_redrive_of_nothing_does_nothing(aws: FakeAws) -> None:
    aws.letters = []

    assert "no dead letters of intake" in run("redrive", "intake", "--stack", "s").stdout


def test_tail_tells_each_thing_that_becomes_of_a_delivery_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting = {"request_id": "r", "state": "waiting", "reason": "attempt_failed", "attempt": 1}
    delivered = waiting | {"state": "delivered", "reason": None, "attempt": 2}
    pages = [{"data": [one], "next_cursor": None} for one in (waiting, waiting, delivered)]
    monkeypatch.setattr("shared.cli.deliveries.time.sleep", lambda _: None)

    told = changes(FakeApi(deliveries=pages), ("crm",), 0, None)

    assert [next(told), next(told)] == [waiting, delivered]


def test_a_list_goes_on_over_pages_until_there_are_enough() -> None:
    pages = [{"data": [{}] * 100, "next_cursor": "c"}, {"data": [{}] * 20, "next_cursor": "d"}]

    assert len(list(FakeApi(events=pages).pages("/v1/events", 120))) == 120


@pytest.mark.parametrize("last", ["finished", "paused", "cancelled"])
def test_a_replay_is_watched_to_its_end(monkeypatch: pytest.MonkeyPatch, last: str) -> None:
    monkeypatch.setattr("shared.cli.replays.time.sleep", lambda _: None)
    running = {"state": "running", "total": 3, "queued": 1, "delivered": 0, "pending": 1}
    queued = running | {"state": "finished", "queued": 3, "pending": 2}
    ended = queued | {"state": last, "delivered": 3, "pending": 0}

    found = replays.watch(FakeApi(replays=[running, queued, ended]), "replay-1", 0)

    assert found == ended
