"""A new manifest table on a server, and the clients that use it."""

from dataclasses import dataclass

from adapters.aws_clients import AwsClients
from adapters.provisioning import create_manifest_table
from tests.contract.object_worlds import clients_for
from tests.servers import Server, new_name


@dataclass(frozen=True, slots=True)
class TableWorld:
    """Clients and the table's name."""

    clients: AwsClients
    table: str


def new_table(server: Server) -> TableWorld:
    """A table as provisioning makes it."""
    clients = clients_for(server)
    table = new_name("manifest")
    create_manifest_table(clients, table)
    return TableWorld(clients, table)
