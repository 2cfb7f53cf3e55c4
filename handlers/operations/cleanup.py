"""Cleanup: sources are deleted one by one, each only if it is proven safe and nothing blocks it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from threading import Lock

from domain.errors import KeyshiftError
from domain.lifecycle.stages import Stage, stage_fault
from domain.planning.ports import ObjectListing
from domain.protocol.attempt import Outcome, Verdict
from domain.protocol.causes import Cause, told
from domain.protocol.cleanup import clean_source, preview_source
from domain.protocol.cleanup_versions import forget_version
from domain.protocol.record import Mode, Record, State
from domain.rules.compiled import CompiledRules
from domain.rules.lake_tables import LakeTables, lake_tables, metadata_above
from handlers.operations.holder_looks import HOLDERS_SECONDS
from handlers.operations.holders import Holder
from handlers.operations.operator import Operation, Shut
from handlers.operations.paced import at_learned_rate
from handlers.operations.removals import (
    Hold,
    Removal,
    Removed,
    failed,
    held,
    held_by_outcome,
    held_by_quiet_time,
    held_by_table,
)
from handlers.operations.watched_holders import Holders


def refuse_cleanup(operation: Operation, *, forgets_versions: bool = False) -> Shut | None:
    """Why nothing may be cleaned at this moment, or ``None``."""
    control = operation.control()
    if control.paused and stage_fault(operation.stages.read_stage().stage, Stage.CLEANING) is None:
        return Shut(f"the migration is paused ({control.reason}): keyshift resume first")
    return forbid_cleanup(operation, forgets_versions=forgets_versions)


def forbid_cleanup(operation: Operation, *, forgets_versions: bool) -> Shut | None:
    """Why nothing may be cleaned whether the migration is paused or not, or ``None``."""
    fault = versioning_fault(operation, forgets_versions=forgets_versions)
    return forbid_preview(operation) or (Shut(fault) if fault is not None else None)


def forbid_preview(operation: Operation) -> Shut | None:
    """Why nothing would be cleaned at this stage, or ``None``; a dry run looks at the versioning when it begins."""
    fault = stage_fault(operation.stages.read_stage().stage, Stage.CLEANING)
    return Shut(fault) if fault is not None else None


def versioning_fault(operation: Operation, *, forgets_versions: bool) -> str | None:
    """Return why the source bucket's versioning forbids a delete, or ``None``; an unknown setting counts as off."""
    versioning, rules = operation.versioning(), operation.dependencies.rules
    if versioning == "Enabled":
        return None
    bucket = rules.source_bucket
    if versioning == "Suspended" and forgets_versions:
        return (
            f"bucket {bucket} has its versioning suspended: there the version of a deleted object is the delete marker"
            " itself, and --versions would make an older version visible. Omit --versions"
        )
    if rules.unversioned_source != "refuse":
        return None
    what = "keeps no versions"
    if versioning == "Suspended":
        what = "has its versioning suspended, so a delete destroys what was written since, as without versions"
    return (
        f"bucket {bucket} {what} (versioning is {versioning}): a producer who puts the same bytes with other metadata"
        " at the very moment of a delete would lose them. Switch versioning on, or stop the bucket's producers with a"
        " bucket policy and write `cleanup: {unversioned_source: fenced}` in the rules file, or accept it there with"
        " `accept`"
    )


def warn_of_cleanup(operation: Operation) -> str | None:
    """A warning about deletes in this bucket although the rules allow them, or ``None``."""
    versioning, bucket = operation.versioning(), operation.dependencies.rules.source_bucket
    if versioning == "Enabled":
        return None
    return (
        f"versioning of bucket {bucket} is {versioning}: a deleted source has no version to come back from,"
        " so a rollback copies it back from its target"
    )


@dataclass(slots=True)
class VersioningWatch:
    """Whether the bucket's versioning still allows deletes, read again ``seconds`` after the last read."""

    operation: Operation
    seconds: float
    forgets_versions: bool
    _fault: str | None = None
    _looked: float | None = None
    _lock: Lock = field(default_factory=Lock)

    def fault(self) -> str | None:
        """Why nothing may be deleted now, or ``None``."""
        monotonic = self.operation.dependencies.ports.clock.monotonic
        with self._lock:
            if self._looked is None or monotonic() - self._looked >= self.seconds:
                self._fault = versioning_fault(self.operation, forgets_versions=self.forgets_versions)
                self._looked = monotonic()
            return self._fault


class Cleaner:
    """Cleans sources, or reports what it would clean."""

    def __init__(
        self,
        operation: Operation,
        holders: Holders,
        *,
        soak: float,
        forgets_versions: bool,
        tables: LakeTables | None = None,
    ) -> None:
        self._operation = operation
        self._ports = operation.dependencies.ports
        self._policy = operation.dependencies.policy
        self._soak = soak
        self._forgets = forgets_versions
        self._holders = holders
        self._cut_over_at = operation.stages.read_stage().cut_over_at
        self._versioning = VersioningWatch(operation, HOLDERS_SECONDS, forgets_versions)
        self._tables = tables
        self._tables_lock = Lock()

    @property
    def holders(self) -> Holders:
        """See the port Remover."""
        return self._holders

    def find_candidates(self, records: Iterable[Record]) -> Iterator[Record]:
        """Those whose sources may still be there."""
        for record in records:
            done = record.state is State.CLEANED and not (self._forgets and _has_version(record))
            if record.mode is Mode.FORWARD and not done and record.state is not State.TOMBSTONE:
                # Looked for here first: a failed listing must end the run, and not be repeated for each object.
                self._lake_tables()
                yield record

    def remove_object(self, record: Record, *, yes: bool) -> Removal:
        """Delete the record's source, or report what would be done; a failure is a result too."""
        source = record.source
        holder = self._holders.holder_of(source)  # a look that fails ends the run
        try:
            blocked = self._held(record, holder)
            if blocked is not None:
                return blocked
            if not yes:
                return self._preview(record)
            control = self._operation.dependencies.control.current()
            if control.paused:
                return held(source, Hold.PAUSED, f"paused: {control.reason}")
            fault = self._versioning.fault()
            if fault is not None:
                return held(source, Hold.VERSIONING, f"versioning: {fault}")
            outcome = at_learned_rate(lambda: self._clean(record), record, self._operation.dependencies)
        except KeyshiftError as error:
            return failed(source, error)
        if outcome.verdict is Verdict.DONE and outcome.state is State.CLEANED and outcome.cause is None:
            return Removal(source.uri, Removed.CLEANED, size=record.size or 0)
        return held_by_outcome(source, outcome)

    def _clean(self, record: Record) -> Outcome:
        operation = self._operation
        if record.state is State.COPIED:
            outcome = clean_source(
                record.record_id, attempt=operation.attempt(), ports=self._ports, policy=self._policy
            )
            if outcome.state is not State.CLEANED or not self._forgets or record.source_version is None:
                return outcome
        return forget_version(
            record.record_id,
            attempt=operation.attempt(),
            ports=self._ports,
            versions=operation.versions,
            policy=self._policy,
        )

    def _preview(self, record: Record) -> Removal:
        cause = None
        if record.state is not State.CLEANED:
            cause = preview_source(record, ports=self._ports, policy=self._policy, now=self._ports.clock.now())
        if cause is not None:
            return held(record.source, cause, told(cause))
        return Removal(record.source.uri, Removed.WOULD_GO, size=record.size or 0)

    def _lake_tables(self) -> LakeTables:
        """The tables of the source, looked for once where they are not given."""
        with self._tables_lock:
            if self._tables is None:
                self._tables = lake_tables_of(self._operation.listing, self._operation.dependencies.rules)
            return self._tables

    def _held(self, record: Record, holder: Holder | None) -> Removal | None:
        """What blocks the source, known without a read of S3; the first reason that applies."""
        source, now = record.source, self._ports.clock.now()
        if holder is not None:
            return held(source, holder.hold, holder.text)
        table = self._lake_tables().table_around(source.key)
        if table is not None:
            return held_by_table(source, table)
        if record.state is State.CLEANED:
            return None
        if record.is_claimed_at(now):
            return held(source, Cause.ATTEMPT_RUNS, "another attempt has it")
        if record.state is not State.COPIED:
            why = f"its record is {record.state.value}" + (f": {record.why}" if record.why else "")
            return held(source, record.state, why)
        if record.verified_at is None:
            return held(source, Cause.NOT_VERIFIED, "it is not verified: keyshift verify")
        left = max(record.verified_at, self._cut_over_at) + self._soak - now
        if left > 0:
            return held(source, Hold.SOAK_TIME, f"soak time: {left:.0f} s to go")
        quiet = record.changed_at + self._operation.longest_claim() - now
        return held_by_quiet_time(source, quiet) if quiet > 0 else None


def lake_tables_of(listing: ObjectListing, rules: CompiledRules) -> LakeTables:
    """The tables of the source that the rules file does not name; reads every key once, by a listing.

    A table's metadata may lie above the source prefix, beside the data that moves: it is looked for there too.
    """
    places = (rules.source_prefix, *metadata_above(rules.source_prefix))
    listed = (one for place in places for one in listing.list_objects(rules.source_bucket, prefix=place))
    return lake_tables((one.key for one in listed), rules.accepted_tables)


def _has_version(record: Record) -> bool:
    return record.source_version is not None or bool(record.maybe)


def begin_cleaning(operation: Operation) -> None:
    """Set the stage to CLEANING before the first delete."""
    operation.advance(Stage.CLEANING, unless=(Stage.CLEANING,), why="cleanup")
