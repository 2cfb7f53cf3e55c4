"""The operator's control: one item of the manifest table."""

from collections.abc import Mapping
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.dynamodb.attributes import PARTITION_KEY, number, text
from adapters.dynamodb.item_table import ItemTable
from domain.audit.item_events import CONTROL_ID
from domain.steering.control import Control


class DynamoDbControlPanel:
    """ControlPanel on DynamoDB."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._items = ItemTable(clients, table)

    def read_control(self) -> Control:
        """See the port."""
        return control_of_item(self._items.read_item(CONTROL_ID))

    def write_control(self, control: Control, *, before: Control) -> bool:
        """See the port."""
        absent = " OR attribute_not_exists(fence)" if before.fence == 0 else ""
        written = self._items.put_if(
            _item_of(control),
            ConditionExpression=f"fence = :fence{absent}",
            ExpressionAttributeValues={":fence": number(before.fence)},
        )
        return written.is_done or control_of_item(written.item) == control


def control_of_item(item: Mapping[str, Any]) -> Control:
    """The control in an item, or in an image in the table's stream; the default if there is no item."""
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
        "mappings": {"L": [text(mapping) for mapping in control.mappings]},
        "paused_by": text(control.paused_by),
        "paused_at": number(control.paused_at),
    }
    return item | {name: number(limit) for name, limit in limits.items() if limit is not None}


def _number(item: Mapping[str, Any], name: str) -> float | None:
    return float(item[name]["N"]) if name in item else None
