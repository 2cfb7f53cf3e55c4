"""What nobody can decide, by nature: small predicates over facts of the world, each with its sentence.

Each sentence stands among what docs/reliability.md does not promise. No predicate reads a record.
"""

from tests.fakes.buckets import Version
from tests.simulation.whole.history import NULL, KeyTruth, Made, Value, Writer, value_of

DELETE_IN_DOUBT = "delete in doubt"
AFTER_CLEANUP = "delete after cleanup"
UNSEEN_AFTER_CLEANUP = "unseen delete after cleanup"
MARKER_EXPIRED = "owner's marker expired"
ONLY_REWRITTEN = "only the rewritten manifest is left"
PUT_AFTER_CLEANUP = "put and delete after cleanup"
COPY_IN_DOUBT = "copy in doubt"
SAME_BYTES_AGAIN = "same bytes again"
REFUSED_COPY = "copy refused"
GAP = "gap in live capture during a cut-over"
AFTER_LISTING = "copy replaced behind the listing"
SENT_TWICE = "copy sent twice"
NOT_TOLD = "delete not told"
TAKEN_OVER = "target taken over"
PUT_AGAIN = "same bytes put again"
ERASED = "erased under the marker"
BOUND_NOW = "lock or key at the last moment"
LOCK_HIDDEN = "lock not shown"
PROMISE_BROKEN = "promise broken"
AT_ONCE = 90.0
"""Seconds: an attempt with its last request, and the margins of the clocks. S3's dates tell what is further apart."""
SENTENCES = {
    ERASED: "An owner removes a version or a marker of a cleaned key for good, by its id: keyshift cannot tell him from"
    " a lifecycle rule. The copy stays as it is, and rollback may restore what he removed. What a"
    " cleanup of versions removed before him does not come back. Had he put the key again since its cleanup, the copy"
    " goes with the version that he removes; what keyshift's marker hides stays hidden, and a rule may remove it.",
    DELETE_IN_DOUBT: "An owner deletes a source while cleanup's own delete of the same bytes is under way or has had no"
    " answer: keyshift counts the delete as its own. The copy stays, and rollback restores the source.",
    AFTER_CLEANUP: "An owner deletes a key that cleanup has emptied: there is nothing to follow, and the copy stays.",
    UNSEEN_AFTER_CLEANUP: "Where no versions are kept, an owner's delete of a key that cleanup has emptied leaves no"
    " trace: the copy stays, and rollback restores the source.",
    MARKER_EXPIRED: "An owner deletes a key after its cleanup, or puts and deletes it again, and a lifecycle rule"
    " removes his delete marker, or what he put, before keyshift looks: the copy stays, and rollback restores the"
    " source.",
    ONLY_REWRITTEN: "A lifecycle rule removes the version of a cleaned manifest whose references were switched:"
    " rollback has no original to restore, keeps the copy and says so.",
    PUT_AFTER_CLEANUP: "Without versions, or with suspended ones, an owner puts and deletes a key again after its"
    " cleanup, before keyshift can copy what he put and write that down: the copy that is there stays, and rollback"
    " restores it.",
    COPY_IN_DOUBT: "A worker dies, is stopped, or has no answer, over a copy, and a stranger puts the same bytes or"
    " deletes the target before another attempt has ended: keyshift takes the stranger's object for its copy.",
    SAME_BYTES_AGAIN: "A stranger puts the same bytes over keyshift's copy, or over what it adopted, between a look at"
    " it and a write or delete, or, without versions, while its attempt goes on or within the clocks' margin of it:"
    " keyshift takes his object for the copy, which versions keep.",
    SENT_TWICE: "A proxy sends a copy twice. If its source is gone or put again before keyshift looks, the key becomes"
    " a CONFLICT that says so. Otherwise the object counts as another writer's, and an owner's delete leaves it.",
    NOT_TOLD: "S3 never tells of an owner's delete: the copy stays.",
    TAKEN_OVER: "A stranger overwrites or deletes the copy between cleanup's last look at it and the delete of the"
    " source: that is his own decision.",
    PUT_AGAIN: "Without versions, and with producers that are not fenced, an owner puts the same bytes with other"
    " metadata between cleanup's last look and its delete: that metadata is lost.",
    GAP: "Live capture is taken away and is back before a cut-over's look ends, or S3 loses an event: what an owner"
    " wrote meanwhile, after the listing had passed his key, has no event, and the cut-over does not see it.",
    AFTER_LISTING: "A stranger replaces or deletes a copy after a cut-over's listing has passed it: no event tells of"
    " that, and the cut-over does not see it.",
    BOUND_NOW: "An owner locks a source, or changes its KMS key, between cleanup's last look and its delete: S3 has no"
    " condition for either. A locked version stays under the delete marker, and rollback uncovers it.",
    LOCK_HIDDEN: "A role may not see locks (s3:GetObjectRetention, s3:GetObjectLegalHold): S3 shows it a locked object"
    " as one without a lock, and keyshift copies and cleans it so. A later verification with the permission finds such"
    " a copy, unless its source is cleaned by then.",
    PROMISE_BROKEN: "The rules file promises that no source has a KMS key, and one has: keyshift does not recognise a"
    " copy of it whose answer is lost. It adopts the copy, which is then neither made again nor deleted with its"
    " source; once the source is overwritten, the key becomes a CONFLICT.",
    REFUSED_COPY: "A stranger puts the same bytes within seconds of S3's refusal of keyshift's copy: once the owner"
    " has overwritten the source, keyshift takes his object for a copy that a proxy sent twice.",
}


def why_unfollowed(
    key: KeyTruth, *, is_being_cleaned: bool, keeps_markers: bool, settled: frozenset[int]
) -> str | None:
    """Why keyshift cannot know of the owner's delete that happens now, or ``None``.

    ``settled`` are the words whose copies a process of keyshift saw at the target and could write down.
    """
    doubt = key.doubt_at_source
    if is_being_cleaned:
        return DELETE_IN_DOUBT
    if doubt is not None and (not keeps_markers or doubt.about == key.shadow.current or doubt.content == key.content):
        return DELETE_IN_DOUBT
    if key.emptied_by is Writer.KEYSHIFT:
        return AFTER_CLEANUP if keeps_markers else UNSEEN_AFTER_CLEANUP
    if not keeps_markers and key.cleaned_at is not None and not any(word > key.cleaned_at for word in settled):
        return PUT_AFTER_CLEANUP
    return None


def why_indistinct(
    key: KeyTruth, made: Made, version: Version, *, is_refused: bool, copies: list[tuple[float, str]]
) -> str | None:
    """Why nothing tells a foreign version at the target from keyshift's copy, or ``None``.

    ``is_refused``: S3 refused a copy of the same bytes within seconds of its being put; ``copies``: what keyshift
    made or adopted at this target, with the time and the etag.
    """
    if made.value is None or version.state is None or not key.has_said_bytes(made.value[0]):
        return None
    if key.doubt_at_target is not None and made.at >= key.doubt_at_target.earliest:
        return COPY_IN_DOUBT
    if version.version_id in (None, NULL) and any(
        etag == version.state.etag and 0 <= made.at - at < AT_ONCE for at, etag in copies
    ):
        return SAME_BYTES_AGAIN
    return REFUSED_COPY if is_refused else None


def why_comes_back(key: KeyTruth) -> str | None:
    """Why rollback may restore what its owner deleted: keyshift cannot know of that delete."""
    why = key.unfollowed.get(len(key.words) - 1)
    if why in (DELETE_IN_DOUBT, PUT_AFTER_CLEANUP, UNSEEN_AFTER_CLEANUP, MARKER_EXPIRED):
        return why
    return ERASED if key.is_erased else None


def why_outlives(key: KeyTruth) -> str | None:
    """Why the copy may outlive a source that its owner deleted: keyshift cannot know of that delete."""
    if key.doubled:
        return SENT_TWICE
    return key.unfollowed.get(len(key.words) - 1) or (
        ERASED if key.is_erased else NOT_TOLD if key.lost_deletes else why_unrecognised(key)
    )


def why_unrecognised(key: KeyTruth) -> str | None:
    """Why keyshift may take its own copy for another writer's object."""
    return PROMISE_BROKEN if key.has_broken_promise else None


def why_goes(key: KeyTruth) -> str | None:
    """Why the copy may go although it holds the owner's last word: that is one which a cleanup of versions removed."""
    return ERASED if key.is_erased and key.numbers[-1] in key.forgotten else None


def why_other(key: KeyTruth) -> str | None:
    """Why the target may hold something else than the owner's last word, although keyshift wrote it last."""
    return SENT_TWICE if key.doubled else why_gone(key) or why_unrecognised(key)


def why_gone(key: KeyTruth) -> str | None:
    """Why the source may lack what its owner put last."""
    return ERASED if key.is_erased else PUT_AGAIN if key.has_lost_metadata else None


def why_not_restored(key: KeyTruth, there: Version | None) -> str | None:
    """Why a rollback may leave the source without the owner's last word, although its copy is there."""
    is_rewritten = there is not None and value_of(there) != key.holds(there)
    return ONLY_REWRITTEN if key.has_lost_version and is_rewritten else why_gone(key)


def why_lost(
    key: KeyTruth, gone: Version, seen_at_source: int | None, seen: Made | None, held: Value | None
) -> str | None:
    """Why a source may be deleted although the target does not hold what it held.

    ``seen``: what cleanup saw at the target, and ``seen_at_source`` at the source, when it looked last.
    """
    value = value_of(gone)
    if seen is not None and seen.value == value and key.is_foreign:
        return TAKEN_OVER
    same_bytes = value is not None and held is not None and held[0] == value[0]
    return PUT_AGAIN if same_bytes and gone.version_id is None and seen_at_source != gone.written else None


def keeps_markers(marker: Version | None) -> bool:
    """Whether a delete left a marker with an id of its own."""
    return marker is not None and marker.version_id not in (None, NULL)
