"""Which probes of live capture have arrived: small items of the manifest table that expire by themselves."""

import time

from adapters.aws.clients import AwsClients
from adapters.aws.errors import translated
from adapters.dynamodb.attributes import PARTITION_KEY, number, text

_KEPT_SECONDS = 24 * 3600


class DynamoDbProbeBook:
    """ProbeBook on DynamoDB."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._client = clients.dynamodb
        self._table = table

    def note_arrival(self, key: str) -> None:
        """See the port."""
        with translated("PutItem", f"{self._table} (probe)"):
            self._client.put_item(
                TableName=self._table,
                Item={PARTITION_KEY: text(_id(key)), "expires_at": number(int(time.time()) + _KEPT_SECONDS)},
            )

    def has_arrived(self, key: str) -> bool:
        """See the port."""
        with translated("GetItem", f"{self._table} (probe)"):
            answer = self._client.get_item(
                TableName=self._table, Key={PARTITION_KEY: text(_id(key))}, ConsistentRead=True
            )
        return "Item" in answer


def _id(key: str) -> str:
    return f"keyshift#probe#{key}"
