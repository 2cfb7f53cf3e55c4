"""What a verification notes of one copy for the report, beside its differences."""

from domain.kms_keys import KeyMap
from domain.objects import ObjectState
from domain.protocol.annotations import AnnotationsCompared
from domain.protocol.seen_parts import SeenParts


def parts_seen(
    source: ObjectState, target: ObjectState, *, annotations: AnnotationsCompared | None, keys: KeyMap
) -> SeenParts:
    """The parts of the source, and those that the target has in another form, which are not differences.

    ``annotations`` is ``None`` where they were not looked at.
    """
    wanted, own_key = keys.as_copied(source).encryption, source.encryption.kms_key_id or ""
    has_other_key = wanted != source.encryption and wanted.is_kept_by(target.encryption)
    return SeenParts(
        metadata=len(source.metadata),
        tags=len(source.tags or {}),
        storage_class=source.storage_class,
        has_kms_key=source.encryption.is_kms,
        lock=source.lock.as_text,
        annotations=annotations.count if annotations is not None else None,
        source_key=own_key if has_other_key else "",
        checksum=_changed_checksum(source, target),
    )


def wrong_key(source: ObjectState, target: ObjectState, keys: KeyMap) -> str:
    """Which KMS key the copy should have and which one it has, for people; empty where it has the right one."""
    wanted = keys.as_copied(source).encryption
    if not wanted.is_kms or wanted.is_kept_by(target.encryption):
        return ""
    found = target.encryption.kms_key_id or target.encryption.algorithm or "no key"
    return f"encryption {wanted.algorithm} under {wanted.kms_key_id} is wanted, the copy has {found}"


def _changed_checksum(source: ObjectState, target: ObjectState) -> str:
    before, after = _checksum(source), _checksum(target)
    return f"{before}, {after} at the copy" if before and after and before != after else ""


def _checksum(seen: ObjectState) -> str:
    if not seen.checksums:
        return ""
    return f"{' and '.join(sorted(seen.checksums))} of {'the whole' if seen.full_checksums else 'its parts'}"
