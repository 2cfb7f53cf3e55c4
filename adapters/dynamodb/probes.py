"""Which probes of live capture have arrived: small items of the manifest table that expire by themselves."""

import time

from adapters.aws.clients import AwsClients
from adapters.aws.errors import translated
from adapters.dynamodb.attributes import PARTITION_KEY, number, text
from adapters.dynamodb.item_ids import PROBE_PREFIX
from adapters.dynamodb.item_table import ItemTable

_KEPT_SECONDS = 24 * 3600


class DynamoDbProbeBook:
    """ProbeBook on DynamoDB."""

    def __init__(self, clients: AwsClients, table: str) -> None:
        self._client = clients.dynamodb
        self._table = table
        self._items = ItemTable(clients, table)

    def note_arrival(self, key: str) -> None:
        """See the port."""
        with translated("PutItem", f"{self._table} (probe)"):
            self._client.put_item(
                TableName=self._table,
                Item={PARTITION_KEY: text(PROBE_PREFIX + key), "expires_at": number(int(time.time()) + _KEPT_SECONDS)},
            )

    def has_arrived(self, key: str) -> bool:
        """See the port."""
        return bool(self._items.read_item(PROBE_PREFIX + key, subject=f"{self._table} (probe)"))
