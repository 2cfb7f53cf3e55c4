"""The audit chain's newest link: one item of the manifest table."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws_clients import AwsClients
from adapters.aws_errors import error_code, translated
from adapters.record_item import PARTITION_KEY, number, text
from domain.chain import Link

CHAIN_ID = "keyshift#chain"


class DynamoDbChainHead:
    """ChainHead on DynamoDB."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._client = clients.dynamodb
        self._table = table

    def read_head(self) -> Link | None:
        """See the port."""
        with translated("GetItem", f"{self._table} ({CHAIN_ID})"):
            answer = self._client.get_item(
                TableName=self._table, Key={PARTITION_KEY: text(CHAIN_ID)}, ConsistentRead=True
            )
        item: Mapping[str, Any] | None = answer.get("Item")
        return Link(int(item["sequence"]["N"]), item["sha256"]["S"]) if item else None

    def advance_head(self, link: Link) -> bool:
        """See the port."""
        with translated("PutItem", f"{self._table} ({CHAIN_ID})"):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item={
                        PARTITION_KEY: text(CHAIN_ID),
                        "sequence": number(link.sequence),
                        "sha256": text(link.sha256),
                    },
                    ConditionExpression=(
                        "attribute_not_exists(#sequence) OR #sequence < :sequence OR "
                        "(#sequence = :sequence AND sha256 = :sha256)"
                    ),
                    ExpressionAttributeNames={"#sequence": "sequence"},
                    ExpressionAttributeValues={":sequence": number(link.sequence), ":sha256": text(link.sha256)},
                )
            except ClientError as error:
                if error_code(error) == "ConditionalCheckFailedException":
                    return False
                raise
        return True
