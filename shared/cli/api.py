"""The client of the HTTPS API, and the errors that end a command: a sentence and an exit code."""

from collections.abc import Iterator
from typing import Any

import click
import requests

TIMEOUT_S = 30

Json = dict[str, Any]


class CommandError(click.ClickException):
    """Exit code 1: the command cannot be carried out."""

    exit_code = 1


class UnreachableError(CommandError):
    """Exit code 3: the stack, the API or AWS does not answer."""

    exit_code = 3


class ApiClient:
    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {key}"

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, query=query)

    def post(self, path: str, body: Json | None = None) -> Any:
        return self.call("POST", path, body=body)

    def call(
        self, method: str, path: str, query: Json | None = None, body: Json | None = None
    ) -> Any:
        """The JSON of the answer. Raises UnreachableError and CommandError."""
        try:
            answer = self._session.request(
                method, self._url + path, params=query, json=body, timeout=TIMEOUT_S
            )
        except requests.RequestException as error:
            name = type(error).__name__
            raise UnreachableError(f"{self._url} does not answer: {name}") from None
        if not answer.ok:
            raise CommandError(_refusal(method, path, answer))
        return answer.json() if answer.content else {}

    def pages(self, path: str, count: int, **query: Any) -> Iterator[Json]:
        """The first `count` entries of a list, page by page."""
        cursor = None
        while count > 0:
            given = query | {"limit": min(count, 100), "cursor": cursor}
            page = self.get(path, **given)
            yield from page["data"]
            count, cursor = count - len(page["data"]), page["next_cursor"]
            if cursor is None:
                return


def _refusal(method: str, path: str, answer: requests.Response) -> str:
    """The error text of the API, and the id by which its log lines are found."""
    text = f"{method} {path} was answered {answer.status_code}: {_message(answer)}"
    request_id = answer.headers.get("apigw-requestid")
    return f"{text}\nIts lines in the log: correlation_id {request_id}" if request_id else text


def _message(answer: requests.Response) -> str:
    try:
        problem = answer.json()["error"]
        return f"{problem['message']} ({problem['code']})"
    except (ValueError, KeyError, TypeError):
        return answer.reason
