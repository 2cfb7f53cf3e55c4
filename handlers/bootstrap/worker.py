"""What the worker needs beside the engine: the manifest's stream."""

from adapters.aws.clients import AwsClients
from adapters.dynamodb.stream import DynamoDbChangeReader
from handlers.bootstrap import clients_of
from handlers.config.settings import Settings
from handlers.engine.worker import ChangeReader


def change_reader(settings: Settings, *, clients: AwsClients | None = None) -> ChangeReader:
    """The manifest's stream for a worker; one of several workers reads it at a time."""
    return DynamoDbChangeReader(clients or clients_of(settings), settings.table)
