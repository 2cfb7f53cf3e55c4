"""Every change of the control item is an audit event: who paused, resumed or throttled the migration, and why."""

from dataclasses import asdict

from domain.audit.events import AuditEvent, change_id, enveloped, newest
from domain.steering.control import Control

CONTROL_ID = "keyshift#control"


def control_event(before: Control | None, after: Control | None, *, migration: str) -> AuditEvent:
    """The event of the change from ``before`` to ``after``; ``None`` means that the control item does not exist.

    Its id is made of the fence, which grows with every change, so a repeated delivery is recognised. Raises ValueError
    when both are ``None``.
    """
    told = newest(before, after, "the control item")
    event_id = change_id(CONTROL_ID, told.fence, is_removal=after is None)
    detail: dict[str, object] = {
        "fence": told.fence,
        "paused": told.paused,
        "reason": told.reason,
        "by": told.by,
        "limits": asdict(told.limits),
        "event_source_mappings": list(told.mappings),
    }
    kind = _detail_type(before or Control(), after)
    return enveloped(event_id, kind, told.changed_at, detail, migration=migration)


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
