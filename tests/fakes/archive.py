"""The audit chain's places in memory."""

from collections.abc import Iterator

from domain.chain import Link
from domain.ports import BookedEvent, Deferred, StoredSegment
from tests.fakes.faults import ScriptedFaults


class InMemorySegmentArchive(ScriptedFaults):
    """SegmentArchive as a dict that tests may tamper with; ``strange`` are keys that are no segment's."""

    def __init__(self) -> None:
        super().__init__()
        self.segments: dict[int, bytes] = {}
        self.strange: list[str] = []

    def write_segment(self, sequence: int, body: bytes) -> bool:
        """See the port."""
        with self._faulty("write_segment"):
            return self.segments.setdefault(sequence, body) == body

    def read_segment(self, sequence: int) -> bytes | None:
        """See the port."""
        with self._faulty("read_segment"):
            return self.segments.get(sequence)

    def last_sequence(self) -> int:
        """See the port."""
        with self._faulty("last_sequence"):
            return max(self.segments, default=0)

    def read_segments(self, *, after: int = 0) -> Iterator[StoredSegment]:
        """See the port."""
        with self._faulty("read_segments"):
            found = sorted(self.segments.items())
        yield from (StoredSegment(f"{number:012d}", number, body) for number, body in found if number > after)
        yield from (StoredSegment(key, None, b"") for key in self.strange if key > f"{after:012d}.jsonl.gz")


class InMemoryChainHead(ScriptedFaults):
    """ChainHead in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.head: Link | None = None

    def read_head(self) -> Link | None:
        """See the port."""
        with self._faulty("read_head"):
            return self.head

    def advance_head(self, link: Link) -> bool:
        """See the port."""
        with self._faulty("advance_head"):
            if self.head is None or self.head.sequence < link.sequence:
                self.head = link
            return self.head == link


class InMemoryEventBook:
    """EventBook as dicts."""

    def __init__(self) -> None:
        self._events: dict[tuple[str, int], BookedEvent] = {}
        self._newest: dict[str, int] = {}
        self._seen: set[str] = set()
        self._deferred: list[Deferred] = []

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
        yield from (subject for subject in self._newest if "#" not in subject and subject not in self._seen)
