"""Every error that keyshift raises on purpose.

KeyshiftError
├── TransientError            try the message again
│   ├── ThrottledError        slow down first (503 SlowDown, ThrottlingException)
│   ├── UnavailableError      no usable answer: time-out, reset connection, 5xx
│   └── LeaseExpiredError     our claim may have ended; nothing was sent
├── PermanentError            trying again cannot help until somebody acts
│   ├── AccessDeniedError     a permission is missing
│   ├── EncryptionError       a KMS key is disabled, deleted or not ours to use
│   ├── ArchivedError         the source must be restored first
│   ├── MissingResourceError  the bucket, table, queue or bus does not exist
│   ├── RefusedRequestError   the service calls the request itself wrong
│   └── StorageFullError      the server has no room left
└── InputError                what the user or a message gave us cannot be used
    ├── MalformedMessageError a message of no known shape
    └── RulesError            a rules file with mistakes
"""


class KeyshiftError(Exception):
    """Something went wrong; ``str(error)`` names the object and, where there is one, the remedy."""

    cause = "failed"


class TransientError(KeyshiftError):
    """The same call may succeed later."""

    cause = "transient"


class ThrottledError(TransientError):
    """The service asks for fewer requests per second."""

    cause = "throttled"


class UnavailableError(TransientError):
    """No answer that can be trusted: the effect may or may not have happened."""

    cause = "unavailable"


class LeaseExpiredError(TransientError):
    """The remaining claim is shorter than the request could take, so it was not sent (protocol.md §6)."""

    cause = "lease-expired"


class PermanentError(KeyshiftError):
    """The same call will fail again until somebody changes something."""

    cause = "permanent"


class AccessDeniedError(PermanentError):
    """A permission is missing."""

    cause = "access-denied"


class EncryptionError(PermanentError):
    """A KMS key refuses to serve."""

    cause = "kms"


class ArchivedError(PermanentError):
    """The object is in an archive tier (InvalidObjectState, ObjectNotInActiveTierError)."""

    cause = "archived"


class MissingResourceError(PermanentError):
    """A bucket, table, queue or event bus does not exist."""

    cause = "missing-resource"


class RefusedRequestError(PermanentError):
    """The service refuses the request as such (400 and its kin)."""

    cause = "refused"


class StorageFullError(PermanentError):
    """The server has no room for another byte."""

    cause = "storage-full"


class InputError(KeyshiftError):
    """Input that cannot be used: exit code 2 on the command line."""

    cause = "input"


class MalformedMessageError(InputError):
    """A message that is not of any shape we know."""

    cause = "malformed-message"


class RulesError(InputError):
    """A rules file that cannot be used; the text holds one mistake a line with its place."""

    cause = "rules"
