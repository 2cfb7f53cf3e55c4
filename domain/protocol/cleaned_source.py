"""What is known of a source that keyshift's cleanup deleted, or may have (protocol.md §9)."""

from domain.objects import ObjectState
from domain.protocol.intents import Action
from domain.protocol.ports import HiddenVersion
from domain.protocol.record import Record, State


def was_cleaned(record: Record) -> bool:
    """Whether keyshift deleted the source in a cleanup, or may have."""
    if record.state is State.CLEANED or record.cleaned_etag is not None:
        return True
    return any(intent.action is Action.DELETE_SOURCE for intent in record.maybe)


def cleaned_etag_of(record: Record) -> str | None:
    """The source's etag that a record must keep after a cleanup, while its state does not show the cleanup.

    ``None`` when the source was not cleaned; empty where the etag is not known.
    """
    return record.cleaned_etag or ((record.source_etag or "") if was_cleaned(record) else None)


def is_what_we_hid(hidden: HiddenVersion, record: Record, copy: ObjectState | None) -> bool:
    """Whether cleanup's delete can have hidden that version; the delete was conditional on one etag.

    It is the copied version, or an equal one that its producer wrote at the last moment, so after the copied one.

    An older version with that etag becomes visible when the versions above it are deleted permanently. A lifecycle rule
    or a producer can do that. So can the cleanup of versions, which then forgets ``source_version``. Under suspended
    versioning, the delete itself does it.
    """
    if hidden.etag != record.deleted_etag or record.source_version is None:
        return False
    return hidden.version_id == record.source_version or is_put_after(hidden, record, copy)


def is_put_after(version: HiddenVersion | ObjectState, record: Record, copy: ObjectState | None) -> bool:
    """Whether the producer wrote that version after the one that keyshift copied.

    The record knows the date of the copied source. Where it does not, the date of the ``copy`` stands for it.
    """
    if record.source_modified is not None:
        return version.last_modified > record.source_modified
    return copy is not None and version.last_modified > copy.last_modified
