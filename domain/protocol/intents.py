"""What an attempt is about to do, recorded before it does it (protocol.md §4)."""

from dataclasses import dataclass, replace
from enum import StrEnum


class Action(StrEnum):
    """What an attempt is about to do."""

    COPY = "copy"
    DELETE_TARGET = "delete-target"
    DELETE_SOURCE = "delete-source"
    ROLL_BACK = "roll-back"
    PURGE = "purge"
    REWRITE = "rewrite"
    """Write other content to the target, with the references in it switched."""
    UPLOAD = "upload"
    """Copy parts of a multipart upload; the target is unchanged until the upload is completed, which is a COPY."""

    CARRY_VERSIONS = "carry-versions"
    """Copy the source's later versions too: only some of them are at the target. It is never declared by itself."""


TARGET_WRITES = (Action.COPY, Action.REWRITE)


@dataclass(frozen=True, slots=True, order=True)
class Intent:
    """What an attempt is about to do, recorded before it does it.

    A copy names the source's ``etag`` and, where known, its ``version_id``. ``target_etag`` is the etag that the target
    has if the copy succeeds, so a later attempt can recognise it. It is empty where it cannot be foretold. ``checksum``
    (``CRC64NVME=…``, of the whole object) is for encrypted targets, whose etags cannot be compared.

    ``not_before`` (seconds since 1970) dates a write to the target: an object that S3 dates earlier was there before.
    It is zero where no date is known.

    ``is_refused`` marks an unconfirmed copy: S3 refused it, but a proxy may have sent it twice, so it may exist. An
    object that looks like this copy may also be another writer's.
    """

    action: Action
    etag: str = ""
    version_id: str = ""
    target_etag: str = ""
    checksum: str = ""
    not_before: int = 0
    is_refused: bool = False

    @property
    def is_recognisable(self) -> bool:
        """Whether an object at the target can be compared with what this intent would write."""
        return bool(self.target_etag or self.checksum)

    @property
    def is_task(self) -> bool:
        """Whether it names work that a later attempt must finish in any case: the version to be deleted permanently."""
        return self.action is Action.DELETE_SOURCE and bool(self.version_id)

    @property
    def undated(self) -> "Intent":
        """The intent without its date and without the mark that S3 refused it."""
        return replace(self, not_before=0, is_refused=False)

    def identifies(self, other: "Intent") -> bool:
        """Whether this intent recognises what ``other`` would write: the same, but for a checksum beside an etag."""
        if self.target_etag:
            return replace(self.undated, checksum="") == replace(other.undated, checksum="")
        return self.undated == other.undated


def _bounded(maybe: frozenset[Intent]) -> frozenset[Intent]:
    """Merge the intents that differ only in their dates, and all those that cannot be recognised at the target.

    Of several dates the earliest is kept, because it rules out the least.
    """
    merged: dict[Intent, Intent] = {}
    for intent in sorted(maybe):
        is_lost = intent.action in TARGET_WRITES and not intent.is_recognisable
        named = Intent(intent.action) if is_lost else intent
        merged.setdefault(replace(named, not_before=0), named)
    return frozenset(merged.values())


def with_doubtful(maybe: frozenset[Intent], doubtful: frozenset[Intent]) -> frozenset[Intent]:
    """Both sets together.

    A copy that may have taken effect anyway is not listed as unconfirmed too. If a copy was refused several times, the
    first time counts.
    """
    known = {intent.undated for intent in maybe}
    return _bounded(maybe | {intent for intent in doubtful if intent.undated not in known})
