"""Operators with their commands: verify, dlq, pause and resume, cleanup and rollback with all their gates."""

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

from domain.errors import KeyshiftError
from domain.keys import Location
from domain.lifecycle.stages import Stage
from domain.lifecycle.verification import Finding
from domain.protocol.causes import Cause
from domain.protocol.ports import RecordPages
from domain.protocol.record import State
from domain.runs.ports import RunBook
from domain.runs.works import Work
from domain.steering.control import BREAKER, paused
from handlers.operations.cleanup import Cleaner, begin_cleaning, refuse_cleanup
from handlers.operations.conflicts import ConflictDesk
from handlers.operations.control import pause_migration, resume_migration
from handlers.operations.dead_letters import HeldLetters, read_letter
from handlers.operations.operator import Operation, Shut
from handlers.operations.redrive import Chosen, Replayed, move_all, purge_letters, replay_letters
from handlers.operations.removals import Hold, Removal, Removed
from handlers.operations.rollback import BACKWARD
from handlers.operations.verify import Requeuer, Verifier, held_references
from tests.simulation.whole.actors import POLL_SECONDS
from tests.simulation.whole.ports_manifest import SimulatedManifest
from tests.simulation.whole.ports_operations import SimulatedDeadLetters
from tests.simulation.whole.reports import both_sides
from tests.simulation.whole.run_commands import (
    clean_by_functions,
    preview_by_functions,
    purge_by_functions,
    roll_back_by_functions,
    verify_by_functions,
)
from tests.simulation.whole.scheduler import Process
from tests.simulation.whole.site import Site
from tests.simulation.whole.truth import KeyTruth
from tests.worlds.cleaned import clean_all
from tests.worlds.holders import own_holders
from tests.worlds.rolled_back import Rolled, purge_all, roll_back_all

PAUSE_SECONDS = 60.0
PASSING = frozenset({Hold.QUIET_TIME, Hold.SOAK_TIME, Cause.ATTEMPT_RUNS, Cause.BUSY})
"""What holds a source only for a while."""
BUSY = frozenset({Hold.QUIET_TIME, Cause.BUSY, Cause.ROLLBACK_UNFINISHED})
"""What holds a copy only for a while."""
MOST_PASSES = 20
PREVIEWS = 0.3
"""How often functions do a dry run before a cleanup."""
BY_FUNCTIONS = 0.7
"""How often functions verify, where there are some: they read no object's bytes, so now and then a command must."""
TRIPPED_SECONDS = (600.0, 1_500.0)
"""Longer than a message that counts every receive would survive."""


def until_answered(process: Process, job: Callable[[], object]) -> None:
    """Again and again, as an operator does who is told of an error."""
    while True:
        try:
            job()
        except KeyshiftError:
            process.sleep(POLL_SECONDS)
        else:
            return


# Verification
def verify_once(site: Site, process: Process, *, requeue: bool) -> list[Finding]:
    """``keyshift verify --deep``, every record, every reference and every key of both sides; or ``--engine``."""
    operation = site.operation(process)
    requeuer = Requeuer(operation.dependencies)
    # During a pause functions leave a verification alone.
    if site.plan.engine and not site.panel.control.paused and site.random.random() < BY_FUNCTIONS:
        found = verify_by_functions(site, process)
    else:
        found = _verify_here(site, operation)
    if requeue:
        for finding in found:
            requeuer.add(finding)
        requeuer.flush()
    return found


def _verify_here(site: Site, operation: Operation) -> list[Finding]:
    found: list[Finding] = []
    with operation.key_book() as book:
        verifier = Verifier(operation.dependencies, book=book, reader=operation.reader, marks=True)
        for record in operation.dependencies.ports.manifest.scan_records():
            book.add_pairs(iter([(record.source, record.target)]))
            found.append(verifier.verify_record(record))
        found += held_references(operation.finders)
        for bucket, listed in both_sides(site, operation):
            stray = verifier.verify_key(Location(bucket, listed.key))
            found += [stray] if stray is not None else []
    return found


def verifies(site: Site, process: Process) -> None:
    """Verification in the middle of it all, sometimes with ``--requeue``."""
    while not site.closing:
        process.sleep(site.random.uniform(20, 300))
        try:
            verify_once(site, process, requeue=site.random.random() < 0.5)
        except KeyshiftError:
            process.sleep(POLL_SECONDS)


def requeues(site: Site, process: Process) -> None:
    """``verify --requeue`` until a run has ended."""
    until_answered(process, lambda: verify_once(site, process, requeue=True))


def says_what_is(site: Site, process: Process) -> None:
    """The verification whose word is compared with the truth."""
    while site.findings is None:
        try:
            site.findings = verify_once(site, process, requeue=False)
        except KeyshiftError:
            process.sleep(POLL_SECONDS)


# Conflicts
def decides(site: Site, process: Process) -> None:
    """``conflicts take-source`` of what is in conflict, and of keys whose copies may have been taken away."""
    while not site.closing:
        process.sleep(site.random.uniform(5, 80))
        if getattr(site.scheduler.dice, "calm", True):
            return  # after the last rewriting it would be too late
        with suppress(KeyshiftError):
            decide_once(site, process, chance=0.7)


def decide_once(site: Site, process: Process, *, chance: float) -> None:
    """Look, decide what is in the way, and send what was decided."""
    operation = site.operation(process)
    desk, requeuer = ConflictDesk(operation), Requeuer(operation.dependencies)
    if desk.refuse() is not None:
        return
    shown = list(desk.find_conflicts(threads=2))
    shown += [desk.conflict_of(key.source.key) for key in site.truth.keys.values() if _may_be_copied(site, key)]
    for one in shown:
        if site.random.random() < chance:
            replacing = one.target.etag if one.target is not None else None
            site.truth.gives_up(site.truth.keys[one.record.source], replacing or "")
            if desk.decide(one, replacing=replacing, why="whole", yes=True).outcome == "taken":
                requeuer.add_key(one.record.source.key)
    requeuer.flush()


def _may_be_copied(site: Site, key: KeyTruth) -> bool:
    record = site.manifest.records.get(key.source.record_id)
    return record is not None and record.state is State.COPIED and site.random.random() < 0.2


# Dead letters
def replays_the_dead(site: Site, process: Process) -> None:
    """``dlq replay`` and ``dlq purge`` of what nobody can read, whenever the alarm of a dead-letter queue rings."""
    while not site.closing:
        process.sleep(120.0)
        if not site.plan.on_call and not site.is_calm:
            continue
        for name, letters in site.letters.items():
            if letters.source.dead:
                try:
                    _look_after(site, process, name)
                except KeyshiftError:
                    process.sleep(POLL_SECONDS)


def _look_after(site: Site, process: Process, name: str) -> None:
    dependencies = site.dependencies(process)
    queue = SimulatedDeadLetters(process, site, site.letters[name], name)
    if site.random.random() < 0.3:
        move_all({name: queue}, rate=None, really=True, say=lambda _: None, sleep=process.sleep)
        return
    with HeldLetters(queue, limit=100) as held:
        letters = [read_letter(one, name, dependencies) for one in held.letters()]
        unreadable = [one for one in letters if one.cause == "malformed-message"]
        purge_letters(Chosen(queue, held, unreadable))
        rest = [one for one in letters if one not in unreadable]
        rate = site.random.choice((None, 5))
        replay_letters(Chosen(queue, held, rest), Replayed(), rate=rate, really=True, sleep=process.sleep)


# Pause and resume
def pauses(site: Site, process: Process) -> None:
    """``pause``, and ``resume`` a minute later; killed in between, the operator does both again."""
    operation = site.operation(process)
    panel, mappings = operation.panel, operation.mappings
    until_answered(process, lambda: pause_migration(panel, mappings, reason="whole", by="operator", now=process.now))
    process.sleep(PAUSE_SECONDS)
    resumes(site, process)


def resumes(site: Site, process: Process) -> None:
    """``resume``, unless the migration is rolled back, which keeps it paused."""
    operation = site.operation(process)
    if site.stages.entry.stage not in BACKWARD:
        until_answered(
            process, lambda: resume_migration(operation.panel, operation.mappings, by="operator", now=process.now)
        )


def trips(site: Site, process: Process) -> None:
    """The circuit breaker pauses, which leaves Lambda's pollers on; an operator resumes when he has found the cause."""
    panel = site.operation(process).panel

    def trip() -> None:
        before = panel.read_control()
        if not before.paused:
            after = paused(before, reason="whole", by=BREAKER, now=process.now())
            panel.write_control(after, before=before)

    until_answered(process, trip)
    process.sleep(site.random.uniform(*TRIPPED_SECONDS))
    resumes(site, process)


# Cleanup
def clean_by_command(site: Site, process: Process) -> list[Removal]:
    """``keyshift cleanup --yes``."""
    if site.plan.engine:
        if site.random.random() < PREVIEWS:
            _preview(site, process)
        return clean_by_functions(site, process)
    return _clean_here(site, process)


def _preview(site: Site, process: Process) -> None:
    """``keyshift cleanup``; what it shows as free was proven when it looked."""
    for one in preview_by_functions(site, process):
        if one.verdict not in (Removed.WOULD_GO, Removed.HELD, Removed.FAILED):
            site.truth.broken.append(("", f"a dry run says {one.verdict} of {one.source}"))


def _clean_here(site: Site, process: Process) -> list[Removal]:
    operation = site.operation(process)
    if refuse_cleanup(operation) is not None:
        return []
    site.passes[process] = site.scheduler.time
    holders = own_holders(operation, SimulatedManifest(process, site))
    cleaner = Cleaner(operation, holders, soak=0.0, forgets_versions=site.plan.forgets and site.plan.versioned)
    begin_cleaning(operation)
    return clean_all(operation, cleaner, threads=2)


def cleans_by_command(site: Site, process: Process) -> None:
    """The command again and again, whatever the verification has proven by then."""
    while not site.closing:
        try:
            clean_by_command(site, process)
        except KeyshiftError:
            process.sleep(POLL_SECONDS)
        process.sleep(60.0)


def finishes_by_command(site: Site, process: Process) -> None:
    """Verification and cleanup in turn, until a pass cleans nothing and nothing has to wait any more.

    A locked source is claimed and left by every cleanup, so for another one its record is never quiet for long.
    """
    for _ in count() if site.properties is None else range(MOST_PASSES):
        try:
            verify_once(site, process, requeue=True)
            since = site.scheduler.time
            done = clean_by_command(site, process)
        except KeyshiftError:
            process.sleep(POLL_SECONDS)
            continue
        if not any(one.verdict in (Removed.CLEANED, Removed.FAILED) or one.reason in PASSING for one in done):
            if site.run_promises.has_begun_since(Work.CLEANUP, since):
                _check_nothing_is_left(site, process)
            elif site.plan.engine and done:
                continue  # a run that was joined had passed what has been verified since
            return
        process.sleep(90.0)


def _check_nothing_is_left(site: Site, process: Process) -> None:
    """A pass that knows neither runs nor slices removes nothing more."""
    for one in _clean_here(site, process):
        if one.verdict is Removed.CLEANED:
            site.run_promises.left(Work.CLEANUP, one.source)


# Archives
def restores(site: Site, process: Process) -> None:
    """An operator restores whatever is archived, as long as anything is."""
    while not site.closing and site.properties is not None:
        site.properties.restore_all()
        process.sleep(PAUSE_SECONDS)


# Rollback
def _shared(site: Site, process: Process) -> tuple[RecordPages, RunBook]:
    """The manifest's pages, and the runs in the manifest table."""
    book: Any = site.asked(process, site.runs, "runs")
    return SimulatedManifest(process, site), book


def rolls_back_by_command(site: Site, process: Process) -> None:
    """``keyshift rollback --yes`` until the stage says that it has ended; what another process left is joined."""
    operation, pages, book = site.operation(process), *_shared(site, process)
    while True:
        try:
            if site.plan.engine:
                done: Rolled | Shut | None = roll_back_by_functions(site, process)
            else:
                done = roll_back_all(operation, pages, book=book)
        except KeyshiftError:
            process.sleep(20.0)
            continue
        if isinstance(done, Shut) or site.stages.entry.stage is Stage.ROLLED_BACK:
            return
        process.sleep(20.0)


def purges_by_command(site: Site, process: Process) -> None:
    """``keyshift rollback --purge-copies --yes``, until nothing has failed, or references say no."""
    operation, pages, book = site.operation(process), *_shared(site, process)
    while True:
        since = site.scheduler.time
        try:
            answer = purge_by_functions(site, process) if site.plan.engine else purge_all(operation, pages, book=book)
            done = [] if isinstance(answer, Shut) else answer
            left = [one for one in done if one.verdict is Removed.FAILED or one.reason in BUSY]
        except KeyshiftError:
            process.sleep(20.0)
            continue
        if isinstance(answer, Shut) and "references" in answer.why:
            return
        if not isinstance(answer, Shut) and not left:
            if site.run_promises.has_begun_since(Work.PURGE, since):
                _check_nothing_is_purged(site, operation, pages)
            return
        process.sleep(60.0)


def _check_nothing_is_purged(site: Site, operation: Operation, pages: RecordPages) -> None:
    answer = purge_all(operation, pages)
    for one in answer if not isinstance(answer, Shut) else ():
        if one.verdict is Removed.PURGED:
            site.run_promises.left(Work.PURGE, one.source)
