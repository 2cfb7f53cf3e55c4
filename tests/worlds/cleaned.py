"""Cleanup of every record, without a run."""

from handlers.operations.cleanup import Cleaner
from handlers.operations.operator import Operation
from handlers.operations.removals import Removal


def clean_all(operation: Operation, cleaner: Cleaner, *, threads: int) -> list[Removal]:
    """What became of each source."""
    candidates = cleaner.find_candidates(operation.dependencies.ports.manifest.scan_records())
    return list(operation.parallel(threads).map(lambda one: cleaner.remove_object(one, yes=True), candidates))
