"""What the simulation found in our own code, one test for each, so that it stays found."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TypeVar

import pytest

from domain.errors import AccessDeniedError, ThrottledError, UnavailableError
from domain.keys import Location, Sequencer
from domain.lifecycle.stages import Stage
from domain.lifecycle.verification import Difference
from domain.objects import ObjectState
from domain.protocol.attempt import Attempt, MigrationPolicy, MigrationPorts, Verdict
from domain.protocol.causes import Cause
from domain.protocol.cleanup import clean_source
from domain.protocol.migration import migrate_object
from domain.protocol.notices import Destination, Notice, NoticeKind
from domain.protocol.record import Mode, State
from domain.protocol.rollback import roll_back_object
from domain.runs.works import Work
from handlers.operations.cleanup import begin_cleaning
from handlers.operations.operator import Shut
from handlers.operations.removals import Removal, Removed
from handlers.operations.rollback_run import RolledBack
from tests.fakes.clock import FakeClock
from tests.fakes.manifest import InMemoryManifest
from tests.fakes.object_store import InMemoryObjectStore
from tests.fakes.runs import InMemoryRunBook
from tests.simulation.whole.actors import employ, works_on
from tests.simulation.whole.dice import SeededDice
from tests.simulation.whole.operators import verify_once
from tests.simulation.whole.people import People
from tests.simulation.whole.plans import Plan
from tests.simulation.whole.ports_manifest import SimulatedManifest
from tests.simulation.whole.scheduler import Process
from tests.simulation.whole.site import LONGEST_CLAIM, REQUEST_SECONDS, Site
from tests.worlds.rolled_back import SEGMENTS, Rolled, purge_all, roll_back_all

Answer = TypeVar("Answer")
SOURCE, TARGET = Location("legacy", "old/a"), Location("renewed", "new/a")


class World:
    """One key, whose versions are kept or not, and whose target may be encrypted."""

    def __init__(self, *, encrypted: bool = False, versioned: bool = True) -> None:
        self.clock = FakeClock()
        self.store = InMemoryObjectStore(self.clock)
        self.store.create_bucket(SOURCE.bucket, versioned=versioned)
        self.store.create_bucket(TARGET.bucket, kms=encrypted)
        self.manifest = InMemoryManifest()
        self.ports = MigrationPorts(self.store, self.store, self.manifest, self.clock)
        self.policy = MigrationPolicy(encrypts_targets=lambda: encrypted)
        self._words = 0

    def attempt(self) -> Attempt:
        """An attempt that nobody else has."""
        self._words += 1
        return Attempt(f"t{self._words}", 60.0)

    def owner_puts(self, body: bytes) -> ObjectState:
        """An owner writes, and the event is handled."""
        state = self.store.put(SOURCE, body)
        self.notice(NoticeKind.CREATED, state.etag)
        return state

    def notice(self, kind: NoticeKind, etag: str | None = None) -> None:
        """Handle one event."""
        self._words += 1
        notice = Notice(kind, SOURCE, etag, sequencer=Sequencer(f"{self._words:018x}"))
        migrate_object(
            notice, destination=Destination(TARGET, "r"), attempt=self.attempt(), ports=self.ports, policy=self.policy
        )

    def clean(self) -> Verdict:
        """Clean up the source, as far as it goes."""
        try:
            return clean_source(
                SOURCE.record_id, attempt=self.attempt(), ports=self.ports, policy=self.policy, need_proof=False
            ).verdict
        except (ThrottledError, UnavailableError):
            return Verdict.RETURN

    def state(self) -> State:
        """What the record says."""
        return self.manifest.records[SOURCE.record_id].state


def test_cleanup_goes_on_with_what_an_earlier_cleanup_could_not_end() -> None:
    """The delete was done and its commit was not: the next cleanup says CLEANED, and nothing stays unfinished."""
    world = World()
    world.owner_puts(b"a")
    world.manifest.fail_next(ThrottledError("slow"), call="read_record")
    assert world.clean() is Verdict.RETURN
    world.store.fail_next(UnavailableError("no answer"), call="delete_object", when="after")
    assert world.clean() is Verdict.RETURN
    assert world.manifest.records[SOURCE.record_id].is_unfinished
    world.clock.advance(10_000)
    assert world.clean() is Verdict.DONE
    assert world.state() is State.CLEANED
    assert not world.manifest.records[SOURCE.record_id].is_unfinished


def test_a_cleanup_that_leaves_its_source_leaves_the_record_free() -> None:
    """A source that changed is kept, and nobody has to wait for the claim to end (a surviving mutant)."""
    world = World()
    world.owner_puts(b"a")
    world.store.put(SOURCE, b"b")
    assert world.clean() is Verdict.DONE
    record = world.manifest.records[SOURCE.record_id]
    assert record.claim is None
    assert record.intent is None
    assert world.store.body(SOURCE) == b"b"


def test_rollback_restores_a_source_that_was_cleaned_twice() -> None:
    """The marker of the first cleanup is not taken for that of the second, whose answer was lost."""
    world = World()
    world.owner_puts(b"a")
    assert world.clean() is Verdict.DONE
    world.owner_puts(b"b")
    world.store.fail_next(UnavailableError("lost"), call="delete_object", when="after")
    assert world.clean() is Verdict.RETURN
    world.clock.advance(10_000)
    roll_back_object(SOURCE, TARGET, attempt=world.attempt(), ports=world.ports, policy=world.policy)
    assert world.store.body(SOURCE) == b"b"
    assert world.state() is State.ROLLED_BACK


def test_a_hidden_version_is_recognised_at_an_encrypted_target() -> None:
    """Its copy landed and the answer was lost: the next attempt knows it by its checksum, and there is no conflict."""
    world = World(encrypted=True)
    world.owner_puts(b"a")
    world.clock.advance(100)
    # Put in the moment of a cleanup that did not see it; its event comes late.
    state = world.store.put(SOURCE, b"a", metadata={"put": "again"})
    hidden = world.store.remove(SOURCE)
    record = world.manifest.records[SOURCE.record_id]
    world.manifest.records[SOURCE.record_id] = replace(record, state=State.CLEANED, marker_version=hidden)
    world.store.fail_next(UnavailableError("lost"), call="copy_object", when="after")
    try:
        world.notice(NoticeKind.CREATED, state.etag)
    except UnavailableError:
        world.clock.advance(10_000)
    world.notice(NoticeKind.CREATED, state.etag)
    copied = world.store.look_at_object(TARGET)
    assert copied is not None
    assert copied.metadata == {"put": "again"}
    assert world.state() is State.CLEANED


def cleaned(*, versioned: bool) -> World:
    """A world whose source our cleanup has deleted."""
    world = World(versioned=versioned)
    world.owner_puts(b"a")
    assert world.clean() is Verdict.DONE
    assert world.state() is State.CLEANED
    return world


@pytest.mark.parametrize(("versioned", "end"), [(True, State.ROLLED_BACK), (False, State.ROLLBACK_CONFLICT)])
def test_a_conflict_does_not_forget_that_cleanup_deleted_the_source(versioned: bool, end: State) -> None:
    """Somebody deletes the copy, and whatever is heard later, rollback removes our marker, or says it cannot.

    The record became GONE, or a conflict that did not know of the cleanup: rollback said ROLLED_BACK, and the source
    stayed deleted (seed 5231).
    """
    world = cleaned(versioned=versioned)
    world.store.remove(TARGET)
    for _ in range(2):
        world.notice(NoticeKind.LISTED)
        assert world.state() is State.CONFLICT
        assert "deleted by another writer" in world.manifest.records[SOURCE.record_id].why
    roll_back_object(SOURCE, TARGET, attempt=world.attempt(), ports=world.ports, policy=world.policy)
    assert world.state() is end
    assert world.store.body(SOURCE) == (b"a" if versioned else None)


def test_a_cleaned_object_that_was_parked_keeps_its_copy() -> None:
    """A denied look parks it; the late event of our own delete must not be taken for its owner's then."""
    world = cleaned(versioned=False)
    world.store.fail_next(AccessDeniedError("key policy"), call="look_at_object")
    world.notice(NoticeKind.LISTED)
    assert world.state() is State.PARKED
    world.notice(NoticeKind.REMOVED)
    assert world.store.body(TARGET) == b"a"
    assert world.state() is State.CLEANED


def test_a_conflict_that_cannot_be_looked_at_stays_a_conflict() -> None:
    """What a new-layout owner deleted is not brought back because a look was denied in between."""
    world = World()
    world.owner_puts(b"a")
    world.store.remove(TARGET)
    world.notice(NoticeKind.LISTED)
    assert world.state() is State.CONFLICT
    world.store.fail_next(AccessDeniedError("key policy"), call="look_at_object")
    world.notice(NoticeKind.LISTED)
    world.notice(NoticeKind.LISTED)
    assert world.store.body(TARGET) is None
    assert world.state() is State.CONFLICT


def test_a_cleanup_that_meets_a_conflict_knows_of_the_one_before() -> None:
    """The delete was done, its answer lost, the copy deleted by somebody: our marker still goes at a rollback."""
    world = World()
    world.owner_puts(b"a")
    world.store.fail_next(UnavailableError("lost"), call="delete_object", when="after")
    assert world.clean() is Verdict.RETURN
    world.clock.advance(10_000)
    world.store.remove(TARGET)
    assert world.clean() is Verdict.DONE
    assert world.state() is State.CONFLICT
    roll_back_object(SOURCE, TARGET, attempt=world.attempt(), ports=world.ports, policy=world.policy)
    assert world.store.body(SOURCE) == b"a"


class Operators:
    """Two keys of a migration in memory, and what operators do in it, one command at a time."""

    def __init__(self) -> None:
        random = Random(1)
        dice = SeededDice(random, 0.0, REQUEST_SECONDS, 0.0, calm=True)
        self.site = Site(Plan(1, keys=2, other_bucket=True), dice, random)
        self.keys = list(self.site.truth.keys.values())
        self.book = InMemoryRunBook()
        people = People(self.site)
        for key in self.keys:
            people.put(key, tell=False)

    def migrate(self, process: Process, number: int) -> None:
        """One worker's work on one key."""
        key, dependencies = self.keys[number], self.site.dependencies(process)
        migrate_object(
            Notice(NoticeKind.LISTED, key.source),
            destination=Destination(key.target, "move"),
            attempt=self.site.attempt(),
            ports=dependencies.ports,
            policy=dependencies.policy,
        )

    def roll_back(self, process: Process) -> RolledBack:
        """``keyshift rollback --yes``."""
        rolled = roll_back_all(self.site.operation(process), SimulatedManifest(process, self.site), book=self.book)
        assert isinstance(rolled, Rolled), rolled
        return rolled.done

    def together(self, *bodies: Callable[[Process], Answer]) -> list[Answer]:
        """What each of them answers."""
        answers = dict[int, Answer]()

        def begin(number: int, body: Callable[[Process], Answer]) -> Process:
            return self.site.scheduler.spawn(f"p{number}", lambda own: answers.update({number: body(own)}))

        processes = [begin(number, body) for number, body in enumerate(bodies)]
        self.site.scheduler.run(until=lambda: all(one.done for one in processes), at_most=10_000)
        return [answers[number] for number in range(len(bodies))]

    def stage(self) -> Stage:
        """The migration's."""
        return self.site.stages.entry.stage

    def modes(self) -> list[Mode]:
        """Of all records."""
        return [record.mode for record in self.site.manifest.records.values()]


def test_what_a_late_worker_writes_is_rolled_back_with_what_was_still_claimed() -> None:
    """Its first attempt began before the pause, so its key had no record when the rollback read the table first."""
    world = Operators()
    world.together(lambda process: world.migrate(process, 0))

    def works_late(process: Process) -> RolledBack | None:
        while Mode.ROLLED_BACK not in world.modes():
            process.sleep(0.01)
        world.migrate(process, 1)
        return None

    _, rolled = world.together(works_late, world.roll_back)
    assert rolled is not None
    assert (rolled.open, rolled.clean, world.stage()) == (0, True, Stage.ROLLED_BACK)
    assert world.modes() == [Mode.ROLLED_BACK] * 2


def test_a_rollback_does_not_end_before_what_a_late_worker_wrote_is_back() -> None:
    """A worker that writes when every segment was read for the second time: the check finds it (seed 233)."""
    world = Operators()
    world.together(lambda process: world.migrate(process, 0))

    def works_late(process: Process) -> RolledBack | None:
        while not (run := world.book.read_run(Work.ROLLBACK)) or not all(
            one.is_done for one in world.book.read_slices(run)[: 2 * SEGMENTS]
        ):
            process.sleep(0.01)
        world.migrate(process, 1)
        return None

    _, first = world.together(works_late, world.roll_back)
    assert first is not None
    assert (first.open, first.clean) == (1, False)
    assert world.stage() is Stage.ROLLING_BACK
    (second,) = world.together(world.roll_back)
    assert second.clean
    assert world.stage() is Stage.ROLLED_BACK
    assert world.modes() == [Mode.ROLLED_BACK] * 2


def test_a_rollback_can_be_run_again_after_its_end() -> None:
    """A worker that was stopped for long writes even later: purge holds its copy, another run takes it back."""
    world = Operators()
    world.together(lambda process: world.migrate(process, 0))
    (first,) = world.together(world.roll_back)
    assert first.clean
    world.together(lambda process: world.migrate(process, 1))

    def purges(process: Process) -> list[Removal]:
        process.sleep(LONGEST_CLAIM)
        answer = purge_all(world.site.operation(process), SimulatedManifest(process, world.site))
        assert not isinstance(answer, Shut)
        return answer

    (purged,) = world.together(purges)
    assert {one.verdict for one in purged} == {Removed.PURGED, Removed.HELD}
    assert {one.reason for one in purged if one.verdict is Removed.HELD} == {Cause.NOT_ROLLED_BACK}
    (second,) = world.together(world.roll_back)
    assert second.clean
    assert world.modes() == [Mode.ROLLED_BACK] * 2


def test_a_command_that_another_one_overtook_says_so() -> None:
    """A rollback begins between cleanup's look at the stage and its first step: a sentence, and no traceback."""
    world = Operators()
    world.together(world.roll_back)

    def cleans(process: Process) -> str:
        with pytest.raises(UnavailableError) as refused:
            begin_cleaning(world.site.operation(process))
        return str(refused.value)

    (said,) = world.together(cleans)
    assert said.startswith(
        "another command changed the stage at the same time: the migration is rolled-back, it cannot become cleaning"
    )


def test_verification_settles_a_claim_for_which_no_message_is_left() -> None:
    """A worker dies over a message that another one then deletes: ``verify --requeue`` finds the claim (seed 4229)."""
    world = Operators()
    site = world.site
    killed = site.scheduler.spawn("killed", lambda process: world.migrate(process, 0))
    site.scheduler.run(until=lambda: bool(site.manifest.records), at_most=10)
    killed.kill()
    world.together(lambda process: process.sleep(2 * LONGEST_CLAIM))
    assert site.backfill.is_empty
    assert [record.is_unfinished for record in site.manifest.records.values()] == [True]
    (found,) = world.together(lambda process: verify_once(site, process, requeue=True))
    assert Difference.UNFINISHED in found[0].differences
    employ(site, "worker", works_on("backfill"))
    site.scheduler.run(until=lambda: site.backfill.is_empty, at_most=1_000)
    assert [(one.state, one.is_unfinished) for one in site.manifest.records.values()] == [(State.COPIED, False)] * 2
