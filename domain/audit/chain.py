"""The audit chain's form: each segment is linked to the one before by its SHA-256, and each line to the last."""

import json
import re
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
MISSING_SHARD = ""
"""The name of the chain of those changes whose shard is not known; versions before had this chain only."""
TIES = frozenset({"after", "others"})
"""The fields of a header that tell of other chains; a repeat of the segment may tell of them as they are then."""
MOST_SEGMENTS = 10**12 - 1
"""Segments of a chain: their keys have twelve digits."""
_SHARD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,64}")
"""DynamoDB's shard ids have at most 65 characters (botocore's model of DynamoDB Streams)."""
_GZIP = 31
"""zlib's value for a gzip header; it holds no time and no name, so equal lines are equal bytes."""


@dataclass(frozen=True, slots=True)
class Link:
    """A segment by its number (from 1) and the SHA-256 of its bytes as stored; number 0 is before the first."""

    sequence: int = 0
    sha256: str = GENESIS


@dataclass(frozen=True, slots=True)
class NamedLink:
    """A segment of the chain of a shard."""

    shard: str
    link: Link

    def __str__(self) -> str:
        """The form that ``audit verify --expect`` takes."""
        place = f"{self.shard}/" if self.shard else ""
        return f"{place}{self.link.sequence}:{self.link.sha256}"


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


def is_shard_id(text: str) -> bool:
    """Whether a chain can have this name: A to Z, a to z, 0 to 9, hyphens and underscores."""
    return _SHARD_ID.fullmatch(text) is not None


def seal_segment(  # noqa: PLR0913  # what a header tells
    events: Sequence[AuditEvent],
    *,
    after: Link,
    migration: str,
    head: int | None = None,
    shard: str = MISSING_SHARD,
    ties: Mapping[str, Any] | None = None,
) -> Segment:
    """The segment that follows ``after``.

    ``head`` is the number that the head had after the writer saw the segment ``after`` (default: that very segment).
    Segments between the two were not anchored then. Their writer was slow or had died, or another writer added them.
    ``ties`` are the header's fields of other chains, those of ``TIES``.
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
        **({"shard": shard} if shard else {}),
        **(ties or {}),
    }
    lines = [canonical(header)]
    digest = sha256(lines[0]).hexdigest()
    for number, event in enumerate(events, start=1):
        fields = event_fields(event)
        digest = line_digest(digest, canonical(fields))
        lines.append(canonical({"line": number, "sha256": digest, "event": fields}))
    body = packed(lines)
    return Segment(link_of(after.sequence + 1, body), body)


def link_fields(named: NamedLink) -> dict[str, Any]:
    """A link in the form of a header."""
    return {"shard": named.shard, "sequence": named.link.sequence, "sha256": named.link.sha256}


def named_link(said: object) -> NamedLink | None:
    """A link as a header tells it; ``None`` for anything else."""
    if not isinstance(said, dict):
        return None
    shard, sequence, digest = (said.get(name) for name in ("shard", "sequence", "sha256"))
    if not isinstance(shard, str) or not isinstance(sequence, int) or not isinstance(digest, str):
        return None
    is_right = 0 < sequence <= MOST_SEGMENTS and (shard == MISSING_SHARD or is_shard_id(shard))
    return NamedLink(shard, Link(sequence, digest)) if is_right else None


def header_of(body: bytes) -> Mapping[str, Any]:
    """The header of a stored segment; an empty one where it cannot be read."""
    lines, _ = unpacked(body)
    try:
        header = json.loads(lines[0]) if lines else {}
    except (ValueError, RecursionError):
        return {}
    return header if isinstance(header, dict) else {}


def ties_of(body: bytes) -> dict[str, Any]:
    """What the header of a stored segment tells of other chains."""
    return {name: told for name, told in header_of(body).items() if name in TIES}


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
