"""What a copy lacks of its source beside bytes, metadata, headers and tags, by S3's own words about both."""

from datetime import datetime

from tests.fakes.buckets import Version

CLASS, KEY, LOCK = "storage class", "KMS key", "object lock"
STRICTEST = "COMPLIANCE"


def is_locked(version: Version | None, now: float) -> bool:
    """Whether a legal hold or a retention binds everybody then (seconds since 1970)."""
    if version is None or version.state is None:
        return False
    return version.state.lock.legal_hold or _retained_until(version) > now


def losses(source: Version | None, target: Version | None, *, now: float) -> frozenset[str]:
    """Those of class, key and lock that the source has and the target lacks; none where one of them is absent."""
    if source is None or target is None or source.state is None or target.state is None:
        return frozenset()
    lost = set[str]()
    if source.state.storage_class != target.state.storage_class:
        lost.add(CLASS)
    key, other = source.state.encryption, target.state.encryption
    if key.kms_key_id is not None and (key.algorithm, key.kms_key_id) != (other.algorithm, other.kms_key_id):
        lost.add(KEY)
    if _is_weaker(source, target, now):
        lost.add(LOCK)
    return frozenset(lost)


def is_archived(version: Version | None) -> bool:
    """Whether its bytes cannot be read, so that its class cannot be copied."""
    state = version.state if version is not None else None
    return state is not None and state.storage_class in ("GLACIER", "DEEP_ARCHIVE") and not state.restored


def _is_weaker(source: Version, target: Version, now: float) -> bool:
    if source.state is None or target.state is None:
        return False
    lock, other = source.state.lock, target.state.lock
    if lock.legal_hold and not other.legal_hold:
        return True
    until = _retained_until(source)
    if until <= now:
        return False
    return _retained_until(target) < until or (lock.mode == STRICTEST and other.mode != STRICTEST)


def _retained_until(version: Version) -> float:
    until = version.state.lock.retain_until if version.state is not None else None
    return datetime.fromisoformat(until).timestamp() if until is not None else 0.0
