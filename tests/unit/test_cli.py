import io
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared import cli

OUTPUTS = {"ConfigsFunctionName": "hooks-configs", "ApiUrl": "https://api.example.com"}
MADE = {"workspace_id": "w1", "api_key": "fh_1"}


class FakeAws:
    """A deployed stack, as CloudFormation and Lambda tell of it."""

    def __init__(self) -> None:
        self.outputs = dict(OUTPUTS)
        self.answer: dict[str, Any] = {}
        self.made: Any = MADE
        self.invoked: list[tuple[str, Any]] = []
        self.refusal: Exception | None = None

    def client(self, _name: str) -> "FakeAws":
        return self

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        if self.refusal:
            raise self.refusal
        listed = [{"OutputKey": key, "OutputValue": text} for key, text in self.outputs.items()]
        return {"Stacks": [{"Outputs": listed}]}

    def invoke(self, **request: str) -> dict[str, Any]:
        self.invoked.append((request["FunctionName"], json.loads(request["Payload"])))
        return {"Payload": io.BytesIO(json.dumps(self.made).encode())} | self.answer


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    fake = FakeAws()
    monkeypatch.setattr(cli, "boto3", fake)
    return fake


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    def with_arguments(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["cli", *arguments])
        return cli.main()

    return with_arguments


def test_the_first_key_is_made_and_shown(
    deployed: FakeAws, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    status = run("bootstrap", "--stack", "hooks", "--name", "Shop")

    shown = capsys.readouterr().out
    assert status == 0
    assert deployed.invoked == [("hooks-configs", {"operation": "bootstrap", "name": "Shop"})]
    assert "https://api.example.com" in shown
    assert "fh_1" in shown
    assert "Keep the key now" in shown


def test_a_stack_of_another_kind_is_called_that(
    deployed: FakeAws, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    deployed.outputs = {}

    status = run("bootstrap", "--stack", "shop")

    assert status == 1
    assert "is it a Funnelhooks stack?" in capsys.readouterr().err


def test_a_function_that_fails_is_told(
    deployed: FakeAws, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    deployed.answer, deployed.made = {"FunctionError": "Unhandled"}, {"errorType": "InvalidError"}

    status = run("bootstrap", "--stack", "hooks")

    assert status == 1
    assert "hooks-configs failed" in capsys.readouterr().err


def test_a_refusal_of_aws_is_told_with_what_to_check(
    deployed: FakeAws, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    refusal: Any = {"Error": {"Code": "AccessDenied", "Message": "no"}}
    deployed.refusal = ClientError(refusal, "DescribeStacks")

    status = run("bootstrap", "--stack", "hooks")

    assert status == 1
    assert "Check the credentials and the region" in capsys.readouterr().err


def test_a_command_needs_its_stack(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run("bootstrap")

    assert "--stack" in capsys.readouterr().err
