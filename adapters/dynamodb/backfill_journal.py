"""How far an inventory is enqueued, beside the records in the manifest table."""

import time
from hashlib import sha256

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import error_code, translated
from adapters.dynamodb.attributes import PARTITION_KEY

_KEPT_SECONDS = 60 * 24 * 3600
"""Long enough to go on after a long weekend; the table's time to live removes it some day."""


class DynamoDbBackfillJournal:
    """BackfillJournal on DynamoDB: one small item for each data file."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._client = clients.dynamodb
        self._table = table

    def read_rows_done(self, content_id: str, file_key: str) -> int:
        """See the port."""
        with translated("GetItem", self._table):
            answer = self._client.get_item(TableName=self._table, Key=_key(content_id, file_key), ConsistentRead=True)
        return int(answer.get("Item", {}).get("rows_done", {}).get("N", "0"))

    def write_rows_done(self, content_id: str, file_key: str, rows: int) -> None:
        """See the port."""
        with translated("UpdateItem", self._table):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(content_id, file_key),
                    UpdateExpression="SET rows_done = :rows, file_key = :file, expires_at = :expires",
                    ConditionExpression="attribute_not_exists(rows_done) OR rows_done < :rows",
                    ExpressionAttributeValues={
                        ":rows": {"N": str(rows)},
                        ":file": {"S": file_key},
                        ":expires": {"N": str(int(time.time()) + _KEPT_SECONDS)},
                    },
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise

    def forget_rows_done(self, content_id: str, file_key: str) -> None:
        """See the port; the item stays, so that no permission to delete is needed."""
        with translated("UpdateItem", self._table):
            self._client.update_item(
                TableName=self._table,
                Key=_key(content_id, file_key),
                UpdateExpression="SET rows_done = :none, file_key = :file, expires_at = :expires",
                ExpressionAttributeValues={
                    ":none": {"N": "0"},
                    ":file": {"S": file_key},
                    ":expires": {"N": str(int(time.time()) + _KEPT_SECONDS)},
                },
            )


def _key(content_id: str, file_key: str) -> dict[str, dict[str, str]]:
    digest = sha256(f"{content_id}\0{file_key}".encode()).hexdigest()
    return {PARTITION_KEY: {"S": f"backfill#{digest}"}}
