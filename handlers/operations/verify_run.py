"""A verification as a run: its slices are segments of the manifest table, the references, and the keys of each side."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from threading import Lock
from typing import Protocol, TypeVar

from domain.keys import Location
from domain.lifecycle.ports import KeyBook, ReportedObjects
from domain.lifecycle.verification import Difference, Finding, Remark, counts_of
from domain.protocol.ports import RecordPages
from domain.protocol.record import Record
from domain.references.ports import ReferenceFinder
from handlers.operations.runs import decode_options, encode_options
from handlers.operations.segments import RECORDS_AT_ONCE, read_segment
from handlers.operations.slice_work import Page
from handlers.operations.verify import Verifier, held_references

FILLING_LOOK_SECONDS = 1.0
"""Pause between two looks at whether another slice of this process has filled the book."""
Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What every process of a verification does alike.

    ``verified_since`` leaves out records that were proven since then, ``fresh_since`` renews older marks (seconds since
    1970). ``keeps_all`` keeps findings without a difference too. ``sample`` ends after so many records.
    ``by_inventories`` looks only at what ``inventories`` do not prove.
    """

    segments: int
    deep: bool = False
    marks: bool = True
    fresh_since: float = 0.0
    verified_since: float | None = None
    keeps_all: bool = False
    references: bool = True
    keys: bool = True
    inventories: tuple[str, ...] = ()
    by_inventories: bool = False
    sample: int | None = None

    def as_options(self) -> Mapping[str, str]:
        """As a run keeps them."""
        return encode_options(self)


def options_of(options: Mapping[str, str]) -> VerifyOptions:
    """As a run keeps them."""
    read = decode_options(VerifyOptions, options)
    return replace(read, inventories=tuple(read.inventories))


class KeySource(Protocol):
    """The keys of one place, such as a prefix or an inventory, always in the same order."""

    def read_keys(self, cursor: str) -> Iterator[tuple[Location, str]]:
        """Each key after the cursor, empty: from the first; with the cursor after it."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What a verification reads besides S3: records, keys and references; ``book`` takes the keys of the records.

    What ``reported`` proves is not looked at; ``None``: every object is looked at.
    """

    pages: RecordPages
    keys: Sequence[KeySource]
    finders: Sequence[ReferenceFinder]
    book: KeyBook
    reported: ReportedObjects | None = None


class VerifyWork:
    """SliceWork of a verification."""

    def __init__(
        self, verifier: Verifier, sources: Sources, options: VerifyOptions, *, sleep: Callable[[float], object]
    ) -> None:
        self._verifier = verifier
        self._sources = sources
        self._options = options
        self._sleep = sleep
        self._booked: set[int] = set()
        self._filling = Lock()

    @property
    def phases(self) -> Sequence[int]:
        """See the port; in one phase."""
        return (self._options.segments + self._options.references + len(self._sources.keys),)

    def read_pages(self, number: int, cursor: str) -> Iterator[Page[Finding | None]]:
        """See the port; the scans of references have no cursor, so their slice begins again."""
        number -= self._options.segments
        if number < 0:
            yield from self._records(number + self._options.segments, cursor)
        elif number < self._options.references:
            for found in _in_pages(held_references(self._sources.finders)):
                yield Page([partial(_itself, one) for one in found], "")
        else:
            for _ in self._fill_book():
                yield Page([], cursor)  # the run may be stopped or cancelled between two pages
            for keys in _in_pages(self._sources.keys[number - self._options.references].read_keys(cursor)):
                yield Page([partial(self._verifier.verify_key, place) for place, _ in keys], keys[-1][1])

    def is_portable(self, number: int) -> bool:
        """See the port; references have no cursor, and a list of keys is compared with the keys of all records."""
        return number < self._options.segments

    def count_result(self, result: Finding | None) -> Mapping[str, int]:
        """See the port."""
        return counts_of(result) if result is not None else {}

    def keep_result(self, result: Finding | None) -> str | None:
        """See the port."""
        if result is None or not (result.differences or result.remarks or self._options.keeps_all):
            return None
        return line_of(result)

    def _records(self, segment: int, cursor: str) -> Iterator[Page[Finding | None]]:
        left, segments = self._options.sample, self._options.segments
        for page in read_segment(self._sources.pages, segment, segments, cursor=cursor, sleep=self._sleep):
            if self._options.keys:
                self._sources.book.add_pairs(map(_pair_of, page.records))
            if not cursor and page.cursor is None:
                self._booked.add(segment)
            due = [record for record in page.records if self._is_due(record)][:left]
            left = left - len(due) if left is not None else None
            yield Page(list(self._tasks(due)), page.cursor if left != 0 else None)

    def _tasks(self, records: Sequence[Record]) -> Iterator[Callable[[], Finding]]:
        reported = self._sources.reported
        proofs = self._verifier.prove(records, reported) if reported is not None else {}
        for record in records:
            proof = proofs.get(record.record_id)
            if proof is None or reported is None:
                yield partial(self._verifier.verify_record, record)
            else:
                yield partial(self._verifier.mark_proven, record, proof, until=reported.until)

    def _is_due(self, record: Record) -> bool:
        since, verified_at = self._options.verified_since, record.verified_at
        return since is None or verified_at is None or verified_at < since

    def _fill_book(self) -> Iterator[None]:
        """Read the keys of the records that this process has not read, page by page, before a listing begins here."""
        pages, segments = self._sources.pages, self._options.segments
        while not self._filling.acquire(timeout=FILLING_LOOK_SECONDS):
            yield
        try:
            for segment in range(segments):
                if segment in self._booked:
                    continue
                for page in read_segment(pages, segment, segments, cursor="", sleep=self._sleep):
                    self._sources.book.add_pairs(map(_pair_of, page.records))
                    yield
                self._booked.add(segment)
        finally:
            self._filling.release()


def _pair_of(record: Record) -> tuple[Location, Location | None]:
    return record.source, record.target if record.target.key else None


def _itself(finding: Finding) -> Finding:
    return finding


def _in_pages(things: Iterator[Thing]) -> Iterator[list[Thing]]:
    while page := list(islice(things, RECORDS_AT_ONCE)):
        yield page


def line_of(finding: Finding) -> str:
    """The finding as one line, as its run keeps it: without what was compared, which the record has."""
    sides = [[one.bucket, one.key] if one is not None else None for one in (finding.source, finding.target)]
    return json.dumps([*sides, finding.state, finding.differences, finding.remarks, finding.detail, finding.verified])


def finding_of(line: str) -> Finding:
    """The finding of a line."""
    source, target, state, differences, remarks, detail, verified = json.loads(line)
    return Finding(
        Location(*source) if source is not None else None,
        Location(*target) if target is not None else None,
        state,
        tuple(map(Difference, differences)),
        tuple(map(Remark, remarks)),
        detail,
        verified,
    )
