"""The operator's control: one item of the manifest table."""

from collections.abc import Mapping
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.dynamodb.attributes import number, text
from adapters.dynamodb.item_table import ItemTable
from adapters.dynamodb.learned_limits import LEARNED, REVISION, learned_of_item, limits_value
from domain.audit.item_events import CONTROL_ID
from domain.steering.control import Control
from domain.steering.learned import Learned

_LIMITS = ("objects_per_second", "bytes_per_second", "concurrency")


class DynamoDbControlPanel:
    """ControlPanel on DynamoDB."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._items = ItemTable(clients, table)

    def read_control(self) -> Control:
        """See the port."""
        return control_of_item(self._items.read_item(CONTROL_ID))

    def write_control(self, control: Control, *, before: Control) -> bool:
        """See the port."""
        fields = _fields_of(control)
        lifted = [name for name in _LIMITS if name not in fields]
        absent = " OR attribute_not_exists(fence)" if before.fence == 0 else ""
        written = self._items.update_if(
            CONTROL_ID,
            UpdateExpression="SET "
            + ", ".join(f"#{name} = :{name}" for name in fields)
            + (f" REMOVE {', '.join(lifted)}" if lifted else ""),
            ConditionExpression=f"fence = :before{absent}",
            ExpressionAttributeNames={f"#{name}": name for name in fields},
            ExpressionAttributeValues={":before": number(before.fence)}
            | {f":{name}": value for name, value in fields.items()},
        )
        return written.is_done or control_of_item(written.item) == control

    def write_learned(self, learned: Learned, *, before: Learned) -> bool:
        """See the port."""
        absent = f" OR attribute_not_exists({REVISION})" if before.revision == 0 else ""
        written = self._items.update_if(
            CONTROL_ID,
            UpdateExpression=f"SET {LEARNED} = :learned, {REVISION} = :revision",
            ConditionExpression=f"{REVISION} = :before{absent}",
            ExpressionAttributeValues={
                ":learned": limits_value(learned.limits),
                ":revision": number(learned.revision),
                ":before": number(before.revision),
            },
        )
        return written.is_done or learned_of_item(written.item) == learned


def control_of_item(item: Mapping[str, Any]) -> Control:
    """The control in an item, or in an image in the table's stream; the default where no operator wrote it yet."""
    learned = learned_of_item(item)
    if "fence" not in item:
        return Control(learned=learned)
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
        learned=learned,
    )


def _fields_of(control: Control) -> dict[str, Any]:
    limits = {name: getattr(control, name) for name in _LIMITS}
    fields: dict[str, Any] = {
        "paused": {"BOOL": control.paused},
        "reason": text(control.reason),
        "fence": number(control.fence),
        "changed_at": number(control.changed_at),
        "by": text(control.by),
        "mappings": {"L": [text(mapping) for mapping in control.mappings]},
        "paused_by": text(control.paused_by),
        "paused_at": number(control.paused_at),
    }
    return fields | {name: number(limit) for name, limit in limits.items() if limit is not None}


def _number(item: Mapping[str, Any], name: str) -> float | None:
    return float(item[name]["N"]) if name in item else None
