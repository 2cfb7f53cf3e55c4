"""The current object of a key as an S3 Inventory report names it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReportedObject:
    """The current object of a key as an inventory names it; ``None`` and empty texts are what its row lacks.

    ``etag`` without quotes, ``size`` in bytes, ``last_modified`` in seconds since 1970, UTC. ``encryption`` is the
    report's status, such as ``SSE-S3``. ``is_plain`` means that the row rules out a KMS key, a retention and a hold.
    """

    etag: str | None
    size: int | None
    version_id: str | None
    last_modified: float | None
    storage_class: str | None
    encryption: str
    is_plain: bool
