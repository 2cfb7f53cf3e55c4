"""The manifest's stream is the outbox: each change becomes an audit event and counts."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from domain.audit.chain import MISSING_SHARD
from domain.audit.events import AuditEvent, audit_event, enveloped, fitted
from domain.audit.ports import Shard
from domain.protocol.record import Record
from domain.reporting.progress import history_of, progress_of
from handlers.engine.dependencies import EngineDependencies
from handlers.intake.invocations import records_of

TOKEN_CHARACTERS = 36
"""The length of a digest that is enough to name a batch."""


@dataclass(frozen=True, slots=True)
class _Change:
    """One change: its place in the stream, what to publish, what to count."""

    event_id: str
    sequence_number: str
    published: AuditEvent
    deltas: Mapping[str, int]


def respond(event: Mapping[str, Any], dependencies: EngineDependencies) -> dict[str, list[dict[str, str]]]:
    """Publish the events first, then write the shard's chain, then the figures.

    A crash between them only repeats what is recognised. No change is acknowledged before it is in a chain; an error
    of the chain returns the whole batch.
    """
    entries = records_of(event, source="a DynamoDB stream", needs=("eventID", "dynamodb"))
    changes = [change for entry in entries for change in _changes(entry, dependencies)]
    if not changes:
        return {"batchItemFailures": []}
    unsent = dependencies.bus.publish_events([change.published for change in changes])
    sent = changes[: min(unsent)] if unsent else changes
    _chain(sent, _shard(event, entries), dependencies)
    _count(sent, dependencies)
    dependencies.observer.count("AuditEvents", len(sent))
    dependencies.observer.flush()
    if not unsent:
        return {"batchItemFailures": []}
    first = changes[len(sent)].sequence_number
    dependencies.observer.fail("audit event not accepted, it is sent again", sequence_number=first)
    return {"batchItemFailures": [{"itemIdentifier": first}]}


def _changes(entry: Mapping[str, Any], dependencies: EngineDependencies) -> Iterator[_Change]:
    """The change in a stream entry; ``None`` for counters and checkpoints, which share the table."""
    images = entry["dynamodb"]
    item_id, number = str(images["Keys"]["pk"]["S"]), str(images["SequenceNumber"])
    deltas: Mapping[str, int] = {}
    try:
        if "#" in item_id:  # a SHA-256 does not contain this character
            old, new = images.get("OldImage"), images.get("NewImage")
            published = dependencies.event_of_item(item_id, old, new, dependencies.rules.migration)
        else:
            before, after = _record(images.get("OldImage"), dependencies), _record(images.get("NewImage"), dependencies)
            told = after or before
            if told is None:
                return
            published = audit_event(told, migration=dependencies.rules.migration, removed=after is None)
            deltas = progress_of(before, after)
    except (KeyError, TypeError, ValueError) as error:
        # An item that cannot be read must neither stop the stream nor be missing from the audit.
        dependencies.observer.crash("an item cannot be read", record_id=item_id, sequence_number=number)
        published = _unreadable(entry, item_id, error, dependencies)
    if published is not None:
        yield _Change(str(entry["eventID"]), number, fitted(published), deltas)


def _record(image: Mapping[str, Any] | None, dependencies: EngineDependencies) -> Record | None:
    return dependencies.record_of_item(image) if image else None


def _unreadable(
    entry: Mapping[str, Any], record_id: str, error: Exception, dependencies: EngineDependencies
) -> AuditEvent:
    event_id = f"{record_id}:{entry['eventID']}:unreadable"
    detail = {"cause": f"{type(error).__name__}: {error}"}
    # The stream's own time, so that a repeated delivery is the same event.
    moment = entry["dynamodb"].get("ApproximateCreationDateTime") or dependencies.ports.clock.now()
    migration = dependencies.rules.migration
    return enveloped(event_id, "Record Unreadable", float(moment), detail, migration=migration)


def _shard(event: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> Shard:
    """The shard of a batch; a mapping without a tumbling window does not name it (aws-facts.md §7)."""
    return Shard(str(event.get("shardId") or MISSING_SHARD), str(entries[0].get("eventSourceARN", "")))


def _chain(changes: Sequence[_Change], shard: Shard, dependencies: EngineDependencies) -> None:
    if dependencies.chains is None:
        return
    named = dependencies.chains.append_events([change.published for change in changes], shard=shard)
    if named is not None:
        # The log is a second place that holds the link: ``audit verify --expect`` compares it.
        link, observer = named.link, dependencies.observer
        observer.info(
            "audit segment", shard=named.shard, sequence=link.sequence, sha256=link.sha256, events=len(changes)
        )


def _count(changes: Sequence[_Change], dependencies: EngineDependencies) -> None:
    deltas: Counter[str] = Counter()
    for change in changes:
        deltas.update(change.deltas)
    changed = {name: delta for name, delta in deltas.items() if delta}
    if changed:
        names = "\n".join(change.event_id for change in changes)
        batch_id = sha256(names.encode()).hexdigest()[:TOKEN_CHARACTERS]
        history = history_of((change.published.time, change.deltas) for change in changes)
        dependencies.progress.add_progress(changed, batch_id=batch_id, history=history)
