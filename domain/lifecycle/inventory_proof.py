"""What two inventories, one of each side, prove of one record; pure (aws-facts.md §3.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from domain.kms_keys import NO_KEYS, KeyMap
from domain.lifecycle.reported import ReportedObject
from domain.lifecycle.verification import Finding, Sides, judge
from domain.objects import Encryption, ObjectState
from domain.protocol.cleaned_source import is_put_after
from domain.protocol.record import Mode, Record
from domain.protocol.seen_parts import NOT_IN_INVENTORIES, SeenParts

_ENCRYPTIONS: Mapping[str, Encryption] = MappingProxyType({"SSE-S3": Encryption("AES256"), "NOT-SSE": Encryption()})
"""The statuses under which an etag may be a digest. Any other one, or none, is looked at."""
_DETAIL = f"by inventories; not looked at: {', '.join(NOT_IN_INVENTORIES)}"


@dataclass(frozen=True, slots=True)
class InventoryProof:
    """The finding of an object that needs no look; ``newest`` is the later date of its two objects, in seconds."""

    finding: Finding
    newest: float


def prove_by_inventories(
    record: Record,
    source: ReportedObject | None,
    target: ReportedObject | None,
    *,
    until: float,
    keys: KeyMap = NO_KEYS,
) -> InventoryProof | None:
    """The proof that source and target were the same at ``until``; ``None``: only a look at both can tell.

    ``until`` (seconds since 1970) is ``planning.inventory.certain_until`` of both reports. What the rows show is
    compared by ``judge``, as a look's answers are.

    NOT_IN_INVENTORIES are not compared, and version ids do not stand in for them. A record does not tell whether its
    versions were written by one copy, in parts, or found equal later.
    """
    if source is None or target is None or not _is_settled(record, until):
        return None
    seen_source = _state(source, record.source_version, until)
    seen_target = _state(target, record.target_version, until)
    if seen_source is None or seen_target is None or is_put_after(seen_source, record, seen_target):
        return None
    finding = judge(record, Sides(seen_source, seen_target), now=until, keys=keys)
    if not finding.verified:
        return None
    seen = SeenParts(storage_class=seen_source.storage_class, by_inventories=True)
    newest = max(seen_source.last_modified, seen_target.last_modified)
    return InventoryProof(replace(finding, detail=_DETAIL, seen=seen), float(newest))


def _is_settled(record: Record, until: float) -> bool:
    """Whether the record describes what was at its keys at ``until``, and no look has found a difference.

    A mark changes a record too, but only a commit changes what is at its keys, and each commit removes the mark.
    """
    # The etags of a rewritten object and of its source differ, and only keyshift's own commit says that both are right.
    if record.mode is not Mode.FORWARD or record.is_rewritten:
        return False
    if record.verified_at is None and record.seen is not None:
        return False
    # Without a version and a date, equal bytes that another writer put since look like the copy.
    if (record.target_version or "null") == "null" and record.copied_before is None:
        return False
    return record.changed_at < until or record.verified_at is not None


def _state(row: ReportedObject, version: str | None, until: float) -> ObjectState | None:
    """The object that the row certainly shows; ``None`` where a column is empty, or where the key has changed since."""
    encryption = _ENCRYPTIONS.get(row.encryption)
    if not row.etag or row.size is None or row.last_modified is None or not row.storage_class:
        return None
    if encryption is None or not row.is_plain or row.last_modified >= until:
        return None
    if (row.version_id or "null") != (version or "null"):
        return None
    return ObjectState(
        etag=row.etag,
        size=row.size,
        version_id=row.version_id,
        last_modified=int(row.last_modified),
        tags={},
        storage_class=row.storage_class,
        encryption=encryption,
    )
