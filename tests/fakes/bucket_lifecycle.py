"""A bucket's lifecycle rules, as the S3 User Guide tells what they do in each state of versioning.

(lifecycle-expire-general-considerations, intro-lifecycle-rules, lifecycle-configure-notification)
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from domain.keys import Location
from tests.fakes.buckets import Buckets, Notification, Version, Versioning

_GONE = "LifecycleExpiration:Delete"
_MARKED = "LifecycleExpiration:DeleteMarkerCreated"


@dataclass(frozen=True, slots=True)
class LifecycleRule:
    """What is due under ``prefix``; days are left out: the world says when a rule runs.

    ``newer_noncurrent_versions`` is how many noncurrent versions stay. A locked version is never removed for good.
    """

    prefix: str = ""
    expires_current: bool = False
    expires_noncurrent: bool = False
    newer_noncurrent_versions: int = 0
    removes_expired_markers: bool = False
    transition_to: str | None = None


def run_lifecycle(buckets: Buckets, bucket: str, rule: LifecycleRule) -> list[Notification]:
    """Do all of it, one key after the other; what S3 tells of it, a transition's own event too."""
    keys = [key for key in buckets.bucket(bucket).versions if key.startswith(rule.prefix)]
    told: list[Notification] = []
    for location in (Location(bucket, key) for key in sorted(keys)):
        if rule.transition_to is not None:
            told += _moved_to_class(buckets, location, rule.transition_to)
        if rule.expires_noncurrent:
            told += _without_noncurrent(buckets, location, rule.newer_noncurrent_versions)
        # Expiration and its marker are of different days; what one run marks the next one may remove.
        lone_marker = _lone_marker(buckets, location)
        if rule.removes_expired_markers and lone_marker is not None:
            buckets.forget(location, lone_marker)
            told.append(_tells(_GONE, location, lone_marker))
        elif rule.expires_current:
            told += _expired(buckets, location)
    return told


def _moved_to_class(buckets: Buckets, location: Location, storage_class: str) -> Iterator[Notification]:
    """The same version with the same etag and date; no ObjectCreated tells of it."""
    current = buckets.current(location)
    if current is not None and current.state is not None and current.state.storage_class != storage_class:
        buckets.change(location, current, storage_class=storage_class)
        yield _tells("LifecycleTransition", location, current)


def _without_noncurrent(buckets: Buckets, location: Location, kept: int) -> Iterator[Notification]:
    noncurrent = buckets.bucket(location.bucket).versions[location.key][:-1]
    for version in noncurrent[: len(noncurrent) - kept]:
        if not buckets.is_locked(version):
            buckets.forget(location, version)
            yield _tells(_GONE, location, version)


def _lone_marker(buckets: Buckets, location: Location) -> Version | None:
    known = buckets.bucket(location.bucket).versions[location.key]
    return known[0] if len(known) == 1 and known[0].state is None else None


def _expired(buckets: Buckets, location: Location) -> Iterator[Notification]:
    """Gone in an unversioned bucket; under a marker, which is version ``null`` while versioning is suspended."""
    current = buckets.current(location)
    if current is None:
        return
    marker_id = buckets.remove(location)
    is_kept = buckets.bucket(location.bucket).versioning is not Versioning.OFF
    yield replace(_tells(_MARKED if is_kept else _GONE, location, current), version_id=marker_id)


def _tells(name: str, location: Location, version: Version) -> Notification:
    return Notification(name, location, version.version_id, version.written)
