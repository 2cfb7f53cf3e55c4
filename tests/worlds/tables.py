"""A new manifest table on a server, and the clients that use it."""

from dataclasses import dataclass, replace

from adapters.aws.clients import AwsClients
from adapters.demo.provisioning import create_manifest_table
from tests.servers import Server, new_name
from tests.worlds.objects import clients_for


@dataclass(frozen=True, slots=True)
class TableWorld:
    """Clients and the table's name."""

    clients: AwsClients
    table: str


def new_table(server: Server, *, lane: bool = True) -> TableWorld:
    """A table as provisioning makes it."""
    clients = replace(clients_for(server), lane=lane)
    table = new_name("manifest")
    create_manifest_table(clients, table)
    return TableWorld(clients, table)


def create_referring_table(clients: AwsClients, table: str) -> None:
    """A table of an application whose items hold URIs: key ``id``, index ``by-uri`` on ``uri``."""
    clients.dynamodb.create_table(
        TableName=table,
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "uri", "AttributeType": "S"},
        ],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-uri",
                "KeySchema": [{"AttributeName": "uri", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
