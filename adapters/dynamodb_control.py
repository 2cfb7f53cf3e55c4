"""The operator's word: one item of the manifest table."""

from collections.abc import Mapping
from typing import Any

from adapters.aws_clients import AwsClients
from adapters.aws_errors import translated
from adapters.record_item import PARTITION_KEY, number, text
from domain.control import Control

CONTROL_ID = "keyshift#control"


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
        item: Mapping[str, Any] = answer.get("Item", {})
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
        )

    def write_control(self, control: Control) -> None:
        """See the port."""
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
        }
        item |= {name: number(limit) for name, limit in limits.items() if limit is not None}
        with translated("PutItem", f"{self._table} ({CONTROL_ID})"):
            self._client.put_item(TableName=self._table, Item=item)


def _number(item: Mapping[str, Any], name: str) -> float | None:
    return float(item[name]["N"]) if name in item else None
