"""The rate that all processes of a migration share: each line is one item of the manifest table."""

from collections.abc import Mapping
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.aws.retries import retrying
from adapters.dynamodb.attributes import number
from adapters.dynamodb.item_ids import RATE_PREFIX
from adapters.dynamodb.item_table import ItemTable, ItemWrite
from domain.errors import ThrottledError

_AHEAD = "fence = :fence AND ends_at >= :earliest AND ends_at <= :latest"
_BEHIND = "attribute_not_exists(fence) OR fence < :fence OR (fence = :fence AND ends_at < :earliest)"
_TRIES = 5


class DynamoDbRateLedger:
    """RateLedger on DynamoDB: one atomic update for each stretch, two when the line was idle."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._items = ItemTable(clients, table)

    def reserve_stretch(self, line: str, seconds: float, *, earliest: float, latest: float, fence: int) -> float | None:
        """See the port; a repeat by the SDK wastes one stretch, and never gives one twice."""
        for attempt in retrying(attempts=_TRIES, first=0.05, longest=1, after=ThrottledError):
            with attempt:
                return self._reserve(line, seconds, earliest=earliest, latest=latest, fence=fence)
        return None

    def _reserve(self, line: str, seconds: float, *, earliest: float, latest: float, fence: int) -> float | None:
        values = {":fence": number(fence), ":earliest": number(earliest)}
        # Another process may change the line between the two updates: then it is read again.
        while True:
            longer = values | {":seconds": number(seconds), ":latest": number(latest)}
            written = self._update(line, "SET ends_at = ends_at + :seconds", _AHEAD, longer)
            if not written.is_done and _is_behind(written.item, earliest, fence):
                begun = values | {":ends_at": number(earliest + seconds)}
                written = self._update(line, "SET fence = :fence, ends_at = :ends_at", _BEHIND, begun)
            item = written.item
            if written.is_done:
                return float(item["ends_at"]["N"]) - seconds
            if item and int(item["fence"]["N"]) > fence:
                return None
            if item and int(item["fence"]["N"]) == fence and float(item["ends_at"]["N"]) > latest:
                return float(item["ends_at"]["N"])

    def _update(self, line: str, update: str, condition: str, values: Mapping[str, Any]) -> ItemWrite:
        return self._items.update_if(
            RATE_PREFIX + line,
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeValues=values,
            ReturnValues="ALL_NEW",
        )


def _is_behind(item: Mapping[str, Any], earliest: float, fence: int) -> bool:
    if not item or int(item["fence"]["N"]) < fence:
        return True
    return int(item["fence"]["N"]) == fence and float(item["ends_at"]["N"]) < earliest
