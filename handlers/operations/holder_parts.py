"""What may hold objects, in parts that each can be read on from a cursor: tables, augmented manifests, pins."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice

from domain.keys import Location
from domain.protocol.ports import RecordPages
from domain.references.holders import Pin, Reference
from domain.references.ports import PinFinder, ReferenceFinder, UriHolder
from domain.rules.references import Item, TableReferences
from handlers.operations.holders import line_of, manifest_line
from handlers.operations.pins import Pins
from handlers.operations.reference_manifests import ManifestScan
from handlers.operations.reference_run import cursor_of, key_of
from handlers.operations.references import References
from handlers.operations.segments import read_segment

TABLE_SEGMENTS = 4
"""Segments of each table: so many functions at most read it at once."""
KEYS_AT_ONCE = 1_000

Step = tuple[Iterator[str], str | None]
"""The lines of one step, and the cursor after it; ``None``: the part has no more."""
Part = Callable[[str], Iterator[Step]]
"""The steps after a cursor, empty: from the first. Each step's lines are taken before the next step."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look is about: copies at their new places, or else sources; and how it reads the records of manifests.

    ``manifests`` returns the places of manifests that the earlier parts have read, by their records.
    """

    of_copies: bool
    segments: int
    pages: RecordPages
    sleep: Callable[[float], object]
    manifests: Callable[[], frozenset[Location]]


def parts_of(
    finders: Iterable[ReferenceFinder], pins: Iterable[PinFinder], looked: Looked
) -> tuple[Sequence[Part], Sequence[Part]]:
    """The parts of everything that may hold objects; the second ones are read after all of the first."""
    first: list[Part] = []
    second: list[Part] = []
    for finder in finders:
        if isinstance(finder, References):
            first += _tables(finder, looked)
            if finder.manifests is not None and finder.rules.references.manifests:
                first += _recorded(finder.manifests, looked)
                second += _unrecorded(finder.manifests, looked)
        else:
            first.append(_whole(finder.find_copy_references if looked.of_copies else finder.find_references))
    for pin in pins:
        if isinstance(pin, Pins):
            first += [_whole(partial(_pins_in, pin, holder, looked)) for holder in pin.holders]
        else:
            first.append(_whole(pin.find_copy_pins if looked.of_copies else pin.find_pins))
    return first, second


def _whole(find: Callable[[], Iterable[Reference | Pin]]) -> Part:
    """One step: what has no cursor is read from its beginning."""

    def steps(_: str) -> Iterator[Step]:
        yield map(line_of, find()), None

    return steps


def _pins_in(pins: Pins, holder: UriHolder, looked: Looked) -> Iterator[Pin]:
    return pins.pins_in(holder, of_copies=looked.of_copies)


def _tables(references: References, looked: Looked) -> Iterator[Part]:
    for table in references.tables():
        for segment in range(TABLE_SEGMENTS):
            yield partial(_items, references, looked, table, segment)


def _items(references: References, looked: Looked, table: TableReferences, segment: int, cursor: str) -> Iterator[Step]:
    after = key_of(cursor) if cursor else None

    def lines(items: Sequence[Item]) -> Iterator[str]:
        for item in items:
            yield from map(line_of, references.references_in(table, item, of_copies=looked.of_copies))

    scanned = references.ports.tables.scan_items(table.table, segment=segment, segments=TABLE_SEGMENTS, after=after)
    for page in scanned:
        yield lines(page.items), cursor_of(page.last_key) if page.last_key is not None else None


def _recorded(manifests: ManifestScan, looked: Looked) -> Iterator[Part]:
    for segment in range(looked.segments):
        yield partial(_records, manifests, looked, segment)


def _records(manifests: ManifestScan, looked: Looked, segment: int, cursor: str) -> Iterator[Step]:
    for page in read_segment(looked.pages, segment, looked.segments, cursor=cursor, sleep=looked.sleep):
        named = [record for record in page.records if manifests.names(record)]
        places = [manifest_line(place) for record in named for place in (record.source, record.target)]
        found = (one for record in named for one in manifests.references_of(record, of_copies=looked.of_copies))
        yield chain(places, map(line_of, found)), page.cursor


def _unrecorded(manifests: ManifestScan, looked: Looked) -> Iterator[Part]:
    for bucket, prefix in manifests.openings():
        yield partial(_listed, manifests, looked, bucket, prefix)


def _listed(manifests: ManifestScan, looked: Looked, bucket: str, prefix: str, cursor: str) -> Iterator[Step]:
    known = looked.manifests()
    keys = (one.key for one in manifests.listing.list_objects(bucket, prefix=prefix, after=cursor))

    def lines(some: Sequence[str]) -> Iterator[str]:
        for place in (Location(bucket, key) for key in some):
            if place not in known:
                yield from map(line_of, manifests.references_at(place, of_copies=looked.of_copies))

    while some := list(islice(keys, KEYS_AT_ONCE)):
        yield lines(some), some[-1]
    yield iter(()), None
