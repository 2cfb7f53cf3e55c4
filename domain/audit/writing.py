"""Appends to one audit chain, beside other writers of it, and after any crash."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from domain.audit.chain import MISSING_SHARD, Link, Segment, link_of, seal_segment, ties_of
from domain.audit.events import AuditEvent
from domain.audit.ports import ChainHead, SegmentArchive
from domain.errors import ThrottledError, UnavailableError

TRIES = 200
"""Each means that another writer came first."""

Ties = Callable[[int], Mapping[str, Any]]
"""What the header of the segment with this number tells of other chains (``chain.TIES``)."""


def _untied(_sequence: int) -> Mapping[str, Any]:
    return {}


class ChainWriter:
    """One process that appends; it remembers where the chain ends, and notices when others have appended.

    A segment that the head does not anchor may be a slow writer's, a dead writer's, or one that another program put
    there. The writer nevertheless builds upon it, or the chain would stop. But the new segment's header contains the
    head's number. The true writer of the older segment is refused the anchor and writes its events again. Events that
    are never written again were added by another program.
    """

    def __init__(
        self,
        *,
        migration: str,
        archive: SegmentArchive,
        head: ChainHead,
        shard: str = MISSING_SHARD,
        ties: Ties = _untied,
    ) -> None:
        self._migration = migration
        self._shard = shard
        self._ties = ties
        self._archive = archive
        self._head = head
        self._at: Link | None = None

    def append_events(self, events: Sequence[AuditEvent]) -> Link | None:
        """Store the events as one segment and anchor it; repeated after a crash, the same segment is found again.

        Returns the link, ``None`` for an empty list. Raises ThrottledError when other writers always come first.
        """
        if not events:
            return None
        at = self._at or self._head.read_head() or Link()
        anchored = at.sequence
        for _ in range(TRIES):
            segment = self._store(events, at, anchored)
            if segment is not None and self._head.advance_head(segment.link):
                # Remembered only when it is anchored: a repeat after an error finds the same segment again.
                self._at = segment.link
                return segment.link
            at, anchored = self._follow(at)
        raise ThrottledError(f"{self._migration}: other writers of the audit chain are always quicker")

    def _store(self, events: Sequence[AuditEvent], after: Link, anchored: int) -> Segment | None:
        """The segment as it is stored; ``None`` where the number is another writer's."""
        sequence, ties = after.sequence + 1, self._ties(after.sequence + 1)
        segment = self._seal(events, after, anchored, ties)
        if self._archive.write_segment(sequence, segment.body):
            return segment
        if not ties:
            return None
        # An earlier attempt with these events told of the other chains as they were then.
        body = self._archive.read_segment(sequence)
        earlier = None if body is None else self._seal(events, after, anchored, ties_of(body))
        return earlier if earlier is not None and earlier.body == body else None

    def _seal(self, events: Sequence[AuditEvent], after: Link, anchored: int, ties: Mapping[str, Any]) -> Segment:
        return seal_segment(events, after=after, migration=self._migration, head=anchored, shard=self._shard, ties=ties)

    def _follow(self, at: Link) -> tuple[Link, int]:
        """Where the chain continues after ``at``, and the head's number.

        If the chain is far ahead, the head gives the place, otherwise the next segment does. Segments without any head
        are found by a listing; no other start needs that permission.
        """
        for _ in range(TRIES):
            head = self._head.read_head()
            if head is not None and head.sequence > at.sequence:
                return head, head.sequence
            found = self._link(self._next(at, head))
            if found == at or self._head.doubt_segments(found.sequence, seen=head):
                return found, 0 if head is None else head.sequence
        raise ThrottledError(f"{self._migration}: the head of the audit chain changes each time it is read")

    def _next(self, at: Link, head: Link | None) -> int:
        if head is None and not at.sequence:
            return self._archive.last_sequence()
        return at.sequence + 1

    def _link(self, sequence: int) -> Link:
        if not sequence:
            return Link()
        body = self._archive.read_segment(sequence)
        if body is None:
            raise UnavailableError(f"segment {sequence} of the audit chain was there and is gone")
        return link_of(sequence, body)
