"""The audit chains' places in memory."""

from collections.abc import Iterator, Mapping, Sequence

from domain.audit.chain import MISSING_SHARD, Link
from domain.audit.item_events import CONTROL_ID, STAGE_ID
from domain.audit.ports import CHAIN_SPAN, BookedEvent, Deferred, DoubtedSegment, Gap, Shard, StoredSegment, UnmetName
from tests.fakes.faults import ScriptedFaults


class InMemorySegmentArchive(ScriptedFaults):
    """SegmentArchive as a dict that tests may tamper with; ``strange`` are keys that are no segment's.

    ``segments`` is what a plain read gets. ``overwrite`` and ``delete`` act as on a bucket that keeps versions, whose
    object lock keeps what lies in ``older``. ``now`` is the date that the archive gives to what is stored.
    """

    def __init__(self) -> None:
        super().__init__()
        self.segments: dict[int, bytes] = {}
        self.older: dict[int, list[bytes]] = {}
        self.markers: dict[int, int] = {}
        self.dates: dict[int, float] = {}
        self.now = 0.0
        self.keeps_versions = True
        self.strange: list[str] = []

    @property
    def holds_anything(self) -> bool:
        """Whether a listing finds a key."""
        return bool(self.segments or self.older or self.markers or self.strange)

    def overwrite(self, sequence: int, body: bytes) -> None:
        """PutObject without a condition."""
        self.older.setdefault(sequence, []).append(self.segments[sequence])
        self.segments[sequence] = body

    def delete(self, sequence: int) -> None:
        """DeleteObject without a version."""
        self.older.setdefault(sequence, []).append(self.segments.pop(sequence))
        self.markers[sequence] = self.markers.get(sequence, 0) + 1

    def write_segment(self, sequence: int, body: bytes) -> bool:
        """See the port."""
        with self._faulty("write_segment"):
            if sequence not in self.segments:
                self.segments[sequence] = body
                self.dates.setdefault(sequence, self.now)
            return self.segments[sequence] == body

    def read_segment(self, sequence: int) -> bytes | None:
        """See the port."""
        with self._faulty("read_segment"):
            return self.segments.get(sequence)

    def read_original(self, sequence: int) -> bytes | None:
        """See the port."""
        with self._faulty("read_original"):
            return next(iter(self._versions(sequence)), None)

    def last_sequence(self) -> int:
        """See the port."""
        with self._faulty("last_sequence"):
            return max(self.segments, default=0)

    def read_segments(self, *, after: int = 0) -> Iterator[StoredSegment]:
        """See the port."""
        with self._faulty("read_segments"):
            numbers = sorted(number for number in {*self.segments, *self.older, *self.markers} if number > after)
            found = [self._stored(number) for number in numbers]
        yield from found
        yield from (StoredSegment(key, None, b"") for key in self.strange if key > f"{after:012d}.jsonl.gz")

    def _versions(self, sequence: int) -> Sequence[bytes]:
        current = [self.segments[sequence]] if sequence in self.segments else []
        return [*self.older.get(sequence, []), *current]

    def _stored(self, sequence: int) -> StoredSegment:
        versions = self._versions(sequence)
        return StoredSegment(
            f"{sequence:012d}",
            sequence,
            versions[0] if versions else b"",
            self.dates.get(sequence, self.now),
            len(versions),
            self.markers.get(sequence, 0),
            self.keeps_versions,
        )


class InMemoryChainHead(ScriptedFaults):
    """ChainHead in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.head: Link | None = None
        self.doubted = 0

    def read_head(self) -> Link | None:
        """See the port."""
        with self._faulty("read_head"):
            return self.head

    def advance_head(self, link: Link) -> bool:
        """See the port."""
        with self._faulty("advance_head"):
            if self.doubted >= link.sequence:
                return False
            if self.head is None or self.head.sequence < link.sequence:
                self.head = link
            return self.head == link

    def doubt_segments(self, last: int, *, seen: Link | None) -> bool:
        """See the port."""
        with self._faulty("doubt_segments"):
            if self.head != seen:
                return False
            self.doubted = max(self.doubted, last)
            return True


class InMemoryHeadOfHeads(ScriptedFaults):
    """HeadOfHeads in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.heads: dict[str, Link] = {}

    def read_heads(self) -> Mapping[str, Link]:
        """See the port."""
        with self._faulty("read_heads"):
            return dict(self.heads)

    def name_chain(self, shard: str, link: Link, *, ends: str = MISSING_SHARD) -> None:
        """See the port."""
        with self._faulty("name_chain"):
            if shard not in self.heads or self.heads[shard].sequence < link.sequence:
                self.heads[shard] = link
                self.heads.pop(ends, None)


class InMemoryShardTree(ScriptedFaults):
    """ShardTree as a dict of parents."""

    def __init__(self) -> None:
        super().__init__()
        self.parents: dict[str, str] = {}

    def find_parent(self, shard: Shard) -> str | None:
        """See the port."""
        with self._faulty("find_parent"):
            return self.parents.get(shard.shard_id)


class InMemoryChains:
    """Chains by their shards; ``strange`` are names beside them that another program made."""

    def __init__(self) -> None:
        self.archives: dict[str, InMemorySegmentArchive] = {}
        self.chain_heads: dict[str, InMemoryChainHead] = {}
        self.strange: list[str] = []

    def archive(self, shard: str) -> InMemorySegmentArchive:
        """See the port."""
        return self.archives.setdefault(shard, InMemorySegmentArchive())

    def head(self, shard: str) -> InMemoryChainHead:
        """See the port."""
        return self.chain_heads.setdefault(shard, InMemoryChainHead())

    def stored_shards(self) -> Iterator[str]:
        """See the port."""
        stored = [shard for shard, archive in self.archives.items() if shard and archive.holds_anything]
        yield from sorted([*stored, *self.strange])


class InMemoryEventBook:
    """EventBook as dicts."""

    def __init__(self) -> None:
        self._events: dict[tuple[str, int], BookedEvent] = {}
        self._newest: dict[str, int] = {}
        self._seen: set[str] = set()
        self._deferred: list[Deferred] = []
        self._segments: dict[int, tuple[float, str]] = {}
        self._names: dict[tuple[int, str], str] = {}
        self._gaps: list[Gap] = []
        self._doubted: set[int] = set()
        self._repeats: dict[tuple[str, int], set[int]] = {}

    def book_segment(self, sequence: int, stored_at: float, sha256: str = "") -> None:
        """See the port."""
        self._segments[sequence] = (stored_at, sha256)

    def segment_stored_at(self, sequence: int) -> float | None:
        """See the port."""
        return self._segments[sequence][0] if sequence in self._segments else None

    def segment_sha256(self, sequence: int) -> str | None:
        """See the port."""
        return self._segments[sequence][1] if sequence in self._segments else None

    def book_name(self, sequence: int, sha256: str, by: str) -> None:
        """See the port."""
        self._names.setdefault((sequence, sha256), by)

    def unmet_names(self) -> Iterator[UnmetName]:
        """See the port."""
        missing: dict[int, UnmetName] = {}
        for (sequence, sha256), by in sorted(self._names.items()):
            found = self.segment_sha256(sequence)
            if found is None:
                missing[sequence // CHAIN_SPAN] = UnmetName(sequence, sha256, by, None)
            elif found != sha256:
                yield UnmetName(sequence, sha256, by, found)
        yield from missing.values()

    def book_gap(self, gap: Gap) -> None:
        """See the port."""
        self._gaps.append(gap)

    def open_gaps(self) -> Iterator[Gap]:
        """See the port."""
        for gap in self._gaps:
            told = sum(subject == gap.subject and gap.first <= number <= gap.last for subject, number in self._events)
            if told <= gap.last - gap.first:
                yield gap

    def doubt_segments(self, first: int, last: int) -> None:
        """See the port."""
        self._doubted.update(number for number in self._segments if first <= number <= last)

    def book_repeat(self, subject: str, number: int, segment: int) -> None:
        """See the port."""
        self._repeats.setdefault((subject, number), set()).add(segment)

    def unconfirmed_segments(self) -> Iterator[DoubtedSegment]:
        """See the port."""
        lines: dict[int, list[int]] = {}
        for key, event in self._events.items():
            if event.segment in self._doubted and not self._repeats.get(key, set()) - self._doubted:
                lines.setdefault(event.segment, []).append(event.line)
        for number in sorted(lines):
            yield DoubtedSegment(number, self._segments[number][0], len(lines[number]), min(lines[number]))

    def newest_number(self, subject: str) -> int | None:
        """See the port."""
        return self._newest.get(subject)

    def find_event(self, subject: str, number: int) -> BookedEvent | None:
        """See the port."""
        return self._events.get((subject, number))

    def book_event(self, subject: str, number: int, event: BookedEvent) -> None:
        """See the port."""
        self._events[subject, number] = event
        self._newest[subject] = max(number, self._newest.get(subject, number))

    def defer_record(self, state: Deferred) -> None:
        """See the port."""
        self._deferred.append(state)

    def deferred_records(self) -> Iterator[Deferred]:
        """See the port."""
        yield from self._deferred

    def mark_seen(self, subject: str) -> None:
        """See the port."""
        self._seen.add(subject)

    def subjects_not_seen(self) -> Iterator[str]:
        """See the port."""
        yield from (subject for subject in self._newest if subject not in self._seen)


class InMemoryAuditedItems:
    """AuditedItems by their ids; the control and the stage are always among them."""

    def __init__(self) -> None:
        unwritten = (Deferred(CONTROL_ID, "the control item", 0, "", 0.0), Deferred(STAGE_ID, "the stage", 0, "", 0.0))
        self.items = {one.subject: one for one in unwritten}

    def list_items(self) -> Iterator[Deferred]:
        """See the port."""
        yield from list(self.items.values())

    def has_item(self, item_id: str) -> bool:
        """See the port."""
        return item_id in self.items and self.items[item_id].revision > 0
