"""Every change of the control item, of the stage and of rewritten references is an audit event too.

The number of a change (fence or revision) grows with every change, so a repeated delivery is recognised by its id.
"""

from collections.abc import Sequence
from dataclasses import asdict

from domain.audit.events import AuditEvent, change_id, enveloped, newest
from domain.lifecycle.stages import StageEntry
from domain.references.items import Switch, place_text
from domain.references.ports import JournalEntry
from domain.steering.control import Control

CONTROL_ID = "keyshift#control"
STAGE_ID = "keyshift#stage"
JOURNAL_ID = "keyshift#reference#"
"""The prefix of the id of an entry's item."""
TOLD_SWITCHES = 25
"""Maximum number of references in an event.

With two escaped URIs of a kilobyte each, so many references stay below the 256 KB of an EventBridge entry.
"""
REWRITTEN, RESTORED, REMOVED = "References Rewritten", "References Restored", "Reference Entry Removed"


def control_event(before: Control | None, after: Control | None, *, migration: str) -> AuditEvent:
    """The event of the change from ``before`` to ``after``; ``None`` means that the control item does not exist.

    Its id is made of the fence. Raises ValueError when both are ``None``.
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
    kind = _control_type(before or Control(), after)
    return enveloped(event_id, kind, told.changed_at, detail, migration=migration)


def _control_type(before: Control, after: Control | None) -> str:
    if after is None:
        return "Control Removed"
    if after.paused and not before.paused:
        return "Migration Paused"
    if before.paused and not after.paused:
        return "Migration Resumed"
    if after.limits != before.limits:
        return "Migration Throttled"
    return "Control Changed"


def stage_event(before: StageEntry | None, after: StageEntry | None, *, migration: str) -> AuditEvent:
    """The event of the change from ``before`` to ``after``; ``None`` means that the entry does not exist.

    Its id is made of the revision. Raises ValueError when both are ``None``.
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
    return enveloped(event_id, _stage_type(earlier, after), told.changed_at, detail, migration=migration)


def _stage_type(before: StageEntry, after: StageEntry | None) -> str:
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


def references_event(
    item_id: str, before: JournalEntry | None, after: JournalEntry | None, *, migration: str
) -> AuditEvent:
    """The event of the entry's change from ``before`` to ``after``; ``None`` means that the entry does not exist.

    ``before`` and ``after`` of a reference are its text before this write and since. The id is made of the entry's
    revision. Raises ValueError when both entries are ``None``.
    """
    told = newest(before, after, "a journal entry")
    detail_type, switches = _switched(before, after)
    event_id = change_id(item_id, told.revision, is_removal=after is None)
    detail: dict[str, object] = {
        "revision": told.revision,
        "table": told.table,
        "item_key": {name: str(next(iter(value.values()))) for name, value in told.key.items()},
        "record_ids": list(dict.fromkeys(switch.record_id for switch in switches)),
        "count": len(switches),
        "references": [_reference(switch, back=detail_type == RESTORED) for switch in switches[:TOLD_SWITCHES]],
        "left_to_restore": len(told.switches),
    }
    return enveloped(event_id, detail_type, told.written_at, detail, migration=migration)


def _switched(before: JournalEntry | None, after: JournalEntry | None) -> tuple[str, Sequence[Switch]]:
    if after is None:
        return REMOVED, () if before is None else before.switches
    if before is None:
        return REWRITTEN, after.switches
    return RESTORED, [switch for switch in before.switches if switch not in after.switches]


def _reference(switch: Switch, *, back: bool) -> dict[str, str]:
    before, after = (switch.after, switch.before) if back else (switch.before, switch.after)
    return {"place": place_text(switch.place, switch.inside), "before": before, "after": after}
