"""An object of a run, at the rate of the places that throttle."""

from collections.abc import Callable
from typing import TypeVar

from domain.errors import ThrottledError
from domain.protocol.record import Record
from handlers.engine.dependencies import Dependencies
from handlers.operations.parallel import patiently

Answer = TypeVar("Answer")


def at_learned_rate(work: Callable[[], Answer], record: Record, dependencies: Dependencies) -> Answer:
    """``patiently``, each try in its turn while a prefix of the record's keys, or the table, throttles.

    What this process learns of a throttled answer, all processes know.
    """
    learned = dependencies.learned

    def attempt() -> Answer:
        learned.wait_turn(record.source, record.target, sleep=dependencies.sleep)
        try:
            return work()
        except ThrottledError as error:
            learned.note_throttled(error)
            raise

    return patiently(attempt, sleep=dependencies.sleep)
