"""Reads a chain segment by segment, and reports where it differs from what was written."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from domain.audit.chain import (
    CHAIN_VERSION,
    MISSING_SHARD,
    Link,
    NamedLink,
    canonical,
    line_digest,
    link_of,
    named_link,
    unpacked,
)
from domain.audit.findings import Fault, Finding

REMEMBERED = 10_000
"""How many of the newest links are kept: a head further behind is reported as not anchored."""


MOST_DIGITS = 18
"""Longer numbers do not fit into 64 bits."""


@dataclass(frozen=True, slots=True)
class BuiltUpon:
    """Segments that the head did not anchor when another writer continued after them."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Told:
    """A link of another chain, as the header of this chain's ``segment`` tells it."""

    named: NamedLink
    segment: int


@dataclass(frozen=True, slots=True)
class ChainedEvent:
    """An event of the chain; ``fields`` is the result of ``event_fields``; equal fields have equal digests."""

    segment: int
    line: int
    fields: Mapping[str, Any]
    digest: bytes

    @property
    def event_id(self) -> str:
        """Its id."""
        return str(self.fields.get("event_id", ""))


Reading = Finding | BuiltUpon | Told | ChainedEvent
"""What a segment holds, and what is wrong with it."""


@dataclass(slots=True)
class ChainReader:
    """Follows the chain of a shard; ``expected`` are its links that a person noted elsewhere, by number."""

    migration: str
    expected: Mapping[int, str] = field(default_factory=dict)
    shard: str = MISSING_SHARD
    at: Link = field(default_factory=Link)
    segments: int = 0
    anchored: int = 0
    known: dict[int, str] = field(default_factory=dict)

    def read(self, sequence: int, body: bytes) -> Iterator[Reading]:
        """The events of the segment, in order, with its faults; reading continues after every fault."""
        if sequence > self.at.sequence + 1:
            yield self._gap(sequence)
        follows = sequence == self.at.sequence + 1
        lines, fault = unpacked(body)
        header = _object(lines[0]) if lines else None
        yield from self._link(sequence, header, follows=follows)
        if header is not None and _is_header(header) and header["sequence"] == sequence:
            yield from self._anchoring(sequence, header)
            yield from (Told(named, sequence) for named in told_links(header))
        if fault is not None:
            text = f"segment {sequence} is damaged: {fault}, after {max(0, len(lines) - 1)} readable lines"
            yield Finding(Fault.SEGMENT_ALTERED, text, sequence, max(0, len(lines)))
        yield from _lines(sequence, lines, header, is_whole=fault is None)
        self.at = link_of(sequence, body)
        self.segments += 1
        self.known[sequence] = self.at.sha256
        self.known.pop(sequence - REMEMBERED, None)
        known = self.expected.get(sequence)
        if known is not None and known != self.at.sha256:
            text = f"segment {sequence} has SHA-256 {self.at.sha256}, but {known} was noted when it was written"
            yield Finding(Fault.SEGMENT_ALTERED, text, sequence)

    def end(self, before: Link | None, after: Link | None) -> Iterator[Finding]:
        """Compare the end of the chain with the head, which is read before and after the search for the end."""
        at = self.at
        for sequence in sorted(self.expected):
            if sequence > at.sequence:
                text = f"segment {sequence} was noted when it was written, but the chain ends at {at.sequence}"
                yield Finding(Fault.CHAIN_TRUNCATED, text, sequence)
        if after is None:
            if at.sequence:
                yield Finding(Fault.HEAD_MISSING, f"the chain has {at.sequence} segments but no head in DynamoDB")
        elif before is not None and before.sequence > at.sequence:
            missing = _span(at.sequence + 1, before.sequence)
            text = f"the chain ends at segment {at.sequence}, the head says {before.sequence}: {missing} removed"
            yield Finding(Fault.CHAIN_TRUNCATED, text, at.sequence + 1)
        elif after.sequence < at.sequence:
            text = (
                f"segments after {after.sequence} are not anchored by the head: their writer died before it could, "
                "which its next batch repairs, or another program added them"
            )
            yield Finding(Fault.NOT_ANCHORED, text, after.sequence + 1)
        for head in dict.fromkeys((before, after)):
            if head is not None and self.known.get(head.sequence, head.sha256) != head.sha256:
                text = (
                    f"segment {head.sequence} has SHA-256 {self.known[head.sequence]}, the head says {head.sha256}: "
                    "the end of the chain or the head was replaced"
                )
                yield Finding(Fault.HEAD_REPLACED, text, head.sequence)

    def _gap(self, sequence: int) -> Finding:
        first, last = self.at.sequence + 1, sequence - 1
        return Finding(Fault.SEGMENT_MISSING, f"{_span(first, last)} missing", first)

    def _link(self, sequence: int, header: Mapping[str, Any] | None, *, follows: bool) -> Iterator[Finding]:
        if header is None or not _is_header(header):
            yield Finding(Fault.LINE_ALTERED, f"segment {sequence} has no readable header", sequence, 0)
            return
        if header["sequence"] != sequence:
            text = f"segment {sequence} says that it is segment {header['sequence']}: it was copied or moved here"
            yield Finding(Fault.SEGMENT_ALTERED, text, sequence, 0)
        if header["migration"] != self.migration:
            text = f"segment {sequence} is of the migration {header['migration']!r}, not {self.migration!r}"
            yield Finding(Fault.SEGMENT_ALTERED, text, sequence, 0)
        if header.get("shard", MISSING_SHARD) != self.shard:
            told = header.get("shard", MISSING_SHARD) or "of changes without a shard"
            text = f"segment {sequence} says that it is of the chain {told}: it was copied or moved here"
            yield Finding(Fault.SEGMENT_ALTERED, text, sequence, 0)
        if header["chain"] != CHAIN_VERSION:
            text = f"segment {sequence} has version {header['chain']!r} of the chain; this is {CHAIN_VERSION!r}"
            yield Finding(Fault.SEGMENT_ALTERED, text, sequence, 0)
        if follows and header["previous"] != self.at.sha256:
            text = (
                f"segment {sequence} is not linked to the segment {self.at.sequence} that is there: one of the two was "
                "altered or replaced"
            )
            yield Finding(Fault.SEGMENT_ALTERED, text, max(1, self.at.sequence))

    def _anchoring(self, sequence: int, header: Mapping[str, Any]) -> Iterator[Finding | BuiltUpon]:
        """How far the head was when the segment was written; the first version did not write that number."""
        head = header.get("head")
        if head is None:
            if not header["anchored"]:
                text = f"when segment {sequence} was written the head was gone: what was before may have been cut off"
                yield Finding(Fault.HEAD_MISSING, text, sequence, 0)
        elif head < self.anchored:
            text = (
                f"when segment {sequence} was written the head was at {head}, and at {self.anchored} before that: it "
                "was removed or set back and segments may be cut off, or another program added earlier ones"
            )
            yield Finding(Fault.HEAD_MISSING, text, sequence, 0)
        else:
            self.anchored = head
            if head + 1 < sequence:
                yield BuiltUpon(head + 1, sequence - 1)


def told_links(header: Mapping[str, Any]) -> Iterator[NamedLink]:
    """The links of other chains that a header tells; those that are not links are left out."""
    others = header.get("others", [])
    for said in [header.get("after"), *(others if isinstance(others, list) else [])]:
        named = named_link(said)
        if named is not None:
            yield named


def _lines(
    sequence: int, lines: list[bytes], header: Mapping[str, Any] | None, *, is_whole: bool
) -> Iterator[Finding | ChainedEvent]:
    digest = sha256(lines[0]).hexdigest() if lines else ""
    last, is_right = 0, True
    for place, line in enumerate(lines[1:], start=1):
        said = _object(line)
        written = _canonical_event(said, line)
        if said is None or written is None:
            yield Finding(Fault.LINE_ALTERED, f"segment {sequence}, line {place} cannot be read", sequence, place)
            # The expected link is unknown, so the next line's own link is accepted.
            digest, last, is_right = "", last + 1, False
            continue
        number, event = said["line"], ChainedEvent(sequence, place, said["event"], sha256(written).digest())
        linked = line_digest(digest, written)
        if number != last + 1:
            is_right = False
            yield _out_of_order(sequence, place, number, last, event)
        elif digest and linked != said["sha256"]:
            is_right = False
            text = f"segment {sequence}, line {place} is not what was written after line {place - 1} ({event.event_id})"
            yield Finding(Fault.LINE_ALTERED, text, sequence, place, subject_of(event.event_id)[0])
        digest, last = said["sha256"], number
        yield event
    if header is not None and _is_header(header) and is_whole and is_right and last != header["count"]:
        text = f"segment {sequence} ends at line {last}, its header says {header['count']}"
        fault = Fault.LINE_MISSING if last < header["count"] else Fault.LINE_OUT_OF_ORDER
        yield Finding(fault, text, sequence, min(last, header["count"]) + 1)


def _out_of_order(sequence: int, place: int, number: int, last: int, event: ChainedEvent) -> Finding:
    subject = subject_of(event.event_id)[0]
    if number > last + 1:
        lines = f"line {last + 1} is" if number == last + 2 else f"lines {last + 1} to {number - 1} are"
        text = f"segment {sequence}: {lines} missing before line {place} ({event.event_id})"
        return Finding(Fault.LINE_MISSING, text, sequence, place, subject)
    text = f"segment {sequence}, line {place} was written as line {number}: inserted, repeated or moved here"
    return Finding(Fault.LINE_OUT_OF_ORDER, text, sequence, place, subject)


def subject_of(event_id: str) -> tuple[str, int | None, str]:
    """The subject of an event, the number of the change (``None`` where it has none), and the rest of its id."""
    subject, _, rest = event_id.partition(":")
    number, _, more = rest.partition(":")
    is_number = number.isascii() and number.isdigit() and len(number) <= MOST_DIGITS
    return subject, int(number) if is_number else None, more


def _span(first: int, last: int) -> str:
    return f"segment {first} is" if first == last else f"segments {first} to {last} are"


def read_event(line: bytes) -> Mapping[str, Any] | None:
    """The event in a segment's line, linked or not; ``None`` for the header and for a damaged line."""
    said = _object(line)
    return said["event"] if said is not None and _is_line(said) else None


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _canonical_event(said: Mapping[str, Any] | None, line: bytes) -> bytes | None:
    """The event as it was written; ``None`` for a line that is not in its canonical form."""
    if said is None or not _is_line(said):
        return None
    try:
        written = canonical(said["event"])
        # Its names are sorted already, so the line is made without writing the event a second time.
        whole = b'{"event":' + written + f',"line":{said["line"]},"sha256":"{said["sha256"]}"}}'.encode()
    except (ValueError, RecursionError):
        return None
    return written if whole == line else None


def _is_header(said: Mapping[str, Any]) -> bool:
    whole = isinstance(said.get("sequence"), int) and isinstance(said.get("count"), int)
    if not whole or not all(name in said for name in ("chain", "migration", "previous", "anchored")):
        return False
    if not _has_ties(said):
        return False
    return "head" not in said or (isinstance(said["head"], int) and 0 <= said["head"] < said["sequence"])


def _has_ties(said: Mapping[str, Any]) -> bool:
    """Whether what a header tells of other chains is in its form."""
    others = said.get("others", [])
    if not isinstance(others, list) or not all(named_link(other) for other in others):
        return False
    return isinstance(said.get("shard", ""), str) and ("after" not in said or named_link(said["after"]) is not None)


def _is_line(said: Mapping[str, Any]) -> bool:
    event = said.get("event")
    if not isinstance(said.get("line"), int) or not isinstance(said.get("sha256"), str):
        return False
    return isinstance(event, dict) and isinstance(event.get("event_id"), str) and isinstance(event.get("detail"), dict)
