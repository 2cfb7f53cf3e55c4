"""Every change of the control item is an audit event: who paused, resumed or throttled the migration, and why."""

from dataclasses import asdict

from domain.audit.events import SCHEMA_VERSION, AuditEvent
from domain.steering.control import Control

CONTROL_ID = "keyshift#control"


def control_event(before: Control | None, after: Control | None, *, migration: str) -> AuditEvent:
    """The event of the change from ``before`` to ``after``; ``None``: there was, or is, no control item.

    Its id is made of the fence, which grows with every change, so a repeated delivery is recognised. Raises
    ValueError when both are ``None``.
    """
    told = after or before
    if told is None:
        raise ValueError("a change of the control item has an old or a new image")
    event_id = f"{CONTROL_ID}:{told.fence}" + (":removed" if after is None else "")
    detail: dict[str, object] = {
        "schema_version": SCHEMA_VERSION,
        "event_id": event_id,
        "migration": migration,
        "fence": told.fence,
        "paused": told.paused,
        "reason": told.reason,
        "by": told.by,
        "limits": asdict(told.limits),
        "event_source_mappings": list(told.mappings),
    }
    return AuditEvent(event_id, _detail_type(before or Control(), after), told.changed_at, detail)


def _detail_type(before: Control, after: Control | None) -> str:
    if after is None:
        return "Control Removed"
    if after.paused and not before.paused:
        return "Migration Paused"
    if before.paused and not after.paused:
        return "Migration Resumed"
    if after.limits != before.limits:
        return "Migration Throttled"
    return "Control Changed"
