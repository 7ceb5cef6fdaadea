"""The standalone program on this machine, asked over the socket in its data folder."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shared.aws.items import from_item, to_item
from shared.cli.api import CommandError, Json, UnreachableError
from shared.cli.sqs import reason
from shared.cli.target import (
    QUEUES,
    SHOWN,
    CommandTarget,
    FunctionTrouble,
    QueueState,
    ShownLetters,
)
from shared.standalone import admin

START = "The standalone program is not running. Start it: make serve"


class StandaloneTarget(CommandTarget):
    def __init__(self, state: Path, api_key: str | None, workspace_id: str | None) -> None:
        """The program that has left standalone.json in the folder. Raises UnreachableError."""
        try:
            known = json.loads((state / "standalone.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UnreachableError(START) from None
        key, workspace = api_key or known["api_key"], workspace_id or known["workspace_id"]
        super().__init__("the standalone program", key, workspace)
        self._api_url: str = known["api_url"]
        self._data = Path(known["data"])

    @property
    def api_url(self) -> str:
        return self._api_url

    def invoke(self, function: str, command: Json) -> Json:
        return dict(self._call("invoke", function=function, event=command))

    def queues(self) -> dict[str, QueueState]:
        return {found.pop("queue"): QueueState(**found) for found in self._call("queues")}

    def functions(self) -> list[FunctionTrouble]:
        """Nothing throttles a function here."""
        return [
            FunctionTrouble(throttles_last_hour=None, **found) for found in self._call("functions")
        ]

    def config_items(self, keys: Iterable[dict[str, str]]) -> list[Json]:
        wanted = [to_item(key) for key in keys]
        return [from_item(item) for item in self._call("items", table="ConfigTable", keys=wanted)]

    def dead_letters(self, queue: str) -> ShownLetters:
        letters = f"{QUEUES[queue]}DeadLetters"
        first = [
            reason(found["message_id"], found["receives"], found["attributes"])
            for found in self._call("letters", queue=letters, count=SHOWN)
        ]
        return ShownLetters(self.queues()[letters].waiting or 0, first)

    def send_back(self, queue: str) -> int:
        name = QUEUES[queue]
        return int(self._call("send-back", queue=f"{name}DeadLetters", to=f"{name}Queue"))

    def delete_dead_letters(self, queue: str) -> None:
        self._call("delete", queue=f"{QUEUES[queue]}DeadLetters")

    def _call(self, name: str, **given: Any) -> Any:
        try:
            return admin.call(self._data, name, **given)
        except admin.FunctionFailedError as error:
            raise CommandError(f"The program refused: {error}") from None
        except PermissionError:
            raise UnreachableError(
                f"{self._data} is another user's: only the user who runs the program may ask it."
            ) from None
        except OSError:
            raise UnreachableError(START) from None
