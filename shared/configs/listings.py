"""The lists of other systems' APIs: which webhook configs stand in them, and what each may claim.

An entry is written and removed in the same transaction as its config.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from shared.aws.items import from_item, to_item
from shared.aws.table import Table
from shared.configs.models import WebhookConfig
from shared.tables import config_table

if TYPE_CHECKING:
    pass


# What a key has room for.
MAX_POSITION = 10**16 - 1


class IdTakenError(Exception):
    """Another config of the list has what only one may have."""


class ListingStore:
    def __init__(self, table: Table) -> None:
        self._dynamodb = table.client
        self._table = table.name

    def ids(self, workspace_id: str, name: str) -> list[str]:
        """Of all configs in the list, by position."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=to_item({":pk": config_table.listing(workspace_id, name)}),
            ConsistentRead=True,
        )
        return [from_item(item)["id"] for page in pages for item in page["Items"]]

    def at(self, workspace_id: str, name: str, position: int) -> str | None:
        """The id of the config at that position."""
        answer = self._dynamodb.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :position)",
            ExpressionAttributeValues=to_item(
                {
                    ":pk": config_table.listing(workspace_id, name),
                    ":position": config_table.listing_sk(position),
                }
            ),
            ConsistentRead=True,
        )
        return next((from_item(item)["id"] for item in answer["Items"]), None)

    def claimant(self, workspace_id: str, name: str, claim: str) -> str | None:
        """The id of the config that has the claim."""
        answer = self._dynamodb.get_item(
            TableName=self._table,
            Key=to_item({"pk": config_table.claims(workspace_id, name), "sk": claim}),
            ConsistentRead=True,
        )
        return str(from_item(answer["Item"])["id"]) if "Item" in answer else None


def entries(table: str, config: WebhookConfig) -> Iterator[Any]:
    """Parts of a transaction. The claim comes first, so that its place tells who refused."""
    for key in _places(config):
        item = to_item(key | {"id": config.id})
        yield {
            "Put": {
                "TableName": table,
                "Item": item,
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }


def removals(table: str, config: WebhookConfig) -> Iterator[Any]:
    for key in _places(config):
        yield {"Delete": {"TableName": table, "Key": to_item(key)}}


def _places(config: WebhookConfig) -> list[dict[str, str]]:
    if (listing := config.listing) is None:
        return []
    entry = {
        "pk": config_table.listing(config.workspace_id, listing.name),
        "sk": config_table.listing_sk(listing.position, config.id),
    }
    if listing.claim is None:
        return [entry]
    return [
        {"pk": config_table.claims(config.workspace_id, listing.name), "sk": listing.claim},
        entry,
    ]
