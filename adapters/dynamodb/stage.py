"""The stage of the migration: one item of the manifest table."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import error_code, translated
from adapters.dynamodb.attributes import PARTITION_KEY, number, text
from adapters.dynamodb.item_table import ItemTable
from domain.audit.item_events import CONTROL_ID, STAGE_ID
from domain.errors import ThrottledError
from domain.lifecycle.stages import Stage, StageEntry
from domain.steering.control import Control

# "revision" marks a record's item (adapters.dynamodb.record_item), and a stage is not a record.
_REVISION = "stage_revision"
_CROWDED = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


class DynamoDbStageBook:
    """StageBook on DynamoDB."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._client = clients.dynamodb
        self._table = table
        self._items = ItemTable(clients, table)

    def read_stage(self) -> StageEntry:
        """See the port."""
        return stage_of_item(self._items.read_item(STAGE_ID))

    def write_stage(self, entry: StageEntry, *, before: StageEntry, control: Control | None = None) -> bool:
        """See the port; a repeat by the SDK finds the entry that this call wrote."""
        absent = f" OR attribute_not_exists({_REVISION})" if before.revision == 0 else ""
        unchanged: Any = {
            "ConditionExpression": f"{_REVISION} = :revision{absent}",
            "ExpressionAttributeValues": {":revision": number(before.revision)},
        }
        if control is not None:
            return self._write_with(entry, unchanged, control)
        written = self._items.put_if(_item_of(entry), **unchanged)
        return written.is_done or stage_of_item(written.item) == entry

    def _write_with(self, entry: StageEntry, unchanged: Any, control: Control) -> bool:
        """Write the entry on conditions on both items, in one transaction."""
        put: Any = {"TableName": self._table, "Item": _item_of(entry), **unchanged}
        absent = " OR attribute_not_exists(fence)" if control.fence == 0 else ""
        check: Any = {
            "TableName": self._table,
            "Key": {PARTITION_KEY: text(CONTROL_ID)},
            "ConditionExpression": f"fence = :fence{absent}",
            "ExpressionAttributeValues": {":fence": number(control.fence)},
        }
        with translated("TransactWriteItems", f"{self._table} ({STAGE_ID})"):
            try:
                self._client.transact_write_items(TransactItems=[{"Put": put}, {"ConditionCheck": check}])
            except ClientError as error:
                if error_code(error) != "TransactionCanceledException":
                    raise
                reasons: Any = error.response.get("CancellationReasons", [])
                codes = {reason.get("Code") for reason in reasons}
                if "ConditionalCheckFailed" in codes:
                    # After a repeat by the SDK, this call's entry is there already.
                    return self.read_stage() == entry
                if codes & _CROWDED:
                    said = f"{self._table} ({STAGE_ID}): another transaction holds it"
                    raise ThrottledError(said) from error
                raise
        return True


def stage_of_item(item: Mapping[str, Any]) -> StageEntry:
    """The entry in an item, or in an image in the table's stream; PREPARED if there is no item."""
    if not item:
        return StageEntry()
    return StageEntry(
        stage=Stage(item["stage"]["S"]),
        since=float(item["since"]["N"]),
        by=item["by"]["S"],
        why=item["why"]["S"],
        postponed_until=float(item["postponed_until"]["N"]) if "postponed_until" in item else None,
        capture=item["capture"]["S"],
        revision=int(item[_REVISION]["N"]),
        changed_at=float(item["changed_at"]["N"]),
        # An entry of an earlier version lacks it: the start of its stage is late enough.
        cut_over_at=float(item.get("cut_over_at", item["since"])["N"]),
        rules_digest=item.get("rules_digest", {"S": ""})["S"],
        live_at=float(item.get("live_at", item["since"])["N"]),
    )


def _item_of(entry: StageEntry) -> dict[str, Any]:
    item: dict[str, Any] = {
        PARTITION_KEY: text(STAGE_ID),
        "stage": text(entry.stage.value),
        "since": number(entry.since),
        "by": text(entry.by),
        "why": text(entry.why),
        "capture": text(entry.capture),
        _REVISION: number(entry.revision),
        "changed_at": number(entry.changed_at),
        "cut_over_at": number(entry.cut_over_at),
        **({"rules_digest": text(entry.rules_digest)} if entry.rules_digest else {}),
        "live_at": number(entry.live_at),
    }
    return item | ({"postponed_until": number(entry.postponed_until)} if entry.postponed_until is not None else {})
