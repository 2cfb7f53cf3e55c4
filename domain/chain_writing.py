"""Appends to the audit chain, beside other writers, and after any crash."""

from collections.abc import Sequence

from domain.audit import AuditEvent
from domain.chain import Link, link_of, seal_segment
from domain.errors import ThrottledError, UnavailableError
from domain.ports import ChainHead, SegmentArchive

TRIES = 200
"""Each means that another writer was quicker."""


class ChainWriter:
    """One process that appends; it remembers where the chain ends, and finds out when others went on."""

    def __init__(self, *, migration: str, archive: SegmentArchive, head: ChainHead) -> None:
        self._migration = migration
        self._archive = archive
        self._head = head
        self._at: Link | None = None
        self._is_anchored = True

    def append_events(self, events: Sequence[AuditEvent]) -> Link | None:
        """Store the events as one segment and anchor it; repeated after a crash, the same segment is found again.

        Returns the link, ``None`` for no events. Raises ThrottledError when other writers are always quicker.
        """
        if not events:
            return None
        at = self._at or self._end()
        for _ in range(TRIES):
            segment = seal_segment(events, after=at, migration=self._migration, is_anchored=self._is_anchored)
            if self._archive.write_segment(segment.link.sequence, segment.body):
                # Remembered only when it is anchored: a repeat after an error finds the same segment again.
                is_newest = self._head.advance_head(segment.link)
                self._at = segment.link if is_newest else None
                self._is_anchored = True
                return segment.link
            at = self._follow(at)
        raise ThrottledError(f"{self._migration}: other writers of the audit chain are always quicker; tried again")

    def _end(self) -> Link:
        return self._head.read_head() or Link()

    def _follow(self, at: Link) -> Link:
        """Where the chain goes on after ``at``: far ahead by the head, otherwise one segment further.

        Segments without any head are looked for by listing, which no other start needs the permission for.
        """
        head = self._head.read_head()
        if head is None and not at.sequence:
            # Another writer's first segment may not be anchored yet; more than that means that the head was removed.
            last = self._archive.last_sequence()
            self._is_anchored = last <= 1
            return self._link(last) if last else at
        if head is not None and head.sequence > at.sequence:
            return head
        return self._link(at.sequence + 1)

    def _link(self, sequence: int) -> Link:
        body = self._archive.read_segment(sequence)
        if body is None:
            raise UnavailableError(f"segment {sequence} of the audit chain was there and is gone; it is tried again")
        return link_of(sequence, body)
