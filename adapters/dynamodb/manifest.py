"""The manifest in a DynamoDB table."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import error_code, translated
from adapters.dynamodb.attributes import PARTITION_KEY, number, text
from adapters.dynamodb.claim_update import claim_update
from adapters.dynamodb.record_item import is_record, to_item, to_record
from domain.errors import ThrottledError
from domain.protocol.ports import ClaimAnswer
from domain.protocol.record import ClaimRequest, Record

_REFUSED = "ConditionalCheckFailedException"
_BATCH = 100
"""Keys of one BatchGetItem."""


class DynamoDbManifest:
    """Manifest on DynamoDB; a refused condition brings the old item along, so it costs no read."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._client = clients.dynamodb
        self._table = table

    def claim_record(self, request: ClaimRequest) -> ClaimAnswer:
        """See the port; a repeat by the SDK finds our own token, which the caller recognises."""
        location = request.notice.source
        with translated("UpdateItem", f"{self._table} ({location.uri})"):
            try:
                answer = self._client.update_item(
                    TableName=self._table,
                    Key={PARTITION_KEY: text(location.record_id)},
                    ReturnValues="ALL_OLD",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **claim_update(request),
                )
            except ClientError as error:
                if error_code(error) != _REFUSED:
                    raise
                return ClaimAnswer(granted=False, before=_old(error))
        before = answer.get("Attributes")
        return ClaimAnswer(granted=True, before=to_record(before) if before else None)

    def write_record(self, record: Record, *, before: Record | None) -> bool:
        """See the port."""
        with translated("PutItem", f"{self._table} ({record.source.uri})"):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=to_item(record),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **_unchanged(before),
                )
            except ClientError as error:
                if error_code(error) != _REFUSED:
                    raise
                return _old(error) == record
        return True

    def read_record(self, record_id: str) -> Record | None:
        """See the port."""
        with translated("GetItem", self._table):
            answer = self._client.get_item(
                TableName=self._table, Key={PARTITION_KEY: text(record_id)}, ConsistentRead=True
            )
        item = answer.get("Item")
        return to_record(item) if item and is_record(item) else None

    def read_records(self, record_ids: Sequence[str]) -> dict[str, Record]:
        """See the port; what DynamoDB leaves unprocessed is asked again."""
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
        page: dict[str, Any] = {}
        while True:
            with translated("Scan", self._table):
                # Consistent, so that a record written before the scan began is never missed.
                answer = self._client.scan(
                    TableName=self._table, Segment=segment, TotalSegments=segments, ConsistentRead=True, **page
                )
            yield from (to_record(item) for item in answer["Items"] if is_record(item))
            if not answer.get("LastEvaluatedKey"):
                return
            page = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _old(error: ClientError) -> Record | None:
    item: Any = error.response.get("Item")
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
