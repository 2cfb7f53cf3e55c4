"""How a large object is cut into parts; the same size always gives the same parts, so an upload can be resumed."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import md5

MIB = 1024 * 1024
GIB = 1024 * MIB
MAX_COPY_BYTES = 5 * GIB
"""Largest object that one CopyObject takes (botocore model, CopyObject)."""
MIN_PART_BYTES = 5 * MIB
MAX_PART_BYTES = 5 * GIB
MAX_PARTS = 10_000
MULTIPART_ABOVE = GIB
"""Default size above which a worker copies in parts."""
PART_BYTES = 128 * MIB
"""Default size of the parts."""
MAX_OBJECT_BYTES = MAX_PARTS * MAX_PART_BYTES
"""48.8 TiB, which AWS calls 50 TB (S3 user guide, qfacts)."""


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes ``first`` to ``last``, both included, counted from 0; ``number`` from 1.

    An empty part ends before it begins.
    """

    number: int
    first: int
    last: int

    @property
    def is_empty(self) -> bool:
        """Whether it is the only part of an object without bytes."""
        return self.last < self.first


def part_size_for(size: int, *, wanted: int) -> int:
    """The part size in bytes for an object of ``size`` bytes: ``wanted``, or more to stay within 10,000 parts."""
    if size > MAX_OBJECT_BYTES:
        raise ValueError(f"{size} bytes is more than S3 can hold in one object ({MAX_OBJECT_BYTES})")
    least = -(-size // MAX_PARTS)
    rounded = -(-least // MIB) * MIB
    return min(max(wanted, MIN_PART_BYTES, rounded), MAX_PART_BYTES)


def cut_into_parts(size: int, *, part_size: int) -> list[Part]:
    """Parts that cover every byte of ``size`` once, in order; an object without bytes has one empty part."""
    starts = range(0, size, part_size) or (0,)
    return [Part(number, first, min(first + part_size, size) - 1) for number, first in enumerate(starts, start=1)]


def composed_etag(etags: Mapping[int, str]) -> str:
    """The etag that S3 gives an object made of these parts: MD5 of the parts' MD5s, a dash, their number.

    Holds where the parts' etags are MD5s (no KMS key). Source: S3 user guide, checking-object-integrity.
    """
    digests = b"".join(bytes.fromhex(etags[number]) for number in sorted(etags))
    return f"{md5(digests, usedforsecurity=False).hexdigest()}-{len(etags)}"


def full_checksum(checksums: Mapping[str, str]) -> str:
    """One checksum of the whole object as ``ALGORITHM=base64``, or an empty text."""
    return next((f"{name}={checksums[name]}" for name in sorted(checksums)), "")
