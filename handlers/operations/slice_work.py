"""What a run's work is made of: pages of tasks, in slices, in phases, and what working on them needs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from domain.protocol.ports import Clock

PART_CHARACTERS = 100_000
"""An item of DynamoDB holds 400 KB, and one more result may have two keys of 1,024 bytes, escaped."""
Result = TypeVar("Result")


class NotReadyError(Exception):
    """What the work needs is not there, and another process has to make it: the slice is left for later."""


def begin_at_once(stopping: Callable[[], bool]) -> None:
    """A page's tasks need nothing else before they begin."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Result]):
    """Tasks that can be done in any order and twice, and the cursor after them; ``None``: the slice has no more.

    An empty cursor says that the work cannot continue elsewhere: then its slice begins again. Tasks that ``only_look``
    change no object, so the rate of the command does not hold them back. ``await_ready`` returns when a task may begin
    by what the work needs, or the process stops; it raises NotReadyError.
    """

    tasks: Sequence[Callable[[], Result]]
    cursor: str | None
    only_look: bool = False
    await_ready: Callable[[Callable[[], bool]], None] = begin_at_once


class SliceWork(Protocol[Result]):
    """What a run does: its pages, and what is counted and kept of each result."""

    @property
    def phases(self) -> Sequence[int]:
        """The number of slices of each phase; a slice is begun when every slice of the earlier phases is done."""

    def read_pages(self, number: int, cursor: str) -> Iterator[Page[Result]]:
        """The pages of a slice after the cursor, empty: from the first; the last one's cursor is ``None``.

        A page is read while the tasks of the page before it are done. Raises NotReadyError.
        """

    def is_portable(self, number: int) -> bool:
        """Whether a process with little time can do its part of the slice: it has a cursor, and needs nothing more.

        Such slices are done by functions, all others by a command.
        """

    def count_result(self, result: Result) -> Mapping[str, int]:
        """The figures that it adds to the run's."""

    def keep_result(self, result: Result) -> str | None:
        """Lines of text for the command that shows the run's results; ``None``: nothing to show."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What working on slices needs of its process; ``stopping``: begin nothing else."""

    pool: Executor
    clock: Clock
    new_token: Callable[[], str]
    sleep: Callable[[float], object]
    stopping: Callable[[], bool]
    wait_turn: Callable[[Callable[[], bool]], object] = lambda stopping: None  # noqa: ARG005  # as Rate.wait
    """Waits until one more task may begin, or the process stops."""


def packed(lines: Iterator[str]) -> Iterator[str]:
    """The lines in parts that each fit into an item."""
    part: list[str] = []
    size = 0
    for line in lines:
        if part and size + len(line) > PART_CHARACTERS:
            yield "\n".join(part)
            part, size = [], 0
        part.append(line)
        size += len(line) + 1
    if part:
        yield "\n".join(part)
