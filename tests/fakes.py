"""Stand-ins for what a test cannot have: time that waits, a Lambda context, stores in memory."""

from collections.abc import Iterable
from typing import Any

from shared.errors import NotFoundError
from shared.workspaces.models import ApiKey, Limits, Workspace

NOW = 1_777_485_855_000  # 2026-04-29T18:04:15Z


class FakeClock:
    """Stands still until it is told how far to go."""

    def __init__(self, now_ms: int = NOW) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms

    def advance(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)


class FakeContext:
    """What Lambda hands to a handler, as far as anybody looks at it."""

    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:function"
    aws_request_id = "52fdfc07-2182-454f-963f-5f0f9a621d72"

    def __init__(self, remaining_ms: int = 30_000) -> None:
        self.remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


class FakeKeyStore:
    """API keys by their secret; counts how often it is asked, notes uses, counts calls."""

    def __init__(self, keys: dict[str, ApiKey], limits: Limits | None = None) -> None:
        self.keys = keys
        self.limits = limits or Limits()
        self.reads = 0
        self.uses: list[int] = []
        self.calls: dict[tuple[str, int], int] = {}
        self.fault: Exception | None = None

    def find_key(self, secret: str) -> ApiKey | None:
        self.reads += 1
        return self.keys.get(secret)

    def get(self, workspace_id: str) -> Workspace:
        if workspace_id == "gone":
            raise NotFoundError("No such workspace.")
        return Workspace(workspace_id=workspace_id, name="Acme", limits=self.limits, created_at=NOW)

    def touch(self, secret: str, now: int) -> bool:
        self.uses.append(now)
        if self.fault is not None:
            raise self.fault
        self.keys[secret] = self.keys[secret].model_copy(update={"last_used_at": now})
        return True

    def count_call(self, key_id: str, minute: int) -> int:
        self.calls[key_id, minute] = self.calls.get((key_id, minute), 0) + 1
        return self.calls[key_id, minute]


class FakeSqs:
    """Takes batches of messages, except those whose number is to be refused."""

    def __init__(self, refuse: Iterable[str] = ()) -> None:
        self.batches: list[list[dict[str, Any]]] = []
        self._refuse = set(refuse)

    def send_message_batch(self, **request: Any) -> dict[str, Any]:
        entries = request["Entries"]
        self.batches.append(entries)
        refused = [{"Id": entry["Id"]} for entry in entries if entry["Id"] in self._refuse]
        return {"Successful": [], "Failed": refused} if refused else {"Successful": []}


class FakeDynamoDb:
    """Leaves all but one of the keys of a batch unread, for so many rounds."""

    def __init__(self, items: dict[str, list[dict[str, Any]]], lazy_rounds: int) -> None:
        self.calls = 0
        self._items = items
        self._lazy_rounds = lazy_rounds

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        self.calls += 1
        answered: dict[str, list[dict[str, Any]]] = {}
        left: dict[str, Any] = {}
        for table, wanted in request["RequestItems"].items():
            now = wanted["Keys"][:1] if self.calls <= self._lazy_rounds else wanted["Keys"]
            later = wanted["Keys"][len(now) :]
            answered[table] = [
                item for key in now for item in self._items[table] if key.items() <= item.items()
            ]
            if later:
                left[table] = wanted | {"Keys": later}
        return {"Responses": answered, "UnprocessedKeys": left}
