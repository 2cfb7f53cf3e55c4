"""Every rewrite of an item's references, and every undo, is an audit event: the journal changes in the same write."""

from collections.abc import Sequence

from domain.audit.events import AuditEvent, change_id, enveloped, newest
from domain.references.items import Switch, place_text
from domain.references.ports import JournalEntry

JOURNAL_ID = "keyshift#reference#"
"""The prefix of the id of an entry's item."""
TOLD_SWITCHES = 25
"""Maximum number of references in an event.

With two escaped URIs of a kilobyte each, so many references stay below the 256 KB of an EventBridge entry.
"""


def references_event(
    item_id: str, before: JournalEntry | None, after: JournalEntry | None, *, migration: str
) -> AuditEvent:
    """The event of the entry's change from ``before`` to ``after``; ``None`` means that the entry does not exist.

    ``before`` and ``after`` of a reference are its text before this write and since. The id is made of the entry's
    revision. Raises ValueError when both entries are ``None``.
    """
    told = newest(before, after, "a journal entry")
    detail_type, switches = _change(before, after)
    event_id = change_id(item_id, told.revision, is_removal=after is None)
    detail: dict[str, object] = {
        "revision": told.revision,
        "table": told.table,
        "item_key": {name: str(next(iter(value.values()))) for name, value in told.key.items()},
        "record_ids": list(dict.fromkeys(one.record_id for one in switches)),
        "count": len(switches),
        "references": [_reference(one, back=detail_type == RESTORED) for one in switches[:TOLD_SWITCHES]],
        "left_to_restore": len(told.switches),
    }
    return enveloped(event_id, detail_type, told.written_at, detail, migration=migration)


REWRITTEN, RESTORED, REMOVED = "References Rewritten", "References Restored", "Reference Entry Removed"


def _change(before: JournalEntry | None, after: JournalEntry | None) -> tuple[str, Sequence[Switch]]:
    if after is None:
        return REMOVED, () if before is None else before.switches
    if before is None:
        return REWRITTEN, after.switches
    return RESTORED, [one for one in before.switches if one not in after.switches]


def _reference(switch: Switch, *, back: bool) -> dict[str, str]:
    before, after = (switch.after, switch.before) if back else (switch.before, switch.after)
    return {"place": place_text(switch.place, switch.inside), "before": before, "after": after}
