"""The manifest in a DynamoDB table."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.dynamodb.attributes import PARTITION_KEY, Item, number, text
from adapters.dynamodb.claim_update import claim_update
from adapters.dynamodb.item_table import ItemTable
from adapters.dynamodb.record_item import changes_of, is_record, record_of_item, to_item, to_record
from adapters.dynamodb.statements import Answer, Executed, StatementTable
from domain.errors import KeyshiftError
from domain.protocol.claims import ClaimRequest, claimed, refusal
from domain.protocol.ports import ClaimAnswer, RecordChange, RecordPage
from domain.protocol.record import Record


class DynamoDbManifest:
    """Manifest on DynamoDB; a refused condition returns the old item, so it costs no read."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._table = table
        self._items = ItemTable(clients, table)
        self._statements = StatementTable(clients, table)

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

    def claim_new_records(self, requests: Sequence[ClaimRequest]) -> list[ClaimAnswer | None]:
        """See the port; DynamoDB refuses an INSERT where the item exists, and does not say what the item holds.

        Items of several refusals are read together, so duplicate messages do not cost a claim each.
        """
        inserts = [self._statements.insert(to_item(claimed(None, request))) for request in requests]
        executed = self._statements.execute(inserts)
        refused = [
            request.notice.source.record_id
            for statement, request in zip(executed, requests, strict=True)
            if statement.answer is Answer.REFUSED and not statement.item
        ]
        existing: dict[str, Record] = {}
        if len(refused) > 1:
            with suppress(KeyshiftError):  # a failed read must not hide the claims that were granted
                existing = self.read_records(refused)
        return [
            _claim_answer(statement, request, existing.get(request.notice.source.record_id))
            for statement, request in zip(executed, requests, strict=True)
        ]

    def write_records(self, changes: Sequence[RecordChange]) -> list[bool | None]:
        """See the port."""
        updates = [self._statements.update(*changes_of(one.before, one.record), unchanged=_HOLDER) for one in changes]
        return [
            _is_written(one, change) for one, change in zip(self._statements.execute(updates), changes, strict=True)
        ]

    def read_record(self, record_id: str) -> Record | None:
        """See the port."""
        return record_of_item(self._items.read_item(record_id, subject=self._table))

    def read_records(self, record_ids: Sequence[str]) -> dict[str, Record]:
        """See the port."""
        items = self._items.read_items(list(dict.fromkeys(record_ids)))
        return {record.record_id: record for record in (to_record(item) for item in items if is_record(item))}

    def scan_records(self, *, segment: int = 0, segments: int = 1) -> Iterator[Record]:
        """See the port."""
        items = self._items.scan_items(Segment=segment, TotalSegments=segments)
        yield from (to_record(item) for item in items if is_record(item))

    def read_page(self, segment: int, segments: int, *, cursor: str, at_most: int) -> RecordPage:
        """See the port; other items of the table count too, so a page may hold fewer records."""
        items, after = self._items.scan_page(cursor, Segment=segment, TotalSegments=segments, Limit=at_most)
        return RecordPage([to_record(item) for item in items if is_record(item)], after)


def _record(item: Item) -> Record | None:
    return to_record(item) if item else None


_HOLDER = ("revision", "mode", "token")
"""What a commit requires to be unchanged."""


def _claim_answer(executed: Executed, request: ClaimRequest, existing: Record | None) -> ClaimAnswer | None:
    """The answer to a claim of a new record; ``None`` where the claim of an existing one has to decide."""
    if executed.answer is Answer.DONE:
        return ClaimAnswer(granted=True, before=None)
    before = _record(executed.item) or existing
    is_refused = before is not None and refusal(before, request) is not None
    return ClaimAnswer(granted=False, before=before) if is_refused else None


def _is_written(executed: Executed, change: RecordChange) -> bool | None:
    if executed.answer is Answer.DONE:
        return True
    return _record(executed.item) == change.record if executed.item else None


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
