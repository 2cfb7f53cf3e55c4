"""The probe tells a server that honours every condition from one that ignores, or refuses, a single one."""

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.demo.provisioning import create_bucket
from adapters.doctor.conditions_probe import IGNORED, IN_PARTS, REFUSED, SECOND_LINE, probe_conditions
from adapters.s3.requests import Owners
from domain.keys import Location
from tests.servers import Server, new_name
from tests.worlds.objects import clients_for, enforcing_policy

CONDITIONS: Mapping[str, tuple[str, str]] = {
    "PutObject: If-None-Match": ("put_object", "IfNoneMatch"),
    "PutObject: If-Match": ("put_object", "IfMatch"),
    "GetObject: If-Match": ("get_object", "IfMatch"),
    "CopyObject: If-Match on the source": ("copy_object", "CopySourceIfMatch"),
    "CopyObject: If-None-Match on the target": ("copy_object", "IfNoneMatch"),
    "CopyObject: If-Match on the target": ("copy_object", "IfMatch"),
    "UploadPartCopy: If-Match on the source": ("upload_part_copy", "CopySourceIfMatch"),
    "CompleteMultipartUpload: If-None-Match": ("complete_multipart_upload", "IfNoneMatch"),
    "CompleteMultipartUpload: If-Match": ("complete_multipart_upload", "IfMatch"),
    "CompleteMultipartUpload: MpuObjectSize": ("complete_multipart_upload", "MpuObjectSize"),
    "DeleteObject: If-Match": ("delete_object", "IfMatch"),
}
"""The call and the parameter of each condition that the protocol sends."""


class FlawedS3:
    """S3 that ignores, or always refuses, one parameter of one call."""

    def __init__(self, s3: Any, call: str, parameter: str, *, refuses: bool) -> None:
        self._s3, self._call, self._parameter, self._refuses = s3, call, parameter, refuses

    def __getattr__(self, name: str) -> Any:
        if name != self._call:
            return getattr(self._s3, name)
        return self._flawed

    def _flawed(self, **request: Any) -> Any:
        if request.pop(self._parameter, None) is not None and self._refuses:
            raise ClientError({"Error": {"Code": "PreconditionFailed"}}, self._call)
        return getattr(self._s3, self._call)(**request)


def probed(clients: AwsClients, bucket: str) -> dict[str, str]:
    """The fault of each condition."""
    return {one.name: one.fault for one in probe_conditions(clients, target=Location(bucket, "new/"), owners=Owners())}


@pytest.mark.parametrize("versioned", [False, True])
def test_every_condition_of_the_protocol_is_tried_and_nothing_is_left(standin: Server, versioned: bool) -> None:
    """No object, no version, no marker, no upload; each name is a condition that the adapters send."""
    clients, bucket = clients_for(standin), new_name("probed")
    create_bucket(clients, bucket, versioned=versioned)
    assert probed(clients, bucket) == dict.fromkeys(CONDITIONS, "")
    listed = clients.s3.list_object_versions(Bucket=bucket)
    assert not {"Versions", "DeleteMarkers"} & set(listed)
    assert "Uploads" not in clients.s3.list_multipart_uploads(Bucket=bucket)


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_server_that_ignores_one_condition_is_named(standin: Server, name: str) -> None:
    """That one and no other; what the wrong request wrote is deleted too."""
    clients, bucket = clients_for(standin), new_name("probed")
    create_bucket(clients, bucket, versioned=True)
    call, parameter = CONDITIONS[name]
    clients.__dict__["s3_once"] = FlawedS3(clients_for(standin).s3_once, call, parameter, refuses=False)
    assert {one: fault for one, fault in probed(clients, bucket).items() if fault} == {
        name: SECOND_LINE if name.endswith("MpuObjectSize") else IGNORED
    }
    assert not {"Versions", "DeleteMarkers"} & set(clients.s3.list_object_versions(Bucket=bucket))


@pytest.mark.parametrize("name", ["CompleteMultipartUpload: If-Match", "DeleteObject: If-Match"])
def test_a_server_that_refuses_a_right_etag_is_named(standin: Server, name: str) -> None:
    """To it every etag is wrong: nothing would ever move, or be cleaned."""
    clients, bucket = clients_for(standin), new_name("probed")
    create_bucket(clients, bucket)
    call, parameter = CONDITIONS[name]
    clients.__dict__["s3_once"] = FlawedS3(clients_for(standin).s3_once, call, parameter, refuses=True)
    # The completion with a size carries the target's condition, too.
    named = {name, "CompleteMultipartUpload: MpuObjectSize"} if call == "complete_multipart_upload" else {name}
    assert {one: fault for one, fault in probed(clients, bucket).items() if fault} == dict.fromkeys(named, REFUSED)


@pytest.mark.parametrize("versioned", [False, True])
def test_a_bucket_that_enforces_conditions_takes_copies_in_parts(standin: Server, *, versioned: bool) -> None:
    """CopyObject is answered with 501 (aws-facts.md §2.1): the probe says which way copies go, and nothing is vital."""
    clients, bucket = clients_for(standin), new_name("probed")
    create_bucket(clients, bucket, versioned=versioned)
    clients.s3.put_bucket_policy(Bucket=bucket, Policy=enforcing_policy(bucket))
    tried = {one.name: one for one in probe_conditions(clients, target=Location(bucket, "new/"), owners=Owners())}
    copies = {name for name in CONDITIONS if name.startswith("CopyObject")}
    assert {name: one.fault for name, one in tried.items() if one.fault} == dict.fromkeys(copies, IN_PARTS)
    assert not any(tried[name].is_vital for name in copies)
    assert not {"Versions", "DeleteMarkers"} & set(clients.s3.list_object_versions(Bucket=bucket))


def test_where_all_goes_in_parts_anyway_no_condition_of_a_copy_is_vital(standin: Server) -> None:
    """A server that ignores one is good enough then."""
    clients, bucket = clients_for(standin), new_name("probed")
    create_bucket(clients, bucket)
    clients.__dict__["s3_once"] = FlawedS3(clients_for(standin).s3_once, "copy_object", "IfMatch", refuses=False)
    target = Location(bucket, "new/")
    tried = list(probe_conditions(clients, target=target, owners=Owners(), in_parts=True))
    assert [(one.name, one.is_vital) for one in tried if one.fault] == [("CopyObject: If-Match on the target", False)]


def test_what_cannot_be_tried_does_not_hide_the_rest(standin: Server) -> None:
    """A bucket that does not exist: each condition says so."""
    faults = probed(clients_for(standin), new_name("absent"))
    assert set(faults) == set(CONDITIONS)
    assert all("could not be tried" in fault for fault in faults.values())


@pytest.mark.parametrize("versioned", [False, True])
def test_seaweedfs_honours_all_but_the_second_line(seaweedfs: Server, versioned: bool) -> None:
    """A server that we did not write: it takes a wrong MpuObjectSize, and nothing else; nothing is left there."""
    clients, bucket = clients_for(seaweedfs), new_name("probed")
    create_bucket(clients, bucket, versioned=versioned)
    assert {one: fault for one, fault in probed(clients, bucket).items() if fault} == {
        "CompleteMultipartUpload: MpuObjectSize": SECOND_LINE
    }
    assert not {"Versions", "DeleteMarkers"} & set(clients.s3.list_object_versions(Bucket=bucket))
