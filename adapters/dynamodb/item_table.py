"""One item of a table, read, or written on a condition; only this module recognises DynamoDB's refusal."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import error_code, translated
from adapters.dynamodb.attributes import PARTITION_KEY, Item, text

_REFUSED = "ConditionalCheckFailedException"


@dataclass(frozen=True, slots=True)
class Written:
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

    def scan_items(self, **request: Any) -> Iterator[Item]:
        """Every item that a Scan finds, in AWS's words; none is missed that was written before the scan began."""
        page: dict[str, Any] = {}
        while True:
            with translated("Scan", self._name):
                answer = self._client.scan(TableName=self._name, ConsistentRead=True, **request, **page)
            yield from answer["Items"]
            if not answer.get("LastEvaluatedKey"):
                return
            page = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def put_if(self, item: Item, *, subject: str = "", **condition: Any) -> Written:
        """PutItem with a condition, in AWS's syntax; a refusal contains the old item, so it costs no read."""
        request: Any = {"Item": item, "ReturnValuesOnConditionCheckFailure": "ALL_OLD", **condition}
        with translated("PutItem", subject or f"{self._name} ({item[self._key]['S']})"):
            try:
                answer = self._client.put_item(TableName=self._name, **request)
            except ClientError as error:
                return _refused(error)
        return Written(is_done=True, item=answer.get("Attributes", {}))

    def update_if(self, item_id: str, *, subject: str = "", **update: Any) -> Written:
        """UpdateItem with a condition, as ``put_if``."""
        request: Any = {"Key": {self._key: text(item_id)}, "ReturnValuesOnConditionCheckFailure": "ALL_OLD", **update}
        with translated("UpdateItem", subject or f"{self._name} ({item_id})"):
            try:
                answer = self._client.update_item(TableName=self._name, **request)
            except ClientError as error:
                return _refused(error)
        return Written(is_done=True, item=answer.get("Attributes", {}))


def _refused(error: ClientError) -> Written:
    """The refusal; raises ``error`` when it is another error."""
    if error_code(error) != _REFUSED:
        raise error
    there: Any = error.response.get("Item") or {}
    return Written(is_done=False, item=there)
