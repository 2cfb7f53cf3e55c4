"""Archived sources: what each parked one waits for, the restores that S3 is asked for, and readable ones sent on."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from domain.errors import KeyshiftError
from domain.lifecycle.archives import Asked, Reading, RestoreStore, hours_of, reading_of
from domain.objects import ObjectState
from domain.planning.restores import ArchiveClass, archive_class
from domain.protocol.causes import Cause
from domain.protocol.record import Record, State
from domain.rules.restoring import RestoreRule
from handlers.operations.operator import Operation
from handlers.operations.parallel import patiently
from handlers.operations.verify import Requeuer

MOST_NAMED = 50
"""Objects of which a pass keeps the reason; the rest is counted."""


@dataclass(frozen=True, slots=True)
class ArchivedSource:
    """A parked record and its source now; ``why`` it could not be read, empty otherwise."""

    record: Record
    seen: ObjectState | None
    why: str = ""


@dataclass(slots=True)
class ArchivePass:
    """What one look at all archived sources found, and did; sizes in bytes, ``dollars`` by the prices of the plan.

    ``asked`` are restores that this pass began, or would begin, and ``left`` those for which there was no room.
    """

    waiting: Counter[ArchiveClass] = field(default_factory=Counter)
    size: int = 0
    restoring: int = 0
    readable: int = 0
    gone: int = 0
    asked: Counter[ArchiveClass] = field(default_factory=Counter)
    asked_size: Counter[ArchiveClass] = field(default_factory=Counter)
    left: int = 0
    hours: int = 0
    failed: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Whether no source waits for its restore, or for a worker."""
        return not self.waiting and not self.restoring and not self.readable and not self.failed

    @property
    def goes_on(self) -> bool:
        """Whether a later look will find something else: what only failed fails again."""
        return bool(self.restoring or self.readable or self.asked.total())

    def fail(self, source: ArchivedSource, why: str) -> None:
        """Count a source that could not be read or restored."""
        self.failed += 1
        if len(self.failures) < MOST_NAMED:
            self.failures.append((source.record.source.uri, why))


class ArchiveDesk:
    """Looks at archived sources, and has them restored as the rules file says."""

    def __init__(self, operation: Operation, restores: RestoreStore, *, threads: int) -> None:
        self._operation = operation
        self._restores = restores
        self._threads = threads
        self._sleep = operation.dependencies.sleep
        self._sent: set[str] = set()

    def find_archived(self) -> Iterator[ArchivedSource]:
        """Every source that was parked because it is archived, as it is now, in no particular order."""
        records = self._operation.dependencies.ports.manifest.scan_records()
        parked = (one for one in records if one.state is State.PARKED and one.cause is Cause.ARCHIVED)
        for found in self._operation.parallel(self._threads).map(self._look, parked):
            yield from found

    def look(self, rule: RestoreRule | None, *, act: bool) -> ArchivePass:
        """Look at all of them once.

        With a ``rule`` as many restores are begun as it has room for: those under way count, so at most
        ``rule.at_most`` are under way. A readable source is sent to the workers, once in the life of this desk.
        Without ``act`` nothing is done, and the pass says what would be.
        """
        done = ArchivePass()
        requeuer = Requeuer(self._operation.dependencies)
        candidates: list[ArchivedSource] = []
        for one in self.find_archived():
            if one.why:
                done.fail(one, one.why)
                continue
            match reading_of(one.seen):
                case Reading.GONE:
                    done.gone += 1
                    self._send_on(one, requeuer, act=act)
                case Reading.READABLE:
                    done.readable += 1
                    self._send_on(one, requeuer, act=act)
                case Reading.RESTORING:
                    done.restoring += 1
                case Reading.ARCHIVED:
                    self._note(one, done)
                    if rule is not None and len(candidates) < rule.at_most:
                        candidates.append(one)
        requeuer.flush()
        if rule is not None:
            self._restore(candidates, rule, done, act=act)
        return done

    def _look(self, record: Record) -> list[ArchivedSource]:
        try:
            return patiently(lambda: self._seen(record), sleep=self._sleep)
        except KeyshiftError as error:
            return [ArchivedSource(record, None, str(error))]

    def _seen(self, record: Record) -> list[ArchivedSource]:
        """The source, or each archived version from the one on that the record waits for: all are restored at once."""
        ports, source = self._operation.dependencies.ports, record.source
        if ports.history is None or not record.cause_detail:
            return [ArchivedSource(record, ports.store.look_at_object(source))]
        versions = ports.history.list_versions(source, since=record.cause_detail)
        ids = [one.version_id for one in versions if not one.is_marker]
        if record.cause_detail not in ids:
            return [ArchivedSource(record, None)]
        first, *later = (ports.store.look_at_object(source, version_id=one) for one in ids)
        waiting = (one for one in later if reading_of(one) in (Reading.ARCHIVED, Reading.RESTORING))
        return [ArchivedSource(record, one) for one in (first, *waiting)]

    def _send_on(self, one: ArchivedSource, requeuer: Requeuer, *, act: bool) -> None:
        """Let a worker look again: it copies what is readable, and settles what is gone."""
        if act and one.record.record_id not in self._sent:
            self._sent.add(one.record.record_id)
            requeuer.add_key(one.record.source.key)

    def _note(self, one: ArchivedSource, done: ArchivePass) -> None:
        if one.seen is not None:
            done.waiting[archive_class(one.seen)] += 1
            done.size += one.seen.size

    def _restore(self, candidates: list[ArchivedSource], rule: RestoreRule, done: ArchivePass, *, act: bool) -> None:
        room = max(0, rule.at_most - done.restoring)
        begun = candidates[:room]
        done.left = done.waiting.total() - len(begun)
        answers = self._operation.parallel(self._threads).map(lambda one: self._ask(one, rule, act=act), begun)
        for one, answer in zip(begun, answers, strict=True):
            if not isinstance(answer, Asked):
                done.fail(one, answer)
            elif answer is Asked.BEGUN and one.seen is not None:
                kind = archive_class(one.seen)
                done.asked[kind] += 1
                done.asked_size[kind] += one.seen.size
                done.hours = max(done.hours, hours_of(one.seen, rule.tier) or 0)

    def _ask(self, one: ArchivedSource, rule: RestoreRule, *, act: bool) -> Asked | str:
        """S3's answer, or why it was not asked."""
        seen, source = one.seen, one.record.source
        if seen is None:
            return Asked.GONE
        if hours_of(seen, rule.tier) is None:
            return f"{archive_class(seen)} offers no expedited retrieval: write `restore: {{tier: standard}}`, or bulk"
        if not act:
            return Asked.BEGUN
        try:
            return patiently(lambda: self._restores.restore_object(source, seen=seen, rule=rule), sleep=self._sleep)
        except KeyshiftError as error:
            return str(error)
