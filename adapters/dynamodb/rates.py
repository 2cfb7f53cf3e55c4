"""The rate that all processes of a migration share: each line is one item of the manifest table."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from adapters.aws.clients import AwsClients
from adapters.aws.errors import error_code, translated
from adapters.dynamodb.attributes import PARTITION_KEY, number, text
from domain.errors import ThrottledError

RATE_ID = "keyshift#rate#"
_AHEAD = "fence = :fence AND ends_at >= :earliest AND ends_at <= :latest"
_BEHIND = "attribute_not_exists(fence) OR fence < :fence OR (fence = :fence AND ends_at < :earliest)"
_TRIES = 5


class DynamoDbRateLedger:
    """RateLedger on DynamoDB: one atomic update for each stretch, two when the line was idle."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._client = clients.dynamodb
        self._table = table

    def reserve_stretch(self, line: str, seconds: float, *, earliest: float, latest: float, fence: int) -> float | None:
        """See the port; a repeat by the SDK wastes one stretch, and never gives one twice."""
        for attempt in Retrying(
            retry=retry_if_exception_type(ThrottledError),
            stop=stop_after_attempt(_TRIES),
            wait=wait_random_exponential(multiplier=0.05, max=1),
            reraise=True,
        ):
            with attempt:
                return self._reserve(line, seconds, earliest=earliest, latest=latest, fence=fence)
        return None

    def _reserve(self, line: str, seconds: float, *, earliest: float, latest: float, fence: int) -> float | None:
        values = {":fence": number(fence), ":earliest": number(earliest)}
        # Another process may change the line between the two updates: then it is looked at again.
        while True:
            longer = values | {":seconds": number(seconds), ":latest": number(latest)}
            updated, item = self._update(line, "SET ends_at = ends_at + :seconds", _AHEAD, longer)
            if not updated and _is_behind(item, earliest, fence):
                begun = values | {":ends_at": number(earliest + seconds)}
                updated, item = self._update(line, "SET fence = :fence, ends_at = :ends_at", _BEHIND, begun)
            if updated:
                return float(item["ends_at"]["N"]) - seconds
            if item and int(item["fence"]["N"]) > fence:
                return None
            if item and int(item["fence"]["N"]) == fence and float(item["ends_at"]["N"]) > latest:
                return float(item["ends_at"]["N"])

    def _update(self, line: str, update: str, condition: str, values: dict[str, Any]) -> tuple[bool, Mapping[str, Any]]:
        """Whether the condition held, and the item after the update, or as it was when it did not."""
        with translated("UpdateItem", f"{self._table} ({RATE_ID}{line})"):
            try:
                answer = self._client.update_item(
                    TableName=self._table,
                    Key={PARTITION_KEY: text(RATE_ID + line)},
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeValues=values,
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if error_code(error) == "ConditionalCheckFailedException":
                    there: Any = error.response.get("Item") or {}
                    return False, there
                raise
        return True, answer["Attributes"]


def _is_behind(item: Mapping[str, Any], earliest: float, fence: int) -> bool:
    if not item or int(item["fence"]["N"]) < fence:
        return True
    return int(item["fence"]["N"]) == fence and float(item["ends_at"]["N"]) < earliest
