"""Every change of a record is an audit event; its id is the same however often it is delivered (protocol.md §3)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from hashlib import sha256
from typing import Any, TypeVar

from domain.protocol.intents import Intent
from domain.protocol.record import Record, State

_State = TypeVar("_State")
SCHEMA_VERSION = "1"
SOURCE = "keyshift"
UNDER_WAY = "Attempt Under Way"

DETAIL_TYPES: Mapping[State, str] = {
    State.NEW: "Object Claimed",
    State.COPIED: "Object Migrated",
    State.CONFLICT: "Object In Conflict",
    State.TOMBSTONE: "Copy Deleted With Its Source",
    State.GONE: "Source Vanished",
    State.PARKED: "Object Parked",
    State.CLEANED: "Source Cleaned",
    State.ROLLED_BACK: "Object Rolled Back",
    State.ROLLBACK_CONFLICT: "Rollback In Conflict",
    State.PURGED: "Copy Purged",
}


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One fact for EventBridge; ``time`` is seconds since 1970."""

    event_id: str
    detail_type: str
    time: float
    detail: Mapping[str, object]


MOST_DETAIL_BYTES = 240_000
"""Maximum size of one event's detail as ASCII JSON: EventBridge takes 256 KiB (262,144) of a whole entry."""
_NEVER_OMITTED = frozenset({"schema_version", "event_id", "migration", "revision", "source", "target", "record_digest"})

_NOTHING: frozenset[Intent] = frozenset()
_LATER = {"not_before": 0, "is_refused": False, "cause_detail": ""}
"""Fields that came with a later version, and the value for records that do not have them."""


def change_id(subject: str, number: int, *, is_removal: bool) -> str:
    """The id of the event of one change; ``number`` grows with every change, so a repeated delivery is recognised."""
    return f"{subject}:{number}" + (":removed" if is_removal else "")


def enveloped(
    event_id: str, detail_type: str, time: float, told: Mapping[str, object], *, migration: str
) -> AuditEvent:
    """The event with the content ``told``, in the one form that every event has (docs/audit.md)."""
    detail = {"schema_version": SCHEMA_VERSION, "event_id": event_id, "migration": migration, **told}
    return AuditEvent(event_id, detail_type, time, detail)


def newest(before: _State | None, after: _State | None, name: str) -> _State:
    """The state that an event of a change describes: the new one, or the last one.

    Raises ValueError where there is neither.
    """
    told = after or before
    if told is None:
        raise ValueError(f"a change of {name} has an old or a new image")
    return told


def audit_event(record: Record, *, migration: str, removed: bool = False) -> AuditEvent:
    """The event of the change that led to this ``record``, or of its removal from the manifest."""
    running = record.claim is not None
    event_id = change_id(record.record_id, record.revision, is_removal=removed)
    told = {
        "revision": record.revision,
        "state": record.state.value,
        "running": running,
        "mode": record.mode.value,
        "source": record.source.uri,
        "target": record.target.uri,
        "source_etag": record.source_etag,
        "source_version": record.source_version,
        "target_etag": record.target_etag,
        "target_version": record.target_version,
        "size": record.size,
        "rule": record.rule,
        "rules_digest": record.rules_digest,
        "cause": record.cause,
        "cause_detail": record.cause_detail or None,
        "intent": _described(record.intent) if record.intent is not None else None,
        "unsettled": [_described(intent) for intent in sorted(record.maybe)],
        "origin": record.origin.value if record.origin is not None else None,
        "verified_at": record.verified_at,
        "record_digest": record_digest(record),
    }
    detail_type = UNDER_WAY if running else DETAIL_TYPES[record.state]
    if removed:
        detail_type = "Record Removed"
    return enveloped(event_id, detail_type, record.changed_at, told, migration=migration)


def fitted(event: AuditEvent) -> AuditEvent:
    """The event in a size that can be published.

    If an event is too large, its longest parts are left out and described. A refused event would block every later one
    of its shard, until the stream has dropped them all.
    """
    detail, omitted = dict(event.detail), dict[str, object]()
    while len(_json(detail)) > MOST_DETAIL_BYTES:
        sizes = {name: len(_json(part)) for name, part in detail.items() if name not in {*_NEVER_OMITTED, "omitted"}}
        longest = max(sizes, key=lambda name: sizes[name])
        part = detail[longest]
        if not part:
            break  # the rest cannot be shortened; EventBridge refuses it by its size
        omitted[longest] = _described_part(part)
        detail |= {longest: type(part)() if isinstance(part, (list, tuple, str)) else None, "omitted": omitted}
    return replace(event, detail=detail) if omitted else event


def _described_part(part: object) -> Mapping[str, object]:
    text = _json(part)
    count = {"count": len(part)} if isinstance(part, (list, tuple)) else {}
    return {"bytes": len(text), "sha256": sha256(text.encode()).hexdigest()} | count


def _json(part: object) -> str:
    return json.dumps(part, separators=(",", ":"))


def record_digest(record: Record) -> str:
    """SHA-256 of everything that the record holds, its claim too.

    A field of a later version does not change the digest of a record that does not have it.
    """
    return sha256(json.dumps(_plain(record), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _plain(value: Any) -> Any:
    names = _field_names(value)
    if names:
        named = ((name, getattr(value, name)) for name in names)
        return {name: _plain(part) for name, part in named if not _is_absent(name, part)}
    if isinstance(value, frozenset):
        return [_plain(part) for part in sorted(value)]
    return value


def _is_absent(name: str, part: object) -> bool:
    return part is None or part == _NOTHING or (name in _LATER and part == _LATER[name])


def _field_names(value: object) -> tuple[str, ...]:
    kind: Any = type(value)  # mypy treats a class of Any as not hashable
    return _names_of(kind)


@cache
def _names_of(kind: type) -> tuple[str, ...]:
    """Computed once for each class: a verification digests millions of records."""
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()


def _described(intent: Intent) -> Mapping[str, str]:
    return {"action": intent.action.value, "etag": intent.etag, "version_id": intent.version_id}


def is_retold(one: object, other: object) -> bool:
    """Whether the one event contains all fields of the other event, with the same values.

    Within a version of the event's schema, fields may be added and none removed. So after a deployment between two
    deliveries of one change, the newer handler's event contains the older one's, whichever came first.
    """
    return _holds(one, other) or _holds(other, one)


def _holds(more: Any, less: Any) -> bool:
    if isinstance(more, dict) and isinstance(less, dict):
        return all(name in more and _holds(more[name], less[name]) for name in less)
    if isinstance(more, list) and isinstance(less, list):
        return len(more) == len(less) and all(map(_holds, more, less))
    return bool(type(more) is type(less) and more == less)
