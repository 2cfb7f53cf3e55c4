"""S3 as a test of the object ports sees it: the fake, or the adapters on a server."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from adapters.aws.clients import AwsClients
from adapters.aws.errors import translated
from adapters.s3.annotation_store import S3AnnotationStore
from adapters.s3.listing import S3ObjectListing
from adapters.s3.multipart_store import S3MultipartStore
from adapters.s3.object_store import S3ObjectStore
from adapters.s3.restore_store import S3RestoreStore
from adapters.s3.version_history import S3VersionHistory
from adapters.s3.version_listing import S3VersionListing
from domain.keys import Location
from domain.lifecycle.archives import RestoreStore
from domain.objects import ContentHeaders, Encryption, Lock, ObjectState
from domain.planning.ports import ObjectListing, VersionListing
from domain.protocol.parts import MIN_PART_BYTES
from domain.protocol.ports import (
    AnnotationStore,
    MultipartStore,
    MustBeAbsent,
    MustMatch,
    ObjectStore,
    SourceObject,
    TargetObject,
    VersionHistory,
)
from tests.fakes.bucket_properties import set_legal_hold, set_retention
from tests.fakes.buckets import Version, Versioning
from tests.fakes.clock import FakeClock
from tests.fakes.object_store import InMemoryObjectStore
from tests.fakes.restores import InMemoryRestoreStore
from tests.fakes.version_listing import InMemoryVersionListing
from tests.servers import REGION, Server, new_name
from tests.worlds.presence import present

FAR = float("inf")
"""A monotonic second that never comes."""


class ObjectWorld(Protocol):
    """The ports under test, and what owners do to the same buckets."""

    name: str

    @property
    def store(self) -> ObjectStore:
        """Single objects."""

    @property
    def multipart(self) -> MultipartStore:
        """Multipart copies."""

    @property
    def history(self) -> VersionHistory:
        """What is kept of one key."""

    @property
    def annotations(self) -> AnnotationStore:
        """Annotations of objects."""

    @property
    def restores(self) -> RestoreStore:
        """Restores from archives."""

    @property
    def listing(self) -> ObjectListing:
        """Listings."""

    @property
    def version_listing(self) -> VersionListing:
        """Listings of every version."""

    def now(self) -> float:
        """Seconds since 1970, by S3's clock."""

    def wait(self, seconds: float) -> None:
        """Let that time pass."""

    def bucket(self, *, versioned: bool = False, locks: bool = False) -> str:
        """A new bucket; ``locks``: with Object Lock, which keeps versions too."""

    def set_versioning(self, bucket: str, status: Versioning) -> None:
        """An owner switches versioning on, or suspends it."""

    def put(self, location: Location, body: bytes, **said: Any) -> None:
        """An owner's write; ``said`` is what the fake's ``put`` can be told besides."""

    def annotate(self, location: Location, name: str, payload: bytes) -> None:
        """An owner puts an annotation of the current version."""

    def leaving_annotations(self) -> ObjectStore:
        """The same objects for a migration whose rules file promises that no source has annotations."""

    def enforce_conditions(self, bucket: str) -> None:
        """An owner's policy denies every write without If-None-Match or If-Match from now on."""

    def enable_locks(self, bucket: str) -> None:
        """An owner enables Object Lock on a bucket that is there; RefusedRequestError where it keeps no versions."""

    def hold(self, location: Location, *, on: bool) -> None:
        """An owner puts a legal hold on the current version, or takes it off."""

    def retain(self, location: Location, retention: Lock) -> None:
        """An owner who may not bypass governance sets a retention of the current version."""

    def remove(self, location: Location) -> None:
        """An owner's delete."""

    def destroy(self, location: Location, version_id: str) -> None:
        """An owner's delete of one version, or delete marker, for good."""

    def body(self, location: Location) -> bytes | None:
        """The current bytes."""


class FakeWorld:
    """The in-memory store."""

    name = "fake"

    def __init__(self) -> None:
        clock = FakeClock()
        self.store = self.multipart = self.history = self.annotations = self.listing = InMemoryObjectStore(clock)
        self.version_listing = InMemoryVersionListing(self.store.buckets)
        self.restores = InMemoryRestoreStore(self.store.buckets, clock)
        self._clock, self.now = clock, clock.now

    def wait(self, seconds: float) -> None:
        """See ObjectWorld."""
        self._clock.advance(seconds)
        self.restores.end_restores()

    def bucket(self, *, versioned: bool = False, locks: bool = False) -> str:
        """See ObjectWorld."""
        name = new_name("bucket")
        self.store.create_bucket(name, versioned=versioned, locks=locks)
        return name

    def set_versioning(self, bucket: str, status: Versioning) -> None:
        """See ObjectWorld."""
        self.store.set_versioning(bucket, status)

    def put(self, location: Location, body: bytes, **said: Any) -> None:
        """See ObjectWorld."""
        self.store.put(location, body, **said)

    def annotate(self, location: Location, name: str, payload: bytes) -> None:
        """See ObjectWorld."""
        self.store.annotate(location, name, payload)

    def leaving_annotations(self) -> ObjectStore:
        """See ObjectWorld."""
        self.store.carries_annotations = False
        return self.store

    def enforce_conditions(self, bucket: str) -> None:
        """See ObjectWorld."""
        self.store.enforcing.add(bucket)

    def enable_locks(self, bucket: str) -> None:
        """See ObjectWorld."""
        self.store.buckets.enable_locks(bucket)

    def hold(self, location: Location, *, on: bool) -> None:
        """See ObjectWorld."""
        set_legal_hold(self.store.buckets, location, self._current(location), on=on)

    def retain(self, location: Location, retention: Lock) -> None:
        """See ObjectWorld."""
        set_retention(self.store.buckets, location, self._current(location), retention)

    def _current(self, location: Location) -> Version:
        return present(self.store.buckets.current(location))

    def remove(self, location: Location) -> None:
        """See ObjectWorld."""
        self.store.remove(location)

    def destroy(self, location: Location, version_id: str) -> None:
        """See ObjectWorld."""
        self.store.destroy(location, version_id)

    def body(self, location: Location) -> bytes | None:
        """See ObjectWorld."""
        return self.store.body(location)


class ServerWorld:
    """The S3 adapters on a server."""

    def __init__(self, server: Server, *, attempts: int = 5, lane: bool = True) -> None:
        self.name = server.name
        clients = replace(clients_for(server), read_attempts=attempts, lane=lane)
        self._clients, self._owner = clients, server.client("s3")
        self.store = S3ObjectStore(clients)
        self.multipart = S3MultipartStore(clients, part_workers=4)
        # Small pages, but where one page's order is wrong (moto): there a page of two may be right by chance.
        self.history = S3VersionHistory(clients, at_once=2 if server.name != "moto" else 1_000)
        self.annotations = S3AnnotationStore(clients)
        self.restores = S3RestoreStore(clients)
        self.listing = S3ObjectListing(clients)
        self.version_listing = S3VersionListing(clients, at_once=3)
        self.now, self.wait = time.time, time.sleep

    def bucket(self, *, versioned: bool = False, locks: bool = False) -> str:
        """See ObjectWorld."""
        name = new_name("bucket")
        self._owner.create_bucket(Bucket=name, ObjectLockEnabledForBucket=locks)
        if versioned:
            self.set_versioning(name, Versioning.ENABLED)
        return name

    def set_versioning(self, bucket: str, status: Versioning) -> None:
        """See ObjectWorld."""
        self._owner.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status.value})

    def put(self, location: Location, body: bytes, **said: Any) -> None:
        """See ObjectWorld."""
        self._owner.put_object(Bucket=location.bucket, Key=location.key, Body=body, **_put_parameters(**said))

    def annotate(self, location: Location, name: str, payload: bytes) -> None:
        """See ObjectWorld."""
        self._owner.put_object_annotation(
            Bucket=location.bucket, Key=location.key, AnnotationName=name, AnnotationPayload=payload
        )

    def leaving_annotations(self) -> ObjectStore:
        """See ObjectWorld."""
        return S3ObjectStore(self._clients, carries_annotations=False)

    def enforce_conditions(self, bucket: str) -> None:
        """See ObjectWorld."""
        self._owner.put_bucket_policy(Bucket=bucket, Policy=enforcing_policy(bucket))

    def enable_locks(self, bucket: str) -> None:
        """See ObjectWorld."""
        with translated("PutObjectLockConfiguration", bucket):
            self._owner.put_object_lock_configuration(
                Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
            )

    def hold(self, location: Location, *, on: bool) -> None:
        """See ObjectWorld."""
        status = {"Status": "ON" if on else "OFF"}
        self._owner.put_object_legal_hold(Bucket=location.bucket, Key=location.key, LegalHold=status)

    def retain(self, location: Location, retention: Lock) -> None:
        """See ObjectWorld."""
        until = datetime.fromisoformat(retention.retain_until or "")
        with translated("PutObjectRetention", location.uri):
            self._owner.put_object_retention(
                Bucket=location.bucket,
                Key=location.key,
                Retention={"Mode": retention.mode, "RetainUntilDate": until},
            )

    def remove(self, location: Location) -> None:
        """See ObjectWorld."""
        self._owner.delete_object(Bucket=location.bucket, Key=location.key)

    def destroy(self, location: Location, version_id: str) -> None:
        """See ObjectWorld."""
        self._owner.delete_object(Bucket=location.bucket, Key=location.key, VersionId=version_id)

    def body(self, location: Location) -> bytes | None:
        """See ObjectWorld."""
        try:
            answer = self._owner.get_object(Bucket=location.bucket, Key=location.key)
        except self._owner.exceptions.NoSuchKey:
            return None
        body: bytes = answer["Body"].read()
        return body


def _put_parameters(
    *,
    metadata: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    headers: ContentHeaders | None = None,
    storage_class: str = "STANDARD",
    encryption: Encryption | None = None,
    lock: Lock | None = None,
) -> dict[str, Any]:
    headers = headers or ContentHeaders()
    named = {
        "ContentType": headers.content_type,
        "ContentEncoding": headers.content_encoding,
        "ContentDisposition": headers.content_disposition,
        "ContentLanguage": headers.content_language,
        "CacheControl": headers.cache_control,
        "Expires": headers.expires,
    }
    said: dict[str, Any] = {name: text for name, text in named.items() if text is not None}
    said |= {"Metadata": dict(metadata or {}), "StorageClass": storage_class}
    if encryption is not None:
        said |= {"ServerSideEncryption": encryption.algorithm, "SSEKMSKeyId": encryption.kms_key_id}
    if lock is not None and lock.legal_hold:
        said["ObjectLockLegalHoldStatus"] = "ON"
    if lock is not None and lock.retain_until is not None:
        said |= {"ObjectLockMode": lock.mode, "ObjectLockRetainUntilDate": datetime.fromisoformat(lock.retain_until)}
    return said | ({"Tagging": urlencode(dict(tags), quote_via=quote)} if tags else {})


def enforcing_policy(bucket: str) -> str:
    """A bucket policy that denies each write without a condition; parts of an upload have none, and may be written."""
    denied = {
        "Sid": "ConditionalWritesOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {
            "Null": {"s3:if-none-match": "true", "s3:if-match": "true"},
            "Bool": {"s3:ObjectCreationOperation": "true"},
        },
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [denied]})


def clients_for(server: Server) -> AwsClients:
    """The product's own clients on that server."""
    return AwsClients(
        endpoint_url=server.endpoint_url,
        region=REGION,
        access_key_id=server.access_key,
        secret_access_key=server.secret_key,
        request_seconds=30,
        lane=True,
    )


@dataclass(frozen=True, slots=True)
class Pair:
    """A source that exists and its target, in one new bucket."""

    world: ObjectWorld
    source: Location
    target: Location

    def seen(self) -> ObjectState:
        """The source as HEAD and its tags show it."""
        return present(self.world.store.look_at_object(self.source, with_tags=True))

    def origin(self, *, version_id: str | None = None) -> SourceObject:
        """The source as it is now."""
        return SourceObject(self.source, self.seen().etag, version_id)

    def goal(self, if_match: str | None = None, *, storage_class: str = "STANDARD") -> TargetObject:
        """The target on that condition."""
        condition = MustBeAbsent() if if_match is None else MustMatch(if_match)
        return TargetObject(self.target, condition, FAR, storage_class)


def new_pair(world: ObjectWorld, body: bytes = b"bytes", *, versioned: bool = False, **said: Any) -> Pair:
    """A new bucket with one object to move."""
    bucket = world.bucket(versioned=versioned)
    pair = Pair(world, Location(bucket, "old/key"), Location(bucket, "new/key"))
    world.put(pair.source, body, **said)
    return pair


TWO_PARTS = b"a" * MIN_PART_BYTES + b"b"
EVERYTHING: dict[str, Any] = {
    "metadata": {"owner": "line-1", "note": "a b"},
    "tags": {"stage": "raw", "a b": "x=y+z/@"},
    "headers": ContentHeaders(
        content_type="application/x-tar",
        content_encoding="gzip",
        content_disposition='attachment; filename="a.tar"',
        content_language="de",
        cache_control="no-store",
        expires="Wed, 21 Oct 2026 07:28:00 GMT",
    ),
}
