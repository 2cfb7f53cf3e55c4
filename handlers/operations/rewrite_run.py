"""A rewriting of references as a run: its slices are segments of each declared table, then the augmented manifests."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from domain.references.reports import Reported
from domain.rules.references import Item, TableReferences
from handlers.operations.reference_rates import READ_UNITS
from handlers.operations.reference_run import count_of, cursor_of, in_parts, key_of, lines_of
from handlers.operations.references import References, repeated
from handlers.operations.runs import KeptOptions, decode_options
from handlers.operations.segments import RECORDS_AT_ONCE
from handlers.operations.slice_work import Page


@dataclass(frozen=True, slots=True)
class RewriteOptions(KeptOptions):
    """What every process of a rewriting does alike; ``only`` names one table, or is empty.

    With ``yes`` references are rewritten, else they are only listed. All its functions together use at most
    ``read_units`` a second of the application's tables. A command has its own rate.
    """

    segments: int
    only: str = ""
    yes: bool = False
    read_units: float = READ_UNITS


def rewrite_options_of(options: Mapping[str, str]) -> RewriteOptions:
    """As a run keeps them."""
    return decode_options(RewriteOptions, options)


class RewriteWork:
    """SliceWork of a rewriting, or of its dry run. Augmented manifests have no cursor: their slice begins again.

    What was rewritten before is not looked at again, and what is rewritten twice is changed once.
    """

    def __init__(self, references: References, options: RewriteOptions) -> None:
        self._references = references
        self._options = options
        self._segments = options.segments
        self._tables = references.tables_named(options.only or None)
        self._has_manifests = references.manifests is not None and not options.only

    @property
    def phases(self) -> Sequence[int]:
        """See the port; tables come before augmented manifests."""
        return len(self._tables) * self._segments, int(self._has_manifests)

    def read_pages(self, number: int, cursor: str) -> Iterator[Page[Sequence[Reported]]]:
        """See the port."""
        position, segment = divmod(number, self._segments)
        if position < len(self._tables):
            yield from self._items(self._tables[position], segment, cursor)
            return
        yield from self._in_manifests()
        yield Page([], None)

    def is_portable(self, number: int) -> bool:
        """See the port; augmented manifests have no cursor."""
        return number // self._segments < len(self._tables)

    def count_result(self, result: Sequence[Reported]) -> Mapping[str, int]:
        """See the port."""
        return count_of(result)

    def keep_result(self, result: Sequence[Reported]) -> str | None:
        """See the port; a line for each reference."""
        return lines_of(result)

    def _items(self, table: TableReferences, segment: int, cursor: str) -> Iterator[Page[Sequence[Reported]]]:
        after = key_of(cursor) if cursor else None
        ports = self._references.ports
        pages = ports.tables.scan_items(table.table, segment=segment, segments=self._segments, after=after)
        for page in self._references.units.pace(pages):
            for items, last_key in in_parts(page, table):
                tasks = [partial(self._rewrite, table, item) for item in items]
                yield Page(tasks, cursor_of(last_key) if last_key is not None else None)

    def _rewrite(self, table: TableReferences, item: Item) -> Sequence[Reported]:
        return repeated(lambda: self._references.rewrite(table, item, dry_run=not self._options.yes))

    def _in_manifests(self) -> Iterator[Page[Sequence[Reported]]]:
        """What is only reported, in pages, and each rewriting in one of its own."""
        manifests, told = self._references.manifests, list[Reported]()
        for step in manifests.steps(dry_run=not self._options.yes) if manifests is not None else ():
            if not isinstance(step, Reported):
                yield Page([partial(repeated, step)], "")
                continue
            told.append(step)
            if len(told) == RECORDS_AT_ONCE:
                yield Page([partial(_itself, told)], "", only_look=True)
                told = []
        if told:
            yield Page([partial(_itself, told)], "", only_look=True)


def _itself(reported: Sequence[Reported]) -> Sequence[Reported]:
    return reported
