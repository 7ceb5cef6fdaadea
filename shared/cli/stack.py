"""A stack of CloudFormation: on AWS, or the local stack, which answers as AWS does."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import boto3

from shared.aws.table import Table
from shared.cli import sqs
from shared.cli.api import CommandError, Json, UnreachableError
from shared.cli.target import QUEUES, CommandTarget, FunctionTrouble, QueueState, ShownLetters

RESOURCES = {"queues": "AWS::SQS::Queue", "functions": "AWS::Lambda::Function"}
HOUR_S = 3600
AGE_S = 300


class Ask(NamedTuple):
    """A metric of CloudWatch over the last `period_s` seconds."""

    metric: str
    namespace: str
    dimension: str
    stat: str
    period_s: int


AGE = Ask("ApproximateAgeOfOldestMessage", "AWS/SQS", "QueueName", "Maximum", AGE_S)
ERRORS = Ask("Errors", "AWS/Lambda", "FunctionName", "Sum", HOUR_S)
THROTTLES = Ask("Throttles", "AWS/Lambda", "FunctionName", "Sum", HOUR_S)


class StackTarget(CommandTarget):
    """`api_url` is one of the stack's outputs, unless it is given."""

    def __init__(
        self,
        stack: str,
        aws: dict[str, str],
        api_url: str | None = None,
        api_key: str | None = None,
        workspace_id: str | None = None,
    ) -> None:
        super().__init__(stack, api_key, workspace_id)
        self._aws = aws
        self._api_url = api_url

    @classmethod
    def local(cls, state: Path, api_key: str | None, workspace_id: str | None) -> "StackTarget":
        """The stack that `make up` described in stack.json. Raises UnreachableError."""
        try:
            known = json.loads((state / "stack.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UnreachableError("The local stack is not running. Start it: make up") from None
        credentials = known["credentials"]
        aws = {
            "endpoint_url": known["endpoint_url"],
            "region_name": known["region"],
            "aws_access_key_id": credentials["access_key_id"],
            "aws_secret_access_key": credentials["secret_access_key"],
        }
        key, workspace = api_key or known["api_key"], workspace_id or known["workspace_id"]
        return cls(known["stack_name"], aws, known["api_url"], key, workspace)

    @property
    def api_url(self) -> str:
        return self._api_url or self._output("ApiUrl")

    def invoke(self, function: str, command: Json) -> Json:
        name = self._output(f"{function.capitalize()}FunctionName")
        answer = self._client("lambda").invoke(FunctionName=name, Payload=json.dumps(command))
        result: Json = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise CommandError(f"{name} refused: {result.get('errorMessage', result)}")
        return result

    def queues(self) -> dict[str, QueueState]:
        known = {name: sqs.attributes(self._sqs, url) for name, url in self._queue_urls.items()}
        ages = self._figures(AGE, [_last(url) for url in self._queue_urls.values()])
        return {
            name: QueueState(
                _number(found, ""),
                _number(found, "NotVisible"),
                _number(found, "Delayed"),
                ages[_last(self._queue_urls[name])],
            )
            for name, found in known.items()
        }

    def functions(self) -> list[FunctionTrouble]:
        names = sorted(self._resources("functions").values())
        errors, throttles = self._figures(ERRORS, names), self._figures(THROTTLES, names)
        return [FunctionTrouble(name, errors[name], throttles[name]) for name in names]

    def config_items(self, keys: Iterable[dict[str, str]]) -> list[Json]:
        table = Table(self._client("dynamodb"), self._output("ConfigTableName"))
        return list(table.get_many(keys))

    def dead_letters(self, queue: str) -> ShownLetters:
        letters = self._letters(queue)
        count = sqs.depth(self._sqs, letters)
        return ShownLetters(count, sqs.peek(self._sqs, letters) if count else [])

    def send_back(self, queue: str) -> int:
        return sqs.move(self._sqs, self._letters(queue), self._queue_urls[f"{QUEUES[queue]}Queue"])

    def delete_dead_letters(self, queue: str) -> None:
        self._sqs.purge_queue(QueueUrl=self._letters(queue))

    @cached_property
    def _outputs(self) -> dict[str, str]:
        stacks = self._client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return {entry["OutputKey"]: entry["OutputValue"] for entry in stacks[0]["Outputs"]}

    def _output(self, key: str) -> str:
        if key not in self._outputs:
            raise CommandError(
                f"The stack {self.name} has no output {key}: is it a Funnelhooks stack?"
            )
        return self._outputs[key]

    def _resources(self, kind: str) -> dict[str, str]:
        """Physical ids by logical id; the physical id of a queue is its URL."""
        pages = self._client("cloudformation").get_paginator("list_stack_resources")
        return {
            found["LogicalResourceId"]: found["PhysicalResourceId"]
            for page in pages.paginate(StackName=self.name)
            for found in page["StackResourceSummaries"]
            if found["ResourceType"] == RESOURCES[kind]
        }

    @cached_property
    def _queue_urls(self) -> dict[str, str]:
        return self._resources("queues")

    def _letters(self, queue: str) -> str:
        return self._queue_urls[f"{QUEUES[queue]}DeadLetters"]

    @cached_property
    def _sqs(self) -> Any:
        return self._client("sqs")

    def _client(self, service: str) -> Any:
        factory: Any = boto3.client
        return factory(service, **self._aws)

    def _figures(self, ask: Ask, names: list[str]) -> dict[str, int | None]:
        """None if CloudWatch has no data, as for a stack without traffic."""
        end = datetime.now(UTC)
        answer = self._client("cloudwatch").get_metric_data(
            MetricDataQueries=[
                _query(f"m{number}", ask, name) for number, name in enumerate(names)
            ],
            StartTime=end - timedelta(seconds=ask.period_s),
            EndTime=end,
        )
        values = {result["Id"]: result["Values"] for result in answer["MetricDataResults"]}
        found = {name: values.get(f"m{number}") for number, name in enumerate(names)}
        return {name: int(some[0]) if some else None for name, some in found.items()}


def _query(query_id: str, ask: Ask, name: str) -> dict[str, Any]:
    metric = {
        "Namespace": ask.namespace,
        "MetricName": ask.metric,
        "Dimensions": [{"Name": ask.dimension, "Value": name}],
    }
    stat = {"Metric": metric, "Period": ask.period_s, "Stat": ask.stat}
    return {"Id": query_id, "MetricStat": stat}


def _number(found: dict[str, str], kind: str) -> int | None:
    value = found.get(f"ApproximateNumberOfMessages{kind}")
    return None if value is None else int(value)


def _last(url: str) -> str:
    return url.rpartition("/")[2]
