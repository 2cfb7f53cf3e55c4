"""S3 in memory: every condition is evaluated, versions and uploads are kept."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from domain.errors import AccessDeniedError, ArchivedError, LeaseExpiredError, RefusedRequestError
from domain.keys import Location
from domain.objects import ContentHeaders, Encryption, ListedObject, Lock, ObjectState
from domain.protocol.annotations import Annotation, Annotations
from domain.protocol.parts import MAX_COPY_BYTES, MIN_PART_BYTES, Part
from domain.protocol.ports import (
    Clock,
    Deleted,
    HiddenVersion,
    Refused,
    SourceObject,
    StoredVersion,
    TargetObject,
    TopMarker,
    Written,
)
from tests.fakes.bucket_lifecycle import LifecycleRule, run_lifecycle
from tests.fakes.buckets import (
    NULL,
    Buckets,
    Notification,
    Version,
    Versioning,
    described,
    md5_text,
)
from tests.fakes.checksums import CRC32, algorithm_of, algorithm_of_upload
from tests.fakes.clock import FakeClock
from tests.fakes.conditions import required_etag
from tests.fakes.faults import ScriptedFaults


@dataclass(slots=True)
class _Upload:
    location: Location
    state: ObjectState
    begun: float
    """S3 dates an object by the moment in which its upload was begun (S3 user guide, UsingMetadata)."""
    parts: dict[int, bytes] = field(default_factory=dict)


class InMemoryObjectStore(ScriptedFaults):
    """ObjectStore, MultipartStore, AnnotationStore and ObjectListing in memory.

    The owners' calls are ``put``, ``annotate`` and ``remove``. Without ``knows_annotations`` it is a server that has
    none; without ``carries_annotations`` copies leave them behind. The ``enforcing`` buckets take no CopyObject with a
    condition.
    """

    def __init__(
        self, clock: Clock | None = None, *, max_copy: int = MAX_COPY_BYTES, min_part: int = MIN_PART_BYTES
    ) -> None:
        super().__init__()
        self.knows_annotations = True
        self.carries_annotations = True
        self.enforcing: set[str] = set()
        self._clock = clock or FakeClock()
        self._max_copy = max_copy
        self._min_part = min_part
        self.buckets = Buckets(self._clock.now)
        self.uploads: dict[str, _Upload] = {}

    # What owners do, without faults.
    def create_bucket(self, name: str, *, versioned: bool = False, kms: bool = False, locks: bool = False) -> None:
        """Make an empty bucket."""
        self.buckets.create(name, versioned=versioned, kms=kms, locks=locks)

    def put(  # everything that an owner can say of an object
        self,
        location: Location,
        body: bytes,
        *,
        metadata: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        headers: ContentHeaders | None = None,
        storage_class: str = "STANDARD",
        encryption: Encryption | None = None,
        lock: Lock | None = None,
        part_sizes: list[int] | None = None,
        algorithm: str = CRC32,
    ) -> ObjectState:
        """Write an object, in parts where their sizes are given; what HEAD and its tags would show."""
        state = described(
            metadata=metadata,
            tags=tags,
            headers=headers,
            storage_class=storage_class,
            encryption=encryption,
            lock=lock,
        )
        return _state(self.buckets.put(location, body, state, part_sizes=part_sizes, algorithm=algorithm))

    def annotate(self, location: Location, name: str, payload: bytes | None) -> None:
        """Put an annotation of the current version, or delete it."""
        found = self.buckets.current(location)
        if found is None:
            raise ValueError(f"{location.uri} does not exist")
        others = {other: text for other, text in found.annotations.items() if other != name}
        self.buckets.annotate(location, found, others | ({name: payload} if payload is not None else {}))

    def annotations(self, location: Location) -> dict[str, bytes]:
        """Those of the current version."""
        found = self.buckets.current(location)
        return dict(found.annotations) if found is not None else {}

    def remove(self, location: Location) -> str | None:
        """Delete; the delete marker's version where versions are kept."""
        return self.buckets.remove(location)

    def set_versioning(self, bucket: str, status: Versioning) -> None:
        """Switch a bucket's versioning on, or suspend it."""
        self.buckets.set_versioning(bucket, status)

    def destroy(self, location: Location, version_id: str) -> Notification | None:
        """Delete a version, or a delete marker, for good; what S3 tells of it."""
        return self.buckets.remove_version(location, version_id)

    def run_lifecycle(self, bucket: str, rule: LifecycleRule) -> list[Notification]:
        """Let a lifecycle rule do all that is due under it now; what S3 tells of it."""
        return run_lifecycle(self.buckets, bucket, rule)

    def body(self, location: Location) -> bytes | None:
        """The current bytes."""
        found = self.buckets.current(location)
        return found.body if found is not None else None

    # ObjectStore
    def look_at_object(
        self, location: Location, *, version_id: str | None = None, with_tags: bool = False
    ) -> ObjectState | None:
        """See the port."""
        with self._faulty("look_at_object"):
            found = self.buckets.version(location, version_id)
            if found is None:
                return None
            state = _state(found)
            return state if with_tags else replace(state, tags=None)

    def copy_object(self, source: SourceObject, target: TargetObject, *, seen: ObjectState | None) -> Written | Refused:
        """See the port."""
        self._check_time(target.send_before)
        with self._faulty("copy_object"):
            if source.location == target.location:
                raise RefusedRequestError(f"{source.location.uri}: it cannot be copied onto itself")
            if target.location.bucket in self.enforcing:
                return Refused.NOT_OFFERED
            found = self.read_for_copy(source, target)
            return found if isinstance(found, Refused) else self.write_copy(found, target, seen=seen)

    def read_for_copy(self, source: SourceObject, target: TargetObject) -> Version | Refused:
        """The first half of a copy: S3 reads the source, on the source's condition."""
        found = self._source(source)
        if isinstance(found, Refused):
            return Refused.PRECONDITION if required_etag(target.condition) and found is Refused.SOURCE_ABSENT else found
        if len(found.body) > self._max_copy:
            raise RefusedRequestError(f"{source.location.uri}: larger than one copy may be ({self._max_copy})")
        return found

    def write_copy(self, found: Version, target: TargetObject, *, seen: ObjectState | None) -> Written | Refused:
        """The second half: S3 writes what it has read, on the target's condition."""
        if not self._holds(target):
            return Refused.PRECONDITION
        carried = _inherited(_state(found), seen, target, now=self._clock.now())
        annotations = found.annotations if self.carries_annotations else {}
        algorithm = algorithm_of(_state(found))
        written = self.buckets.put(target.location, found.body, carried, annotations=annotations, algorithm=algorithm)
        return Written(_state(written).etag, _told(written), found.version_id)

    def delete_object(self, location: Location, *, if_match: str, send_before: float) -> Deleted | Refused:
        """See the port."""
        self._check_time(send_before)
        with self._faulty("delete_object"):
            found = self.buckets.current(location)
            if found is None:
                return Refused.SOURCE_ABSENT
            if _state(found).etag != if_match:
                return Refused.PRECONDITION
            return Deleted(self.buckets.remove(location))

    def list_versions(self, location: Location, *, since: str | None = None) -> Sequence[StoredVersion]:
        """See the port."""
        with self._faulty("list_versions"):
            listed = [_listed(one) for one in self.buckets.bucket(location.bucket).versions.get(location.key, [])]
        at = next((at for at, one in enumerate(listed) if one.version_id == since), 0)
        return listed[at:]

    def find_top_marker(self, location: Location) -> TopMarker | None:
        """See the port."""
        with self._faulty("find_top_marker"):
            versions = self.buckets.bucket(location.bucket).versions.get(location.key, [])
            if not versions or versions[-1].state is not None:
                return None
            hidden = next((one for one in reversed(versions) if one.state is not None), None)
            marker_id = versions[-1].version_id or ""
            if hidden is None:
                return TopMarker(marker_id, None)
            state = _state(hidden)
            return TopMarker(marker_id, HiddenVersion(hidden.version_id or "", state.etag, state.last_modified))

    def remove_delete_marker(self, location: Location, *, marker_id: str, send_before: float) -> None:
        """See the port."""
        self._check_time(send_before)
        with self._faulty("remove_delete_marker"):
            self.buckets.remove_version(location, marker_id)

    def remove_version(self, location: Location, *, version_id: str, send_before: float) -> None:
        """See VersionStore."""
        self._check_time(send_before)
        with self._faulty("remove_version"):
            self.buckets.remove_version(location, version_id)

    def digest_object(self, location: Location, *, seen: ObjectState) -> str | None:
        """See ByteReader."""
        with self._faulty("digest_object"):
            found = self.buckets.version(location, seen.version_id)
            if found is None or _state(found).etag != seen.etag:
                return None
            if _state(found).is_archived:
                raise ArchivedError(f"{location.uri} is archived: restore it first")
            return sha256(found.body).hexdigest()

    # MultipartStore
    def create_upload(self, target: TargetObject, *, seen: ObjectState) -> str:
        """See the port."""
        self._check_time(target.send_before)
        with self._faulty("create_upload"):
            if seen.tags is None:
                raise ValueError("the tags of a multipart copy's source must be read first")
            lock = _in_force(seen.lock, self._clock.now())
            if lock != Lock():
                self.buckets.require_locks(target.location)
            self.buckets.bucket(target.location.bucket)
            upload_id = f"upload-{len(self.calls)}"
            told = replace(seen, storage_class=target.storage_class, lock=lock, restored=False)
            self.uploads[upload_id] = _Upload(target.location, told, self._clock.now())
            return upload_id

    def copy_parts(
        self, source: SourceObject, target: TargetObject, *, upload_id: str, parts: Sequence[Part]
    ) -> Mapping[int, str] | Refused:
        """See the port."""
        self._check_time(target.send_before)
        with self._faulty("copy_parts"):
            upload = self.uploads.get(upload_id)
            if upload is None:
                return Refused.CONCURRENT
            found = self._source(source)
            if isinstance(found, Refused):
                return found
            for part in parts:
                upload.parts[part.number] = found.body[part.first : part.last + 1]
            return {part.number: md5_text(upload.parts[part.number]) for part in parts}

    def list_parts(self, target: Location, *, upload_id: str) -> Mapping[int, str] | None:
        """See the port."""
        with self._faulty("list_parts"):
            upload = self.uploads.get(upload_id)
            return {number: md5_text(body) for number, body in upload.parts.items()} if upload is not None else None

    def complete_upload(
        self, target: TargetObject, *, upload_id: str, etags: Mapping[int, str], size: int
    ) -> Written | Refused:
        """See the port."""
        self._check_time(target.send_before)
        with self._faulty("complete_upload"):
            upload = self.uploads.get(upload_id)
            if upload is None:
                return Refused.SOURCE_ABSENT
            bodies = [upload.parts[number] for number in sorted(etags)]
            if any(md5_text(upload.parts[number]) != etag for number, etag in etags.items()):
                raise RefusedRequestError(f"{target.location.uri}: InvalidPart")
            if sum(map(len, bodies)) != size or any(len(body) < self._min_part for body in bodies[:-1]):
                raise RefusedRequestError(
                    f"{target.location.uri}: the parts do not make {size} bytes, or are too small"
                )
            if not self._holds(target):
                return Refused.PRECONDITION
            sizes = [len(body) for body in bodies]
            written = self.buckets.put(
                target.location,
                b"".join(bodies),
                upload.state,
                part_sizes=sizes,
                dated=upload.begun,
                algorithm=algorithm_of_upload(upload.state),
            )
            del self.uploads[upload_id]
            return Written(_state(written).etag, _told(written))

    def abort_upload(self, target: Location, *, upload_id: str) -> None:
        """See the port."""
        with self._faulty("abort_upload"):
            self.uploads.pop(upload_id, None)

    # AnnotationStore
    def list_annotations(self, location: Location, *, version_id: str | None = None) -> Annotations | None:
        """See the port."""
        with self._faulty("list_annotations"):
            found = self._annotated(location, version_id)
            if found is None:
                return None
            return {name: Annotation(len(text), md5_text(text)) for name, text in found.annotations.items()}

    def read_annotation(self, location: Location, name: str, *, version_id: str | None = None) -> bytes | None:
        """See the port."""
        with self._faulty("read_annotation"):
            found = self._annotated(location, version_id)
            return found.annotations.get(name) if found is not None else None

    def put_annotation(
        self, location: Location, name: str, payload: bytes, *, if_match: str, send_before: float
    ) -> bool:
        """See the port; Object Lock refuses it, as the emulators saw of AWS."""
        self._check_time(send_before)
        with self._faulty("put_annotation"):
            found = self._annotated(location, None)
            if found is None or _state(found).etag != if_match:
                return False
            if self.buckets.is_locked(found):
                raise AccessDeniedError(f"{location.uri}: object protected by object lock")
            self.buckets.annotate(location, found, {**found.annotations, name: payload})
            return True

    def _annotated(self, location: Location, version_id: str | None) -> Version | None:
        found = self.buckets.version(location, version_id)
        if found is not None and not self.knows_annotations:
            raise RefusedRequestError(f"{location.uri}: its server has no annotations")
        return found

    # ObjectListing
    def list_objects(self, bucket: str, *, prefix: str = "", after: str = "") -> Iterator[ListedObject]:
        """See the port."""
        with self._faulty("list_objects"):
            keys = sorted(self.buckets.bucket(bucket).versions, key=str.encode)
        for key in keys:
            found = self.buckets.current(Location(bucket, key))
            if found is not None and key.startswith(prefix) and key.encode() > after.encode():
                state = _state(found)
                yield ListedObject(
                    key, state.etag, state.size, state.storage_class, last_modified=float(state.last_modified)
                )

    def _check_time(self, send_before: float) -> None:
        if self._clock.monotonic() >= send_before:
            raise LeaseExpiredError("no time left: not sent")

    def _source(self, source: SourceObject) -> Version | Refused:
        found = self.buckets.version(source.location, source.version_id)
        if found is None:
            return Refused.SOURCE_ABSENT
        state = _state(found)
        if source.etag and state.etag != source.etag:
            return Refused.PRECONDITION
        if state.is_archived:
            raise ArchivedError(f"{source.location.uri} is archived: restore it first")
        return found

    def _holds(self, target: TargetObject) -> bool:
        current = self.buckets.current(target.location)
        return (_state(current).etag if current is not None else None) == required_etag(target.condition)


def _told(written: Version) -> str | None:
    """The version id that a write answers: none for a version ``null``, which only HEAD and listings name."""
    return None if written.version_id == NULL else written.version_id


def _listed(version: Version) -> StoredVersion:
    named, state = version.version_id or NULL, version.state
    if state is None:
        return StoredVersion(named, version.marked, is_marker=True)
    return StoredVersion(named, state.last_modified, state.etag, state.size)


def _state(version: Version) -> ObjectState:
    if version.state is None:
        raise ValueError("a delete marker has no state")
    return version.state


def _inherited(found: ObjectState, seen: ObjectState | None, target: TargetObject, *, now: float) -> ObjectState:
    """What a copy carries over by itself, and what HEAD's answer adds (aws-facts.md §2.3)."""
    redirect = seen.headers.website_redirect_location if seen is not None else None
    return replace(
        found,
        headers=replace(found.headers, website_redirect_location=redirect),
        storage_class=target.storage_class,
        restored=False,
        encryption=seen.encryption if seen is not None else Encryption(),
        lock=_in_force(seen.lock, now) if seen is not None else Lock(),
    )


def _in_force(lock: Lock, now: float) -> Lock:
    """The part of a lock that a request can set: S3 takes no retention that is over."""
    return lock if lock.retained_until > now else lock.holds
