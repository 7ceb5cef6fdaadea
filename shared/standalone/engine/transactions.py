"""TransactWriteItems: all or none, and the same request with the same token only once."""

from collections.abc import Callable

from shared.standalone.engine import conditions
from shared.standalone.engine.database import OLD, Database
from shared.standalone.engine.errors import client_error
from shared.standalone.engine.tables import Key
from shared.standalone.engine.template import Json
from shared.standalone.engine.values import UnsupportedError

MAX_ITEMS = 100
# A token makes a transaction the same one for ten minutes.
TOKEN_MS = 10 * 60 * 1000

_MADE: Json = {"Code": "None"}
Action = tuple[str, Json]


class Transactions:
    """`token_ms` is 0 where no answer is lost between the engine and its caller."""

    def __init__(
        self, database: Database, now: Callable[[], int], token_ms: int = TOKEN_MS
    ) -> None:
        self._database = database
        self._now = now
        self._token_ms = token_ms
        self._known: dict[str, tuple[int, list[Json]]] = {}
        self._writes: dict[str, Callable[..., Json]] = {
            "Put": database.put_item,
            "Update": database.update_item,
            "Delete": database.delete_item,
            "ConditionCheck": lambda **_: {},
        }

    def transact_write_items(
        self, *, TransactItems: list[Json], ClientRequestToken: str | None = None
    ) -> Json:
        if ClientRequestToken is None or not self._token_ms:
            self._write([next(iter(item.items())) for item in TransactItems])
            return {}
        now = self._now()
        self._forget(now)
        known = self._known.get(ClientRequestToken)
        if known is not None:
            if known[1] != TransactItems:
                raise client_error("TransactWriteItems", "IdempotentParameterMismatchException")
            return {}
        self._write([next(iter(item.items())) for item in TransactItems])
        self._known[ClientRequestToken] = (now, TransactItems)
        return {}

    def _forget(self, now: int) -> None:
        """The tokens are in the order of their time."""
        while self._known:
            token, (used_at, _) = next(iter(self._known.items()))
            if now - used_at < self._token_ms:
                return
            del self._known[token]

    def _write(self, actions: list[Action]) -> None:
        if len(actions) > MAX_ITEMS or len(set(map(self._target, actions))) < len(actions):
            raise client_error("TransactWriteItems", "ValidationException")
        reasons = [self._reason(action) for action in actions]
        if any(reason is not _MADE for reason in reasons):
            more = {"CancellationReasons": reasons}
            raise client_error("TransactWriteItems", "TransactionCanceledException", more=more)
        for kind, request in actions:
            self._writes[kind](**request)

    def _target(self, action: Action) -> tuple[str, Key]:
        kind, request = action
        table = self._database.tables[request["TableName"]]
        return table.name, table.key_of(request["Item" if kind == "Put" else "Key"])

    def _reason(self, action: Action) -> Json:
        kind, request = action
        if kind not in self._writes:
            raise UnsupportedError(f"TransactWriteItems with {kind}")
        table = self._database.tables[request["TableName"]]
        old = table.get(request["Item" if kind == "Put" else "Key"])
        text, names = request.get("ConditionExpression"), request.get("ExpressionAttributeNames")
        values = request.get("ExpressionAttributeValues", {})
        if text is None or conditions.compiled(text, names or {}).holds(old or {}, values):
            return _MADE
        shown = {"Item": old} if request.get(OLD) == "ALL_OLD" and old is not None else {}
        return {"Code": "ConditionalCheckFailed", "Message": "The condition failed"} | shown
