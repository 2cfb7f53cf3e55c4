"""Records, their chain and a verification, in memory; tests tamper with any of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from domain.audit.chain import Link, link_of, packed, unpacked
from domain.audit.events import AuditEvent, audit_event
from domain.audit.reading import ChainReader, Finding
from domain.audit.verification import ChainVerifier, Verification
from domain.audit.writing import ChainWriter
from domain.keys import Location
from domain.protocol.record import Claim, Record, State
from tests.fakes.archive import InMemoryAuditedItems, InMemoryChainHead, InMemoryEventBook, InMemorySegmentArchive
from tests.fakes.manifest import InMemoryManifest

MIGRATION = "m"
LONG_AGO = 1_790_000_000.0
VERIFIED_AT = LONG_AGO + 100_000


@dataclass
class Audited:
    """A migration whose every change is in its chain."""

    archive: InMemorySegmentArchive = field(default_factory=InMemorySegmentArchive)
    head: InMemoryChainHead = field(default_factory=InMemoryChainHead)
    manifest: InMemoryManifest = field(default_factory=InMemoryManifest)
    items: InMemoryAuditedItems = field(default_factory=InMemoryAuditedItems)
    figures: Verification = field(default_factory=Verification)

    def writer(self) -> ChainWriter:
        """A new process that appends."""
        return ChainWriter(migration=MIGRATION, archive=self.archive, head=self.head)

    def change(self, number: int) -> AuditEvent:
        """One more change of an object's record; every second one ends an attempt."""
        source, target = Location("b", f"old/{number}"), Location("b", f"new/{number}")
        before = self.manifest.read_record(source.record_id)
        after = Record(source, target, claim=Claim("t", LONG_AGO + 9), rule="move", changed_at=LONG_AGO)
        if before is not None:
            begins = before.claim is None
            claim = Claim(f"t{before.revision}", LONG_AGO + 9) if begins else None
            state = before.state if begins else State.COPIED
            revision = before.revision + 1
            after = replace(before, claim=claim, state=state, revision=revision, changed_at=LONG_AGO + revision)
        assert self.manifest.write_record(after, before=before)
        return audit_event(after, migration=MIGRATION)

    def verify(self, *, now: float = VERIFIED_AT, expected: dict[int, str] | None = None) -> list[Finding]:
        """Everything that a verification finds."""
        reader = ChainReader(MIGRATION, expected or {})
        verifier = ChainVerifier(self.archive, self.head, InMemoryEventBook(), reader, started=now)
        findings = list(verifier.read_chain())
        findings += verifier.compare_records(self.manifest.scan_records())
        findings += verifier.compare_items(self.items.list_items())
        findings += verifier.settle(self.manifest, self.items, now=now)
        self.figures = verifier.figures
        return findings

    def rewrite(self, sequence: int, lines: Sequence[bytes]) -> None:
        """Store other lines; nothing else is made to fit."""
        self.archive.segments[sequence] = packed(lines)

    def lines(self, sequence: int) -> list[bytes]:
        """The lines of a segment."""
        return unpacked(self.archive.segments[sequence])[0]

    def relink(self, events: Sequence[Sequence[AuditEvent]], *, after: Link) -> Link:
        """Write a whole tail anew with right hashes, as somebody would who knows the form; its end."""
        for sequence in [number for number in self.archive.segments if number > after.sequence]:
            del self.archive.segments[sequence]
        head = InMemoryChainHead()
        head.head = after
        writer = ChainWriter(migration=MIGRATION, archive=self.archive, head=head)
        for batch in events:
            writer.append_events(batch)
        last = max(self.archive.segments)
        return link_of(last, self.archive.segments[last])


def audited(batches: Sequence[Sequence[int]]) -> Audited:
    """A migration whose objects changed in these batches."""
    made = Audited()
    writer = made.writer()
    for batch in batches:
        writer.append_events([made.change(number) for number in batch])
    return made


def verifier_of(made: Audited, **more: Any) -> ChainVerifier:
    """A verification that has not begun."""
    return ChainVerifier(
        made.archive, made.head, InMemoryEventBook(), ChainReader(MIGRATION), started=VERIFIED_AT, **more
    )
