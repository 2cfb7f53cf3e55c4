"""Objects with random parts of everything that S3 knows, and which of its parts a copy lacks."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from domain.objects import ContentHeaders, Encryption, EventHold, Lock, ObjectState
from domain.protocol.parts import MIN_PART_BYTES
from tests.fakes.buckets import Version
from tests.fakes.checksums import CRC32, CRC64NVME, SHA256

OLD, OTHER, NEW = (f"arn:aws:kms:us-east-1:{account * 12}:key/mrk-{account * 32}" for account in "123")
CLASSES = ("STANDARD", "STANDARD", "STANDARD_IA", "INTELLIGENT_TIERING", "GLACIER_IR")
KMS_WAYS = ("aws:kms", "aws:kms:dsse")
LARGE = bytes(MIN_PART_BYTES) + b"more than one part"
_HEADERS: dict[str, str] = {
    "content_type": "application/x-tar",
    "content_encoding": "gzip",
    "content_disposition": 'attachment; filename="a.tar"',
    "content_language": "de",
    "cache_control": "no-store",
    "expires": "Wed, 21 Oct 2026 07:28:00 GMT",
    "website_redirect_location": "/elsewhere",
}
PARTS = ("bytes", "metadata", "headers", "tags", "storage class", "KMS key", "object lock", "annotations")
"""As a report names them."""


@dataclass(frozen=True, slots=True)
class PartedObject:
    """What a producer says of one object; ``said`` is what the fake's ``put`` takes."""

    body: bytes
    said: dict[str, Any]
    annotations: dict[str, bytes] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"{len(self.body)} bytes, {self.said}, annotations {sorted(self.annotations)}"


def some_object(random: Random, *, now: float, locks: bool) -> PartedObject:
    """Each part is there or not by a chance of its own; locks only in a bucket that has Object Lock."""
    is_large = random.random() < 0.06
    body = LARGE if is_large else random.randbytes(random.choice((0, 1, 40)))
    chosen = {name: text for name, text in _HEADERS.items() if random.random() < 0.4}
    said: dict[str, Any] = {
        "metadata": {f"m{number}": f"v{number}" for number in range(random.choice((0, 0, 1, 3)))},
        "tags": {f"t{number}": f"v {number}" for number in range(random.choice((0, 0, 1, 10)))},
        "headers": ContentHeaders(**({"content_type": "binary/octet-stream"} | chosen)),
        "storage_class": random.choice(CLASSES),
        "algorithm": random.choice((CRC32, CRC32, CRC64NVME, SHA256)),
    }
    if random.random() < 0.4:
        said["encryption"] = some_encryption(random)
    if locks and random.random() < 0.5:
        said["lock"] = some_lock(random, now=now)
    if len(body) > 1 and random.random() < 0.3:
        said["part_sizes"] = [len(body) // 2, len(body) - len(body) // 2]
    names = random.sample(("label", "note", "score"), random.choice((0, 0, 1, 3)))
    return PartedObject(body, said, {name: random.randbytes(5) for name in names})


def some_encryption(random: Random) -> Encryption:
    """Under one of two keys; two layers of encryption know no bucket key."""
    algorithm = random.choice(KMS_WAYS)
    return Encryption(
        algorithm, random.choice((OLD, OTHER)), bucket_key=algorithm == "aws:kms" and random.random() < 0.5
    )


def some_lock(random: Random, *, now: float) -> Lock:
    """A retention, holds, or several of them; some retentions are over soon."""
    lock = Lock(
        legal_hold=random.random() < 0.4,
        event_hold=random.choice((None, None, EventHold(days=30), EventHold(years=1), EventHold())),
    )
    if random.random() < 0.5:
        return lock
    ends = datetime.fromtimestamp(int(now) + random.choice((30, 10_000_000)), UTC).isoformat()
    return replace(lock, mode=random.choice(("GOVERNANCE", "COMPLIANCE")), retain_until=ends)


def lacking(source: Version, target: Version, *, keys: dict[str, str], now: float) -> set[str]:
    """The parts that the target lacks, by what the two buckets hold; ``keys`` maps KMS keys to those of copies."""
    one, other = source.state, target.state
    assert one is not None
    assert other is not None
    wanted_key = keys.get(one.encryption.kms_key_id or "", one.encryption.kms_key_id)
    is_encrypted = one.encryption.algorithm in KMS_WAYS
    has_key = (one.encryption.algorithm, wanted_key) == (other.encryption.algorithm, other.encryption.kms_key_id)
    differing = {
        "bytes": source.body != target.body,
        "metadata": one.metadata != other.metadata,
        "headers": one.headers != other.headers,
        "tags": one.tags != other.tags,
        "storage class": one.storage_class != other.storage_class,
        "KMS key": is_encrypted and not has_key,
        "object lock": _is_weaker(one.lock, other.lock, now=now),
        "annotations": any(target.annotations.get(name) != text for name, text in source.annotations.items()),
    }
    return {name for name, differs in differing.items() if differs}


def in_another_form(source: ObjectState, target: ObjectState, *, keys: dict[str, str]) -> set[str]:
    """The parts that the copy has otherwise than its source, as the rules or S3 want it."""
    kinds = [(set(one.checksums), one.full_checksums) for one in (source, target)]
    is_mapped = source.encryption.algorithm in KMS_WAYS and source.encryption.kms_key_id in keys
    return ({"checksum"} if kinds[0] != kinds[1] else set()) | ({"KMS key"} if is_mapped else set())


def _is_weaker(one: Lock, other: Lock, *, now: float) -> bool:
    if (one.legal_hold and not other.legal_hold) or (one.event_hold is not None and other.event_hold is None):
        return True
    if one.event_hold is not None and other.event_hold is not None:
        lengths = [(hold.days or 0) + 365 * (hold.years or 0) for hold in (one.event_hold, other.event_hold)]
        if lengths[1] < lengths[0]:
            return True
    if one.retain_until is None or datetime.fromisoformat(one.retain_until).timestamp() <= now:
        return False
    until = [datetime.fromisoformat(lock.retain_until or "1970-01-01T00:00:00+00:00") for lock in (one, other)]
    if until[1] < until[0]:
        return True
    return one.mode == "COMPLIANCE" and other.mode != "COMPLIANCE"
