"""The migration's figures: one item of the manifest table."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from adapters.aws_clients import AwsClients
from adapters.aws_errors import error_code, translated
from adapters.record_item import PARTITION_KEY, number, text
from adapters.system_clock import SystemClock
from domain.errors import ThrottledError
from domain.ports import Clock

PROGRESS_ID = "keyshift#progress"
_REMEMBERED_SECONDS = 24 * 3600
"""The table's stream keeps changes for a day, so no batch can come again later."""


class DynamoDbProgressCounters:
    """ProgressCounters on DynamoDB.

    Each batch leaves an item of its own in the same transaction, which expires after a day: a ClientRequestToken
    would be forgotten after ten minutes, and emulators ignore it.
    """

    def __init__(self, clients: AwsClients, table: str, clock: Clock | None = None) -> None:
        self._client = clients.dynamodb
        self._table = table
        self._clock = clock or SystemClock()

    def add_progress(self, deltas: Mapping[str, int], *, batch_id: str) -> None:
        """See the port."""
        changed = {name: delta for name, delta in deltas.items() if delta}
        if not changed:
            return
        for attempt in Retrying(
            retry=retry_if_exception_type(ThrottledError),
            stop=stop_after_attempt(6),
            wait=wait_random_exponential(multiplier=0.05, max=2),
            reraise=True,
        ):
            with attempt:
                self._add(changed, batch_id)

    def _add(self, deltas: Mapping[str, int], batch_id: str) -> None:
        expires_at = int(self._clock.now()) + _REMEMBERED_SECONDS
        marker = {PARTITION_KEY: text(f"keyshift#batch#{batch_id}"), "expires_at": number(expires_at)}
        put = {
            "TableName": self._table,
            "Item": marker,
            "ConditionExpression": f"attribute_not_exists({PARTITION_KEY})",
        }
        items: Any = [{"Put": put}, {"Update": self._addition(deltas)}]
        with translated("TransactWriteItems", f"{self._table} ({PROGRESS_ID})"):
            try:
                self._client.transact_write_items(TransactItems=items)
            except ClientError as error:
                reasons: Any = error.response.get("CancellationReasons", [])
                codes = [reason.get("Code") for reason in reasons]
                if error_code(error) != "TransactionCanceledException":
                    raise
                if codes[:1] == ["ConditionalCheckFailed"]:
                    return  # this batch has been counted
                if set(codes) & {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}:
                    raise ThrottledError(f"{self._table}: others write the counters too; it is tried again") from error
                raise

    def _addition(self, deltas: Mapping[str, int]) -> dict[str, Any]:
        names = {f"#n{index}": name for index, name in enumerate(deltas)}
        values = {f":n{index}": number(delta) for index, delta in enumerate(deltas.values())}
        terms = ", ".join(f"#n{index} :n{index}" for index in range(len(deltas)))
        return {
            "TableName": self._table,
            "Key": {PARTITION_KEY: text(PROGRESS_ID)},
            "UpdateExpression": f"ADD {terms}",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }

    def read_progress(self) -> Mapping[str, int]:
        """See the port."""
        with translated("GetItem", f"{self._table} ({PROGRESS_ID})"):
            answer = self._client.get_item(
                TableName=self._table, Key={PARTITION_KEY: text(PROGRESS_ID)}, ConsistentRead=True
            )
        item: Mapping[str, Any] = answer.get("Item", {})
        return {name: int(value["N"]) for name, value in item.items() if "N" in value}
