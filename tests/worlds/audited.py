"""Records, their chain and a verification, in memory; tests tamper with any of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from domain.audit.chain import MISSING_SHARD, Link, Segment, link_of, packed, seal_segment, unpacked
from domain.audit.chains import ChainSet, Expected
from domain.audit.events import AuditEvent, audit_event
from domain.audit.findings import Finding
from domain.audit.ports import Shard
from domain.audit.sharding import ChainsWriter
from domain.audit.verification import ChainVerifier, Verification
from domain.audit.writing import ChainWriter
from domain.keys import Location
from domain.protocol.record import Claim, Record, State
from tests.fakes.archive import (
    InMemoryAuditedItems,
    InMemoryChainHead,
    InMemoryChains,
    InMemoryEventBook,
    InMemoryHeadOfHeads,
    InMemorySegmentArchive,
    InMemoryShardTree,
)
from tests.fakes.manifest import InMemoryManifest

MIGRATION = "m"
LONG_AGO = 1_790_000_000.0
VERIFIED_AT = LONG_AGO + 100_000


SHARD = "shardId-00000001795400000000-0000000a"
PARENT = "shardId-00000001795300000000-0000000b"


@dataclass
class Layout:
    """The chain that worlds write to and tamper with: that of a shard, or the one without a shard."""

    shard: str = MISSING_SHARD


LAYOUT = Layout()
"""What the fixture ``each_chain`` sets."""


@dataclass(frozen=True)
class Writer:
    """A process that appends to one chain."""

    writer: ChainsWriter
    shard: Shard

    def append_events(self, events: Sequence[AuditEvent]) -> Link | None:
        """Append; returns the link alone."""
        named = self.writer.append_events(events, shard=self.shard)
        return None if named is None else named.link


class Audited:
    """A migration whose every change is in its chains; ``archive`` and ``head`` are those of the layout's chain."""

    def __init__(
        self, *, archive: InMemorySegmentArchive | None = None, manifest: InMemoryManifest | None = None
    ) -> None:
        self.shard = LAYOUT.shard
        self.chains = InMemoryChains()
        self.heads = InMemoryHeadOfHeads()
        self.shards = InMemoryShardTree()
        if archive is not None:
            self.archive = archive
        self.manifest = manifest or InMemoryManifest()
        self.items = InMemoryAuditedItems()
        self.figures = Verification()

    @property
    def archive(self) -> InMemorySegmentArchive:
        """The chain's segments."""
        return self.chains.archive(self.shard)

    @archive.setter
    def archive(self, archive: InMemorySegmentArchive) -> None:
        self.chains.archives[self.shard] = archive

    @property
    def head(self) -> InMemoryChainHead:
        """The chain's head."""
        return self.chains.head(self.shard)

    def writer(self, shard: str | None = None) -> Writer:
        """A new process that appends, to the layout's chain or to that of another shard."""
        writer = ChainsWriter(migration=MIGRATION, chains=self.chains, heads=self.heads, shards=self.shards)
        return Writer(writer, Shard(self.shard if shard is None else shard))

    def sealed(self, events: Sequence[AuditEvent], *, after: Link) -> Segment:
        """A segment with right links, as another program would make it that knows the form."""
        return seal_segment(events, after=after, migration=MIGRATION, shard=self.shard)

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
        verifier = verifier_of(self, started=now, expected={self.shard: expected or {}})
        findings = list(verifier.read_chains())
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
        writer = ChainWriter(migration=MIGRATION, archive=self.archive, head=head, shard=self.shard)
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


def placed(finding: Finding) -> Finding:
    """The finding as it is told of the layout's chain."""
    shard = LAYOUT.shard
    return replace(finding, shard=shard, text=f"{shard}: {finding.text}") if shard else finding


def verifier_of(
    made: Audited, *, started: float = VERIFIED_AT, expected: Expected | None = None, **more: Any
) -> ChainVerifier:
    """A verification that has not begun."""
    chains = ChainSet(made.chains, MIGRATION, expected)
    return ChainVerifier(chains, made.heads, InMemoryEventBook(), started=started, **more)
