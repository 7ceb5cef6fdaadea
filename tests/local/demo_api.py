"""The HTTPS API as the demo uses it: an answer that is no success ends the demo."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from pydantic import BaseModel, ConfigDict

from tests.local.errors import LocalStackError
from tests.local.stack import Stack
from tests.local.standalone import Standalone

TIMEOUT_S = 30


class DemoError(LocalStackError):
    """The demo cannot go on."""


@dataclass(frozen=True)
class Answer:
    """`at` is when it came, by `time.monotonic`."""

    request: str
    status: int
    values: Any
    at: float
    took_ms: int


class Shown(BaseModel):
    """The part of what the API shows that the demo reads."""

    model_config = ConfigDict(frozen=True)


class Attempt(Shown):
    number: int
    status_code: int | None
    cause: str | None
    detail: str | None

    def __str__(self) -> str:
        return f"attempt {self.number} failed: {self.cause}, {self.detail or self.status_code}"


class Delivery(Shown):
    request_id: str
    event_id: str
    state: str
    attempt: int
    next_attempt_at: str | None
    attempts: tuple[Attempt, ...] = ()


class Api:
    def __init__(self, stack: Stack | Standalone) -> None:
        self._url = stack.api_url
        self._bearer = {"Authorization": f"Bearer {stack.api_key}"}
        self._funnelytics = {"X-PROJECT-ID": stack.workspace_id, "X-API-KEY": stack.api_key}
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy has no way to this loopback

    def save_config(self, config: Mapping[str, Any]) -> Answer:
        return self._call("POST", "/v1/webhookconfig/save", body=json.dumps(config).encode())

    def active_config_ids(self) -> list[str]:
        answer = self._call("GET", "/v1/webhookconfig/list", query={"status": "active"})
        return [config["idWebhookConfig"] for config in answer.values]

    def delete_config(self, config_id: str) -> None:
        self._call("DELETE", "/v1/webhookconfig/delete", query={"idWebhookConfig": config_id})

    def send_event(self, event_id: str, body: bytes) -> Answer:
        return self._call("POST", "/v1/events", body=body, headers={"Idempotency-Key": event_id})

    def send_action(self, name: str, payload: Mapping[str, Any]) -> Answer:
        """To Funnelytics' address, with its headers in place of the bearer's."""
        path, body = f"/api/v1/webhook/{name}", json.dumps(payload).encode()
        return self._call("POST", path, body=body, credentials=self._funnelytics)

    def make_link(self, action: Mapping[str, Any]) -> str:
        """What `flux_link` is in the address of a new signed link."""
        answer = self._call("POST", "/v1/actions/links", body=json.dumps(action).encode())
        (link,) = parse_qs(urlsplit(answer.values["url"]).query)["flux_link"]
        return str(link)

    def deliveries(self, config_id: str) -> list[Delivery]:
        answer = self._call("GET", "/v1/deliveries", query={"config_id": config_id})
        return [Delivery.model_validate(delivery) for delivery in answer.values["data"]]

    def delivery(self, request_id: str) -> Delivery:
        answer = self._call("GET", f"/v1/deliveries/{request_id}")
        return Delivery.model_validate(answer.values)

    def _call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        credentials: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = {"Content-Type": "application/json"} | dict(credentials or self._bearer)
        started = time.monotonic()
        try:
            answer = self._session.request(
                method,
                self._url + path,
                data=body,
                params=query,
                headers=sent | dict(headers or {}),
                timeout=TIMEOUT_S,
            )
        except requests.RequestException as error:
            raise _silent(f"{method} {self._url}{path}", error) from None
        if not answer.ok:
            raise DemoError(f"{method} {path} was answered {answer.status_code}: {answer.text}")
        values, at = answer.json() if answer.content else None, time.monotonic()
        took_ms = round((at - started) * 1000)
        return Answer(f"{method} {path}", answer.status_code, values, at, took_ms)


def _silent(request: str, error: requests.RequestException) -> DemoError:
    return DemoError(
        f"{request} got no answer ({type(error).__name__}). To mend the local stack: make up"
    )
