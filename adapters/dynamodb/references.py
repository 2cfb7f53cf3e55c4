"""Tables of the application that hold URIs, and the journal of rewritten references."""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import error_code, translated
from adapters.dynamodb.attributes import PARTITION_KEY, number, text
from adapters.dynamodb.item_table import ItemTable
from adapters.dynamodb.reference_items import REVISION, entry_of_item, item_of_entry
from domain.audit.item_events import JOURNAL_ID
from domain.errors import ThrottledError
from domain.protocol.record import Record
from domain.references.items import Edit, item_size
from domain.references.ports import Changed, EntryPage, ItemChange, ItemPage, JournalEntry
from domain.rules.references import Item

_TOO_LARGE = "item size"
_UNIT_BYTES = 4_096
"""Bytes that a consistent read of one unit returns, at most."""
_OPEN_ENTRIES: Mapping[str, Any] = {
    "FilterExpression": "begins_with(#pk, :journal) AND #open > :zero",
    "ExpressionAttributeNames": {"#pk": PARTITION_KEY, "#open": "open_switches"},
    "ExpressionAttributeValues": {":journal": text(JOURNAL_ID), ":zero": {"N": "0"}},
}
_CROWDED = frozenset({"TransactionConflict"})
_THROTTLED = frozenset({"ThrottlingError", "ProvisionedThroughputExceeded"})


class DynamoDbReferences:
    """ReferringTables and ReferenceJournal on DynamoDB; ``table`` is the manifest table."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._client = clients.dynamodb
        self._table = table
        self._items = ItemTable(clients, table)

    def scan_items(
        self, table: str, *, segment: int = 0, segments: int = 1, after: Item | None = None
    ) -> Iterator[ItemPage]:
        """See the port."""
        start: Any = after
        while True:
            page: dict[str, Any] = {"ExclusiveStartKey": start} if start else {}
            with translated("Scan", table):
                answer = self._client.scan(
                    TableName=table, Segment=segment, TotalSegments=segments, ConsistentRead=True, **page
                )
            start = answer.get("LastEvaluatedKey")
            items = answer["Items"]
            # By DynamoDB's own rule; what an answer says of its capacity is not right on every server.
            yield ItemPage(items, start or None, float(ceil(sum(map(item_size, items)) / _UNIT_BYTES)))
            if not start:
                return

    def find_items(self, table: str, *, index: str, attribute: str, text: str) -> Iterator[Item]:  # the port's name
        """See the port."""
        page: dict[str, Any] = {}
        while True:
            with translated("Query", f"{table} (index {index})"):
                answer = self._client.query(
                    TableName=table,
                    IndexName=index,
                    KeyConditionExpression="#held = :text",
                    ExpressionAttributeNames={"#held": attribute},
                    ExpressionAttributeValues={":text": {"S": text}},
                    **page,
                )
            yield from answer["Items"]
            if not answer.get("LastEvaluatedKey"):
                return
            page = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def read_item(self, table: str, key: Item) -> Item | None:
        """See the port."""
        given: Any = dict(key)
        with translated("GetItem", table):
            return self._client.get_item(TableName=table, Key=given, ConsistentRead=True).get("Item")

    def change_item(self, change: ItemChange) -> Changed:
        """See the port; an item in another transaction at this moment counts as changed, and is read again."""
        actions: Any = [
            {"Update": update_of(change)},
            {"Put": self._put(change)},
            *({"ConditionCheck": self._check(record)} for record in change.records),
        ]
        with translated("TransactWriteItems", change.table):
            try:
                self._client.transact_write_items(TransactItems=actions)
            except ClientError as error:
                refused = _refusal(error, change.table)
                if refused is None:
                    raise
                return refused
        return Changed.DONE

    def scan_entries(self) -> Iterator[JournalEntry]:
        """See the port."""
        yield from map(entry_of_item, self._items.scan_items(**_OPEN_ENTRIES))

    def read_entries(self, segment: int, segments: int, *, cursor: str, at_most: int) -> EntryPage:
        """See the port; other items of the table count too, so a page may hold fewer entries."""
        scan = {"Segment": segment, "TotalSegments": segments, "Limit": at_most}
        items, after = self._items.scan_page(cursor, **scan, **_OPEN_ENTRIES)
        return EntryPage([entry_of_item(item) for item in items], after)

    def _put(self, change: ItemChange) -> dict[str, Any]:
        put: dict[str, Any] = {"TableName": self._table, "Item": item_of_entry(change.entry)}
        if change.entry_before is None:
            return put | {"ConditionExpression": f"attribute_not_exists({PARTITION_KEY})"}
        return put | {
            "ConditionExpression": f"{REVISION} = :revision",
            "ExpressionAttributeValues": {":revision": number(change.entry_before.revision)},
        }

    def _check(self, record: Record) -> dict[str, Any]:
        """The condition that the record is exactly the one that was read: each change of it has its own revision."""
        return {
            "TableName": self._table,
            "Key": {PARTITION_KEY: text(record.record_id)},
            "ConditionExpression": "#revision = :revision AND #mode = :mode AND attribute_not_exists(#token)",
            "ExpressionAttributeNames": {"#revision": "revision", "#mode": "mode", "#token": "token"},
            "ExpressionAttributeValues": {":revision": number(record.revision), ":mode": text(record.mode.value)},
        }


def update_of(change: ItemChange) -> dict[str, Any]:
    """The edits as one action of a transaction."""
    names: dict[str, str] = {}
    places = [_expression(edit, names) for edit in change.edits]
    values: dict[str, Any] = {}
    for at, edit in enumerate(change.edits):
        values |= {f":o{at}": edit.before, f":n{at}": edit.after}
    return {
        "TableName": change.table,
        "Key": dict(change.key),
        "UpdateExpression": "SET " + ", ".join(f"{place} = :n{at}" for at, place in enumerate(places)),
        "ConditionExpression": " AND ".join(f"{place} = :o{at}" for at, place in enumerate(places)),
        "ExpressionAttributeNames": {alias: name for name, alias in names.items()},
        "ExpressionAttributeValues": values,
    }


def _expression(edit: Edit, names: dict[str, str]) -> str:
    written = ""
    for key in edit.place:
        if isinstance(key, int):
            written += f"[{key}]"
        else:
            alias = names.setdefault(key, f"#a{len(names)}")
            written += f".{alias}" if written else alias
    return written


def _refusal(error: ClientError, table: str) -> Changed | None:
    reasons: Sequence[Any] = error.response.get("CancellationReasons", [])
    codes = [str(reason.get("Code")) for reason in reasons]
    messages = [str(reason.get("Message", "")) for reason in reasons] + [str(error)]
    if any(_TOO_LARGE in message.lower() for message in messages):
        return Changed.TOO_LARGE
    if error_code(error) != "TransactionCanceledException":
        return None
    failed = [code == "ConditionalCheckFailed" for code in codes]
    if failed[:1] == [True]:
        return Changed.ITEM_CHANGED
    if failed[1:2] == [True]:
        return Changed.JOURNAL_CHANGED
    if any(failed):
        return Changed.RECORD_CHANGED
    if set(codes) & _THROTTLED:
        raise ThrottledError(f"TransactWriteItems on {table}: it is throttled") from error
    return Changed.ITEM_CHANGED if set(codes) & _CROWDED else None
