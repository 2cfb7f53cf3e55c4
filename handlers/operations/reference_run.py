"""A scan of references as a run: its slices are segments of each declared table, and the augmented manifests."""

import json
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from domain.protocol.ports import RecordPages
from domain.references.items import item_size
from domain.references.ports import ItemPage
from domain.references.reports import Reported
from domain.rules.references import Item, TableReferences
from domain.runs.works import ITEMS
from handlers.operations.manifest_slices import ManifestSlices, Scanned, place_line, place_of
from handlers.operations.reference_rates import READ_UNITS
from handlers.operations.references import References, repeated
from handlers.operations.runs import KeptOptions, KeptRun, decode_options
from handlers.operations.segments import LEAST_SEGMENTS
from handlers.operations.slice_work import Page

BYTES_AT_ONCE = 400_000
"""Bytes of the items of one page: the lines of what they hold have to fit into one transaction."""
_OUTCOME = "outcome."


@dataclass(frozen=True, slots=True)
class ScanOptions(KeptOptions):
    """What every process of a scan does alike; ``only`` names one table, or is empty.

    ``read_units`` is how many units a second all its functions together read of the tables. A command has its own rate.
    The records of augmented manifests are read in ``record_segments``.
    """

    segments: int
    only: str = ""
    read_units: float = READ_UNITS
    record_segments: int = LEAST_SEGMENTS


def options_of(options: Mapping[str, str]) -> ScanOptions:
    """As a run keeps them."""
    return decode_options(ScanOptions, options)


class ReferenceScanWork:
    """SliceWork of a scan that writes nothing: segments of tables and of manifests' records, then listed manifests."""

    def __init__(
        self,
        references: References,
        options: ScanOptions,
        pages: RecordPages,
        kept: KeptRun,
        *,
        sleep: Callable[[float], object],
    ) -> None:
        self._references = references
        self._segments = options.segments
        self._tables = references.tables_named(options.only or None)
        self._manifests, scan = None, references.manifests
        if scan is not None and scan.rules.references.manifests and not options.only:
            segments, first = options.record_segments, len(self._tables) * options.segments
            self._manifests = ManifestSlices(scan, pages, segments, kept, first, sleep)

    @property
    def phases(self) -> Sequence[int]:
        """See the port; manifests without a record are known when the records of all others were read."""
        in_tables = len(self._tables) * self._segments
        if self._manifests is None:
            return (in_tables,)
        return in_tables + self._manifests.segments, len(self._manifests.openings)

    def read_pages(self, number: int, cursor: str) -> Iterator[Page[Scanned]]:
        """See the port."""
        position, segment = divmod(number, self._segments)
        if position < len(self._tables):
            yield from self._items(self._tables[position], segment, cursor)
        elif self._manifests is not None:
            number -= len(self._tables) * self._segments
            is_recorded, segments = number < self._manifests.segments, self._manifests.segments
            read = self._manifests.read_recorded if is_recorded else self._manifests.read_listed
            yield from read(number if is_recorded else number - segments, cursor)

    def is_portable(self, number: int) -> bool:  # noqa: ARG002  # the port's
        """See the port; each."""
        return True

    def count_result(self, result: Scanned) -> Mapping[str, int]:
        """See the port."""
        return {} if result.places else count_of(result.reports)

    def keep_result(self, result: Scanned) -> str | None:
        """See the port; a line for each reference."""
        return lines_of(result.reports) or "\n".join(map(place_line, result.places)) or None

    def _items(self, table: TableReferences, segment: int, cursor: str) -> Iterator[Page[Scanned]]:
        after = key_of(cursor) if cursor else None
        ports = self._references.ports
        pages = ports.tables.scan_items(table.table, segment=segment, segments=self._segments, after=after)
        for page in self._references.units.pace(pages):
            for items, last_key in in_parts(page, table):
                tasks = [partial(self._judge, table, item) for item in items]
                yield Page(tasks, cursor_of(last_key) if last_key is not None else None)

    def _judge(self, table: TableReferences, item: Item) -> Scanned:
        return Scanned(repeated(lambda: self._references.rewrite(table, item, dry_run=True)))


def in_parts(page: ItemPage, table: TableReferences) -> Iterator[tuple[Sequence[Item], Item | None]]:
    """The page in parts of few bytes, each with the key to go on after."""
    part: list[Item] = []
    size = 0
    for item in page.items:
        if part and size + item_size(item) > BYTES_AT_ONCE:
            yield part, table.key_of(part[-1])
            part, size = [], 0
        part.append(item)
        size += item_size(item)
    yield part, page.last_key


def cursor_of(key: Item) -> str:
    """The key as text; a key may be binary."""
    return json.dumps({name: [kind, _text_of(held)] for name, value in key.items() for kind, held in value.items()})


def _text_of(value: str | bytes) -> str:
    return b64encode(value).decode() if isinstance(value, bytes) else value


def key_of(cursor: str) -> Item:
    """The key of the text."""
    return {name: {kind: b64decode(held) if kind == "B" else held} for name, (kind, held) in json.loads(cursor).items()}


def shown_row(line: str) -> Mapping[str, str] | None:
    """The report of a kept line; ``None``: the line is that of a manifest's place."""
    row: Mapping[str, str] = json.loads(line)
    return row if place_of(line) is None else None


def count_of(told: Sequence[Reported]) -> Mapping[str, int]:
    """The figures of one item: itself, and its references by outcome."""
    return Counter([ITEMS, *(_OUTCOME + reported.outcome.value for reported in told)])


def lines_of(told: Sequence[Reported]) -> str | None:
    """A line for each reference; ``None`` without any."""
    return "\n".join(json.dumps(row_of(reported)) for reported in told) or None


def row_of(reported: Reported) -> dict[str, str]:
    """A report as its run keeps it, and for machines."""
    return {
        "holder": reported.reference.holder,
        "path": reported.reference.path,
        "uri": reported.reference.uri,
        "source": reported.reference.source.uri,
        "outcome": reported.outcome.value,
        "new_uri": reported.new_uri,
        "why": reported.why,
    }


def outcomes_of(counts: Mapping[str, int]) -> Mapping[str, int]:
    """References by outcome, of figures that were added up."""
    named = {name: count for name, count in sorted(counts.items()) if name.startswith(_OUTCOME) and count}
    return {name.removeprefix(_OUTCOME): count for name, count in named.items()}
