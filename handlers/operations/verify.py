"""Reads every record and every key of both sides, reports differences, and marks records that are proven."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf

from domain.errors import ArchivedError, KeyshiftError
from domain.keys import Location, is_probe
from domain.lifecycle.inventory_proof import InventoryProof, prove_by_inventories
from domain.lifecycle.ports import ByteReader, KeyBook, ReportedObjects
from domain.lifecycle.verification import REPAIRABLE, Difference, Finding, Remark, Sides, judge, needs_reading
from domain.objects import ObjectState
from domain.protocol.annotating import compare_annotations
from domain.protocol.attempt import MigrationPorts
from domain.protocol.histories import compare_histories
from domain.protocol.ports import SourceObject
from domain.protocol.record import Mode, Record, State
from domain.references.ports import ReferenceFinder
from domain.rules.routing import Kept, Moved, Rejected, Unmapped, fits_target_layout, route_of
from handlers.engine.dependencies import Dependencies
from handlers.intake.messages import BackfillRow, encode_backfill
from handlers.operations.paced import at_learned_rate
from handlers.operations.parallel import patiently

CLOCKS_DIFFER_SECONDS = 60.0
"""Seconds by which the clocks of S3 and of this machine may differ."""
ROWS_PER_MESSAGE = 50
ROWS_AT_ONCE = 500


class Verifier:
    """Verifies records and keys; it changes only ``verified_at`` and ``seen``, and only with ``marks``.

    A mark from before ``fresh_since`` (seconds since 1970) is renewed where the same is proven again.
    """

    def __init__(  # what is verified, and what is marked
        self,
        dependencies: Dependencies,
        *,
        book: KeyBook,
        reader: ByteReader | None,
        marks: bool,
        fresh_since: float = 0.0,
    ) -> None:
        self._dependencies = dependencies
        self._rules = dependencies.rules
        self._ports = dependencies.ports
        self._book = book
        self._reader = reader
        self._marks = marks
        self._fresh_since = fresh_since
        self._begun = dependencies.ports.clock.now()

    def verify_record(self, record: Record) -> Finding:
        """The finding of one record; a record that cannot be checked is a finding too."""
        try:
            return at_learned_rate(lambda: self._verified(record), record, self._dependencies)
        except KeyshiftError as error:
            unreadable = (Difference.UNREADABLE,)
            return Finding(record.source, record.target, record.state.value, unreadable, detail=str(error))

    def prove(self, records: Sequence[Record], reported: ReportedObjects) -> Mapping[str, InventoryProof]:
        """The proofs of those records that need no look, by their ids; nothing is asked of S3."""
        copies = [record for record in records if record.state is State.COPIED]
        found = reported.find_objects([place for record in copies for place in (record.source, record.target)])
        keys = self._dependencies.policy.kms_keys
        proofs = (
            prove_by_inventories(one, found.get(one.source), found.get(one.target), until=reported.until, keys=keys)
            for one in copies
        )
        return {one.record_id: proof for one, proof in zip(copies, proofs, strict=True) if proof is not None}

    def mark_proven(self, record: Record, proof: InventoryProof, *, until: float) -> Finding:
        """The finding of a record that inventories prove; its mark is as old as they are (seconds since 1970)."""
        finding = proof.finding
        is_marked = record.verified_at is not None and not self._is_old(record, proof.newest, at_most=until)
        if not self._marks or is_marked:
            return finding
        try:
            return at_learned_rate(lambda: self._mark(record, finding, until), record, self._dependencies)
        except KeyshiftError as error:
            return replace(finding, differences=(Difference.UNREADABLE,), verified=False, seen=None, detail=str(error))

    def verify_key(self, place: Location) -> Finding | None:
        """The finding of a key without a record; ``None`` where there is nothing to report."""
        if is_probe(place.key) or self._book.has_target(place):
            return None
        try:
            if place.bucket == self._rules.source_bucket and place.key.startswith(self._rules.source_prefix):
                route = route_of(self._rules, place)
                if isinstance(route, Kept) or self._book.has_source(place):
                    return None
                if isinstance(route, Moved):
                    return self._unrecorded(place, Difference.NOT_MIGRATED, target=route.target)
                if isinstance(route, Rejected):
                    return self._unrecorded(place, Difference.REJECTED, why=route.reason)
                if isinstance(route, Unmapped) and route.is_refused:
                    return self._unrecorded(place, Difference.UNMAPPED, why=route.reason)
            return patiently(lambda: self._stray(place), sleep=self._dependencies.sleep)
        except KeyshiftError as error:
            return Finding(place, None, "", (Difference.UNREADABLE,), detail=str(error))

    def _verified(self, record: Record) -> Finding:
        sides = self._with_digests(record, sides_of(record, self._ports))
        finding = judge(record, sides, now=self._ports.clock.now(), keys=self._dependencies.policy.kms_keys)
        if not self._marks or record.state is not State.COPIED or record.mode is not Mode.FORWARD:
            return finding
        is_told = finding.seen is None or finding.seen == record.seen
        newest = max((side.last_modified for side in (sides.source, sides.target) if side is not None), default=0)
        as_marked = finding.verified == (record.verified_at is not None) and not self._is_old(record, newest)
        if (as_marked and is_told) or record.claim is not None:
            return finding
        at = record.verified_at if as_marked else self._ports.clock.now()
        return self._mark(record, finding, at if finding.verified else None)

    def _mark(self, record: Record, finding: Finding, verified_at: float | None) -> Finding:
        """Write what was seen; the finding is another one where the record has changed since it was read.

        A mark like this one is not a change: another verification wrote it, or this one, and its answer was lost.
        """
        now = self._ports.clock.now()
        revision = record.revision + 1
        marked = replace(record, verified_at=verified_at, seen=finding.seen, revision=revision, changed_at=now)
        if self._ports.manifest.write_record(marked, before=record):
            return finding
        there = self._ports.manifest.read_record(record.record_id)
        if there is not None and _is_same_mark(there, marked):
            return finding
        unfinished = (Difference.UNFINISHED,)
        return replace(finding, differences=unfinished, verified=False, seen=None, detail="it changed meanwhile")

    def _is_old(self, record: Record, newest: float, *, at_most: float = inf) -> bool:
        """Whether the mark is too old, or older than an object: then a cut-over cannot know what was verified.

        A mark that is as new as ``at_most`` is not too old.
        """
        return record.verified_at is not None and record.verified_at < max(min(self._fresh_since, at_most), newest)

    def _with_digests(self, record: Record, sides: Sides) -> Sides:
        source, target = sides.source, sides.target
        if self._reader is None or source is None or target is None or not needs_reading(record, sides):
            return sides
        try:
            return replace(
                sides,
                source_digest=self._reader.digest_object(record.source, seen=source),
                target_digest=self._reader.digest_object(record.target, seen=target),
            )
        except ArchivedError:
            # The bytes stay unproven, and what else the copy lacks is told all the same.
            return sides

    def _unrecorded(
        self, place: Location, difference: Difference, *, target: Location | None = None, why: str = ""
    ) -> Finding | None:
        """The finding of a source key without a record when the records were read; both may have changed since."""
        if self._ports.manifest.read_record(place.record_id) is not None or not self._is_stored(place):
            return None
        return Finding(place, target, "", (difference,), detail=why)

    def _is_stored(self, place: Location) -> bool:
        """Whether there is an object, or where every version is carried a version of one that was deleted."""
        if self._look(place) is not None:
            return True
        history = self._ports.history
        return history is not None and any(not one.is_marker for one in history.list_versions(place))

    def _stray(self, place: Location) -> Finding | None:
        seen = self._look(place)
        if seen is None or (seen.last_modified >= self._begun - CLOCKS_DIFFER_SECONDS and self._is_new_copy(place)):
            return None
        fits = place.bucket == self._rules.target_bucket and fits_target_layout(self._rules, place.key)
        return Finding(None, place, "", remarks=(Remark.FOREIGN if fits else Remark.OUTSIDE,))

    def _is_new_copy(self, place: Location) -> bool:
        """Whether it became keyshift's after the records were read; the search is long, so only for young objects."""
        if place.bucket != self._rules.target_bucket:
            return False
        sources = (Location(self._rules.source_bucket, mapped.key) for mapped in self._rules.unmap_key(place.key).keys)
        found = (self._ports.manifest.read_record(source.record_id) for source in sources)
        return any(record is not None and record.target == place and record.target_etag is not None for record in found)

    def _look(self, location: Location) -> ObjectState | None:
        return self._ports.store.look_at_object(location, with_tags=True)


def _is_same_mark(one: Record, other: Record) -> bool:
    """Whether both records are the same but for the time of their marks."""
    as_other = replace(one, revision=other.revision, changed_at=other.changed_at, verified_at=other.verified_at)
    return as_other == other and (one.verified_at is None) == (other.verified_at is None)


def sides_of(record: Record, ports: MigrationPorts) -> Sides:
    """The objects at both keys of a record, with tags, and the annotations and earlier versions of a copy compared."""
    source = ports.store.look_at_object(record.source, with_tags=True)
    target = ports.store.look_at_object(record.target, with_tags=True) if record.target.key else None
    versions = compare_histories(record, ports.history, ports.store)
    if ports.annotations is None or record.state is not State.COPIED or source is None or target is None:
        return Sides(source, target, versions=versions)
    origin = SourceObject(record.source, source.etag, source.version_id)
    annotations = compare_annotations(ports.annotations, origin, record.target)
    return Sides(source, target, annotations=annotations, versions=versions)


def held_references(finders: Iterable[ReferenceFinder]) -> Iterator[Finding]:
    """A finding for every place that still holds a legacy URI."""
    for finder in finders:
        for found in finder.find_references():
            detail = f"{found.holder} {found.path}: {found.uri}"
            yield Finding(found.source, None, "", (Difference.REFERENCE,), detail=detail)


class Requeuer:
    """Enqueues sources of findings that a worker may repair."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._rows: list[BackfillRow] = []
        self.enqueued = 0

    def add(self, finding: Finding) -> None:
        """Enqueue the source of a finding that a worker can repair."""
        if finding.source is not None and REPAIRABLE.intersection(finding.differences):
            self.add_key(finding.source.key)

    def add_key(self, key: str) -> None:
        """Enqueue a source."""
        self._rows.append(BackfillRow(key=key))
        if len(self._rows) >= ROWS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Send the rows that wait."""
        if not self._rows:
            return
        rules = self._dependencies.rules
        bodies = encode_backfill(
            self._rows, migration=rules.migration, bucket=rules.source_bucket, at_most_rows=ROWS_PER_MESSAGE
        )
        self._dependencies.backfill_queue.send_messages(list(bodies))
        self.enqueued += len(self._rows)
        self._rows = []
