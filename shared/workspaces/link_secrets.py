"""The secret with which a workspace signs its action links: an attribute of its item.

So whoever reads the workspace to check a link has the secret by the same GetItem.
"""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from shared import ids
from shared.aws.items import Update, from_item, to_item
from shared.aws.table import Table, is_condition
from shared.errors import NotFoundError
from shared.tables import config_table

if TYPE_CHECKING:
    pass


class LinkSecretStore:
    def __init__(self, table: Table) -> None:
        self._dynamodb = table.client
        self._table = table.name

    def get(self, workspace_id: str) -> str:
        """The one that there is; of several callers at once, one makes it."""
        return self._write(workspace_id, Update().once({"link_secret": ids.new_link_secret()}))

    def replace(self, workspace_id: str) -> None:
        self._write(workspace_id, Update().set({"link_secret": ids.new_link_secret()}))

    def _write(self, workspace_id: str, update: Update) -> str:
        try:
            answer = self._dynamodb.update_item(
                TableName=self._table,
                Key=to_item(
                    {"pk": config_table.workspace(workspace_id), "sk": config_table.WORKSPACE_SK}
                ),
                ReturnValues="ALL_NEW",
                **update.when("attribute_exists(pk)", {}).request(),
            )
        except ClientError as error:
            if not is_condition(error):
                raise
            raise NotFoundError(f"No workspace {workspace_id} is known here.") from None
        return str(from_item(answer["Attributes"])["link_secret"])
