"""One item of a table, read, or written on a condition; only this module recognises DynamoDB's refusal."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import error_code, translated
from adapters.dynamodb.attributes import PARTITION_KEY, Item, text
from domain.errors import ThrottledError

_BATCH = 100
"""Keys of one BatchGetItem."""
_REFUSED = "ConditionalCheckFailedException"


@dataclass(frozen=True, slots=True)
class ItemWrite:
    """Whether the condition held.

    If it held, ``item`` is what ``ReturnValues`` requested. If not, it is the item in the table. It may be empty.
    """

    is_done: bool
    item: Item


class ItemTable:
    """A table with a partition key only; an error names ``subject`` in place of the table and the id."""

    def __init__(self, clients: AwsClients, name: str, partition_key: str = PARTITION_KEY) -> None:
        self._client = clients.dynamodb
        self._name = name
        self._key = partition_key

    def read_item(self, item_id: str, *, subject: str = "") -> Item:
        """The item after the last write, strongly consistent; an empty one where it does not exist."""
        with translated("GetItem", subject or f"{self._name} ({item_id})"):
            answer = self._client.get_item(TableName=self._name, Key={self._key: text(item_id)}, ConsistentRead=True)
        return answer.get("Item", {})

    def read_items(self, item_ids: Sequence[str]) -> Iterator[Item]:
        """The items as ``read_item`` reads them, in no particular order; an id without an item is left out.

        Keys that DynamoDB leaves unprocessed are requested again.
        """
        for start in range(0, len(item_ids), _BATCH):
            keys: Any = [{self._key: text(item_id)} for item_id in item_ids[start : start + _BATCH]]
            for pause in (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, None):
                wanted: Any = {self._name: {"Keys": keys, "ConsistentRead": True}}
                with translated("BatchGetItem", self._name):
                    answer = self._client.batch_get_item(RequestItems=wanted)
                yield from answer["Responses"].get(self._name, [])
                left: Any = answer.get("UnprocessedKeys", {})
                keys = left.get(self._name, {}).get("Keys")
                if not keys:
                    break
                if pause is None:
                    raise ThrottledError(f"BatchGetItem on {self._name}: some items stay unread")
                time.sleep(pause)

    def scan_page(self, start: str, **request: Any) -> tuple[list[Item], str | None]:
        """What one Scan finds after the item with the id ``start``, and the id to go on after; ``None`` at the end."""
        page: Any = {"ExclusiveStartKey": {self._key: text(start)}} if start else {}
        with translated("Scan", self._name):
            answer = self._client.scan(TableName=self._name, ConsistentRead=True, **request, **page)
        last = answer.get("LastEvaluatedKey")
        return list(answer["Items"]), last[self._key]["S"] if last else None

    def scan_items(self, **request: Any) -> Iterator[Item]:
        """Every item that a Scan finds, in AWS's words; none is missed that was written before the scan began."""
        start: str | None = ""
        while start is not None:
            items, start = self.scan_page(start, **request)
            yield from items

    def put_if(self, item: Item, *, subject: str = "", **condition: Any) -> ItemWrite:
        """PutItem with a condition, in AWS's syntax; a refusal contains the old item, so it costs no read."""
        request: Any = {"Item": item, "ReturnValuesOnConditionCheckFailure": "ALL_OLD", **condition}
        with translated("PutItem", subject or f"{self._name} ({item[self._key]['S']})"):
            try:
                answer = self._client.put_item(TableName=self._name, **request)
            except ClientError as error:
                return _refused(error)
        return ItemWrite(is_done=True, item=answer.get("Attributes", {}))

    def update_if(self, item_id: str, *, subject: str = "", **update: Any) -> ItemWrite:
        """UpdateItem with a condition, as ``put_if``."""
        request: Any = {"Key": {self._key: text(item_id)}, "ReturnValuesOnConditionCheckFailure": "ALL_OLD", **update}
        with translated("UpdateItem", subject or f"{self._name} ({item_id})"):
            try:
                answer = self._client.update_item(TableName=self._name, **request)
            except ClientError as error:
                return _refused(error)
        return ItemWrite(is_done=True, item=answer.get("Attributes", {}))


def _refused(error: ClientError) -> ItemWrite:
    """The refusal; raises ``error`` when it is another error."""
    if error_code(error) != _REFUSED:
        raise error
    there: Any = error.response.get("Item") or {}
    return ItemWrite(is_done=False, item=there)
