"""Every change of the stage is an audit event: who advanced, postponed or reversed the migration, and why."""

from domain.audit.events import AuditEvent, change_id, enveloped, newest
from domain.lifecycle.stages import StageEntry

STAGE_ID = "keyshift#stage"


def stage_event(before: StageEntry | None, after: StageEntry | None, *, migration: str) -> AuditEvent:
    """The event of the change from ``before`` to ``after``; ``None`` means that the entry does not exist.

    Its id is made of the revision, which grows with every change, so a repeated delivery is recognised. Raises
    ValueError when both are ``None``.
    """
    told = newest(before, after, "the stage")
    event_id = change_id(STAGE_ID, told.revision, is_removal=after is None)
    earlier = before or StageEntry()
    detail: dict[str, object] = {
        "revision": told.revision,
        "stage": told.stage.value,
        "stage_before": earlier.stage.value,
        "since": told.since,
        "by": told.by,
        "why": told.why,
        "postponed_until": told.postponed_until,
        "capture": told.capture,
        # An entry that names no rules keeps the form that it had before entries named rules.
        **({"rules_digest": told.rules_digest} if told.rules_digest else {}),
    }
    return enveloped(event_id, _detail_type(earlier, after), told.changed_at, detail, migration=migration)


def _detail_type(before: StageEntry, after: StageEntry | None) -> str:
    if after is None:
        return "Stage Removed"
    if after.stage is not before.stage:
        return "Stage Changed"
    if after.postponed_until != before.postponed_until:
        return "Cut-over Postponed" if after.postponed_until is not None else "Cut-over Allowed Again"
    if after.capture != before.capture:
        return "Live Capture Remembered"
    if after.rules_digest != before.rules_digest:
        return "Rules Proven"
    return "Stage Confirmed"
