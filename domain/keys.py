"""Where an object is, which keys are valid or reserved, and the order of one key's events."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

BUCKET_NAME = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
"""The names that S3 gives to buckets, as a regular expression."""
MAX_KEY_BYTES = 1_024
"""Longest key in bytes of UTF-8, not characters (S3 user guide, object-keys)."""
RESERVED = ".keyshift/"
_PROBE = re.compile(r"\.keyshift/probe-[0-9a-f]{32}\Z")


@dataclass(frozen=True, slots=True)
class Location:
    """A bucket and a raw key, which is never URL-encoded and in which every byte counts."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        """``s3://bucket/key`` with the key as it is."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def record_id(self) -> str:
        """The manifest's partition key: a key may be longer than DynamoDB's sort key (1,024 bytes)."""
        return sha256(f"{self.bucket}\0{self.key}".encode()).hexdigest()


def is_bucket_name(text: str) -> bool:
    """Whether a bucket may have this name (S3 user guide, naming rules since 2018)."""
    return re.fullmatch(BUCKET_NAME, text) is not None


def key_fault(key: str) -> str | None:
    """Say why S3 would refuse ``key``, or ``None`` when it is a valid object key."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "it is not valid Unicode (a lone surrogate)"
    if not size:
        return "it is empty"
    if size > MAX_KEY_BYTES:
        return f"it has {size} bytes of UTF-8, S3 allows {MAX_KEY_BYTES}"
    depth = 0
    for segment in key.split("/"):
        # S3 refuses a key in which, read from the left, ".." ever outnumbers the real segments before it.
        depth += -1 if segment == ".." else 0 if segment in ("", ".") else 1
        if depth < 0:
            return "its '..' segments lead above the bucket"
    return None


def probe_location(bucket: str, prefix: str, token: str) -> Location:
    """Where a probe of live capture is written: a small object whose event shows that capture works.

    ``token`` is 32 hexadecimal digits, unique to this probe.
    """
    return Location(bucket, f"{prefix}{RESERVED}probe-{token}")


def is_probe(key: str) -> bool:
    """Whether the key is a probe's. Rules do not apply to probes, and probes are never moved."""
    return _PROBE.search(key) is not None


def unclean_segment(key: str) -> str | None:
    """Say which segment of ``key`` is unclean (empty, ``.`` or ``..``), or ``None``: many clients normalise them."""
    for segment in key.split("/"):
        if segment in ("", ".", ".."):
            return "an empty segment" if not segment else f"a '{segment}' segment"
    return None


def outermost(prefixes: Iterable[str]) -> tuple[str, ...]:
    """The prefixes, in order, without those that begin with another one and are part of it."""
    known = set(prefixes)
    return tuple(sorted(one for one in known if not any(one != other and one.startswith(other) for other in known)))


@dataclass(frozen=True, slots=True)
class Sequencer:
    """S3's order of the events of one key; comparable only between texts of one length.

    AWS has published both left and right padding for texts of different length, so such a pair has no known order
    (aws-facts.md §1.3).
    """

    text: str

    def __post_init__(self) -> None:
        int(self.text, 16)

    def is_at_most(self, other: "Sequencer | None") -> bool:
        """Whether this event is certainly not newer than ``other``."""
        return other is not None and len(self.text) == len(other.text) and self.value <= other.value

    @property
    def value(self) -> int:
        """The hexadecimal number."""
        return int(self.text, 16)


def newer_sequencer(known: Sequencer | None, seen: Sequencer | None) -> Sequencer | None:
    """The later of two sequencers. Where their order is unknown, the known one is kept, so fewer events are dropped."""
    if known is None:
        return seen
    if seen is None or len(seen.text) != len(known.text) or seen.value <= known.value:
        return known
    return seen
