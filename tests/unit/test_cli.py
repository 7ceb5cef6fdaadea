import io
import json
import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared import cli

MADE = {"workspace_id": "w-1", "api_key": "fh_secret"}


class FakeAws:
    """CloudFormation and Lambda as far as the commands use them."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.answer: dict[str, Any] = MADE
        self.failed = False
        self.outputs = {"ConfigsFunctionName": "configs", "ApiUrl": "https://api.example.com"}
        self.refusal: Exception | None = None

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


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    aws = FakeAws()
    monkeypatch.setattr("shared.cli.boto3", aws)
    return aws


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["cli", *arguments])
    return cli.main()


def test_bootstrap_prints_the_key(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "bootstrap", "--stack", "s", "--slug", "acme") == 0

    assert aws.sent == [{"operation": "bootstrap", "name": "First workspace", "slug": "acme"}]
    printed = capsys.readouterr().out
    assert "fh_secret" in printed
    assert "https://api.example.com" in printed
    assert "Keep the key now" in printed


def test_configure_sends_what_was_given_and_no_more(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.answer = {"name": "Acme", "limits": {"configs": 5}}
    limits = ["--limit", "configs=5", "--limit", "events_per_second=9"]

    assert run(monkeypatch, "configure", "--stack", "s", "--workspace", "w-1", *limits) == 0

    (sent,) = aws.sent
    assert sent == {
        "operation": "configure",
        "workspace_id": "w-1",
        "limits": {"configs": 5, "events_per_second": 9},
    }
    assert "Keep the key" not in capsys.readouterr().out


@pytest.mark.parametrize("hosts", [[], ["example.com", "*.example.com"]])
def test_configure_names_all_hosts_or_none(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch, hosts: list[str]
) -> None:
    run(monkeypatch, "configure", "--stack", "s", "--workspace", "w-1", "--redirect-hosts", *hosts)

    (sent,) = aws.sent
    assert sent == {"operation": "configure", "workspace_id": "w-1", "redirect_hosts": hosts}


def test_a_refusal_is_told_in_a_sentence(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.failed, aws.answer = True, {"errorMessage": "slug: is not one", "errorType": "InvalidError"}

    assert run(monkeypatch, "configure", "--stack", "s", "--workspace", "w-1", "--slug", "A") == 1

    assert capsys.readouterr().err == "configs refused: slug: is not one\n"


@pytest.mark.parametrize("limit", ["configs", "configs=many"])
def test_a_limit_is_a_name_and_a_number(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "configure", "--stack", "s", "--workspace", "w-1", "--limit", limit)


def test_a_stack_of_another_kind_is_called_that(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.outputs = {}

    assert run(monkeypatch, "bootstrap", "--stack", "shop") == 1

    assert "is it a Funnelhooks stack?" in capsys.readouterr().err


def test_a_refusal_of_aws_is_told_with_what_to_check(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refusal: Any = {"Error": {"Code": "AccessDenied", "Message": "no"}}
    aws.refusal = ClientError(refusal, "DescribeStacks")

    assert run(monkeypatch, "bootstrap", "--stack", "s") == 1

    assert "Check the credentials and the region" in capsys.readouterr().err


def test_a_command_needs_its_stack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "bootstrap")

    assert "--stack" in capsys.readouterr().err
