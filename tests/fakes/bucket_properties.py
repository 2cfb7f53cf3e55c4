"""What owners change of an object that is there: Object Lock, its KMS key, a restore from an archive.

None of these makes a version or changes etag and date (S3 API reference: PutObjectLegalHold, PutObjectRetention,
UpdateObjectEncryption, RestoreObject).
"""

from dataclasses import replace

from domain.errors import AccessDeniedError, RefusedRequestError
from domain.keys import Location
from domain.objects import Encryption, Lock, ObjectState
from tests.fakes.buckets import Buckets, Version


def set_legal_hold(buckets: Buckets, location: Location, version: Version, *, on: bool) -> None:
    """PutObjectLegalHold on that version."""
    buckets.require_locks(location)
    state = _stored(version)
    buckets.change(location, version, lock=replace(state.lock, legal_hold=on))


def set_retention(buckets: Buckets, location: Location, version: Version, retention: Lock) -> None:
    """PutObjectRetention on that version, by somebody who may not bypass governance."""
    buckets.require_locks(location)
    lock, now = _stored(version).lock, buckets.now()
    if lock.retained_until > now and not lock.is_kept_by(replace(retention, legal_hold=lock.legal_hold), now):
        raise AccessDeniedError(f"{location.uri}: its retention can only be lengthened")
    changed = replace(lock, mode=retention.mode, retain_until=retention.retain_until)
    buckets.change(location, version, lock=changed)


def change_key(buckets: Buckets, location: Location, version: Version, kms_key_id: str) -> None:
    """UpdateObjectEncryption to that KMS key; AccessDeniedError while Object Lock protects the version."""
    state = _stored(version)
    if buckets.is_locked(version):
        raise AccessDeniedError(f"{location.uri}: its encryption cannot be changed while Object Lock protects it")
    if state.encryption.algorithm == "aws:kms:dsse":
        raise RefusedRequestError(f"{location.uri}: UpdateObjectEncryption does not support DSSE-KMS")
    buckets.change(location, version, encryption=Encryption("aws:kms", kms_key_id))


def restore(buckets: Buckets, location: Location, version: Version) -> bool:
    """RestoreObject and its end at once; whether the version was archived."""
    if not _stored(version).is_archived:
        return False
    buckets.change(location, version, restored=True)
    return True


def _stored(version: Version) -> ObjectState:
    if version.state is None:
        raise RefusedRequestError("MethodNotAllowed: a delete marker has no properties")
    return version.state
