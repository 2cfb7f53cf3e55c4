"""Appends to the audit chain, beside other writers, and after any crash."""

from collections.abc import Sequence

from domain.audit.chain import Link, link_of, seal_segment
from domain.audit.events import AuditEvent
from domain.audit.ports import ChainHead, SegmentArchive
from domain.errors import ThrottledError, UnavailableError

TRIES = 200
"""Each means that another writer came first."""


class ChainWriter:
    """One process that appends; it remembers where the chain ends, and notices when others have appended.

    A segment that the head does not anchor may be a slow writer's, a dead writer's, or one that another program put
    there. The writer nevertheless builds upon it, or the chain would stop. But the new segment's header contains the
    head's number. The true writer of the older segment is refused the anchor and writes its events again. Events that
    are never written again were added by another program.
    """

    def __init__(self, *, migration: str, archive: SegmentArchive, head: ChainHead) -> None:
        self._migration = migration
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
            segment = seal_segment(events, after=at, migration=self._migration, head=anchored)
            stored = self._archive.write_segment(segment.link.sequence, segment.body)
            if stored and self._head.advance_head(segment.link):
                # Remembered only when it is anchored: a repeat after an error finds the same segment again.
                self._at = segment.link
                return segment.link
            at, anchored = self._follow(at)
        raise ThrottledError(f"{self._migration}: other writers of the audit chain are always quicker; tried again")

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
        raise ThrottledError(f"{self._migration}: the head of the audit chain never stands still; tried again")

    def _next(self, at: Link, head: Link | None) -> int:
        if head is None and not at.sequence:
            return self._archive.last_sequence()
        return at.sequence + 1

    def _link(self, sequence: int) -> Link:
        if not sequence:
            return Link()
        body = self._archive.read_segment(sequence)
        if body is None:
            raise UnavailableError(f"segment {sequence} of the audit chain was there and is gone; it is tried again")
        return link_of(sequence, body)
