"""Wires the manifest's stream for a worker."""

from adapters.dynamodb.stream import DynamoDbChangeReader
from handlers.bootstrap.process import Process
from handlers.engine.worker import ChangeReader


def change_reader(process: Process) -> ChangeReader:
    """The manifest's stream for a worker; one of several workers reads it at a time."""
    return DynamoDbChangeReader(process.clients, process.table)
