"""Lambda: the manifest's stream is the outbox; each change becomes an audit event and counts."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from domain.audit import SCHEMA_VERSION, AuditEvent, audit_event
from domain.progress import progress_of
from domain.record import Record
from handlers.bootstrap import dependencies_of
from handlers.dependencies import Dependencies

TOKEN_CHARACTERS = 36
"""Longest ClientRequestToken (botocore model, TransactWriteItems)."""


@dataclass(frozen=True, slots=True)
class _Change:
    """One change of a record: its place in the stream, what to publish, what to count."""

    event_id: str
    sequence_number: str
    published: AuditEvent
    deltas: Mapping[str, int]


def handler(event: dict[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:  # noqa: ARG001  # Lambda's two
    """Publish the changes; the answer names the first one that was not published, and the stream comes back to it."""
    return respond(event, dependencies_of("manifest-stream"))


def respond(event: Mapping[str, Any], dependencies: Dependencies) -> dict[str, list[dict[str, str]]]:
    """Audit events first, figures after, so that a crash between the two can only publish twice under one id."""
    changes = [change for entry in event["Records"] for change in _changes(entry, dependencies)]
    if not changes:
        return {"batchItemFailures": []}
    unsent = dependencies.bus.publish_events([change.published for change in changes])
    sent = changes[: min(unsent)] if unsent else changes
    _count(sent, dependencies)
    dependencies.observer.count("AuditEvents", len(sent))
    dependencies.observer.flush()
    if not unsent:
        return {"batchItemFailures": []}
    first = changes[len(sent)].sequence_number
    dependencies.observer.fail("audit event not accepted, it is sent again", sequence_number=first)
    return {"batchItemFailures": [{"itemIdentifier": first}]}


def _changes(entry: Mapping[str, Any], dependencies: Dependencies) -> Iterator[_Change]:
    """The change that a stream entry tells of; none for control, counters and checkpoints, which share the table."""
    images = entry["dynamodb"]
    record_id, number = str(images["Keys"]["pk"]["S"]), str(images["SequenceNumber"])
    if "#" in record_id:  # no SHA-256 has one
        return
    try:
        old, new = _record(images.get("OldImage"), dependencies), _record(images.get("NewImage"), dependencies)
    except (KeyError, TypeError, ValueError) as error:
        # One item that cannot be read must neither stop the stream nor be missing from the audit.
        dependencies.observer.crash("a record cannot be read", record_id=record_id, sequence_number=number)
        yield _Change(str(entry["eventID"]), number, _unreadable(entry, record_id, error, dependencies), {})
        return
    told = new or old
    if told is not None:
        published = audit_event(told, migration=dependencies.rules.migration, removed=new is None)
        yield _Change(str(entry["eventID"]), number, published, progress_of(old, new))


def _record(image: Mapping[str, Any] | None, dependencies: Dependencies) -> Record | None:
    return dependencies.record_of_item(image) if image else None


def _unreadable(entry: Mapping[str, Any], record_id: str, error: Exception, dependencies: Dependencies) -> AuditEvent:
    event_id = f"{record_id}:{entry['eventID']}:unreadable"
    detail = {
        "schema_version": SCHEMA_VERSION,
        "event_id": event_id,
        "migration": dependencies.rules.migration,
        "cause": f"{type(error).__name__}: {error}",
    }
    return AuditEvent(event_id, "Record Unreadable", dependencies.ports.clock.now(), detail)


def _count(changes: Sequence[_Change], dependencies: Dependencies) -> None:
    deltas: Counter[str] = Counter()
    for change in changes:
        deltas.update(change.deltas)
    changed = {name: delta for name, delta in deltas.items() if delta}
    if changed:
        names = "\n".join(change.event_id for change in changes)
        batch_id = sha256(names.encode()).hexdigest()[:TOKEN_CHARACTERS]
        dependencies.progress.add_progress(changed, batch_id=batch_id)
