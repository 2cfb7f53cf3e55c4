"""Every answer of AWS that the table names becomes the error that the table says."""

from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from adapters.aws.errors import accepting, from_code, meaning_of, translated
from domain.errors import (
    AccessDeniedError,
    ArchivedError,
    EncryptionError,
    KeyshiftError,
    LeaseExpiredError,
    MissingResourceError,
    RefusedRequestError,
    StorageFullError,
    ThrottledAt,
    ThrottledError,
    UnavailableError,
)

URI = "s3://bucket/old/key"

CODES: list[tuple[str, int, type[KeyshiftError]]] = [
    ("SlowDown", 503, ThrottledError),
    ("ThrottlingException", 400, ThrottledError),
    ("ProvisionedThroughputExceededException", 400, ThrottledError),
    ("TransactionConflictException", 400, ThrottledError),
    ("ServiceUnavailable", 503, UnavailableError),
    ("503", 503, UnavailableError),
    ("InternalError", 500, UnavailableError),
    ("InternalError", 200, UnavailableError),
    ("RequestTimeout", 400, UnavailableError),
    ("SomethingNew", 418, UnavailableError),
    ("", 502, UnavailableError),
    ("AccessDenied", 403, AccessDeniedError),
    ("AccessDenied", 500, AccessDeniedError),
    ("AccessDeniedException", 400, AccessDeniedError),
    ("403", 403, AccessDeniedError),
    ("InvalidAccessKeyId", 403, AccessDeniedError),
    ("SignatureDoesNotMatch", 403, AccessDeniedError),
    ("ExpiredToken", 400, AccessDeniedError),
    ("RequestTimeTooSkewed", 403, AccessDeniedError),
    ("KMS.DisabledException", 400, EncryptionError),
    ("KMS.ThrottlingException", 400, ThrottledError),
    ("InvalidObjectState", 403, ArchivedError),
    ("ObjectNotInActiveTierError", 403, ArchivedError),
    ("NoSuchBucket", 404, MissingResourceError),
    ("ResourceNotFoundException", 400, MissingResourceError),
    ("QueueDoesNotExist", 400, MissingResourceError),
    ("AWS.SimpleQueueService.NonExistentQueue", 400, MissingResourceError),
    ("507", 507, StorageFullError),
    ("InternalError", 507, StorageFullError),
    ("InvalidRequest", 400, RefusedRequestError),
    ("ValidationException", 400, RefusedRequestError),
    ("400", 400, RefusedRequestError),
    ("MetadataTooLarge", 400, RefusedRequestError),
    ("RequestHeaderSectionTooLarge", 400, RefusedRequestError),
    ("431", 431, RefusedRequestError),
    ("MissingUploadObjectWithObjectLockHeaders", 400, RefusedRequestError),
    ("InvalidRetentionPeriod", 400, RefusedRequestError),
    ("NoSuchObjectLockConfiguration", 404, RefusedRequestError),
    ("InvalidParameterException", 400, RefusedRequestError),
]


def client_error(code: str, status: int, message: str = "") -> ClientError:
    """An answer of AWS."""
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "CopyObject")


def raised(error: Exception, action: str = "CopyObject") -> KeyshiftError:
    """What the domain gets to see."""
    with pytest.raises(KeyshiftError) as caught, translated(action, URI):
        raise error
    return caught.value


@pytest.mark.parametrize(("code", "status", "expected"), CODES)
def test_the_code_decides(code: str, status: int, expected: type[KeyshiftError]) -> None:
    """Whatever the HTTP status: botocore turns a 200 with an error body into a 500."""
    error = raised(client_error(code, status))
    assert type(error) is expected
    assert URI in str(error)
    assert "CopyObject" in str(error)


def test_a_bare_503_of_head_is_a_throttling() -> None:
    """HEAD has no body that could say SlowDown, and changes nothing."""
    assert type(raised(client_error("503", 503), "HeadObject")) is ThrottledError


@pytest.mark.parametrize(
    ("code", "action", "subject", "at"),
    [
        ("SlowDown", "CopyObject", "s3://b/old/k (part 3)", ThrottledAt("SlowDown", bucket="b", key="old/k (part 3)")),
        ("503", "HeadObject", "s3://b/k", ThrottledAt("SlowDown", bucket="b", key="k")),
        ("ThrottlingException", "UpdateItem", "manifest (ab12)", ThrottledAt("ThrottlingException", table="manifest")),
        ("ProvisionedThroughputExceededException", "BatchExecuteStatement", "manifest",
         ThrottledAt("ProvisionedThroughputExceededException", table="manifest")),
        ("KMS.ThrottlingException", "CopyObject", "s3://b/k", None),
        ("TransactionConflictException", "TransactWriteItems", "manifest (ab12)", None),
        ("ThrottlingException", "SendMessageBatch", "https://sqs/queue", None),
    ],
)  # fmt: skip
def test_a_throttled_answer_names_its_key_or_its_table(
    code: str, action: str, subject: str, at: ThrottledAt | None
) -> None:
    """Unless it is about something else: a KMS key's quota, another transaction, a queue."""
    error = from_code(code, "", action, subject)
    assert isinstance(error, ThrottledError)
    assert error.at == at


def test_only_the_named_codes_are_accepted() -> None:
    """The block ends quietly for them; another code stays the error that it is."""
    with translated("CopyObject", URI), accepting("NoSuchKey", "404"):
        raise client_error("404", 404)
    with pytest.raises(UnavailableError), translated("CopyObject", URI), accepting("NoSuchKey"):
        raise client_error("404", 404)


def test_a_refusal_means_the_answer_that_has_its_code() -> None:
    """A code of no answer raises the error itself."""
    meanings = {"absent": {"404", "NoSuchKey"}, "other": {"412"}}
    assert meaning_of(client_error("NoSuchKey", 404), meanings) == "absent"
    with pytest.raises(ClientError):
        meaning_of(client_error("500", 500), meanings)


def test_a_denied_head_explains_list_bucket() -> None:
    """Without s3:ListBucket a missing key is a 403, so the remedy names it."""
    assert "s3:ListBucket" in str(raised(client_error("403", 403), "HeadObject"))


def test_a_denial_by_kms_is_an_encryption_error() -> None:
    """S3 passes KMS's refusal on as AccessDenied."""
    message = "User is not authorized to perform: kms:GenerateDataKey"
    assert type(raised(client_error("AccessDenied", 403, message))) is EncryptionError


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("InvalidRequest", "Bucket is missing Object Lock Configuration"),
        ("MissingUploadObjectWithObjectLockHeaders", ""),
        ("NoSuchObjectLockConfiguration", ""),
        ("InvalidRetentionPeriod", ""),
    ],
)
def test_a_refused_lock_says_what_to_do(code: str, message: str) -> None:
    """Trying it again cannot help: the target's bucket or server takes no lock."""
    said = str(raised(client_error(code, 400, message)))
    assert "enable object lock on the target bucket" in said
    assert "tried again" not in said


def test_a_full_disk_behind_a_500_is_named() -> None:
    """Servers that store on a disk say it in the message."""
    error = raised(client_error("InternalError", 500, "write /data/1: no space left on device"))
    assert type(error) is StorageFullError
    assert "storage" in str(error)


@pytest.mark.parametrize(
    ("error", "expected", "word"),
    [
        (
            EndpointConnectionError(endpoint_url="http://127.0.0.1:1/"),
            UnavailableError,
            "cannot reach http://127.0.0.1:1/",
        ),
        (ConnectTimeoutError(endpoint_url="http://10.0.0.1/"), UnavailableError, "cannot reach http://10.0.0.1/"),
        (ReadTimeoutError(endpoint_url="http://s3/"), UnavailableError, "http://s3/"),
        (ResponseParserError("invalid XML received:\nb'<Copy'"), UnavailableError, "check AWS_ENDPOINT_URL"),
        (IncompleteReadError(actual_bytes=1, expected_bytes=2), UnavailableError, "1 read"),
        (NoCredentialsError(), AccessDeniedError, "AWS_PROFILE"),
        (NoRegionError(), RefusedRequestError, "AWS_REGION"),
        (ParamValidationError(report="Invalid\ntype"), RefusedRequestError, "Invalid type"),
        (ConnectionResetError("reset"), UnavailableError, "reset"),
    ],
)
def test_errors_of_the_sdk_itself(error: Exception, expected: type[KeyshiftError], word: str) -> None:
    """No answer at all is a doubt; what is missing here is a matter for somebody."""
    translation = raised(error)
    assert type(translation) is expected
    assert word in str(translation)
    assert "\n" not in str(translation)


def test_the_domains_own_errors_pass() -> None:
    """The send guard's refusal is not translated again."""
    error = LeaseExpiredError("late")
    assert raised(error) is error
