"""The outcome of one object: moved or not, and what was seen to be kept, changed and lost of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from domain.objects import is_digest
from domain.protocol.record import Origin, Record, State
from domain.protocol.seen_parts import SeenParts

_OUTCOMES = {
    State.NEW: "waiting",
    State.COPIED: "moved",
    State.CONFLICT: "conflict",
    State.TOMBSTONE: "deleted with its source",
    State.GONE: "source vanished",
    State.PARKED: "parked",
    State.CLEANED: "moved, source deleted",
    State.ROLLED_BACK: "rolled back",
    State.ROLLBACK_CONFLICT: "conflict while rolling back",
    State.PURGED: "rolled back, copy deleted",
}
_MOVED = frozenset({State.COPIED, State.CLEANED})
_ADOPTED = ("bytes", "metadata", "headers", "tags")
"""A target is adopted only if these are proven to be equal."""
_COMPARED = ("metadata", "headers", "tags", "storage class", "KMS key", "object lock")
_LOST = {
    "storage-class": "storage class",
    "encryption": "KMS key",
    "lock": "object lock",
    "size": "bytes",
    "versions": "older versions",
}
"""Verify's words for what has another name here."""
_NO_ACL = "ACL: not carried, and the source's own grants are not looked at"


@dataclass(frozen=True, slots=True)
class Note:
    """One part of an object; ``detail`` is what differs from object to object, so only ``what`` is counted."""

    what: str
    detail: str = ""

    def __str__(self) -> str:
        """As a report shows it of one object."""
        return self.detail or self.what


@dataclass(frozen=True, slots=True)
class Fidelity:
    """One object's outcome; the four lists are empty for an object that has no copy."""

    outcome: str
    kept: tuple[Note, ...] = ()
    changed: tuple[Note, ...] = ()
    lost: tuple[Note, ...] = ()
    unseen: tuple[Note, ...] = ()


def fidelity_of(record: Record) -> Fidelity:
    """The outcome by the record: by what the copy and the last verification saw of this object, and nothing else."""
    outcome = _OUTCOMES[record.state]
    if record.state not in _MOVED:
        return Fidelity(outcome)
    is_adopted = record.origin is Origin.ADOPTED
    seen, lost = record.seen, _lost(record.seen)
    kept = tuple(one for one in _kept(record, seen) if one.what not in {other.what for other in lost})
    other = tuple(_other_form(seen))
    known = {one.what.removeprefix("no ") for one in (*kept, *lost, *other)}
    wanted = ("bytes", *_COMPARED, "annotations")
    unseen = [Note(what) for what in wanted if what not in known and not (what == "bytes" and record.is_rewritten)]
    unseen.append(Note("ACL", "" if is_adopted else _NO_ACL))
    if record.source_version not in (None, "null") and (seen is None or seen.versions is None):
        unseen.append(Note("older versions", "older versions: they stay at the source"))
    changed = () if is_adopted else tuple(_changed(record))
    return Fidelity("adopted" if is_adopted else outcome, kept, (*changed, *other), lost, tuple(unseen))


def _kept(record: Record, seen: SeenParts | None) -> Iterator[Note]:
    has_bytes = not record.is_rewritten and (_has_equal_digests(record) or (seen is not None and seen.is_proven))
    if has_bytes:
        yield Note("bytes")
    if (seen is None or seen.by_inventories) and record.origin is Origin.ADOPTED:
        yield from (Note(one) for one in _ADOPTED if one != "bytes" or not has_bytes)
    if seen is None:
        return
    if not seen.by_inventories:
        yield _counted("metadata", seen.metadata, "metadata: {} entr", ("y", "ies"))
        yield Note("headers")
        yield _counted("tags", seen.tags, "{} tag")
    yield Note("storage class", f"storage class {seen.storage_class}")
    if not seen.source_key:
        yield Note("KMS key" if seen.has_kms_key else "no KMS key")
    if not seen.by_inventories:
        yield Note("object lock", f"object lock: {seen.lock}") if seen.lock else Note("no object lock")
    if seen.annotations is not None:
        yield _counted("annotations", seen.annotations, "{} annotation")
    if seen.versions is not None:
        yield _counted("older versions", seen.versions, "{} older version")


def _other_form(seen: SeenParts | None) -> Iterator[Note]:
    """The parts that the copy has in another form, as the rules or S3 want it."""
    if seen is not None and seen.source_key:
        yield Note("KMS key", f"KMS key: by the rules another one than {seen.source_key}")
    if seen is not None and seen.checksum:
        yield Note("checksum", f"checksum: {seen.checksum}")


def _counted(what: str, number: int, text: str, endings: tuple[str, str] = ("", "s")) -> Note:
    return Note(what, text.format(number) + endings[number != 1]) if number else Note(f"no {what}")


def _has_equal_digests(record: Record) -> bool:
    """Whether both etags are MD5s: an encrypted object's etag never equals that of its copy."""
    return record.source_etag == record.target_etag and is_digest(record.target_etag or "")


def _lost(seen: SeenParts | None) -> tuple[Note, ...]:
    names = (_LOST.get(one, one) for one in seen.lost) if seen is not None else ()
    return tuple(Note(one) for one in dict.fromkeys(names))


def _changed(record: Record) -> Iterator[Note]:
    yield Note("Last-Modified: it is the time of the copy, so age-based lifecycle rules start again")
    if record.is_rewritten:
        yield Note("content: the references in it name the new keys")
    elif record.target_etag is not None and record.source_etag != record.target_etag:
        yield Note("ETag: it was uploaded in other parts, or is encrypted with another key")
    if record.source_version not in (None, "null"):
        yield Note("version id: the copy is a new version")
