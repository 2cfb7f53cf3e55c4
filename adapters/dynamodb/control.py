"""The operator's word: one item of the manifest table."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import error_code, translated
from adapters.dynamodb.attributes import PARTITION_KEY, number, text
from domain.audit.control_events import CONTROL_ID
from domain.steering.control import Control


class DynamoDbControlPanel:
    """ControlPanel on DynamoDB."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._client = clients.dynamodb
        self._table = table

    def read_control(self) -> Control:
        """See the port."""
        with translated("GetItem", f"{self._table} ({CONTROL_ID})"):
            answer = self._client.get_item(
                TableName=self._table, Key={PARTITION_KEY: text(CONTROL_ID)}, ConsistentRead=True
            )
        return control_of_item(answer.get("Item", {}))

    def write_control(self, control: Control, *, before: Control) -> bool:
        """See the port."""
        absent = " OR attribute_not_exists(fence)" if before.fence == 0 else ""
        with translated("PutItem", f"{self._table} ({CONTROL_ID})"):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=_item_of(control),
                    ConditionExpression=f"fence = :fence{absent}",
                    ExpressionAttributeValues={":fence": number(before.fence)},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                there: Any = error.response.get("Item") or {}
                return control_of_item(there) == control
        return True


def control_of_item(item: Mapping[str, Any]) -> Control:
    """The control that an item, or an image in the table's stream, holds; the default for no item."""
    if not item:
        return Control()
    concurrency = _number(item, "concurrency")
    return Control(
        paused=item["paused"]["BOOL"],
        reason=item["reason"]["S"],
        objects_per_second=_number(item, "objects_per_second"),
        bytes_per_second=_number(item, "bytes_per_second"),
        concurrency=int(concurrency) if concurrency is not None else None,
        fence=int(item["fence"]["N"]),
        changed_at=float(item["changed_at"]["N"]),
        by=item.get("by", {"S": ""})["S"],
        mappings=tuple(one["S"] for one in item.get("mappings", {"L": []})["L"]),
        paused_by=item.get("paused_by", {"S": ""})["S"],
        paused_at=_number(item, "paused_at") or 0.0,
    )


def _item_of(control: Control) -> dict[str, Any]:
    limits = {
        "objects_per_second": control.objects_per_second,
        "bytes_per_second": control.bytes_per_second,
        "concurrency": control.concurrency,
    }
    item: dict[str, Any] = {
        PARTITION_KEY: text(CONTROL_ID),
        "paused": {"BOOL": control.paused},
        "reason": text(control.reason),
        "fence": number(control.fence),
        "changed_at": number(control.changed_at),
        "by": text(control.by),
        "mappings": {"L": [text(one) for one in control.mappings]},
        "paused_by": text(control.paused_by),
        "paused_at": number(control.paused_at),
    }
    return item | {name: number(limit) for name, limit in limits.items() if limit is not None}


def _number(item: Mapping[str, Any], name: str) -> float | None:
    return float(item[name]["N"]) if name in item else None
