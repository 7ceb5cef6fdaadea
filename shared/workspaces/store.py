"""Workspaces and their API keys in ConfigTable.

All that is known of a key lies under the hash of its secret, so one GetItem authenticates. A small
pointer in the workspace's partition makes the key listable; both are written in one transaction.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from shared import ids, jobs
from shared.aws.items import EXISTS, IS_NEW, Update, as_model
from shared.aws.table import ItemBusyError, Query, Refused, Table
from shared.clock import MS_PER_MINUTE, MS_PER_S, Clock, now_ms
from shared.errors import ConflictError, NotFoundError
from shared.tables import config_table
from shared.tables.config_table import workspace_key
from shared.workspaces.models import ApiKey, Workspace

# The use of a key is recorded at most this often.
USE_EVERY_MS = MS_PER_MINUTE
# The counter of a minute is kept this long after it, until the table's TTL removes it.
_KEEP_MINUTES = 5

_SETTINGS = {"name", "slug", "limits", "redirect_hosts", "retention_days", "content_days"}
_UNUSED = (
    "attribute_exists(pk) AND (attribute_not_exists(last_used_at) OR last_used_at <= :when_before)"
)


class WorkspaceStore:
    def __init__(self, table: Table, clock: Clock = now_ms) -> None:
        self._table = table
        self._clock = clock

    def add(self, workspace: Workspace) -> None:
        item = workspace.model_dump() | workspace_key(workspace.workspace_id)
        self._add([self._table.putting(item, IS_NEW), *self._content_expiry(workspace)])

    def get(self, workspace_id: str) -> Workspace:
        """Raises NotFoundError."""
        found = self._table.get(workspace_key(workspace_id))
        if found is None:
            raise _unknown(f"workspace {workspace_id}")
        return as_model(Workspace, found)

    def replace(self, old: Workspace, new: Workspace) -> Workspace:
        """The workspace with the settings of `new`.

        Raises ConflictError if `old` is no longer what is stored; NotFoundError if nothing is.
        """
        update = _changing(new.model_dump(include=_SETTINGS), old.version)
        change = self._table.updating(workspace_key(old.workspace_id), update)
        if self._table.transact([change, *self._content_expiry(new)]):
            raise _changed(f"workspace {self.get(old.workspace_id).workspace_id}")
        return self.get(old.workspace_id)

    def link_secret(self, workspace_id: str) -> str:
        """The secret that signs the workspace's action links; it is made at first use.

        Of several callers at once, all get the same secret. Raises NotFoundError.
        """
        return self._link_secret(
            workspace_id, Update().once({"link_secret": ids.new_link_secret()})
        )

    def replace_link_secret(self, workspace_id: str) -> None:
        """Revoke every action link of the workspace. Raises NotFoundError."""
        self._link_secret(workspace_id, Update().set({"link_secret": ids.new_link_secret()}))

    def add_key(self, key: ApiKey, secret: str) -> None:
        pointer = _pointer_key(key.workspace_id, key.id) | {"key_sha256": ids.sha256_hex(secret)}
        item = _key_values(key) | _key_of(secret)
        self._add([self._table.putting(item, IS_NEW), self._table.putting(pointer, IS_NEW)])

    def find_key(self, secret: str) -> ApiKey | None:
        """The key with the secret; None if there is none."""
        found = self._table.get(_key_of(secret))
        return None if found is None else as_model(ApiKey, found)

    def list_keys(self, workspace_id: str) -> list[ApiKey]:
        """The keys of a workspace, oldest first."""
        pointers = Query(
            "pk = :pk AND begins_with(sk, :prefix)",
            {"pk": config_table.workspace(workspace_id), "prefix": config_table.API_KEY_PREFIX},
            columns=("key_sha256",),
            consistent=True,
        )
        keys = [_hashed(item["key_sha256"]) for item in self._table.items(pointers)]
        found = map(partial(as_model, ApiKey), self._table.get_many(keys))
        return sorted(found, key=lambda key: (key.created_at, key.id))

    def get_key(self, workspace_id: str, key_id: str) -> ApiKey:
        """Raises NotFoundError."""
        found = self._table.get(self._locate(workspace_id, key_id))
        if found is None:
            raise _unknown(f"API key {key_id}")
        return as_model(ApiKey, found)

    def replace_key(self, old: ApiKey, new: ApiKey) -> None:
        """Raises ConflictError if `old` is no longer stored; NotFoundError if no key is."""
        changes = _key_values(new, {"name", "scopes", "key_expires_at", "active"})
        key, name = self._locate(old.workspace_id, old.id), f"API key {old.id}"
        try:
            refused = self._table.apply(key, _changing(changes, old.version))
        except ItemBusyError:
            raise _changed(name) from None
        if refused is not None:
            raise _unknown(name) if refused.item is None else _changed(name)

    def delete_key(self, workspace_id: str, key_id: str) -> None:
        """Raises NotFoundError."""
        gone = self._locate(workspace_id, key_id), _pointer_key(workspace_id, key_id)
        if self._table.transact([self._table.deleting(key, EXISTS) for key in gone]):
            raise _unknown(f"API key {key_id}")

    def touch(self, secret: str, now: int) -> bool:
        """Record a use at `now`.

        False if another use was recorded less than a minute before, or if the key is just being
        changed.
        """
        update = Update().set({"last_used_at": now}).when(_UNUSED, {"before": now - USE_EVERY_MS})
        try:
            return self._table.apply(_key_of(secret), update) is None
        except ItemBusyError:
            return False

    def count_call(self, key_id: str, minute: int) -> int:
        """The number of management calls of the key in the minute, including this call."""
        expires_at = (minute + _KEEP_MINUTES) * MS_PER_MINUTE // MS_PER_S
        update = Update().set({"expires_at": expires_at}).add("calls", 1)
        key = {"pk": config_table.rate(key_id), "sk": str(minute)}
        item: Any = self._table.update(key, update)  # Without a condition nothing refuses it.
        return int(item["calls"])

    def _add(self, operations: Sequence[Mapping[str, Any]]) -> None:
        if self._table.transact(operations):
            raise ConflictError("The new id is taken. Repeat the request.")

    def _content_expiry(self, workspace: Workspace) -> Iterator[dict[str, Any]]:
        """The job that expires contents, if the workspace keeps them shorter than records."""
        if workspace.content_days is not None:
            job = jobs.content_expiry(workspace.workspace_id, self._clock())
            yield jobs.going_on(self._table, job)

    def _link_secret(self, workspace_id: str, update: Update) -> str:
        update.when(*EXISTS)
        written = self._table.update(workspace_key(workspace_id), update)
        if isinstance(written, Refused):
            raise _unknown(f"workspace {workspace_id}")
        return str(written["link_secret"])

    def _locate(self, workspace_id: str, key_id: str) -> dict[str, str]:
        pointer = self._table.get(_pointer_key(workspace_id, key_id))
        if pointer is None:
            raise _unknown(f"API key {key_id}")
        return _hashed(pointer["key_sha256"])


def _changing(changes: Mapping[str, Any], version: int) -> Update:
    update = Update().set({**changes, "version": version + 1})
    return update.when("version = :when_version", {"version": version})


def _pointer_key(workspace_id: str, key_id: str) -> dict[str, str]:
    return {"pk": config_table.workspace(workspace_id), "sk": config_table.api_key_sk(key_id)}


def _key_of(secret: str) -> dict[str, str]:
    return _hashed(ids.sha256_hex(secret))


def _hashed(secret_sha256: str) -> dict[str, str]:
    return {"pk": config_table.api_key(secret_sha256), "sk": config_table.API_KEY_SK}


def _key_values(key: ApiKey, names: set[str] | None = None) -> dict[str, Any]:
    values = key.model_dump(include=names)
    return values | {"scopes": sorted(key.scopes)}


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(f"No {name} is known here.")


def _changed(name: str) -> ConflictError:
    return ConflictError(
        f"The {name} was changed by somebody else meanwhile. Read it and try again."
    )
