"""What a record says of both keys when only the record is written (protocol.md §5)."""

from collections.abc import Mapping
from typing import Any

from domain.protocol.cleaned_source import cleaned_etag_of
from domain.protocol.decisions import Settle, Sight
from domain.protocol.known_target import date_after
from domain.protocol.reconciling import marker_of_cleanup
from domain.protocol.record import Record, State

NO_TARGET: Mapping[str, Any] = {"target_etag": None, "target_version": None, "copied_before": None}
_VERIFIED = ("source_etag", "source_version", "target_etag", "target_version")
"""The fields that a verification covers: when one of them changes, the verification is void."""


def settled_fields(decision: Settle, sight: Sight, known: Record) -> dict[str, Any]:
    """The fields of ``known`` that change with the decision."""
    source, target = sight.source, sight.target
    changes: dict[str, Any] = {"cause": decision.cause, "origin": decision.origin}
    if not decision.keeps_target:
        changes |= NO_TARGET
    elif target is not None:
        changes |= {"target_etag": target.etag, "target_version": target.version_id}
        changes["copied_before"] = date_after(target)
    if decision.state is State.CONFLICT:
        changes["origin"] = known.origin
        is_kept = source is None or decision.keeps_target
        changes["cleaned_etag"] = cleaned_etag_of(sight.record) if is_kept else None
    if decision.state is State.COPIED and source is not None:
        changes |= {"source_etag": source.etag, "source_version": source.version_id, "size": source.size}
        changes["source_modified"] = source.last_modified
    if (marker := marker_of_cleanup(sight)) is not None:
        changes["marker_version"] = marker
    if any(getattr(known, name) != changes.get(name, getattr(known, name)) for name in _VERIFIED):
        changes |= {"verified_at": None, "seen": None}
    return changes
