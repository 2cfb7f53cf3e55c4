"""Whether a bucket encrypts with a KMS key by default: asked of servers, and asked again after a while."""

import pytest
from botocore.stub import Stubber

from adapters.aws.clients import AwsClients
from adapters.s3.bucket_encryption import LOOK_SECONDS, BucketEncryption, default_algorithm
from adapters.s3.requests import Owners
from domain.errors import AccessDeniedError, KeyshiftError
from tests.fakes.clock import FakeClock
from tests.servers import Server, new_name
from tests.worlds.objects import clients_for

RULE = "ApplyServerSideEncryptionByDefault"


def answer(algorithm: str) -> dict[str, object]:
    """S3's."""
    return {"ServerSideEncryptionConfiguration": {"Rules": [{RULE: {"SSEAlgorithm": algorithm}}]}}


@pytest.mark.parametrize("server", ["standin", "seaweedfs", "moto_endpoint"])
def test_a_bucket_without_a_default_key_has_none(server: str, request: pytest.FixtureRequest) -> None:
    """S3 tells SSE-S3 of it, other servers that it has no configuration."""
    place: Server = request.getfixturevalue(server)
    bucket = new_name("bucket")
    place.client("s3").create_bucket(Bucket=bucket)
    assert not BucketEncryption(clients_for(place), bucket, monotonic=FakeClock().monotonic).is_kms()


def test_a_default_key_is_seen(standin: Server) -> None:
    """Its owner has put it."""
    s3, bucket = standin.client("s3"), new_name("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_encryption(Bucket=bucket, **answer("aws:kms"))
    assert BucketEncryption(clients_for(standin), bucket, monotonic=FakeClock().monotonic).is_kms()


@pytest.mark.parametrize(("algorithm", "is_kms"), [("AES256", False), ("aws:kms", True), ("aws:kms:dsse", True)])
def test_the_bucket_is_asked_once_in_a_while(algorithm: str, *, is_kms: bool) -> None:
    """An owner may change it under a running migration."""
    clock, clients = FakeClock(), AwsClients(region="us-east-1", access_key_id="a", secret_access_key="b")
    owners = Owners({"bucket": "111111111111"})
    encryption = BucketEncryption(clients, "bucket", monotonic=clock.monotonic, owners=owners)
    expected = {"Bucket": "bucket", "ExpectedBucketOwner": "111111111111"}
    with Stubber(clients.s3) as stub:
        stub.add_response("get_bucket_encryption", answer(algorithm), expected)
        assert [encryption.is_kms() for _ in range(3)] == [is_kms] * 3
        stub.assert_no_pending_responses()
        clock.advance(LOOK_SECONDS)
        stub.add_client_error(
            "get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError", expected_params=expected
        )
        assert not encryption.is_kms()


@pytest.mark.parametrize("code", ["AccessDenied", "NotImplemented", "InternalError"])
def test_a_failed_look_is_no_answer(code: str) -> None:
    """It is asked again, and the error names what helps."""
    clients = AwsClients(region="us-east-1", access_key_id="a", secret_access_key="b")
    encryption = BucketEncryption(clients, "bucket", monotonic=FakeClock().monotonic)
    with Stubber(clients.s3) as stub:
        for _ in range(2):
            stub.add_client_error("get_bucket_encryption", code)
            with pytest.raises(KeyshiftError) as caught:
                encryption.is_kms()
        stub.assert_no_pending_responses()
    if code == "AccessDenied":
        assert isinstance(caught.value, AccessDeniedError)
        assert "KEYSHIFT_ENCRYPTED_TARGETS" in str(caught.value)


@pytest.mark.parametrize(("rules", "algorithm"), [([], ""), ([{"BucketKeyEnabled": True}], ""), (None, "aws:kms")])
def test_a_rule_may_have_no_default(rules: list[dict[str, object]] | None, algorithm: str) -> None:
    """It then only switches bucket keys on, or blocks a kind of encryption (botocore: the member is optional)."""
    said = [{"BucketKeyEnabled": True}, {RULE: {"SSEAlgorithm": "aws:kms"}}] if rules is None else rules
    assert default_algorithm({"ServerSideEncryptionConfiguration": {"Rules": said}}) == algorithm
    assert default_algorithm({}) == ""
