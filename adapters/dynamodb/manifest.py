"""The manifest in a DynamoDB table."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.aws.errors import translated
from adapters.dynamodb.attributes import PARTITION_KEY, Item, number, text
from adapters.dynamodb.claim_update import claim_update
from adapters.dynamodb.item_table import ItemTable
from adapters.dynamodb.record_item import is_record, record_of_item, to_item, to_record
from domain.errors import ThrottledError
from domain.protocol.ports import ClaimAnswer
from domain.protocol.record import ClaimRequest, Record

_BATCH = 100
"""Keys of one BatchGetItem."""


class DynamoDbManifest:
    """Manifest on DynamoDB; a refused condition returns the old item, so it costs no read."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._client = clients.dynamodb
        self._table = table
        self._items = ItemTable(clients, table)

    def claim_record(self, request: ClaimRequest) -> ClaimAnswer:
        """See the port; a repeat by the SDK finds this attempt's own token, which the caller recognises."""
        location = request.notice.source
        subject = f"{self._table} ({location.uri})"
        update = claim_update(request)
        written = self._items.update_if(location.record_id, subject=subject, ReturnValues="ALL_OLD", **update)
        return ClaimAnswer(granted=written.is_done, before=_record(written.item))

    def write_record(self, record: Record, *, before: Record | None) -> bool:
        """See the port."""
        subject = f"{self._table} ({record.source.uri})"
        written = self._items.put_if(to_item(record), subject=subject, **_unchanged(before))
        return written.is_done or _record(written.item) == record

    def read_record(self, record_id: str) -> Record | None:
        """See the port."""
        return record_of_item(self._items.read_item(record_id, subject=self._table))

    def read_records(self, record_ids: Sequence[str]) -> dict[str, Record]:
        """See the port; keys that DynamoDB leaves unprocessed are requested again."""
        found: dict[str, Record] = {}
        wanted = list(dict.fromkeys(record_ids))
        for start in range(0, len(wanted), _BATCH):
            keys: Any = [{PARTITION_KEY: text(record_id)} for record_id in wanted[start : start + _BATCH]]
            for pause in (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, None):
                with translated("BatchGetItem", self._table):
                    answer = self._client.batch_get_item(
                        RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}}
                    )
                records = [to_record(item) for item in answer["Responses"].get(self._table, []) if is_record(item)]
                found |= {record.record_id: record for record in records}
                left: Any = answer.get("UnprocessedKeys", {})
                keys = left.get(self._table, {}).get("Keys")
                if not keys:
                    break
                if pause is None:
                    raise ThrottledError(f"BatchGetItem on {self._table}: some records stay unread; it is tried again")
                time.sleep(pause)
        return found

    def scan_records(self, *, segment: int = 0, segments: int = 1) -> Iterator[Record]:
        """See the port."""
        items = self._items.scan_items(Segment=segment, TotalSegments=segments)
        yield from (to_record(item) for item in items if is_record(item))


def _record(item: Item) -> Record | None:
    return to_record(item) if item else None


def _unchanged(before: Record | None) -> dict[str, Any]:
    if before is None:
        return {
            "ConditionExpression": "attribute_not_exists(#pk)",
            "ExpressionAttributeNames": {"#pk": PARTITION_KEY},
        }
    names = {"#revision": "revision", "#mode": "mode", "#token": "token"}
    values = {":revision": number(before.revision), ":mode": text(before.mode.value)}
    claim = "attribute_not_exists(#token)"
    if before.claim is not None:
        claim = "#token = :token"
        values[":token"] = text(before.claim.token)
    return {
        "ConditionExpression": f"#revision = :revision AND #mode = :mode AND {claim}",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }
