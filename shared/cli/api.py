"""The HTTPS API as the commands ask it."""

from collections.abc import Iterator
from typing import Any

import requests

from shared.cli.errors import CommandError, UnreachableError

TIMEOUT_S = 30

Json = dict[str, Any]


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
        """The answer's JSON. Raises what a person can act on."""
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
        """The first `count` entries of a list."""
        cursor = None
        while count > 0:
            given = query | {"limit": min(count, 100), "cursor": cursor}
            page = self.get(path, **given)
            yield from page["data"]
            count, cursor = count - len(page["data"]), page["next_cursor"]
            if cursor is None:
                return


def _refusal(method: str, path: str, answer: requests.Response) -> str:
    """In the API's own words, with the id under which its log lines are found."""
    told = f"{method} {path} was answered {answer.status_code}: {_message(answer)}"
    request_id = answer.headers.get("apigw-requestid")
    return f"{told}\nIts lines in the log: correlation_id {request_id}" if request_id else told


def _message(answer: requests.Response) -> str:
    try:
        problem = answer.json()["error"]
        return f"{problem['message']} ({problem['code']})"
    except (ValueError, KeyError, TypeError):
        return answer.reason
