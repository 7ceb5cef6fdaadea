"""The lists of other systems' APIs: the webhook configs in them, and the claim of each config.

An entry is written and removed in the same transaction as its config.
"""

from collections.abc import Iterator
from typing import Any

from shared.aws.items import IS_NEW
from shared.aws.table import Query, Table
from shared.configs.models import WebhookConfig
from shared.tables import config_table

# A sort key holds 16 digits of a position.
MAX_POSITION = 10**16 - 1


class ClaimTakenError(Exception):
    """Another config of the list has the claim, which only one config may have."""


class ListingStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def ids(self, workspace_id: str, name: str) -> list[str]:
        """The ids of all configs in the list, by position."""
        key = {"pk": config_table.listing(workspace_id, name)}
        return [item["id"] for item in self._table.items(Query("pk = :pk", key, consistent=True))]

    def at(self, workspace_id: str, name: str, position: int) -> str | None:
        """The id of the config at the position; None if there is none."""
        query = Query(
            "pk = :pk AND begins_with(sk, :position)",
            {
                "pk": config_table.listing(workspace_id, name),
                "position": config_table.listing_sk(position),
            },
            consistent=True,
        )
        return next((item["id"] for item in self._table.query(query).items), None)

    def claimant(self, workspace_id: str, name: str, claim: str) -> str | None:
        """The id of the config that has the claim; None if no config has it."""
        found = self._table.get({"pk": config_table.claims(workspace_id, name), "sk": claim})
        return None if found is None else str(found["id"])


def adding(table: Table, config: WebhookConfig) -> Iterator[dict[str, Any]]:
    """Operations of a transaction. A claim comes first, so that its position tells a refusal."""
    return (table.putting(key | {"id": config.id}, IS_NEW) for key in _keys(config))


def removing(table: Table, config: WebhookConfig) -> Iterator[dict[str, Any]]:
    return (table.deleting(key) for key in _keys(config))


def _keys(config: WebhookConfig) -> list[dict[str, str]]:
    """The keys of its claim, if it has one, and of its entry; empty if it stands in no list."""
    if (listing := config.listing) is None:
        return []
    entry = {
        "pk": config_table.listing(config.workspace_id, listing.name),
        "sk": config_table.listing_sk(listing.position, config.id),
    }
    if listing.claim is None:
        return [entry]
    claims = config_table.claims(config.workspace_id, listing.name)
    return [{"pk": claims, "sk": listing.claim}, entry]
