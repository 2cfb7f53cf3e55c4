"""Why an object is in its state, or why nothing was done: one code each, and a sentence for people.

Only the code is stored, compared and counted. ``detail`` is what differs from object to object.
"""

from collections.abc import Mapping
from enum import StrEnum


class Cause(StrEnum):
    """The codes; a code of one group is never used for another group."""

    # CONFLICT: another writer decided something about the target.
    COPY_DELETED = "copy-deleted"
    TARGET_EMPTIED = "target-emptied"
    COPY_DELETED_AFTER_CLEANUP = "copy-deleted-after-cleanup"
    OLDER_VERSION_CAME_UP = "older-version-came-up"
    TARGET_FOREIGN = "target-foreign"
    TARGET_FOREIGN_SOURCE_GONE = "target-foreign-source-gone"
    TARGET_CHANGED = "target-changed"
    TARGET_IN_DOUBT = "target-in-doubt"
    SOURCE_TAKES_TARGET = "source-takes-target"
    # ROLLBACK_CONFLICT: nothing can be restored without a person.
    OLDER_SOURCE = "older-source"
    NOTHING_TO_RESTORE = "nothing-to-restore"
    ORIGINAL_GONE = "original-gone"
    COPY_CHANGED = "copy-changed"
    SOURCE_ABSENT = "source-absent"
    # PARKED: the object cannot be moved in its present state.
    IMPOSSIBLE_KEY = "impossible-key"
    OTHER_TARGET = "other-target"
    # A request failed; the codes are those of the errors.
    FAILED = "failed"
    TRANSIENT = "transient"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    LEASE_EXPIRED = "lease-expired"
    CLAIM_LOST = "claim-lost"
    HELD_BACK = "held-back"
    PERMANENT = "permanent"
    ACCESS_DENIED = "access-denied"
    KMS = "kms"
    ARCHIVED = "archived"
    MISSING_RESOURCE = "missing-resource"
    REFUSED = "refused"
    STORAGE_FULL = "storage-full"
    INPUT = "input"
    MALFORMED_MESSAGE = "malformed-message"
    RULES = "rules"
    UNEXPECTED = "unexpected"
    # Nothing was done, or not all of it.
    BUSY = "busy"
    ROLLED_BACK = "rolled-back"
    INCORPORATED = "incorporated"
    KEYS_KEEP_CHANGING = "keys-keep-changing"
    PARTS_LEFT = "parts-left"
    VERSIONS_LEFT = "versions-left"
    CONCURRENT_WRITER = "concurrent-writer"
    NOT_FORWARD = "not-forward"
    NOT_COPIED = "not-copied"
    NOT_CLEANED = "not-cleaned"
    NOT_VERIFIED = "not-verified"
    NOT_ROLLED_BACK = "not-rolled-back"
    UNSETTLED = "unsettled"
    ATTEMPT_RUNS = "attempt-runs"
    ONLY_ORIGINAL = "only-original"
    LOCKED = "locked"
    SOURCE_CHANGED = "source-changed"
    SOURCE_CHANGED_NOW = "source-changed-now"
    COPY_LACKS = "copy-lacks"
    NO_VERSION_LEFT = "no-version-left"
    MARKER_MOVED = "marker-moved"
    NOTHING_MIGRATED = "nothing-migrated"
    ALREADY_ROLLED_BACK = "already-rolled-back"
    ROLLBACK_UNFINISHED = "rollback-unfinished"
    PURGED = "purged"
    PURGE_IN_DOUBT = "purge-in-doubt"
    COPY_ADOPTED = "copy-adopted"
    # What the rules or the queue require for a message.
    TARGET_BUCKET = "target-bucket"
    PROBE = "probe"
    KEPT = "keep"
    UNMAPPED = "unmapped"
    DELETE_WAITS = "delete-waits"
    UNMAPPED_REFUSED = "unmapped-refused"


_TEXTS: Mapping[Cause, str] = {
    Cause.COPY_DELETED: "the copy was deleted by another writer",
    Cause.TARGET_EMPTIED: "what was at the target was deleted by another writer",
    Cause.COPY_DELETED_AFTER_CLEANUP: "the copy was deleted by another writer after the source was cleaned up",
    Cause.OLDER_VERSION_CAME_UP: "an older version came up at the source after its cleanup",
    Cause.TARGET_FOREIGN: "another writer's object is at the target",
    Cause.TARGET_FOREIGN_SOURCE_GONE: "the source is gone and another writer's object is at the target",
    Cause.TARGET_CHANGED: "the target is no longer what was copied",
    Cause.TARGET_IN_DOUBT: "the object at the target is keyshift's own copy or another writer's: nothing that S3 says"
    " can tell which",
    Cause.SOURCE_TAKES_TARGET: "an operator lets the source take its target",
    Cause.OLDER_SOURCE: "the source is neither what was copied nor newer than the copy by its date, so the copy is"
    " kept",
    Cause.NOTHING_TO_RESTORE: "the copy is no longer keyshift's, so there is nothing to restore from",
    Cause.ORIGINAL_GONE: "the version that cleanup hid is gone, and its copy has other content: this is the only"
    " original",
    Cause.COPY_CHANGED: "the copy changed while it was copied back",
    Cause.SOURCE_ABSENT: "the source is absent, so the copy is kept",
    Cause.IMPOSSIBLE_KEY: "the rules give it an impossible key",
    Cause.OTHER_TARGET: "the rules now say another target than it was begun for: roll it back",
    Cause.ACCESS_DENIED: "a permission is missing at source or target",
    Cause.KMS: "a KMS key is disabled, deleted or not to be used by the role",
    Cause.ARCHIVED: "the object is in an archive tier and must be restored first",
    Cause.MISSING_RESOURCE: "a bucket, queue, table or bus does not exist",
    Cause.STORAGE_FULL: "the server has no room",
    Cause.REFUSED: "the service refuses the request as such",
    Cause.PERMANENT: "a request failed, and another attempt would fail too",
    Cause.THROTTLED: "throttled for too long",
    Cause.BUSY: "another worker has it",
    Cause.KEYS_KEEP_CHANGING: "both keys keep changing",
    Cause.PARTS_LEFT: "parts are left to copy",
    Cause.VERSIONS_LEFT: "versions are left to copy",
    Cause.CONCURRENT_WRITER: "another writer writes the key at this moment (409), so nothing was done: run it again",
    Cause.NOT_FORWARD: "not to be cleaned",
    Cause.NOT_COPIED: "only a finished copy is cleaned",
    Cause.NOT_CLEANED: "its source is not cleaned",
    Cause.NOT_VERIFIED: "it is not verified",
    Cause.NOT_ROLLED_BACK: "it is not rolled back",
    Cause.UNSETTLED: "an attempt ended without saying what it did",
    Cause.ATTEMPT_RUNS: "another attempt must end or be reconciled first",
    Cause.ONLY_ORIGINAL: "its copy has other content: this is the only original",
    Cause.LOCKED: "object lock holds it",
    Cause.SOURCE_CHANGED: "the source has changed since it was copied",
    Cause.SOURCE_CHANGED_NOW: "the source changed at the last moment",
    Cause.COPY_LACKS: "the copy lacks what its source has by now, so verify it again with --requeue",
    Cause.NO_VERSION_LEFT: "no version is left to delete",
    Cause.MARKER_MOVED: "keyshift's delete marker no longer hides the verified version",
    Cause.NOTHING_MIGRATED: "nothing was migrated",
    Cause.ALREADY_ROLLED_BACK: "already rolled back",
    Cause.ROLLBACK_UNFINISHED: "rollback itself must finish first",
    Cause.PURGED: "it is purged",
    Cause.PURGE_IN_DOUBT: "another purge has it, or its delete was never answered: run it again when its claim has"
    " ended",
    Cause.COPY_ADOPTED: "the copy was there before keyshift",
    Cause.UNMAPPED_REFUSED: "no rule maps this key, and the rules say: unmapped: fail",
    Cause.DELETE_WAITS: "its producer deleted it, and the rules of today do not move its key, so its copy cannot be"
    " looked at: deploy the rules that made it",
}


_TAKE = "keyshift conflicts take-source KEY, or leave both keys as they are"
_REPLAY = "then keyshift dlq replay --cause"
REMEDIES: Mapping[Cause, str] = {
    Cause.COPY_DELETED: _TAKE,
    Cause.TARGET_EMPTIED: _TAKE,
    Cause.COPY_DELETED_AFTER_CLEANUP: "keyshift rollback, or leave it deleted: only a version or a backup holds it",
    Cause.OLDER_VERSION_CAME_UP: "ask who removed the delete marker; keyshift conflicts take-source KEY if the older"
    " version is wanted",
    Cause.TARGET_FOREIGN: "ask its writer; rename it, or keyshift conflicts take-source KEY --replacing ETAG",
    Cause.TARGET_FOREIGN_SOURCE_GONE: "ask its writer: his object is the only one, and keyshift leaves it",
    Cause.TARGET_CHANGED: "ask its writer; rename it, or keyshift conflicts take-source KEY --replacing ETAG",
    Cause.TARGET_IN_DOUBT: "ask whether a program writes the new key: docs/runbook.md, Conflicts",
    Cause.SOURCE_TAKES_TARGET: "keyshift verify --requeue sends it to a worker again",
    Cause.OLDER_SOURCE: "compare both keys; delete the one that is not wanted, then keyshift rollback again",
    Cause.NOTHING_TO_RESTORE: "restore the source from a version or a backup; its copy was replaced or deleted",
    Cause.ORIGINAL_GONE: "restore the source from a backup, or keep the copy with its switched references",
    Cause.COPY_CHANGED: "keyshift rollback again",
    Cause.SOURCE_ABSENT: "delete the copy yourself once it is certain that its producer deleted the source",
    Cause.IMPOSSIBLE_KEY: "change the rule, or ask the producer for another name, then keyshift verify --requeue",
    Cause.OTHER_TARGET: "keyshift rollback it, or deploy the old rule again",
    Cause.ACCESS_DENIED: f"give the permission that the message names (docs/iam.md), {_REPLAY} access-denied --yes",
    Cause.KMS: "enable the key, allow its use in the key's policy, or name another key for the copies (docs/rules.md,"
    f" encryption), {_REPLAY} kms --yes",
    Cause.ARCHIVED: "keyshift archived --restore; its event wakes the record",
    Cause.MISSING_RESOURCE: "correct the name, or deploy the stack, then keyshift resume",
    Cause.STORAGE_FULL: f"make room on the server, {_REPLAY} storage-full --yes",
    Cause.REFUSED: f"read the service's words in the worker's log, {_REPLAY} refused --yes",
    Cause.PERMANENT: f"read the worker's log, {_REPLAY} permanent --yes",
}
"""What a person does next, for each cause that a record can have."""


def told(cause: Cause, detail: str = "") -> str:
    """The sentence for people; a cause without a sentence is shown as its code."""
    text = _TEXTS.get(cause, cause.value)
    return f"{text}: {detail}" if detail else text
