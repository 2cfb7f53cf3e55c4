"""Checks the whole audit: the chain against itself, against its head, and against the manifest's records."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from domain.audit.chain import canonical, unpacked
from domain.audit.events import record_digest
from domain.audit.ports import (
    AuditedItems,
    BookedEvent,
    ChainHead,
    Deferred,
    DoubtedSegment,
    EventBook,
    SegmentArchive,
    StoredSegment,
)
from domain.audit.reading import BuiltUpon, ChainedEvent, ChainReader, Fault, Finding, read_event, subject_of
from domain.audit.retelling import is_retold
from domain.protocol.ports import Manifest
from domain.protocol.record import Record

QUIET_SECONDS = 300.0
"""A change younger than this (seconds) may still be on its way through the stream."""
STREAM_SECONDS = 86_400.0
"""DynamoDB keeps a change in the stream for 24 hours: after that no delivery can bring it."""


def ignored(_sequence: int) -> None:
    """Default progress callback: does nothing."""


@dataclass(slots=True)
class Verification:
    """The figures of one verification.

    ``pending`` counts changes and segments so recent that their counterpart is still on its way. ``late`` counts what a
    stream that lags may still deliver. ``unkept`` counts segments in a bucket without versions, where an overwrite
    leaves no trace.
    """

    segments: int = 0
    events: int = 0
    repeated: int = 0
    records: int = 0
    pending: int = 0
    late: int = 0
    unkept: int = 0
    findings: int = 0
    last_sequence: int = 0
    last_sha256: str = ""

    @property
    def is_good(self) -> bool:
        """Whether nothing was found, and nothing is late."""
        return not self.findings and not self.late


@dataclass(slots=True)
class ChainVerifier:
    """One verification; run its steps in order: ``read_chain``, ``compare_records``, ``settle``."""

    archive: SegmentArchive
    head: ChainHead
    book: EventBook
    reader: ChainReader
    started: float
    on_segment: Callable[[int], None] = ignored
    figures: Verification = field(default_factory=Verification)
    _told_of: set[str] = field(default_factory=set)
    _reread: tuple[int, Sequence[bytes]] = (0, ())

    def read_chain(self) -> Iterator[Finding]:
        """Read on from where the last reading ended."""
        for stored in self.archive.read_segments(after=self.reader.at.sequence):
            if stored.key not in self._told_of:
                for finding in _around(stored):
                    self._told_of.add(stored.key)
                    yield self._count(finding)
            if stored.sequence is None or not stored.versions:
                continue
            self.book.book_segment(stored.sequence, stored.stored_at)
            self.figures.unkept += not stored.keeps_versions
            for one in self.reader.read(stored.sequence, stored.body):
                if isinstance(one, Finding):
                    yield self._count(one)
                elif isinstance(one, BuiltUpon):
                    self.book.doubt_segments(one.first, one.last)
                else:
                    yield from map(self._count, self._book(one))
            self.figures.segments = self.reader.segments
            self.on_segment(stored.sequence)

    def compare_records(self, records: Iterable[Record]) -> Iterator[Finding]:
        """Compare the newest state of each record with the newest event about it; newer states wait for ``settle``."""
        for record in records:
            self.figures.records += 1
            self.book.mark_seen(record.record_id)
            state = Deferred(
                record.record_id, record.source.uri, record.revision, record_digest(record), record.changed_at
            )
            yield from map(self._count, self._compare(state))

    def compare_items(self, items: Iterable[Deferred]) -> Iterator[Finding]:
        """The same for the other items, of which only the number of the last change is compared."""
        for state in items:
            self.book.mark_seen(state.subject)
            yield from map(self._count, self._compare(state))

    def _compare(self, state: Deferred) -> Iterator[Finding]:
        newest = self.book.newest_number(state.subject) or 0
        if state.revision <= newest:
            yield from self._compared(state, newest)
        elif state.changed_at < self.started - STREAM_SECONDS:
            yield _unaudited(state)
        else:
            self.book.defer_record(state)

    def settle(self, manifest: Manifest, items: AuditedItems, *, now: float) -> Iterator[Finding]:
        """Read the segments appended meanwhile, and decide the open cases; then compare the chain with its head."""
        yield from self.read_chain()
        for state in self.book.deferred_records():
            if self.book.find_event(state.subject, state.revision) is not None:
                # The record may have changed since; its state at the time of the read is compared.
                yield from map(self._count, self._compared(state, state.revision))
            else:
                yield from self._ripe(_unaudited(state), age=abs(now - state.changed_at))
        for subject in self.book.subjects_not_seen():
            if "#" in subject and not items.has_item(subject):
                yield self._count(self._unknown(subject, "the item"))
            elif "#" not in subject and manifest.read_record(subject) is None:
                yield self._count(self._unknown(subject, "the record"))
        # The head is read last: it may have advanced during the verification, never gone back.
        head = self.head.read_head()
        yield from self.read_chain()
        for finding in self.reader.end(head, self.head.read_head()):
            if finding.fault is Fault.NOT_ANCHORED:
                stored_at = self.book.segment_stored_at(finding.segment or 0)
                yield from self._ripe(finding, age=now - (stored_at or 0.0))
            else:
                yield self._count(finding)
        for doubted in self.book.unconfirmed_segments():
            yield from self._ripe(_unconfirmed(doubted), age=now - doubted.stored_at)
        self.figures.last_sequence, self.figures.last_sha256 = self.reader.at.sequence, self.reader.at.sha256

    def _ripe(self, finding: Finding, *, age: float) -> Iterator[Finding]:
        """The findings that the stream can no longer repair.

        A difference is not reported while it is young, is late for a day, and is a finding after that.
        """
        if age < QUIET_SECONDS:
            self.figures.pending += 1
        elif age < STREAM_SECONDS:
            self.figures.late += 1
            yield replace(finding, text=f"{finding.text}; the stream may still bring it", is_late=True)
        else:
            yield self._count(finding)

    def _unknown(self, subject: str, what: str) -> Finding:
        event = self.book.find_event(subject, self.book.newest_number(subject) or 0)
        text = f"the chain tells of {what} {subject}, which is not in the manifest"
        return _at(event, Fault.RECORD_UNKNOWN, text, subject)

    def _count(self, finding: Finding) -> Finding:
        self.figures.findings += 1
        return finding

    def _book(self, event: ChainedEvent) -> Iterator[Finding]:
        self.figures.events += 1
        subject, number, more = subject_of(event.event_id)
        place = f"segment {event.segment}, line {event.line}"
        if more == "removed":
            text = f"{place}: the record {subject} ({_source(event)}) was removed from the manifest by somebody else"
            yield Finding(Fault.RECORD_REMOVED, text, event.segment, event.line, subject)
            return
        if number is None:
            text = f"{place}: the record {subject} could not be read: {event.fields['detail'].get('cause')}"
            yield Finding(Fault.RECORD_ALTERED, text, event.segment, event.line, subject)
            return
        known = self.book.find_event(subject, number)
        if known is not None:
            self.figures.repeated += 1
            self.book.book_repeat(subject, number, event.segment)
            if known.digest != event.digest and not is_retold(self._first_telling(known), event.fields):
                text = (
                    f"{place}: revision {number} of {_source(event)} is told again in other words than in segment "
                    f"{known.segment}, line {known.line}"
                )
                yield Finding(Fault.REVISION_CONTRADICTED, text, event.segment, event.line, subject)
            return
        yield from _gaps(event, subject, number, self.book.newest_number(subject) or 0)
        told = str(event.fields["detail"].get("record_digest", ""))
        self.book.book_event(subject, number, BookedEvent(event.digest, told, event.segment, event.line))

    def _first_telling(self, known: BookedEvent) -> Mapping[str, Any] | None:
        """The event as it was first written; ``None`` where that line is not what was booked."""
        if self._reread[0] != known.segment:
            body = self.archive.read_original(known.segment)
            self._reread = (known.segment, () if body is None else unpacked(body)[0])
        lines = self._reread[1]
        fields = read_event(lines[known.line]) if known.line < len(lines) else None
        return fields if fields is not None and sha256(canonical(fields)).digest() == known.digest else None

    def _compared(self, state: Deferred, newest: int) -> Iterator[Finding]:
        event = self.book.find_event(state.subject, state.revision)
        if state.revision < newest:
            text = f"{state.uri}: the manifest is at revision {state.revision}, the chain at {newest}: it was set back"
            yield _at(event, Fault.RECORD_ALTERED, text, state.subject)
        elif event is not None and event.told != state.digest:
            text = f"{state.uri}: revision {state.revision} in the manifest is not what the chain tells of it"
            yield _at(event, Fault.RECORD_ALTERED, text, state.subject)


def _around(stored: StoredSegment) -> Iterator[Finding]:
    """What exists beside the one version that a segment has."""
    if stored.sequence is None:
        text = f"{stored.key} is not a segment's key: another program put it there"
        yield Finding(Fault.SEGMENT_FOREIGN, text)
        return
    if stored.versions > 1:
        text = (
            f"segment {stored.sequence} was written over: {stored.versions:,} versions of it lie there, and the oldest "
            "is read here"
        )
        yield Finding(Fault.SEGMENT_OVERWRITTEN, text, stored.sequence)
    if stored.markers:
        kept = "its oldest version is read here" if stored.versions else "no version of it is left"
        text = f"segment {stored.sequence} was deleted: {stored.markers:,} delete markers lie there, and {kept}"
        yield Finding(Fault.SEGMENT_DELETED, text, stored.sequence)


def _unconfirmed(doubted: DoubtedSegment) -> Finding:
    text = (
        f"segment {doubted.sequence} was not anchored when others went on after it, and {doubted.events:,} of its "
        "events were never told again: another program added it, or its writer died and its batch was lost"
    )
    return Finding(Fault.NOT_ANCHORED, text, doubted.sequence, doubted.line)


def _at(event: BookedEvent | None, fault: Fault, text: str, subject: str) -> Finding:
    if event is None:
        return Finding(fault, text, subject=subject)
    return Finding(fault, text, event.segment, event.line, subject)


def _unaudited(state: Deferred) -> Finding:
    text = f"{state.uri}: the chain tells nothing of revision {state.revision} of its record"
    return Finding(Fault.RECORD_UNAUDITED, text, subject=state.subject)


def _gaps(event: ChainedEvent, subject: str, number: int, newest: int) -> Iterator[Finding]:
    place = f"segment {event.segment}, line {event.line}"
    if number > newest + 1:
        first, last = newest + 1, number - 1
        missing = f"revision {first} is" if first == last else f"revisions {first} to {last} are"
        text = f"{place}: {missing} missing before revision {number} of {_source(event)}"
        yield Finding(Fault.REVISION_MISSING, text, event.segment, event.line, subject)
    elif number <= newest:
        text = f"{place}: revision {number} of {_source(event)} comes after revision {newest}"
        yield Finding(Fault.REVISION_OUT_OF_ORDER, text, event.segment, event.line, subject)


def _source(event: ChainedEvent) -> str:
    detail: Mapping[str, Any] = event.fields["detail"]
    return str(detail.get("source", event.event_id.partition(":")[0]))
