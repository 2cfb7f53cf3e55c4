"""What holds the objects of a run that a test does without a book of its own."""

from domain.protocol.ports import RecordPages
from handlers.operations.look_at_holders import holders_of, look_at_holders
from handlers.operations.operator import Operation
from handlers.operations.runs import KeptRun
from handlers.operations.watched_holders import Holders
from tests.fakes.runs import InMemoryRunBook


def kept_run(run_id: str = "run") -> KeptRun:
    """A run whose looks are kept in memory."""
    return KeptRun(InMemoryRunBook(), "cleanup", run_id)


def own_holders(operation: Operation, pages: RecordPages, *, of_copies: bool = False) -> Holders:
    """What holds sources, or copies; this process looks itself."""
    look = look_at_holders(operation, kept_run(), pages, of_copies=of_copies, segments=2)
    return holders_of(operation, look, looks_here=True)
