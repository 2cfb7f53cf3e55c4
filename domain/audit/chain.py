"""The audit chain's form: each segment is linked to the one before by its SHA-256, and each line to the last."""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from domain.audit.events import AuditEvent

CHAIN_VERSION = "1"
GENESIS = "0" * 64
"""The link of the first segment."""
MAX_SEGMENT_BYTES = 256 * 1024 * 1024
"""A segment that unpacks to more is not keyshift's: a batch of the stream has 6 MB at most."""
_GZIP = 31
"""zlib's value for a gzip header; it holds no time and no name, so equal lines are equal bytes."""


@dataclass(frozen=True, slots=True)
class Link:
    """A segment by its number (from 1) and the SHA-256 of its bytes as stored; number 0 is before the first."""

    sequence: int = 0
    sha256: str = GENESIS


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment ready to be stored."""

    link: Link
    body: bytes


def canonical(value: Mapping[str, Any]) -> bytes:
    """JSON with one form for one value: sorted names, no spaces, ASCII only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def event_fields(event: AuditEvent) -> dict[str, Any]:
    """An event in the form of a line of the chain."""
    return {
        "event_id": event.event_id,
        "detail_type": event.detail_type,
        "time": event.time,
        "detail": dict(event.detail),
    }


def seal_segment(events: Sequence[AuditEvent], *, after: Link, migration: str, head: int | None = None) -> Segment:
    """The segment that follows ``after``.

    ``head`` is the number that the head had after the writer saw the segment ``after`` (default: that very segment).
    Segments between the two were not anchored then. Their writer was slow or had died, or another writer added them.
    """
    head = after.sequence if head is None else head
    header = {
        "chain": CHAIN_VERSION,
        "migration": migration,
        "sequence": after.sequence + 1,
        "previous": after.sha256,
        "count": len(events),
        "anchored": head == after.sequence,
        "head": head,
    }
    lines = [canonical(header)]
    digest = sha256(lines[0]).hexdigest()
    for number, event in enumerate(events, start=1):
        fields = event_fields(event)
        digest = line_digest(digest, canonical(fields))
        lines.append(canonical({"line": number, "sha256": digest, "event": fields}))
    body = packed(lines)
    return Segment(link_of(after.sequence + 1, body), body)


def link_of(sequence: int, body: bytes) -> Link:
    """The link to a stored segment."""
    return Link(sequence, sha256(body).hexdigest())


def line_digest(previous: str, event: bytes) -> str:
    """The link from a line to the one before."""
    return sha256(previous.encode() + b"\n" + event).hexdigest()


def packed(lines: Iterable[bytes]) -> bytes:
    """Lines as they are stored."""
    packer = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
    return packer.compress(b"".join(line + b"\n" for line in lines)) + packer.flush()


def unpacked(body: bytes) -> tuple[list[bytes], str | None]:
    """The lines that can be read, and the fault of the rest."""
    unpacker = zlib.decompressobj(_GZIP)
    text, fault = bytearray(), None
    try:
        for start in range(0, len(body), 4096):
            text += unpacker.decompress(body[start : start + 4096], MAX_SEGMENT_BYTES - len(text) + 1)
            if len(text) > MAX_SEGMENT_BYTES:
                return [], f"it unpacks to more than {MAX_SEGMENT_BYTES:,} bytes"
    except zlib.error as error:
        fault = f"it cannot be unpacked ({error})"
    if fault is None and not unpacker.eof:
        fault = "it ends in the middle"
    if fault is None and unpacker.unused_data:
        fault = "something follows its end"
    lines = bytes(text).split(b"\n")
    if lines.pop() and fault is None:
        fault = "its last line does not end"
    return lines, fault
