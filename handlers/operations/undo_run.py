"""An undo of rewritten references as a run: its slices are segments of the manifest table, which holds the journal."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from domain.references.ports import EntryPage, JournalEntry
from domain.references.reports import Reported
from handlers.operations.parallel import patiently
from handlers.operations.reference_run import count_of, cursor_of, lines_of
from handlers.operations.references import References
from handlers.operations.runs import KeptOptions, decode_options
from handlers.operations.segments import RECORDS_AT_ONCE
from handlers.operations.slice_work import Page


@dataclass(frozen=True, slots=True)
class UndoOptions(KeptOptions):
    """What every process of an undo does alike; without ``yes`` the references are only listed."""

    segments: int
    yes: bool


def undo_options_of(options: Mapping[str, str]) -> UndoOptions:
    """As a run keeps them."""
    return decode_options(UndoOptions, options)


class UndoWork:
    """SliceWork of an undo. What was put back before is not in the journal's pages again."""

    def __init__(self, references: References, options: UndoOptions, *, sleep: Callable[[float], object]) -> None:
        self._references = references
        self._options = options
        self._sleep = sleep

    @property
    def phases(self) -> Sequence[int]:
        """See the port; one."""
        return (self._options.segments,)

    def read_pages(self, number: int, cursor: str) -> Iterator[Page[Sequence[Reported]]]:
        """See the port; the entries of one item are one task, so that they do not get in each other's way."""
        after: str | None = cursor
        while after is not None:
            page = self._read(number, after)
            of_items: dict[tuple[str, str], list[JournalEntry]] = {}
            for entry in page.entries:
                of_items.setdefault((entry.table, cursor_of(entry.key)), []).append(entry)
            tasks = [partial(self._undo, entries) for entries in of_items.values()]
            yield Page(tasks, page.cursor, only_look=not self._options.yes)
            after = page.cursor

    def is_portable(self, number: int) -> bool:  # noqa: ARG002  # the port's
        """See the port; each."""
        return True

    def count_result(self, result: Sequence[Reported]) -> Mapping[str, int]:
        """See the port."""
        return count_of(result)

    def keep_result(self, result: Sequence[Reported]) -> str | None:
        """See the port; a line for each reference."""
        return lines_of(result)

    def _read(self, segment: int, after: str) -> EntryPage:
        read = partial(self._references.ports.journal.read_entries, segment, self._options.segments)
        return patiently(partial(read, cursor=after, at_most=RECORDS_AT_ONCE), sleep=self._sleep)

    def _undo(self, entries: Sequence[JournalEntry]) -> Sequence[Reported]:
        do = self._references.undo if self._options.yes else self._references.journaled
        return [reported for entry in entries for reported in do(entry)]
