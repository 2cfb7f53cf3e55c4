"""The lane sends what boto3 sends: method, path, query, headers and body of generated calls of each hot operation."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.modelled import json_parameters, rest_parameters
from tests.wire import Seen, serving
from tests.worlds.lanes import JSON, LANE_BUCKET, ORDINARY, S3, BothLanes, model_of, plain_answer, plain_parameters
from tests.worlds.presence import present


@pytest.fixture(scope="module")
def both() -> Iterator[BothLanes]:
    """Clients of both kinds."""
    with serving(plain_answer) as wire:
        yield BothLanes(wire)


def assert_same(both: BothLanes, service: str, name: str, params: dict[str, Any]) -> Seen | None:
    """Both send the same and return the same; what the lane sent."""
    theirs = both.call(service, name, params, lane=False)
    ours = both.call(service, name, params, lane=True)
    assert [one.told for one in ours.sent] == [one.told for one in theirs.sent]
    assert (ours.returned, ours.raised) == (theirs.returned, theirs.raised)
    for seen in ours.sent:
        if not seen.is_botocores:
            assert_signed(seen, both.wire.url)
    return ours.sent[0] if ours.sent else None


def assert_signed(seen: Seen, url: str) -> None:
    """Botocore's signer makes the same signature of what arrived."""
    authorization = seen.headers["authorization"]
    names = authorization.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    service = authorization.split("/")[3]
    target = url + seen.path + (f"?{seen.query}" if seen.query else "")
    request = AWSRequest(seen.method, target, {name: seen.headers[name] for name in names}, seen.body)
    request.context["timestamp"] = seen.headers["x-amz-date"]
    signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(Credentials("AKID", "secret"), service, "us-east-1")
    text = signer.string_to_sign(request, signer.canonical_request(request))
    assert authorization.rpartition("=")[2] == signer.signature(text, request)


@pytest.mark.parametrize("name", S3)
@settings(max_examples=40)
@given(data=st.data())
def test_a_request_to_s3_is_boto3s(both: BothLanes, name: str, data: st.DataObject) -> None:
    """Awkward keys, sources, versions, conditions, metadata, dates and flags."""
    both.begin("s3", name, plain_parameters(name))
    both.said = plain_answer
    assert_same(both, "s3", name, data.draw(rest_parameters(model_of(both, "s3", name), LANE_BUCKET)))


@pytest.mark.parametrize(("service", "name"), JSON)
@settings(max_examples=30)
@given(data=st.data())
def test_a_request_in_json_is_boto3s(both: BothLanes, service: str, name: str, data: st.DataObject) -> None:
    """Items of every type, conditions, entries, dates; with mistakes, both refuse alike and send nothing."""
    shape = model_of(both, service, name).input_shape
    params = data.draw(json_parameters(shape, mistakes=data.draw(st.booleans())))
    both.said = plain_answer
    assert_same(both, service, name, params)


@pytest.mark.parametrize("key", ["a/b c.txt", "ä+?#%2F", "../a//b/", "x" * 1_024, "😀"])
@pytest.mark.parametrize("name", S3)
def test_an_ordinary_call_takes_the_lane(both: BothLanes, name: str, key: str) -> None:
    """The comparison would be worth nothing if all went through boto3."""
    both.begin("s3", name, plain_parameters(name))
    params = plain_parameters(name) | {"Key": key}
    if "copy" in name:
        params |= {"CopySource": {"Bucket": "source-bucket", "Key": key, "VersionId": "v.1_2-3"}}
        params |= {"CopySourceIfMatch": '"e"'}
    if name == "copy_object":
        params |= {"IfNoneMatch": "*", "Metadata": {"a": "b c"}, "StorageClass": "STANDARD_IA"}
    sent = present(assert_same(both, "s3", name, params))
    assert not sent.is_botocores


@pytest.mark.parametrize(("service", "name"), JSON)
def test_an_ordinary_call_in_json_takes_the_lane(both: BothLanes, service: str, name: str) -> None:
    """As above."""
    both.begin(service, name, ORDINARY[name])
    sent = present(assert_same(both, service, name, ORDINARY[name]))
    assert not sent.is_botocores
