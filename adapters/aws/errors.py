"""Translates botocore's errors into the domain's.

The code decides, not the HTTP status: botocore rewrites a 200 with an error body to a 500 (aws-facts.md §2.1).

AWS's answer                                                    The error
SlowDown, Throttling*, ProvisionedThroughputExceeded*, …        ThrottledError
InternalError, ServiceUnavailable, 5xx, time-outs, resets,      UnavailableError
  broken answers, unreachable endpoint, anything unknown
AccessDenied, 403, missing/wrong/expired credentials, skew      AccessDeniedError
KMS.*, AccessDenied that names a kms: action                    EncryptionError
InvalidObjectState, ObjectNotInActiveTierError                  ArchivedError
NoSuchBucket, ResourceNotFoundException, QueueDoesNotExist      MissingResourceError
InsufficientStorage, 507, "no space left"                       StorageFullError
InvalidRequest, InvalidArgument, ValidationException, …, 400    RefusedRequestError
MetadataTooLarge, RequestHeaderSectionTooLarge                  (with the remedy)
InvalidRequest of a bucket without object lock, and the codes
  of other servers for it

ServiceUnavailable is not throttling: unlike SlowDown it may have been done. Only HEAD's 503 without a code is.
A ThrottledError names the key or the table, unless the answer is about something else: a KMS key, another transaction.
"""

import errno
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.parsers import ResponseParserError

from adapters.aws.permissions import needed_for
from adapters.aws.repeated_answers import RepeatedAnswerError
from domain.errors import (
    AccessDeniedError,
    ArchivedError,
    EncryptionError,
    KeyshiftError,
    MissingResourceError,
    RefusedRequestError,
    StorageFullError,
    ThrottledAt,
    ThrottledError,
    UnavailableError,
)

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_THROTTLED = frozenset(
    {
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "TransactionConflictException",
        "TransactionInProgressException",
        "OverLimit",
        "KMS.ThrottlingException",
    }
)
_ELSEWHERE = frozenset({"TransactionConflictException", "TransactionInProgressException", "KMS.ThrottlingException"})
"""Throttled answers that say nothing about the rate of a prefix or a table."""
_TABLE_CALLS = frozenset(
    {
        "BatchExecuteStatement",
        "BatchGetItem",
        "GetItem",
        "PutItem",
        "Query",
        "Scan",
        "TransactWriteItems",
        "UpdateItem",
    }
)
"""The calls of DynamoDB whose subject begins with the name of the table."""
_S3 = "s3://"
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "403", "Forbidden"})
_CREDENTIALS = frozenset(
    {
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "InvalidSignatureException",
        "IncompleteSignature",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "InvalidToken",
        "TokenRefreshRequired",
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
    }
)
_SKEWED = frozenset({"RequestTimeTooSkewed", "RequestInTheFuture"})
_ARCHIVED = frozenset({"InvalidObjectState", "ObjectNotInActiveTierError"})
_MISSING = frozenset(
    {
        "NoSuchBucket",
        "ResourceNotFoundException",
        "QueueDoesNotExist",
        "AWS.SimpleQueueService.NonExistentQueue",
        "TableNotFoundException",
    }
)
_FULL = frozenset({"InsufficientStorage", "507", "StorageFull", "XMinioStorageFull"})
_TOO_LONG = frozenset({"MetadataTooLarge", "RequestHeaderSectionTooLarge", "431"})
"""S3 takes 8,192 bytes of headers and 2 KB of metadata. A copy in parts sends all its tags in one header, of which
percent-encoding makes up to nine bytes of a character; in one request S3 copies them by itself."""
_LOCKS = frozenset(
    {"InvalidRetentionPeriod", "MissingUploadObjectWithObjectLockHeaders", "NoSuchObjectLockConfiguration"}
)
"""How other servers than AWS refuse a lock (docs/design/emulators.md). AWS says InvalidRequest, and why in words."""
_NO_LOCK_THERE = "missingobjectlockconfiguration"
_REFUSED = frozenset(
    {
        "400",
        "405",
        "501",
        *_TOO_LONG,
        *_LOCKS,
        "AuthorizationHeaderMalformed",
        "BadRequest",
        "BatchRequestTooLong",
        "EntityTooLarge",
        "EntityTooSmall",
        "IllegalLocationConstraintException",
        "InvalidArgument",
        "InvalidBucketName",
        "InvalidMessageContents",
        "InvalidParameterException",
        "InvalidParameterValue",
        "InvalidPart",
        "InvalidPartOrder",
        "InvalidRequest",
        "InvalidStorageClass",
        "InvalidTag",
        "InvalidURI",
        "KeyTooLongError",
        "MalformedDetail",
        "MalformedXML",
        "MethodNotAllowed",
        "NotImplemented",
        "PermanentRedirect",
        "ReceiptHandleIsInvalid",
        "ValidationError",
        "ValidationException",
        "XAmzContentSHA256Mismatch",
    }
)
NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    ProfileNotFound,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
_UNREACHABLE = (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError)
NOT_SENT = (*NO_CREDENTIALS, *_UNREACHABLE, ParamValidationError)
"""botocore's errors of requests that never reached AWS."""
Answer = TypeVar("Answer")


@contextmanager
def translated(action: str, subject: str) -> Iterator[None]:
    """Raise the domain's error for whatever botocore raises inside; ``action`` is AWS's name of the call."""
    try:
        yield
    except ClientError as error:
        raise from_client_error(error, action, subject) from error
    except BotoCoreError as error:
        raise _from_sdk_error(error, action, subject) from error
    except RepeatedAnswerError as error:
        said = f"{action} on {subject}: the answer to another request was repeated by a proxy: bypass it"
        raise UnavailableError(f"{said}, or check AWS_ENDPOINT_URL") from error
    except ResponseParserError as error:  # not a BotoCoreError; its text has the whole answer
        said = f"{action} on {subject}: the answer cannot be read, perhaps it is a proxy's: check AWS_ENDPOINT_URL"
        raise UnavailableError(said) from error
    except OSError as error:
        if error.errno in _NO_ROOM:
            why = f"no room left on this machine ({error.strerror}): free some, or set TMPDIR"
            raise StorageFullError(f"{action} on {subject}: {why}") from error
        # A socket's error that botocore did not wrap.
        raise UnavailableError(f"{action} on {subject} got no answer: {error}") from error


def error_code(error: ClientError) -> str:
    """AWS's code; for answers without a body (HEAD) the HTTP status as text."""
    return str(error.response.get("Error", {}).get("Code", ""))


class accepting(AbstractContextManager[None, bool]):  # noqa: N801  # reads as contextlib's suppress
    """Ends its block where AWS refuses a call inside with one of these codes: that refusal is an answer."""

    def __init__(self, *codes: str) -> None:
        self._codes = codes

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return isinstance(error, ClientError) and error_code(error) in self._codes


def meaning_of(error: ClientError, meanings: Mapping[Answer, Collection[str]]) -> Answer:
    """The answer whose codes include the error's; raises the error where none of them does."""
    for answer, codes in meanings.items():
        if error_code(error) in codes:
            return answer
    raise error


def from_client_error(error: ClientError, action: str, subject: str) -> KeyshiftError:
    """The domain's error for one of AWS's answers."""
    message = str(error.response.get("Error", {}).get("Message", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return from_code(error_code(error), message, action, subject, status=status)


def from_code(code: str, message: str, action: str, subject: str, *, status: int = 0) -> KeyshiftError:
    """The domain's error for a code, which batch answers give for each entry."""
    said = f"{action} on {subject}: {code}" + (f" ({message.rstrip('.')})" if message and message != code else "")
    lowered = message.lower()
    if code in _THROTTLED or (code == "503" and action.startswith("Head")):
        return ThrottledError(f"{said}; AWS asks for fewer requests per second", _throttled_at(code, action, subject))
    if code in _FULL or status == 507 or "no space left" in lowered:
        return StorageFullError(f"{said}; the server has no room left: free or add storage, then try again")
    if code.startswith("KMS.") or (code in _DENIED and "kms:" in lowered):
        return EncryptionError(f"{said}; enable the KMS key, or allow kms:Decrypt and kms:GenerateDataKey on it")
    if code in _DENIED:
        return AccessDeniedError(f"{said}; give the role {needed_for(action)}")
    if code in _CREDENTIALS:
        return AccessDeniedError(f"{said}; AWS does not accept these credentials: check or renew them")
    if code in _SKEWED:
        return AccessDeniedError(f"{said}; this machine's clock is wrong: set it")
    if code in _ARCHIVED:
        return ArchivedError(f"{said}; it is archived: restore it, then it is tried again")
    if code in _MISSING:
        return MissingResourceError(f"{said}; it does not exist: create it, or correct its name or region")
    if code in _REFUSED:
        return RefusedRequestError(f"{said}; the same request will be refused again: {_remedy(code, lowered)}")
    return UnavailableError(said)


def _throttled_at(code: str, action: str, subject: str) -> ThrottledAt | None:
    """Where fewer requests are wanted, by the subject: ``s3://bucket/key``, or ``table (item)``.

    A note after the key, such as ``(part 3)``, stays with it: only how the key begins counts.
    """
    if code in _ELSEWHERE:
        return None
    if subject.startswith(_S3):
        bucket, _, key = subject.removeprefix(_S3).partition("/")
        return ThrottledAt("SlowDown" if code == "503" else code, bucket=bucket, key=key)
    return ThrottledAt(code, table=subject.partition(" (")[0]) if action in _TABLE_CALLS else None


def _remedy(code: str, message: str) -> str:
    if code in _TOO_LONG:
        return "shorten the tags or the metadata of its source"
    if code in _LOCKS or _NO_LOCK_THERE in message.replace(" ", ""):
        return "its source is locked, so enable object lock on the target bucket, or end the source's lock"
    return "correct what it names"


def _from_sdk_error(error: BotoCoreError, action: str, subject: str) -> KeyshiftError:
    said = f"{action} on {subject}: {' '.join(str(error).split()).rstrip('.')}"
    if isinstance(error, NO_CREDENTIALS):
        return AccessDeniedError(f"{said}; configure AWS credentials (AWS_PROFILE, or the role of this machine)")
    if isinstance(error, (NoRegionError, InvalidRegionError)):
        return RefusedRequestError(f"{said}; set AWS_REGION to one such as eu-central-1")
    if isinstance(error, ParamValidationError):
        return RefusedRequestError(said)
    if isinstance(error, _UNREACHABLE):
        url = error.kwargs.get("endpoint_url") or error.kwargs.get("proxy_url") or "the endpoint"
        return UnavailableError(f"{action} on {subject}: cannot reach {url}; check the network and AWS_ENDPOINT_URL")
    return UnavailableError(said)
