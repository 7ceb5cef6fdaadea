"""The stack of a command: its AWS clients, its outputs and its API."""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3

from shared.cli.api import ApiClient, CommandError, UnreachableError

RESOURCES = {"queues": "AWS::SQS::Queue", "functions": "AWS::Lambda::Function"}


class StackTarget:
    """`api_url`, `api_key` and `workspace_id` are needed by some commands only."""

    def __init__(
        self,
        stack: str,
        aws: dict[str, str],
        api_url: str | None = None,
        api_key: str | None = None,
        workspace_id: str | None = None,
    ) -> None:
        self.stack = stack
        self.workspace_id = workspace_id
        self._aws = aws
        self._api_url = api_url
        self._api_key = api_key

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

    def client(self, service: str) -> Any:
        factory: Any = boto3.client
        return factory(service, **self._aws)

    @cached_property
    def outputs(self) -> dict[str, str]:
        stacks = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"]
        return {entry["OutputKey"]: entry["OutputValue"] for entry in stacks[0]["Outputs"]}

    def output(self, key: str) -> str:
        if key not in self.outputs:
            raise CommandError(
                f"The stack {self.stack} has no output {key}: is it a Funnelhooks stack?"
            )
        return self.outputs[key]

    def resources(self, kind: str) -> dict[str, str]:
        """Physical ids by logical id; the physical id of a queue is its URL."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        return {
            found["LogicalResourceId"]: found["PhysicalResourceId"]
            for page in pages.paginate(StackName=self.stack)
            for found in page["StackResourceSummaries"]
            if found["ResourceType"] == RESOURCES[kind]
        }

    @property
    def has_key(self) -> bool:
        return self._api_key is not None

    @cached_property
    def api(self) -> ApiClient:
        if self._api_key is None:
            raise CommandError(
                "This command calls the API. Put a key of the workspace into FUNNELHOOKS_API_KEY."
            )
        return ApiClient(self._api_url or self.output("ApiUrl"), self._api_key)
