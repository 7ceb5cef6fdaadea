"""A client of the deployed stack: a workspace of its own, driven over HTTP."""

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import requests

from tests.local.stack import Stack
from tests.local.standalone import Standalone

# A busy machine may take long; a broken stack takes for ever.
PATIENCE_S = 300
BUSY = frozenset({502, 503, 504})
ROUNDS = 10


class Client:
    def __init__(self, stack: Stack | Standalone, **settings: Any) -> None:
        """`settings` are those of the workspace and its key, such as `scopes` and `limits`."""
        made = _bootstrap(stack, settings)
        self.api_url = stack.api_url
        self.workspace_id: str = made["workspace_id"]
        self.api_key: str = made["api_key"]
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {self.api_key}"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """The answer; a server that says that it is busy is asked again, as clients should."""
        options.setdefault("timeout", PATIENCE_S)
        for _ in range(ROUNDS):
            answer = self._session.request(method, self.api_url + path, **options)
            if answer.status_code not in BUSY:
                return answer
            time.sleep(1)
        return answer

    def make_config(self, url: str, **fields: Any) -> "Config":
        config_id = fields.pop("idWebhookConfig", uuid.uuid4().hex)
        body = {"idWebhookConfig": config_id, "webhookConfigName": "Test", "url": url} | fields
        answer = self.call("POST", "/v1/webhookconfig/save", json=body)
        assert answer.status_code == 201, answer.text
        return Config(config_id, answer.json()["secret"])

    def send(self, **fields: Any) -> str:
        answer = self.call("POST", "/v1/events", json={"event_type": "node_execution"} | fields)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["event_id"])

    def deliveries(self, event_id: str) -> list[dict[str, Any]]:
        answer = self.call("GET", f"/v1/events/{event_id}")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["deliveries"])

    def wait_for(
        self, event_id: str, state: str, count: int = 1, timeout_s: float = PATIENCE_S
    ) -> list[dict[str, Any]]:
        """The deliveries of the event, once `count` of them are in `state`."""
        found: list[dict[str, Any]] = []

        def are_there() -> bool:
            nonlocal found
            found = [d for d in self.deliveries(event_id) if d["state"] == state]
            return len(found) >= count

        until(are_there, f"{count} deliveries of {event_id} are {state}", timeout_s)
        return found


class Config:
    def __init__(self, config_id: str, secret: str) -> None:
        self.id = config_id
        self.secret = secret


def until(is_so: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.1)


def _bootstrap(stack: Stack | Standalone, settings: dict[str, Any]) -> dict[str, str]:
    command = {"operation": "bootstrap", "name": "Test"} | settings
    answer = stack.client("lambda").invoke(
        FunctionName=stack.outputs["ConfigsFunctionName"], Payload=json.dumps(command)
    )
    assert "FunctionError" not in answer
    made: dict[str, str] = json.loads(answer["Payload"].read())
    return made
