"""How much of an inventory is enqueued, beside the records in the manifest table."""

import time
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.dynamodb.attributes import PARTITION_KEY, Item, number, text
from adapters.dynamodb.item_ids import BACKFILL_PREFIX
from adapters.dynamodb.item_table import ItemTable
from domain.planning.total import FileProgress

_KEPT_SECONDS = 60 * 24 * 3600
"""Long enough to resume after a long weekend; later the table's time to live removes the item."""


class DynamoDbBackfillJournal:
    """BackfillJournal on DynamoDB: one small item for each data file."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._table = table
        self._items = ItemTable(clients, table)

    def read_progress(self, files: Sequence[tuple[str, str]]) -> list[FileProgress]:
        """See the port."""
        ids = [_id(*file) for file in files]
        items = {item[PARTITION_KEY]["S"]: item for item in self._items.read_items(list(dict.fromkeys(ids)))}
        return [_progress(items.get(item_id, {})) for item_id in ids]

    def write_progress(self, content_id: str, file_key: str, progress: FileProgress) -> None:
        """See the port; the last row is stored twice, the second time with the word that no more follow."""
        ahead = "<=" if progress.is_read else "<"
        self._items.update_if(
            _id(content_id, file_key),
            subject=self._table,
            ConditionExpression=f"attribute_not_exists(rows_done) OR rows_done {ahead} :rows_done",
            **_update(progress, file_key),
        )

    def forget_progress(self, content_id: str, file_key: str) -> None:
        """See the port; the item stays, so that no permission to delete is needed."""
        self._items.update_if(_id(content_id, file_key), subject=self._table, **_update(FileProgress(), file_key))


def _id(content_id: str, file_key: str) -> str:
    return BACKFILL_PREFIX + sha256(f"{content_id}\0{file_key}".encode()).hexdigest()


def _progress(item: Item) -> FileProgress:
    rows, objects, size = (int(item.get(name, {}).get("N", "0")) for name in ("rows_done", "moving", "moving_bytes"))
    is_read = item.get("all_read", {}).get("BOOL", False)
    return FileProgress(rows, objects, size, is_read, is_counted=not rows or "moving" in item)


def _update(progress: FileProgress, file_key: str) -> dict[str, Any]:
    values = {
        "rows_done": number(progress.rows),
        "file_key": text(file_key),
        "expires_at": number(int(time.time()) + _KEPT_SECONDS),
        "all_read": {"BOOL": progress.is_read},
    }
    if progress.is_counted:
        values |= {"moving": number(progress.objects), "moving_bytes": number(progress.size)}
    return {
        "UpdateExpression": "SET " + ", ".join(f"{name} = :{name}" for name in values),
        "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()},
    }
