"""Lambda: the manifest's stream is the outbox; each change becomes an audit event and counts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from domain.audit import AuditEvent, audit_event
from domain.progress import progress_of
from domain.record import Record
from handlers.bootstrap import dependencies_of
from handlers.dependencies import Dependencies

Change = tuple[Record | None, Record | None]


def handler(event: dict[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:  # noqa: ARG001  # Lambda's two
    """Publish the changes; the answer names the first one that was not published, and the stream comes back to it."""
    return respond(event, dependencies_of("manifest-stream"))


def respond(event: Mapping[str, Any], dependencies: Dependencies) -> dict[str, list[dict[str, str]]]:
    """Audit events first, figures after, so that a crash between the two can only publish twice under one id."""
    raw = [record for record in event["Records"] if _is_record_item(record)]
    changes = [_change(record, dependencies) for record in raw]
    unsent = dependencies.bus.publish_events(_events(changes, dependencies))
    sent = unsent[0] if unsent else len(changes)
    _count(raw[:sent], changes[:sent], dependencies)
    dependencies.observer.count("AuditEvents", sent)
    dependencies.observer.flush()
    if not unsent:
        return {"batchItemFailures": []}
    first = raw[sent]["dynamodb"]["SequenceNumber"]
    dependencies.observer.fail("audit event not accepted, it is sent again", sequence_number=first)
    return {"batchItemFailures": [{"itemIdentifier": first}]}


def _is_record_item(record: Mapping[str, Any]) -> bool:
    """Control, counters and checkpoints live in the same table under keys that no SHA-256 has."""
    return "#" not in str(record["dynamodb"]["Keys"]["pk"]["S"])


def _change(record: Mapping[str, Any], dependencies: Dependencies) -> Change:
    images = record["dynamodb"]
    old, new = images.get("OldImage"), images.get("NewImage")
    read = dependencies.record_of_item
    return (read(old) if old else None, read(new) if new else None)


def _events(changes: Sequence[Change], dependencies: Dependencies) -> list[AuditEvent]:
    migration = dependencies.rules.migration
    events = []
    for old, new in changes:
        told = new or old
        if told is not None:
            events.append(audit_event(told, migration=migration, removed=new is None))
    return events


def _count(raw: Sequence[Mapping[str, Any]], changes: Sequence[Change], dependencies: Dependencies) -> None:
    deltas: Counter[str] = Counter()
    for before, after in changes:
        deltas.update(progress_of(before, after))
    changed = {name: delta for name, delta in deltas.items() if delta}
    if changed:
        names = "\n".join(str(record["eventID"]) for record in raw)
        dependencies.progress.add_progress(changed, batch_id=sha256(names.encode()).hexdigest()[:36])
