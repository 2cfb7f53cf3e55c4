"""The total of the backfill: one item of the manifest table."""

from typing import Any

from adapters.aws.clients import AwsClients
from adapters.dynamodb.attributes import number, text
from adapters.dynamodb.item_ids import TOTAL_ID
from adapters.dynamodb.item_table import ItemTable
from domain.planning.total import Total


class DynamoDbTotalBook:
    """TotalBook on DynamoDB."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._items = ItemTable(clients, table)

    def read_total(self) -> Total | None:
        """See the port."""
        item = self._items.read_item(TOTAL_ID)
        if not item:
            return None
        objects, size = int(item["objects"]["N"]), int(item["bytes"]["N"])
        return Total(item["place"]["S"], objects, size, is_complete=item["complete"]["BOOL"])

    def write_total(self, total: Total) -> None:
        """See the port."""
        values = {
            "place": text(total.place),
            "objects": number(total.objects),
            "bytes": number(total.size),
            "complete": {"BOOL": total.is_complete},
        }
        given: dict[str, Any] = {f":{name}": value for name, value in values.items()}
        condition: dict[str, str] = {}
        if not total.is_complete:
            condition = {"ConditionExpression": "attribute_not_exists(#complete) OR #complete = :complete"}
        self._items.update_if(
            TOTAL_ID,
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues=given,
            **condition,
        )
