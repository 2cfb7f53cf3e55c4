"""The migration's figures: one item of the manifest table."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import error_code, translated
from adapters.aws.retries import retrying
from adapters.dynamodb.attributes import PARTITION_KEY, number, text
from adapters.dynamodb.item_ids import BATCH_PREFIX, HISTORY_ID, PROGRESS_ID
from adapters.dynamodb.item_table import ItemTable
from adapters.local.clock import SystemClock
from domain.errors import ThrottledError
from domain.protocol.ports import Clock
from domain.reporting.ports import NO_HISTORY
from domain.reporting.progress import HOUR, MINUTE, Span

MINUTES_KEPT_SECONDS = 7 * 24 * 3600
_READ_AT_ONCE = 100
"""BatchGetItem's limit."""
_REMEMBERED_SECONDS = 24 * 3600
"""The table's stream keeps changes for a day, so after that a batch cannot come again."""


class DynamoDbProgressCounters:
    """ProgressCounters on DynamoDB.

    Each batch leaves an item of its own in the same transaction, which expires after a day. A ClientRequestToken would
    be forgotten after ten minutes, and emulators ignore it.
    """

    def __init__(self, clients: AwsClients, table: str, clock: Clock | None = None) -> None:
        self._client = clients.dynamodb
        self._table = table
        self._items = ItemTable(clients, table)
        self._clock = clock or SystemClock()

    def add_progress(
        self, deltas: Mapping[str, int], *, batch_id: str, history: Mapping[Span, Mapping[str, int]] = NO_HISTORY
    ) -> None:
        """See the port."""
        changed = {name: delta for name, delta in deltas.items() if delta}
        if not changed:
            return
        for attempt in retrying(attempts=6, first=0.05, longest=2, after=ThrottledError):
            with attempt:
                self._add(changed, batch_id, history)

    def _add(self, deltas: Mapping[str, int], batch_id: str, history: Mapping[Span, Mapping[str, int]]) -> None:
        expires_at = int(self._clock.now()) + _REMEMBERED_SECONDS
        marker = {PARTITION_KEY: text(BATCH_PREFIX + batch_id), "expires_at": number(expires_at)}
        put = {
            "TableName": self._table,
            "Item": marker,
            "ConditionExpression": f"attribute_not_exists({PARTITION_KEY})",
        }
        items: Any = [{"Put": put}, {"Update": self._addition(PROGRESS_ID, deltas)}]
        items += [{"Update": update} for update in self._history(history)]
        with translated("TransactWriteItems", f"{self._table} ({PROGRESS_ID})"):
            try:
                self._client.transact_write_items(TransactItems=items)
            except ClientError as error:
                reasons: Any = error.response.get("CancellationReasons", [])
                codes = [reason.get("Code") for reason in reasons]
                if error_code(error) != "TransactionCanceledException":
                    raise
                if codes[:1] == ["ConditionalCheckFailed"]:
                    return  # this batch is counted already
                if set(codes) & {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}:
                    raise ThrottledError(f"{self._table}: others write the counters too") from error
                raise

    def _history(self, history: Mapping[Span, Mapping[str, int]]) -> Iterator[dict[str, Any]]:
        """One item for each span, and one that lists the hours that exist, so that they need not be searched."""
        for span, deltas in history.items():
            expires_at = span.start + MINUTES_KEPT_SECONDS if span.seconds == MINUTE else None
            yield self._addition(_span_id(span), deltas, expires_at=expires_at)
        hours = sorted(str(span.start) for span in history if span.seconds == HOUR)
        if hours:
            yield {
                "TableName": self._table,
                "Key": {PARTITION_KEY: text(HISTORY_ID)},
                "UpdateExpression": "ADD hours :hours",
                "ExpressionAttributeValues": {":hours": {"NS": hours}},
            }

    def _addition(self, item_id: str, deltas: Mapping[str, int], *, expires_at: int | None = None) -> dict[str, Any]:
        names = {f"#n{index}": name for index, name in enumerate(deltas)}
        values = {f":n{index}": number(delta) for index, delta in enumerate(deltas.values())}
        update = "ADD " + ", ".join(f"#n{index} :n{index}" for index in range(len(deltas)))
        if expires_at is not None:
            update += " SET expires_at = :expires_at"
            values[":expires_at"] = number(expires_at)
        return {
            "TableName": self._table,
            "Key": {PARTITION_KEY: text(item_id)},
            "UpdateExpression": update,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }

    def read_progress(self) -> Mapping[str, int]:
        """See the port."""
        return _counters(self._items.read_item(PROGRESS_ID))

    def read_history(self, seconds: int) -> Mapping[Span, Mapping[str, int]]:
        """See the port; for hours older than a week the minutes are not read."""
        hours = sorted(int(start) for start in self._items.read_item(HISTORY_ID).get("hours", {"NS": []})["NS"])
        if seconds == MINUTE:
            oldest = self._clock.now() - MINUTES_KEPT_SECONDS - HOUR
            hours = [hour for hour in hours if hour >= oldest]
        spans = [Span(start, seconds) for hour in hours for start in range(hour, hour + HOUR, seconds)]
        found: dict[Span, Mapping[str, int]] = {}
        for first in range(0, len(spans), _READ_AT_ONCE):
            ids = {_span_id(span): span for span in spans[first : first + _READ_AT_ONCE]}
            found |= {ids[item[PARTITION_KEY]["S"]]: _counters(item) for item in self._spans(list(ids))}
        return {span: found[span] for span in sorted(found)}

    def _spans(self, ids: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        wanted: Any = {self._table: {"Keys": [{PARTITION_KEY: text(one)} for one in ids]}}
        for attempt in retrying(attempts=8, first=0.1, longest=5, after=ThrottledError):
            with attempt:
                with translated("BatchGetItem", f"{self._table} ({HISTORY_ID})"):
                    answer = self._client.batch_get_item(RequestItems=wanted)
                yield from answer["Responses"].get(self._table, [])
                wanted = answer.get("UnprocessedKeys") or {}
                if wanted:
                    raise ThrottledError(f"{self._table}: the history is read more slowly")


def _span_id(span: Span) -> str:
    return f"{HISTORY_ID}#{span.seconds}#{span.start}"


def _counters(item: Mapping[str, Any]) -> Mapping[str, int]:
    return {name: int(value["N"]) for name, value in item.items() if "N" in value and name != "expires_at"}
