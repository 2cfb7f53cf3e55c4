"""A scan of augmented manifests in slices: those with a record by segments of the manifest table, then the listed ones.

A cursor holds the one of the records' page (or the last key of a listing's page), the manifest in it that was read
last, and how many of its references are kept. So a scan resumes in the middle of a large manifest.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from domain.keys import Location
from domain.protocol.ports import RecordPages
from domain.references.reports import Reported
from handlers.operations.reference_manifests import ManifestScan
from handlers.operations.runs import KeptRun
from handlers.operations.segments import RECORDS_AT_ONCE, read_segment
from handlers.operations.slice_work import Page

KEYS_AT_ONCE = 1_000
_PLACE = "manifest"


@dataclass(frozen=True, slots=True)
class Scanned:
    """References that one step found, or the ``places`` at which manifests with a record are read."""

    reports: Sequence[Reported] = ()
    places: Sequence[Location] = ()


def place_line(place: Location) -> str:
    """The line of a place at which a manifest with a record is read; no command shows it."""
    return json.dumps({_PLACE: [place.bucket, place.key]})


def place_of(line: str) -> Location | None:
    """The place, or ``None``: the line is that of a reference."""
    row = json.loads(line)
    return Location(*row[_PLACE]) if _PLACE in row else None


@dataclass(frozen=True, slots=True)
class ManifestSlices:
    """The slices of manifests in a run: ``segments`` of their records, which ``kept`` numbers from ``first`` on."""

    manifests: ManifestScan
    pages: RecordPages
    segments: int
    kept: KeptRun
    first: int
    sleep: Callable[[float], object]

    @property
    def openings(self) -> Sequence[tuple[str, str]]:
        """The buckets and prefixes that are listed, when every record was read."""
        return list(self.manifests.openings())

    def read_recorded(self, segment: int, cursor: str) -> Iterator[Page[Scanned]]:
        """The pages of one segment after the cursor, empty: from the first."""
        base, name, done = _position_of(cursor)
        for page in read_segment(self.pages, segment, self.segments, cursor=base, sleep=self.sleep):
            named = {record.record_id: record for record in page.records if self.manifests.names(record)}
            for one in _from(list(named), name):
                reports = self.manifests.reports_of(named[one])
                yield from _in_steps(base, one, reports, done if one == name else 0)
            places = [place for record in named.values() for place in (record.source, record.target)]
            after = _cursor_of(page.cursor) if page.cursor is not None else None
            yield Page([partial(Scanned, (), places)] if places else [], after, only_look=True)
            base, name, done = page.cursor or "", "", 0

    def read_listed(self, opening: int, cursor: str) -> Iterator[Page[Scanned]]:
        """The pages of one opening after the cursor, empty: from the first key."""
        (bucket, prefix), (base, name, done) = self.openings[opening], _position_of(cursor)
        known = self._known()
        keys = (one.key for one in self.manifests.listing.list_objects(bucket, prefix=prefix, after=base))
        while some := list(islice(keys, KEYS_AT_ONCE)):
            for one in _from(some, name):
                place = Location(bucket, one)
                if place not in known:
                    yield from _in_steps(base, one, self.manifests.reports_at(place), done if one == name else 0)
            yield Page([], _cursor_of(some[-1]), only_look=True)
            base, name, done = some[-1], "", 0
        yield Page([], None)

    def _known(self) -> frozenset[Location]:
        """The places of manifests that the slices before have read, by their records."""
        run = self.kept.book.read_run(self.kept.work)
        if run is None or run.run_id != self.kept.run_id:
            return frozenset()  # another run began: this one keeps nothing any more
        slices = self.kept.book.read_slices(run)[self.first : self.first + self.segments]
        parts = (self.kept.book.read_part(run, one.number, part) for one in slices for part in range(one.parts))
        found = (place_of(line) for text in parts for line in text.splitlines())
        return frozenset(place for place in found if place is not None)


def _in_steps(base: str, name: str, reports: Iterator[Reported], done: int) -> Iterator[Page[Scanned]]:
    """The references of one manifest after the first ``done`` ones, which are kept already."""
    rest = islice(reports, done, None)
    while some := list(islice(rest, RECORDS_AT_ONCE)):
        done += len(some)
        yield Page([partial(Scanned, some)], _cursor_of(base, name, done), only_look=True)


def _from(names: Sequence[str], name: str) -> Sequence[str]:
    """The names from this one on; all of them where it is gone: what is told twice is better than what is missed."""
    return names[names.index(name) :] if name in names else names


def _cursor_of(base: str, name: str = "", done: int = 0) -> str:
    return json.dumps([base, name, done])


def _position_of(cursor: str) -> tuple[str, str, int]:
    base, name, done = json.loads(cursor) if cursor else ("", "", 0)
    return base, name, done
