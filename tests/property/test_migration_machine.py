"""Whole migrations as a state machine: Hypothesis decides what happens next, and makes a failure small."""

from dataclasses import replace
from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.simulation.whole.actors import (
    employ,
    finishes_cleanup,
    follows_the_stream,
    rolls_back,
    works_on,
)
from tests.simulation.whole.dice import KINDS, SeededDice
from tests.simulation.whole.operators import replays_the_dead
from tests.simulation.whole.people import People
from tests.simulation.whole.plans import Plan
from tests.simulation.whole.run import observed, settle
from tests.simulation.whole.scheduler import QUIET, Fate, Process, Request
from tests.simulation.whole.site import REQUEST_SECONDS, Site
from tests.simulation.whole.truth import KeyTruth

keys = st.integers(0, 1)
bodies = st.sampled_from([b"aaa", b"bbb", b"cccccccccccc"])


class Chosen(SeededDice):
    """Fails the next calls that matter as it was told, and no other."""

    def __init__(self) -> None:
        super().__init__(Random(1), rate=1.0, request_seconds=REQUEST_SECONDS, longest_stall=150.0)
        self.next: list[str] = []

    def fate(self, process: Process, request: Request) -> Fate:
        """See the protocol."""
        blind = None if self.calm else self.blindness.fate(process, request, 0.01)
        if blind is not None or not self.next or request.name in QUIET or self.calm:
            return blind or Fate()
        kind = self.next.pop(0)
        if kind == "usual":
            return Fate()
        self.kinds = (kind,)
        return super().fate(process, request)


class Migration(RuleBasedStateMachine):
    """Two keys, two workers, and everybody who can disturb them."""

    @initialize(versioned=st.booleans(), mirrors=st.booleans(), other_bucket=st.booleans(), knows=st.booleans())
    def begin(self, versioned: bool, mirrors: bool, other_bucket: bool, knows: bool) -> None:
        """One migration."""
        plan = Plan(
            1,
            keys=2,
            duplicates=0.2,
            fault_rate=0.0,
            versioned=versioned,
            mirrors=mirrors,
            other_bucket=other_bucket,
            knows_itself=knows,
            max_receives=50,
        )
        self.dice = Chosen()
        self.site = Site(plan, self.dice, self.dice.random)
        self.people = People(self.site)
        for name, body in (("events", works_on("events")), ("rows", works_on("backfill"))):
            employ(self.site, name, body)
        employ(self.site, "stream", follows_the_stream)
        employ(self.site, "dead-letters", replays_the_dead)

    def key(self, number: int) -> KeyTruth:
        """One of the two."""
        return list(self.site.truth.keys.values())[number]

    @rule(number=keys, body=bodies)
    def owner_puts(self, number: int, body: bytes) -> None:
        """Something new, or the same again."""
        self.people.put(self.key(number), value=(body, "owner"))

    @rule(number=keys)
    def owner_deletes(self, number: int) -> None:
        """The source goes."""
        if self.key(number).owner is not None:
            self.people.remove(self.key(number))

    @rule(number=keys)
    def stranger_meddles(self, number: int) -> None:
        """Somebody writes or deletes at the target."""
        self.people.meddle(self.key(number))

    @rule()
    def old_row(self) -> None:
        """A row of an old inventory."""
        self.people.send_old_row()

    @rule(kind=st.sampled_from(KINDS), after=st.integers(0, 3))
    def fail(self, kind: str, after: int) -> None:
        """One of the next calls goes wrong."""
        self.dice.next += ["usual"] * after + [kind]

    @rule(steps=st.integers(1, 60))
    def go_on(self, steps: int) -> None:
        """Let so many things happen."""
        for _ in range(steps):
            self.site.scheduler.step()

    @rule(number=st.integers(0, 5))
    def hurry(self, number: int) -> None:
        """One process is much quicker than the others."""
        processes = self.site.scheduler.processes()
        if processes:
            self.site.scheduler.hurry(processes[number % len(processes)])

    @rule(number=st.integers(0, 5))
    def kill(self, number: int) -> None:
        """One process dies where it stands."""
        processes = self.site.scheduler.processes()
        if processes:
            processes[number % len(processes)].kill()
            self.site.scheduler.count("kill")

    @rule()
    def clean_up(self) -> None:
        """The operator cleans up; killed, he does so again."""
        self.site.plan = replace(self.site.plan, cleanup=True)
        employ(self.site, "cleanup", finishes_cleanup)

    @precondition(lambda self: not self.site.plan.rollback)
    @rule(purge=st.booleans())
    def roll_back(self, purge: bool) -> None:
        """The operator wants everything back."""
        self.site.plan = replace(self.site.plan, rollback=True, purge=purge)
        employ(self.site, "rollback", rolls_back)

    @invariant()
    def nothing_is_broken(self) -> None:
        """I1 to I6, as far as they must hold at every moment."""
        if hasattr(self, "site"):
            assert self.site.healthy, self.site.truth.broken

    def teardown(self) -> None:
        """When nobody writes and nothing fails any more, everything comes to a good end."""
        if hasattr(self, "site"):
            self.dice.calm = True
            found = observed(self.site, lambda: settle(self.site))
            assert not found.broken, f"{found.broken}\n{found.trace}"


TestMigration = Migration.TestCase
TestMigration.settings = settings(max_examples=60, stateful_step_count=40, suppress_health_check=list(HealthCheck))


def test_a_killed_reader_of_the_stream_may_count_a_change_twice() -> None:
    """Its batch comes again, cut elsewhere: figures are exact without faults only, and a kill is one."""
    machine = Migration()
    machine.begin(versioned=False, mirrors=False, other_bucket=False, knows=False)
    machine.roll_back(purge=False)
    for step in ["h2", "k3", "k0", "h1", "h1", "h1", "h2", "k0", "h1", "h1", "k0", "k0"]:
        act = machine.kill if step[0] == "k" else machine.hurry
        act(number=int(step[1]))
    machine.teardown()
    assert machine.site.scheduler.faults == {"kill": 5}
    assert machine.site.counters.read_progress()["records.ROLLED_BACK"] == 3
