"""Checks the whole audit: each chain against itself and its head, the chains and the head of heads against each other.

Then all of them are compared with the manifest's records.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from domain.audit.chain import canonical, unpacked
from domain.audit.chains import ChainSet, ReadChain
from domain.audit.events import is_retold, record_digest
from domain.audit.findings import Fault, Finding
from domain.audit.found import around, located, source_of, unaudited
from domain.audit.ports import (
    AuditedItems,
    BookedEvent,
    Deferred,
    DoubtedSegment,
    EventBook,
    Gap,
    HeadOfHeads,
)
from domain.audit.reading import BuiltUpon, ChainedEvent, Told, read_event, subject_of
from domain.audit.tying import Tying
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
    leaves no trace. ``ends`` has the newest link of each chain that is not handed on, in the form of ``--expect``.
    """

    segments: int = 0
    events: int = 0
    repeated: int = 0
    records: int = 0
    pending: int = 0
    late: int = 0
    unkept: int = 0
    findings: int = 0
    chains: int = 0
    ends: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether nothing was found, and nothing is late."""
        return not self.findings and not self.late


@dataclass(slots=True)
class ChainVerifier:
    """One verification; run its steps in order: ``read_chains``, ``compare_records``, ``settle``."""

    chains: ChainSet
    heads: HeadOfHeads
    book: EventBook
    started: float
    on_segment: Callable[[int], None] = ignored
    figures: Verification = field(default_factory=Verification)
    _reread: tuple[int, Sequence[bytes]] = (0, ())

    def read_chains(self) -> Iterator[Finding]:
        """Read on from where the last reading ended, in the chains that are stored by now."""
        yield from self._discover()
        for chain in self.chains.in_order():
            yield from self._read(chain)

    def _discover(self) -> Iterator[Finding]:
        for name in self.chains.discover():
            text = f"{name!r} lies beside the chains and is not a shard's id: another program put it there"
            yield self._count(Finding(Fault.SEGMENT_FOREIGN, text))

    def _read(self, chain: ReadChain) -> Iterator[Finding]:
        before = self.chains.unread_before(chain)
        if before is not None:
            yield from self._read(before)
        for stored in chain.archive.read_segments(after=chain.reader.at.sequence):
            if stored.key not in chain.told_of:
                for finding in around(stored):
                    chain.told_of.add(stored.key)
                    yield self._count(located(finding, chain))
            if stored.sequence is None or not stored.versions:
                continue
            self.figures.unkept += not stored.keeps_versions
            for one in chain.reader.read(stored.sequence, stored.body):
                if isinstance(one, Finding):
                    yield self._count(located(one, chain))
                elif isinstance(one, BuiltUpon):
                    self.book.doubt_segments(chain.place_of(one.first), chain.place_of(one.last))
                elif isinstance(one, Told):
                    self.tying.book_told(one, chain)
                else:
                    yield from map(self._count, self._book(one, chain))
            self.book.book_segment(chain.place_of(stored.sequence), stored.stored_at, chain.reader.at.sha256)
            chain.newest_at = max(chain.newest_at, stored.stored_at)
            self.figures.segments += 1
            self.on_segment(self.figures.segments)

    @property
    def tying(self) -> Tying:
        """What the chains tell of each other."""
        return Tying(self.chains, self.book)

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
            yield unaudited(state)
        else:
            self.book.defer_record(state)

    def settle(self, manifest: Manifest, items: AuditedItems, *, now: float) -> Iterator[Finding]:
        """Read the segments appended meanwhile, and decide the open cases; then compare the chains with their heads."""
        yield from self.read_chains()
        for state in self.book.deferred_records():
            if self.book.find_event(state.subject, state.revision) is not None:
                # The record may have changed since; its state at the time of the read is compared.
                yield from map(self._count, self._compared(state, state.revision))
            else:
                yield from self._ripe(unaudited(state), age=abs(now - state.changed_at))
        for subject in self.book.subjects_not_seen():
            if "#" in subject and not items.has_item(subject):
                yield self._count(self._unknown(subject, "the item"))
            elif "#" not in subject and manifest.read_record(subject) is None:
                yield self._count(self._unknown(subject, "the record"))
        yield from self._end(now)
        yield from self.find_gaps()
        for doubted in self.book.unconfirmed_segments():
            yield from self._ripe(self._unconfirmed(doubted), age=now - doubted.stored_at)

    def find_gaps(self) -> Iterator[Finding]:
        """The changes that no chain tells although one tells a later change of the same subject."""
        for gap in self.book.open_gaps():
            yield self._count(self._missing(gap))

    def _end(self, now: float) -> Iterator[Finding]:
        """Compare the end of each chain with its head, and all of them with the head of heads."""
        yield from self._discover()
        for chain in self.chains.in_order():
            # The head is read before and after the end: it may have advanced during the verification, never gone back.
            before = chain.head.read_head()
            yield from self._read(chain)
            after = chain.head.read_head()
            chain.anchored = 0 if after is None else after.sequence
            for finding in chain.reader.end(before, after):
                yield from self._ended(located(finding, chain), chain, now)
        heads = self.heads.read_heads()
        self.tying.book_heads(heads)
        unmet = list(self.book.unmet_names())
        # A link is told after its segment is stored: what was not read was appended since, or it is gone.
        for number in dict.fromkeys(self.chains.at(one.segment)[0].number for one in unmet):
            yield from self._read(self.chains.numbered(number))
        yield from map(self._count, self.tying.differences(unmet))
        for finding, stored_at in self.tying.unnamed(heads):
            yield from self._ripe(finding, age=now - stored_at)
        self.figures.chains = sum(chain.reader.segments > 0 for chain in self.chains.in_order())
        self.figures.ends = [str(end) for end in self.tying.ends()]

    def _ended(self, finding: Finding, chain: ReadChain, now: float) -> Iterator[Finding]:
        """The finding, unless a writer that has not come to the head yet explains it."""
        unanchored = finding.segment if finding.fault is Fault.NOT_ANCHORED else None
        if finding.fault is Fault.HEAD_MISSING and not chain.reader.anchored:
            unanchored = 1
        if unanchored is None:
            yield self._count(finding)
            return
        stored_at = self.book.segment_stored_at(chain.place_of(unanchored))
        yield from self._ripe(finding, age=now - (stored_at or 0.0))

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
        return self._at(event, Fault.RECORD_UNKNOWN, text, subject)

    def _unconfirmed(self, doubted: DoubtedSegment) -> Finding:
        chain, sequence = self.chains.at(doubted.sequence)
        text = (
            f"segment {sequence} was not anchored when others went on after it, and {doubted.events:,} of its events "
            "were never told again: another program added it, or its writer died and its batch was lost"
        )
        return located(Finding(Fault.NOT_ANCHORED, text, sequence, doubted.line), chain)

    def _missing(self, gap: Gap) -> Finding:
        chain, sequence = self.chains.at(gap.segment)
        first, last = gap.first, gap.last
        while self.book.find_event(gap.subject, first) is not None:
            first += 1
        while self.book.find_event(gap.subject, last) is not None:
            last -= 1
        missing = f"revision {first} is" if first == last else f"revisions {first} to {last} are"
        text = f"segment {sequence}, line {gap.line}: {missing} missing before revision {gap.number} of {gap.name}"
        return located(Finding(Fault.REVISION_MISSING, text, sequence, gap.line, gap.subject), chain)

    def _at(self, event: BookedEvent | None, fault: Fault, text: str, subject: str) -> Finding:
        if event is None:
            return Finding(fault, text, subject=subject)
        chain, sequence = self.chains.at(event.segment)
        return located(Finding(fault, text, sequence, event.line, subject), chain)

    def _count(self, finding: Finding) -> Finding:
        self.figures.findings += 1
        return finding

    def _book(self, event: ChainedEvent, chain: ReadChain) -> Iterator[Finding]:
        self.figures.events += 1
        subject, number, more = subject_of(event.event_id)
        where = f"segment {event.segment}, line {event.line}"

        def found(fault: Fault, text: str) -> Finding:
            return located(Finding(fault, f"{where}: {text}", event.segment, event.line, subject), chain)

        if more == "removed":
            text = f"the record {subject} ({source_of(event)}) was removed from the manifest by another program"
            yield found(Fault.RECORD_REMOVED, text)
            return
        if number is None:
            cause = event.fields["detail"].get("cause")
            yield found(Fault.RECORD_ALTERED, f"the record {subject} could not be read: {cause}")
            return
        place = chain.place_of(event.segment)
        known = self.book.find_event(subject, number)
        if known is not None:
            self.figures.repeated += 1
            self.book.book_repeat(subject, number, place)
            if known.digest != event.digest and not is_retold(self._first_telling(known), event.fields):
                text = f"revision {number} of {source_of(event)} is told again in other words than in "
                yield found(Fault.REVISION_CONTRADICTED, text + self._place(known, chain))
            return
        newest = self.book.newest_number(subject) or 0
        if number > newest + 1:
            self.book.book_gap(Gap(subject, source_of(event), newest + 1, number - 1, number, place, event.line))
        elif number <= newest and self._is_earlier(subject, newest, chain):
            yield found(
                Fault.REVISION_OUT_OF_ORDER, f"revision {number} of {source_of(event)} comes after revision {newest}"
            )
        told = str(event.fields["detail"].get("record_digest", ""))
        self.book.book_event(subject, number, BookedEvent(event.digest, told, place, event.line))

    def _is_earlier(self, subject: str, number: int, chain: ReadChain) -> bool:
        """Whether this event comes before what is told now; of two chains side by side neither comes before."""
        known = self.book.find_event(subject, number)
        return known is None or self.chains.comes_before(known.segment, chain)

    def _place(self, known: BookedEvent, chain: ReadChain) -> str:
        other, sequence = self.chains.at(known.segment)
        return f"segment {sequence}, line {known.line}" + ("" if other is chain else f" of {other.name}")

    def _first_telling(self, known: BookedEvent) -> Mapping[str, Any] | None:
        """The event as it was first written; ``None`` where that line is not what was booked."""
        if self._reread[0] != known.segment:
            chain, sequence = self.chains.at(known.segment)
            body = chain.archive.read_original(sequence)
            self._reread = (known.segment, () if body is None else unpacked(body)[0])
        lines = self._reread[1]
        fields = read_event(lines[known.line]) if known.line < len(lines) else None
        return fields if fields is not None and sha256(canonical(fields)).digest() == known.digest else None

    def _compared(self, state: Deferred, newest: int) -> Iterator[Finding]:
        event = self.book.find_event(state.subject, state.revision)
        if state.revision < newest:
            text = f"{state.uri}: the manifest is at revision {state.revision}, the chain at {newest}: it was set back"
            yield self._at(event, Fault.RECORD_ALTERED, text, state.subject)
        elif event is not None and event.told != state.digest:
            text = f"{state.uri}: revision {state.revision} in the manifest is not what the chain tells of it"
            yield self._at(event, Fault.RECORD_ALTERED, text, state.subject)
