"""Checks the whole audit: the chain against itself, against its head, and against the manifest's records."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.audit import record_digest
from domain.chain_reading import ChainedEvent, ChainReader, Fault, Finding, subject_of
from domain.ports import BookedEvent, ChainHead, Deferred, EventBook, Manifest, SegmentArchive
from domain.record import Record

QUIET_SECONDS = 300.0
"""A change younger than this may still be on its way through the stream."""


def ignored(_sequence: int) -> None:
    """Nobody watches."""


@dataclass(slots=True)
class Verification:
    """The figures of one verification; ``pending`` are records changed so lately that their event may be on its way."""

    segments: int = 0
    events: int = 0
    repeated: int = 0
    records: int = 0
    pending: int = 0
    findings: int = 0
    last_sequence: int = 0
    last_sha256: str = ""

    @property
    def is_good(self) -> bool:
        """Nothing was found."""
        return not self.findings


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
    _strange: set[str] = field(default_factory=set)

    def read_chain(self) -> Iterator[Finding]:
        """Read from where the last reading ended."""
        for stored in self.archive.read_segments(after=self.reader.at.sequence):
            if stored.sequence is None:
                if stored.key in self._strange:
                    continue
                self._strange.add(stored.key)
                text = f"{stored.key} is no segment's key: somebody put it there"
                yield self._count(Finding(Fault.SEGMENT_FOREIGN, text))
                continue
            for one in self.reader.read(stored.sequence, stored.body):
                if isinstance(one, Finding):
                    yield self._count(one)
                else:
                    yield from map(self._count, self._book(one))
            self.figures.segments = self.reader.segments
            self.on_segment(stored.sequence)

    def compare_records(self, records: Iterable[Record]) -> Iterator[Finding]:
        """The newest state of each record against the newest event about it; newer ones wait for ``settle``."""
        for record in records:
            self.figures.records += 1
            self.book.mark_seen(record.record_id)
            state = Deferred(
                record.record_id, record.source.uri, record.revision, record_digest(record), record.changed_at
            )
            yield from map(self._count, self._compare(state))

    def compare_items(self, items: Iterable[Deferred]) -> Iterator[Finding]:
        """The same for the control and the stage, of which only the number of the last change is compared."""
        for state in items:
            yield from map(self._count, self._compare(state))

    def _compare(self, state: Deferred) -> Iterator[Finding]:
        newest = self.book.newest_number(state.subject) or 0
        if state.revision <= newest:
            yield from self._compared(state, newest)
        elif state.changed_at < self.started - QUIET_SECONDS:
            yield _unaudited(state)
        else:
            self.book.defer_record(state)

    def settle(self, manifest: Manifest, *, now: float) -> Iterator[Finding]:
        """Read what was appended meanwhile, and decide what was still open; then compare the chain with its head."""
        yield from self.read_chain()
        for state in self.book.deferred_records():
            if self.book.find_event(state.subject, state.revision) is not None:
                # The record may have gone on; what it was when it was read is compared.
                yield from map(self._count, self._compared(state, state.revision))
            elif abs(now - state.changed_at) < QUIET_SECONDS:
                self.figures.pending += 1
            else:
                yield self._count(_unaudited(state))
        for subject in self.book.subjects_not_seen():
            if manifest.read_record(subject) is None:
                event = self.book.find_event(subject, self.book.newest_number(subject) or 0)
                text = f"the chain tells of the record {subject}, which is not in the manifest"
                yield self._count(_at(event, Fault.RECORD_UNKNOWN, text, subject))
        # The head is read last: it may have gone on while we read, never back.
        head = self.head.read_head()
        yield from self.read_chain()
        yield from map(self._count, self.reader.end(head, self.head.read_head()))
        self.figures.last_sequence, self.figures.last_sha256 = self.reader.at.sequence, self.reader.at.sha256

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
            if known.digest != event.digest:
                text = (
                    f"{place}: revision {number} of {_source(event)} is told again in other words than in segment "
                    f"{known.segment}, line {known.line}"
                )
                yield Finding(Fault.REVISION_CONTRADICTED, text, event.segment, event.line, subject)
            return
        yield from _gaps(event, subject, number, self.book.newest_number(subject) or 0)
        told = str(event.fields["detail"].get("record_digest", ""))
        self.book.book_event(subject, number, BookedEvent(event.digest, told, event.segment, event.line))

    def _compared(self, state: Deferred, newest: int) -> Iterator[Finding]:
        event = self.book.find_event(state.subject, state.revision)
        if state.revision < newest:
            text = f"{state.uri}: the manifest is at revision {state.revision}, the chain at {newest}: it was set back"
            yield _at(event, Fault.RECORD_ALTERED, text, state.subject)
        elif event is not None and event.told != state.digest:
            text = f"{state.uri}: revision {state.revision} in the manifest is not what the chain tells of it"
            yield _at(event, Fault.RECORD_ALTERED, text, state.subject)


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
