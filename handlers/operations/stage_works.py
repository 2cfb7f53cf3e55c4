"""What functions and workers of one queue do, and what becomes of its messages."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from domain.queues import MessageQueue
from domain.runs.ports import RunBook
from domain.runs.run import Run
from domain.runs.works import StageQueue, Work
from handlers.operations.look_at_holders import LookAtHolders
from handlers.operations.operator import Shut
from handlers.operations.slice_work import SliceWork


class TaskEnd(Enum):
    """What becomes of the message: deleted, or received again at once, later, much later, or as its queue allows."""

    DONE = auto()
    AGAIN = auto()
    LATER = auto()
    MUCH_LATER = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class StageWorks:
    """The works of one queue; ``dead`` is its dead-letter queue.

    ``open_work`` opens a run's work by its options, for a process with so many seconds left, and raises InputError for
    options that it cannot work by. ``refuse`` says why the work may not go on at all. ``open_look`` opens a look at
    what holds the objects of a run that functions of another queue do.
    """

    name: StageQueue
    queue: MessageQueue
    dead: Callable[[], MessageQueue | None]
    book: RunBook
    open_work: Callable[[Run, Callable[[], float]], AbstractContextManager[SliceWork[Any]]]
    refuse: Callable[[Work, Mapping[str, str]], Shut | None]
    open_look: Callable[[Run], LookAtHolders]


@dataclass(frozen=True, slots=True)
class Time:
    """How long a message may be worked on."""

    seconds_left: Callable[[], float]
    stopping: Callable[[], bool] = lambda: False

    def is_over(self, *, reserve: float) -> bool:
        """Whether nothing more may be begun, so many seconds before the end or while the process is stopping."""
        return self.seconds_left() <= reserve or self.stopping()
