"""What a command works on, wherever it runs: its API, its functions, its queues."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from shared.cli.api import ApiClient, CommandError, Json

# The queues with dead letters, and what the template calls them.
QUEUES = {
    "intake": "Intake",
    "imports": "Import",
    "fanout": "Fanout",
    "dispatch": "Dispatch",
    "retry": "Retry",
}
# Dead letters that a command shows.
SHOWN = 10


class QueueState(NamedTuple):
    """Numbers of messages, and the age of the oldest one; None is not known."""

    waiting: int | None = None
    in_flight: int | None = None
    delayed: int | None = None
    oldest_s: int | None = None


class FunctionTrouble(NamedTuple):
    function: str
    errors_last_hour: int | None
    throttles_last_hour: int | None


class ShownLetters(NamedTuple):
    """`first` are the reasons of the first ones, without the bodies, which may be personal."""

    number: int
    first: list[Json]


class CommandTarget(ABC):
    """`api_key` and `workspace_id` are needed by some commands only."""

    def __init__(self, name: str, api_key: str | None, workspace_id: str | None) -> None:
        self.name = name
        self.workspace_id = workspace_id
        self._api_key = api_key

    @property
    @abstractmethod
    def api_url(self) -> str: ...

    @abstractmethod
    def invoke(self, function: str, command: Json) -> Json:
        """Raises CommandError if the function raises an error."""

    @abstractmethod
    def queues(self) -> dict[str, QueueState]:
        """By the names of the template, such as IntakeQueue."""

    @abstractmethod
    def functions(self) -> list[FunctionTrouble]: ...

    @abstractmethod
    def config_items(self, keys: Iterable[dict[str, str]]) -> list[Json]:
        """The items of the config table with these keys that are there."""

    @abstractmethod
    def dead_letters(self, queue: str) -> ShownLetters:
        """`queue` is one of QUEUES."""

    @abstractmethod
    def send_back(self, queue: str) -> int:
        """Move the dead letters of a queue into it. Returns how many were moved."""

    @abstractmethod
    def delete_dead_letters(self, queue: str) -> None: ...

    @property
    def has_key(self) -> bool:
        return self._api_key is not None

    @cached_property
    def api(self) -> ApiClient:
        if self._api_key is None:
            raise CommandError(
                "This command calls the API. Put a key of the workspace into FUNNELHOOKS_API_KEY."
            )
        return ApiClient(self.api_url, self._api_key)
