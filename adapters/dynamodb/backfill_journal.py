"""How much of an inventory is enqueued, beside the records in the manifest table."""

import time
from hashlib import sha256
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.aws.errors import translated
from adapters.dynamodb.attributes import PARTITION_KEY, number, text
from adapters.dynamodb.item_ids import BACKFILL_PREFIX
from adapters.dynamodb.item_table import ItemTable

_KEPT_SECONDS = 60 * 24 * 3600
"""Long enough to resume after a long weekend; later the table's time to live removes the item."""


class DynamoDbBackfillJournal:
    """BackfillJournal on DynamoDB: one small item for each data file."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._client = clients.dynamodb
        self._table = table
        self._items = ItemTable(clients, table)

    def read_rows_done(self, content_id: str, file_key: str) -> int:
        """See the port."""
        item = self._items.read_item(_id(content_id, file_key), subject=self._table)
        return int(item.get("rows_done", {}).get("N", "0"))

    def write_rows_done(self, content_id: str, file_key: str, rows: int) -> None:
        """See the port."""
        self._items.update_if(
            _id(content_id, file_key),
            subject=self._table,
            ConditionExpression="attribute_not_exists(rows_done) OR rows_done < :rows",
            **_rows_done(rows, file_key),
        )

    def forget_rows_done(self, content_id: str, file_key: str) -> None:
        """See the port; the item stays, so that no permission to delete is needed."""
        with translated("UpdateItem", self._table):
            key = {PARTITION_KEY: text(_id(content_id, file_key))}
            self._client.update_item(TableName=self._table, Key=key, **_rows_done(0, file_key))


def _id(content_id: str, file_key: str) -> str:
    return BACKFILL_PREFIX + sha256(f"{content_id}\0{file_key}".encode()).hexdigest()


def _rows_done(rows: int, file_key: str) -> dict[str, Any]:
    return {
        "UpdateExpression": "SET rows_done = :rows, file_key = :file, expires_at = :expires",
        "ExpressionAttributeValues": {
            ":rows": number(rows),
            ":file": text(file_key),
            ":expires": number(int(time.time()) + _KEPT_SECONDS),
        },
    }
