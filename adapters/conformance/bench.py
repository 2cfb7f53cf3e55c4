"""The resources of one run: made when a fact first needs them, removed at the end."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import NOT_SENT, translated
from domain.errors import KeyshiftError

Made = TypeVar("Made")
BODY = b"keyshift"
OTHER_ETAG = '"00000000000000000000000000000000"'
_NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"
_REFUSED = range(400, 500)
_SWITCH_SECONDS = 60.0
_GONE = frozenset(
    {"NoSuchBucket", "404", "ResourceNotFoundException", "NoSuchUpload", "NoSuchKey", _NO_QUEUE, "QueueDoesNotExist"}
)


class NotOfferedError(Exception):
    """The server has no such service or request; the text says how it showed."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator chose; ``wait`` in seconds, for events; an empty ``kms_key`` leaves KMS out."""

    prefix: str
    wait: float = 420.0
    kms_key: str = ""


class Bench:
    """Buckets, a table, queues and a bus of this run alone: each name has a random part."""

    def __init__(self, clients: AwsClients, options: Options) -> None:
        self.clients = clients
        self.options = options
        self.s3: Any = clients.s3_once
        self.name = f"{options.prefix}-{uuid4().hex[:12]}"
        self.left: list[str] = []
        self._made: dict[str, Any] = {}
        self._removals: list[tuple[str, Callable[[], None]]] = []
        self._keys = 0

    def reach(self) -> None:
        """Make the first bucket; raises UnavailableError where there is no answer at all.

        A permission that is missing shows in each fact that needs the bucket.
        """
        with translated("CreateBucket", self.name), suppress(ClientError):
            _ = self.plain

    @property
    def versioned(self) -> str:
        """A bucket that keeps versions."""
        return self.once("versioned", lambda: self._bucket("versioned", versioned=True))

    @property
    def plain(self) -> str:
        """A bucket that has never kept versions."""
        return self.once("plain", lambda: self._bucket("plain"))

    @property
    def told(self) -> str:
        """A bucket that sends events."""
        return self.once("told", lambda: self._bucket("told"))

    @property
    def suspended(self) -> str:
        """A bucket that kept versions, with one version of ``kept`` from then; versioning is suspended now."""

        def make() -> str:
            bucket = self._bucket("suspended", versioned=True)
            self.s3.put_object(Bucket=bucket, Key="kept", Body=BODY)
            self._switch(bucket, "Suspended")
            return bucket

        return self.once("suspended", make)

    def denying(self, purpose: str, statement: dict[str, Any]) -> str:
        """A bucket with one object ``source``, whose policy then denies everyone what the statement says."""

        def make() -> str:
            bucket = self._bucket(purpose)
            self.s3.put_object(Bucket=bucket, Key="source", Body=BODY)
            denied = {"Effect": "Deny", "Principal": "*", "Resource": f"arn:aws:s3:::{bucket}/*"} | statement
            policy = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
            self.s3.put_bucket_policy(Bucket=bucket, Policy=policy)
            return bucket

        return self.once(purpose, make)

    def new_key(self) -> str:
        """A key that nothing else uses."""
        self._keys += 1
        return f"key-{self._keys}"

    def put(self, bucket: str, *, body: bytes = BODY, **more: Any) -> tuple[str, str]:
        """A new object: its key and its etag."""
        key = self.new_key()
        return key, self.s3.put_object(Bucket=bucket, Key=key, Body=body, **more)["ETag"]

    def once(self, what: str, make: Callable[[], Made]) -> Made:
        """What ``make`` returned, or raised, when it was first needed."""
        if what not in self._made:
            try:
                self._made[what] = make()
            except (ClientError, BotoCoreError, KeyshiftError, NotOfferedError) as error:
                self._made[what] = error
        found: Any = self._made[what]
        if isinstance(found, Exception):
            raise found
        made: Made = found
        return made

    @contextmanager
    def making(self, named: str, remove: Callable[[], None]) -> Iterator[None]:
        """Make something inside, which is removed when the run is left; ``named`` says how to do that by hand.

        Without an answer it may exist, so it is removed too. It does not if its creation was refused.
        """
        removal = (named, remove)
        self._removals.append(removal)
        try:
            yield
        except ClientError as error:
            if int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) in _REFUSED:
                self._removals.remove(removal)
            raise
        except NOT_SENT:
            self._removals.remove(removal)
            raise

    def clean_up(self) -> None:
        """Remove everything, the newest first; what cannot be removed is named in ``left``."""
        while self._removals:
            named, remove = self._removals[-1]
            try:
                remove()
            except ClientError as error:
                if str(error.response.get("Error", {}).get("Code")) not in _GONE:
                    self.left.append(f"{named} ({error})")
            except (BotoCoreError, KeyshiftError, OSError) as error:
                self.left.append(f"{named} ({error})")
            self._removals.pop()

    def _bucket(self, purpose: str, *, versioned: bool = False) -> str:
        bucket = f"{self.name}-{purpose}"
        region = self.s3.meta.region_name
        place: Any = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        named = f"bucket {bucket}: empty it, with its versions and uploads, and then: aws s3 rb s3://{bucket}"
        with self.making(named, partial(self._remove_bucket, bucket)):
            self.clients.s3.create_bucket(Bucket=bucket, **place)
        if versioned:
            self._switch(bucket, "Enabled")
        return bucket

    def _switch(self, bucket: str, status: Literal["Enabled", "Suspended"]) -> None:
        """Switch versioning, and write until it counts: S3 says that the first time may take a while everywhere."""
        self.clients.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})

        def counts() -> bool:
            self.s3.put_object(Bucket=bucket, Key="switched", Body=BODY)
            version_id = self.s3.head_object(Bucket=bucket, Key="switched").get("VersionId", "null")
            return bool(version_id == "null") is (status == "Suspended")

        wait_until(counts, seconds=min(self.options.wait, _SWITCH_SECONDS))

    def _remove_bucket(self, bucket: str) -> None:
        s3: Any = self.clients.s3
        for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for one in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                s3.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
        s3.delete_bucket(Bucket=bucket)


def wait_until(is_so: Callable[[], bool], *, seconds: float, pause: float = 0.5) -> bool:
    """Ask again and again for that long; whether it became so."""
    until = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() >= until:
            return False
        time.sleep(pause)
    return True
