"""Every error that keyshift raises on purpose.

KeyshiftError
├── TransientError            try the message again
│   ├── ThrottledError        slow down first (503 SlowDown, ThrottlingException)
│   ├── UnavailableError      no usable answer: time-out, reset connection, 5xx
│   └── LeaseExpiredError     the claim may have ended; nothing was sent
├── PermanentError            another try fails too, until a person acts
│   ├── AccessDeniedError     a permission is missing
│   ├── EncryptionError       a KMS key is disabled, deleted or not allowed
│   ├── ArchivedError         the source must be restored first
│   ├── MissingResourceError  the bucket, table, queue or bus does not exist
│   ├── RefusedRequestError   the service rejects the request itself
│   └── StorageFullError      the server has no room left
└── InputError                a user's or a message's input is not valid
    ├── MalformedMessageError a message of an unknown shape
    └── RulesError            a rules file with mistakes
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ThrottledAt:
    """What asked for fewer requests: the key of a bucket, or a table; ``answer`` is AWS's code (``SlowDown``)."""

    answer: str
    bucket: str = ""
    key: str = ""
    table: str = ""


class KeyshiftError(Exception):
    """Base class; ``str(error)`` names the object and, where there is one, the remedy."""

    cause = "failed"


class TransientError(KeyshiftError):
    """The same call may succeed later."""

    cause = "transient"


class ThrottledError(TransientError):
    """The service asks for fewer requests per second; ``at`` says where, if it is a matter of a key or a table."""

    cause = "throttled"

    def __init__(self, said: str = "", at: ThrottledAt | None = None) -> None:
        super().__init__(said)
        self.at = at


class UnavailableError(TransientError):
    """There was no usable answer: the effect may or may not have happened."""

    cause = "unavailable"


class LeaseExpiredError(TransientError):
    """The remaining claim is shorter than the request could take, so it was not sent (protocol.md §6)."""

    cause = "lease-expired"


class PermanentError(KeyshiftError):
    """The same call will fail again until a person changes something."""

    cause = "permanent"


class AccessDeniedError(PermanentError):
    """A permission is missing."""

    cause = "access-denied"


class EncryptionError(PermanentError):
    """A KMS key cannot be used."""

    cause = "kms"


class ArchivedError(PermanentError):
    """The object is in an archive tier (InvalidObjectState, ObjectNotInActiveTierError).

    ``version`` is the id of the archived version, where it is not the current one.
    """

    cause = "archived"

    def __init__(self, message: str, *, version: str = "") -> None:
        super().__init__(message)
        self.version = version


class MissingResourceError(PermanentError):
    """A bucket, table, queue or event bus does not exist."""

    cause = "missing-resource"


class RefusedRequestError(PermanentError):
    """The service refuses the request itself (400 and similar)."""

    cause = "refused"


class StorageFullError(PermanentError):
    """The server has no room for another byte."""

    cause = "storage-full"


class InputError(KeyshiftError):
    """Input that cannot be used: exit code 2 on the command line."""

    cause = "input"


class MalformedMessageError(InputError):
    """A message of an unknown shape."""

    cause = "malformed-message"


class RulesError(InputError):
    """A rules file that is not valid; the text has one line for each mistake, with its place."""

    cause = "rules"
