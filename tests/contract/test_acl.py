"""A bucket of another account whose policy takes objects only with its full control: copies carry that ACL."""

import json
from dataclasses import replace
from typing import Any

import pytest

from adapters.doctor.conditions_probe import probe_conditions
from adapters.doctor.inspector import AwsInspector
from adapters.s3.multipart_store import S3MultipartStore
from adapters.s3.object_store import S3ObjectStore
from adapters.s3.requests import Owners
from domain.errors import AccessDeniedError
from domain.keys import Location
from domain.protocol.ports import MustBeAbsent, SourceObject, TargetObject, Written
from tests.servers import Server, new_name
from tests.worlds.objects import FAR, TWO_PARTS, clients_for

OWN, THEIRS = "111111111111", "222222222222"


class Foreign:
    """A bucket of another account; keyshift may do everything there, but writes only with the ACL."""

    def __init__(self, server: Server) -> None:
        self.bucket = new_name("bucket")
        self.clients = clients_for(replace(server, access_key=OWN))
        self.account: Any = replace(server, access_key=THEIRS).client("s3")
        self.account.create_bucket(Bucket=self.bucket, ObjectOwnership="BucketOwnerPreferred")
        places = [f"arn:aws:s3:::{self.bucket}", f"arn:aws:s3:::{self.bucket}/*"]
        allowed = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OWN}:root"}, "Resource": places}
        given = {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                allowed | {"NotAction": "s3:PutObject"},
                allowed | {"Action": "s3:PutObject", "Condition": given},
            ],
        }
        self.account.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps(policy))
        self.source, self.target = Location(self.bucket, "old/key"), Location(self.bucket, "new/key")

    def put(self, body: bytes) -> SourceObject:
        """A source."""
        answer = self.account.put_object(Bucket=self.bucket, Key=self.source.key, Body=body)
        return SourceObject(self.source, answer["ETag"].strip('"'))

    @property
    def goal(self) -> TargetObject:
        """The absent target."""
        return TargetObject(self.target, MustBeAbsent(), FAR)

    def owners(self, *, grants: bool) -> Owners:
        """With and without the ACL."""
        return Owners(full_control=frozenset({self.bucket} if grants else ()))


@pytest.fixture
def foreign(standin: Server) -> Foreign:
    """One on the stand-in."""
    return Foreign(standin)


def test_a_copy_in_one_request_has_the_acl(foreign: Foreign) -> None:
    """Without it the bucket's policy denies the copy."""
    source = foreign.put(b"bytes")
    with pytest.raises(AccessDeniedError):
        S3ObjectStore(foreign.clients, owners=foreign.owners(grants=False)).copy_object(source, foreign.goal, seen=None)
    store = S3ObjectStore(foreign.clients, owners=foreign.owners(grants=True))
    assert isinstance(store.copy_object(source, foreign.goal, seen=None), Written)


def test_a_copy_in_parts_has_it_from_its_beginning(foreign: Foreign) -> None:
    """CreateMultipartUpload carries it."""
    foreign.put(TWO_PARTS)
    seen = S3ObjectStore(foreign.clients).look_at_object(foreign.source, with_tags=True)
    assert seen is not None
    with pytest.raises(AccessDeniedError):
        S3MultipartStore(foreign.clients).create_upload(foreign.goal, seen=seen)
    store = S3MultipartStore(foreign.clients, owners=foreign.owners(grants=True))
    upload_id = store.create_upload(foreign.goal, seen=seen)
    assert upload_id
    store.abort_upload(foreign.target, upload_id=upload_id)


def test_the_probe_of_conditions_writes_with_it(foreign: Foreign) -> None:
    """Else the bucket would seem to refuse every right condition."""

    def faults(*, grants: bool) -> list[str]:
        tried = probe_conditions(foreign.clients, target=foreign.target, owners=foreign.owners(grants=grants))
        in_one_request = ("PutObject", "GetObject", "CopyObject", "DeleteObject")
        return [one.fault for one in tried if one.name.startswith(in_one_request)]

    assert set(faults(grants=True)) == {""}
    assert all(faults(grants=False))


def test_doctor_sees_whose_bucket_it_is_and_who_owns_its_objects(foreign: Foreign) -> None:
    """Without any setting S3 leaves an object to the account that wrote it."""
    inspector = AwsInspector(foreign.clients, Owners())
    assert [inspector.is_of_account(foreign.bucket, account) for account in (OWN, THEIRS)] == [False, True]
    assert inspector.ownership(foreign.bucket) == "BucketOwnerPreferred"
    foreign.account.delete_bucket_ownership_controls(Bucket=foreign.bucket)
    assert inspector.ownership(foreign.bucket) == "ObjectWriter"
