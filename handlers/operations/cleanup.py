"""Cleanup: sources are deleted one by one, each only if it is proven safe and nothing blocks it."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock

from domain.errors import KeyshiftError
from domain.lifecycle.census import Expected, expected_of
from domain.lifecycle.gates import DEFAULT_LIMITS, queue_gates, source_gates
from domain.lifecycle.stages import Stage, advanced, stage_fault
from domain.protocol.attempt import Outcome, Verdict
from domain.protocol.cleanup import clean_source, preview_source
from domain.protocol.cleanup_versions import forget_version
from domain.protocol.record import Mode, Record, State
from handlers.operations.cutover import Listed, compare, step_guarded
from handlers.operations.operator import Holders, Operation, Shut
from handlers.operations.parallel import patiently
from handlers.operations.status import Lookout

HOLDERS_SECONDS = 600.0
"""Applications still write: the holders of objects are read again after so many seconds."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The result for one source: ``verdict`` is would-go, cleaned, held or failed."""

    source: str
    verdict: str
    why: str = ""
    size: int = 0


@dataclass(slots=True)
class CleanupTally:
    """Counts the results; ``reasons`` counts why sources are blocked, by the first words."""

    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    bytes_gone: int = 0

    def add(self, one: Cleaned) -> None:
        """Count one result."""
        self.verdicts[one.verdict] += 1
        if one.why:
            self.reasons[one.why.partition(":")[0]] += 1
        if one.verdict in ("cleaned", "would-go"):
            self.bytes_gone += one.size


def refuse_cleanup(operation: Operation, *, forgets_versions: bool = False) -> Shut | None:
    """Why nothing may be cleaned at all, or ``None``."""
    fault = stage_fault(operation.stages.read_stage().stage, Stage.CLEANING)
    if fault is not None:
        return Shut(fault)
    control = operation.control()
    if control.paused:
        return Shut(f"the migration is paused ({control.reason}): keyshift resume first")
    fault = versioning_fault(operation, forgets_versions=forgets_versions)
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
            " itself, and --versions would bring an older version to light. Leave --versions away"
        )
    if rules.unversioned_source != "refuse":
        return None
    what = "keeps no versions"
    if versioning == "Suspended":
        what = "has its versioning suspended, so a delete destroys what was written since, as without versions"
    return (
        f"bucket {bucket} {what} (versioning is {versioning}): an owner who puts the same bytes with other metadata at"
        " the very moment of a delete would lose them. Switch versioning on, or fence the bucket's producers with a"
        " bucket policy and say `cleanup: {unversioned_source: fenced}` in the rules file, or accept it there with"
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

    def __init__(self, operation: Operation, *, soak: float, forgets_versions: bool) -> None:
        self._operation = operation
        self._ports = operation.dependencies.ports
        self._policy = operation.dependencies.policy
        self._soak = soak
        self._forgets = forgets_versions
        self._holders = Holders(operation, HOLDERS_SECONDS, self._ports.clock.monotonic)
        self._cut_over_at = operation.stages.read_stage().cut_over_at
        self._versioning = VersioningWatch(operation, HOLDERS_SECONDS, forgets_versions)

    def cleaned(self, *, yes: bool, threads: int, per_second: float | None) -> Iterator[Cleaned]:
        """Every source that was, or is to be, deleted, in no particular order; a later run resumes a stopped one."""
        at_once = self._operation.parallel(threads, per_second if yes else None)
        yield from at_once.map(lambda record: self._one(record, yes=yes), self._candidates())

    def _candidates(self) -> Iterator[Record]:
        for record in self._ports.manifest.scan_records():
            done = record.state is State.CLEANED and not (self._forgets and _has_version(record))
            if record.mode is Mode.FORWARD and not done and record.state is not State.TOMBSTONE:
                # The holders are read here first: a failed read must end the run, and not be repeated for each object.
                self._holders.holder_of(record.source)
                yield record

    def _one(self, record: Record, *, yes: bool) -> Cleaned:
        try:
            why = self._held(record)
            if why is not None:
                return Cleaned(record.source.uri, "held", why)
            if not yes:
                why = self._preview(record)
                return Cleaned(record.source.uri, "held" if why else "would-go", why or "", record.size or 0)
            control = self._operation.dependencies.control.current()
            if control.paused:
                return Cleaned(record.source.uri, "held", f"paused: {control.reason}")
            fault = self._versioning.fault()
            if fault is not None:
                return Cleaned(record.source.uri, "held", f"versioning: {fault}")
            outcome = patiently(lambda: self._clean(record), sleep=self._operation.dependencies.sleep)
        except KeyshiftError as error:
            return Cleaned(record.source.uri, "failed", f"{error.cause}: {error}")
        if outcome.verdict is Verdict.DONE and outcome.state is State.CLEANED and outcome.cause is None:
            return Cleaned(record.source.uri, "cleaned", "", record.size or 0)
        return Cleaned(record.source.uri, "held", outcome.reason)

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

    def _preview(self, record: Record) -> str | None:
        if record.state is State.CLEANED:
            return None
        return preview_source(record, ports=self._ports, now=self._ports.clock.now())

    def _held(self, record: Record) -> str | None:
        """What blocks the source, known without a read of S3; the first reason that applies."""
        now, holder = self._ports.clock.now(), self._holders.holder_of(record.source)
        if holder is not None:
            return holder
        if record.state is State.CLEANED:
            return None
        if record.claim is not None and record.claim.deadline >= now:
            return "another attempt has it"
        if record.state is not State.COPIED:
            return f"its record is {record.state.value}" + (f": {record.why}" if record.why else "")
        if record.verified_at is None:
            return "it is not verified: keyshift verify"
        left = max(record.verified_at, self._cut_over_at) + self._soak - now
        if left > 0:
            return f"soak time: {left:.0f} s to go"
        quiet = record.changed_at + self._operation.longest_claim() - now
        if quiet > 0:
            return f"quiet time: changed lately, {quiet:.0f} s to go"
        return None


def _has_version(record: Record) -> bool:
    return record.source_version is not None or bool(record.maybe)


def begin_cleaning(operation: Operation) -> None:
    """Set the stage to CLEANING before the first delete."""
    now = operation.dependencies.ports.clock.now()
    operation.change_stage(
        lambda before: (
            before
            if before.stage is Stage.CLEANING
            else advanced(before, Stage.CLEANING, by=operation.by, why="cleanup", now=now)
        )
    )


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What may be left at the end: sources that are blocked (``keep_rest``), and so many live messages in a queue."""

    keep_rest: bool = False
    most_waiting: int = DEFAULT_LIMITS.most_waiting


def finish_migration(
    operation: Operation,
    lookout: Lookout,
    *,
    objects: Listed,
    allowed: Leftovers,
    seen: Callable[[], None] = lambda: None,
) -> Shut | None:
    """Set the stage to DONE, if no source that the rules moved is left to clean; it cannot be undone.

    With ``keep_rest``, blocked sources may stay where they are, as long as no attempt is unfinished. A source without a
    record does not count as blocked: it was never moved. ``objects`` are those of both buckets. Messages in a queue or
    a dead-letter queue may concern any source. Returns why the migration is not finished, or ``None``.
    """
    fault = stage_fault(operation.stages.read_stage().stage, Stage.DONE)
    with operation.census_book() as book:
        left, example = 0, ""

        def counted() -> Iterator[Expected]:
            nonlocal left, example
            for record in operation.dependencies.ports.manifest.scan_records():
                seen()
                if record.is_unfinished or not (record.state in (State.CLEANED, State.TOMBSTONE) or allowed.keep_rest):
                    left += 1
                    example = example or f"{record.source.uri} ({record.state.value})"
                yield from expected_of(record)

        book.add_expected(counted())
        if left:
            why = f"{left:,} records are not cleaned, such as {example}: keyshift cleanup says what holds each one"
            return Shut(why)
        if fault is not None:
            return Shut(fault)
        gates = source_gates(compare(operation, book, objects, most_lag=0.0, seen=seen))
    depths = lookout.look(exact=False).queues
    gates += queue_gates(
        {name: (one.waiting, one.in_work, one.dead) for name, one in depths.items()}, allowed.most_waiting
    )
    shut = next((gate for gate in gates if gate.holds), None)
    if shut is None:
        why = "the sources that are left stay" if allowed.keep_rest else "every source is cleaned"
        shut = next((gate for gate in step_guarded(operation, Stage.DONE, why=why)[0] if gate.holds), None)
    return Shut(f"{shut.name}: {shut.says}: {shut.remedy}") if shut is not None else None
