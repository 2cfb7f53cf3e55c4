"""The judge of gates and stages can say no: each promise with the case that breaks it, and each mend taken out."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

import handlers.bootstrap.operations
import handlers.engine.dependencies
import handlers.operations.cutover
import handlers.operations.operator
import handlers.operations.start
import tests.fakes.lifecycle
from domain.lifecycle.census import Compared
from domain.lifecycle.stages import StageEntry, advanced
from handlers.operations.cutover import Look, look_again
from handlers.operations.lookout import Lookout
from handlers.operations.operator import Operation
from tests.fakes.lifecycle import InMemoryStageBook
from tests.simulation.whole import excuses
from tests.simulation.whole.plans import Plan
from tests.simulation.whole.profiles import changes_of
from tests.simulation.whole.promises import ENDING, WINDOW, Facts, Promises
from tests.simulation.whole.run import run
from tests.worlds.judged import JUDGED_SOURCE, JUDGED_TARGET, JudgedWorld

pytestmark = pytest.mark.slow("plays hundreds of whole migrations")

QUIET = Facts(is_paused=False, silent_since=None, old_rows=0, old_events=0, dead=0)
LONG = WINDOW + 1
OPERATOR = "operator-a"


class Watched:
    """A key that was copied, in a migration whose operator is about to cut over."""

    def __init__(self) -> None:
        self.world = JudgedWorld()
        self.is_waiting = False
        key = self.world.key
        self.promises = Promises(
            self.world.truth, self.world.clock.monotonic, lambda _: self.is_waiting, has_started=True
        )
        self.world.owner_puts(b"a")
        self.world.copy()
        self.promises.told(key, is_delivered=True)

    def owner_puts(self, *, is_delivered: bool) -> None:
        """Something new."""
        self.world.owner_puts(b"b")
        self.promises.told(self.world.key, is_delivered=is_delivered)

    def lists(self) -> None:
        """The operator's cut-over lists both sides."""
        for place in (JUDGED_SOURCE, JUDGED_TARGET):
            self.promises.listed(OPERATOR, place.bucket, after="", last="")

    def broken(self, facts: Facts = QUIET, *, seconds: float = LONG) -> list[str]:
        """What a cut-over so much later breaks."""
        self.world.clock.advance(seconds)
        self.promises.cut_over(facts, by=OPERATOR)
        return self.world.broken()


def test_a_cut_over_over_what_no_event_told_of() -> None:
    """An owner's word that is not at the target, and that no message is about, holds; not so one that comes yet."""
    watched = Watched()
    assert not watched.broken()
    watched.owner_puts(is_delivered=False)
    assert not watched.broken(seconds=1)
    assert watched.broken() == ["G1"]
    watched = Watched()
    watched.owner_puts(is_delivered=True)
    watched.is_waiting = True
    assert not watched.broken()
    watched.is_waiting = False
    assert watched.broken() == ["G1"]


def test_a_gap_behind_the_listing_is_not_seen() -> None:
    """What was written before the listing passed the key was to be seen, whatever the events say."""
    for lists_first, wanted in ((True, []), (False, ["G1"])):
        watched = Watched()
        if lists_first:
            watched.lists()
        watched.world.clock.advance(1)
        watched.owner_puts(is_delivered=False)
        if not lists_first:
            watched.world.clock.advance(1)
            watched.lists()
        assert watched.broken() == wanted
        assert watched.world.used() == (set() if wanted else {excuses.GAP})


def test_a_copy_that_is_replaced_behind_the_listing_is_not_seen() -> None:
    """One that was replaced before was to be seen."""
    for lists_first, wanted in ((True, []), (False, ["G1"])):
        watched = Watched()
        if lists_first:
            watched.lists()
        watched.world.clock.advance(1)
        watched.world.stranger_puts(b"x")
        if not lists_first:
            watched.world.clock.advance(1)
            watched.lists()
        assert watched.broken() == wanted
        assert watched.world.used() == (set() if wanted else {excuses.AFTER_LISTING})


def test_what_waits_or_lies_dead_holds() -> None:
    """Rows, many events and dead letters that are older than the cut-over's last look."""
    for facts in ({"old_rows": 1}, {"old_events": 11}, {"dead": 1}):
        assert Watched().broken(Facts(**{"is_paused": False, "silent_since": None, **ZERO, **facts})) == ["G1"]
    assert not Watched().broken(Facts(**{"is_paused": False, "silent_since": None, **ZERO, "old_events": 10}))


ZERO: Mapping[str, Any] = {"old_rows": 0, "old_events": 0, "dead": 0}


def test_another_operators_control_holds() -> None:
    """A pause, a postponement that is not over, a rollback that has begun."""
    assert Watched().broken(Facts(is_paused=True, silent_since=None, **ZERO)) == ["G4"]
    watched = Watched()
    watched.promises.postponed(watched.promises.now() + 2 * LONG)
    assert watched.broken() == ["G4"]
    watched = Watched()
    watched.promises.postponed(watched.promises.now() + 10)
    assert not watched.broken()
    watched.promises.went_back()
    assert watched.broken() == ["G5"]


def test_live_capture_is_effective_at_start_and_cut_over() -> None:
    """A bucket that has been silent for longer than the window."""
    watched = Watched()
    silent = Facts(is_paused=False, silent_since=watched.promises.now(), **ZERO)
    assert watched.broken(silent) == ["G6"]
    watched = Watched()
    watched.promises.went_live(silent)
    assert not watched.world.broken()
    watched.world.clock.advance(LONG)
    watched.promises.went_live(silent)
    assert watched.world.broken() == ["G6"]


def test_nothing_moves_before_the_start_and_long_after_a_rollback() -> None:
    """Rollback itself does."""
    watched = Watched()
    watched.promises.has_started = False
    watched.promises.moved(JUDGED_TARGET, by="worker-1")
    assert watched.world.broken() == ["G2"]
    watched = Watched()
    watched.promises.went_back()
    watched.promises.moved(JUDGED_TARGET, by="worker-1")
    watched.world.clock.advance(ENDING + 1)
    watched.promises.moved(JUDGED_TARGET, by="rollback")
    assert not watched.world.broken()
    watched.promises.moved(JUDGED_TARGET, by="worker-1")
    assert watched.world.broken() == ["G2"]


def test_a_migration_changes_its_own_notification_only() -> None:
    """Neither another migration's nor another program's."""
    promises = Watched().promises
    promises.configured({}, {"own": "old/"}, own="own", others={"second"})
    promises.configured({"own": "old/", "second": "other/"}, {"second": "other/"}, own="own", others={"second"})
    assert not promises.truth.broken
    promises.configured({"second": "other/"}, {}, own="own", others={"second"})
    promises.configured({"logs": "logs/"}, {}, own="own", others={"second"})
    assert [text.split()[0] for _, text in promises.truth.broken] == ["G3", "G3"]


# The mends taken out
def _nothing(*_: object, **__: object) -> None:
    return None


def _looks_once(operation: Operation, lookout: Lookout, look: Look) -> Any:
    return look.seen if look.seen.queues else look_again(operation, lookout, look)


def _writes_anything(self: InMemoryStageBook, entry: StageEntry, **_: object) -> bool:
    self.entry = entry
    return True


def _sees_nothing(operation: object, book: object, objects: Any, **_: object) -> Compared:
    list(objects)
    return Compared()


def _one_name(migration: str) -> str:
    return "keyshift"


def _arrives(*_: object, **__: object) -> bool:
    return True


def _ends_the_postponement(before: StageEntry, *step: Any, **by: Any) -> StageEntry:
    return replace(advanced(before, *step, **by), postponed_until=None)


EAGER: Mapping[str, Any] = {
    "operators": 6,
    "terraform": 0,
    "kinds": ("stall",),
    "fault_rate": 0.5,
    "rollback": True,
    "buried": 0.0,
    "second": False,
    "latest_event": 40.0,
    "words": 1,
}
UNTOLD: Mapping[str, Any] = {
    "lost_events": 1.0,
    "rollback": False,
    "fault_rate": 0.0,
    "words": 3,
    "buried": 0.0,
    "keys": 8,
    "stale_rows": 0,
}
AWAY: Mapping[str, Any] = {"terraform": 3, "rollback": False}
WEAKENED: list[tuple[str, list[tuple[Any, str, Any]], Mapping[str, Any], int, str]] = [
    ("capture is not proven", [(handlers.operations.cutover, "disproof", _nothing)], AWAY, 0, "G6"),
    (
        "nothing is looked at again at the end",
        [(handlers.operations.cutover, "disproof", _nothing), (handlers.operations.cutover, "look_again", _looks_once)],
        AWAY,
        0,
        "G6",
    ),
    ("the inventory's date", [(handlers.bootstrap.operations, "inventory_fault", _nothing)], {"reports": 1}, 30, "G1"),
    ("the stage is not read", [(handlers.engine.dependencies, "moving_fault", _nothing)], {}, 0, "G2"),
    ("the write depends on nothing", [(InMemoryStageBook, "write_stage", _writes_anything)], EAGER, 0, "G5"),
    ("one name for all", [(tests.fakes.lifecycle, "entry_name", _one_name)], {}, 0, "G3"),
    ("the listing is not compared", [(handlers.operations.cutover, "compare", _sees_nothing)], UNTOLD, 60, "G1"),
    ("a start ends a postponement", [(handlers.operations.operator, "advanced", _ends_the_postponement)], {}, 15, "G4"),
    ("start proves nothing", [(handlers.operations.start, "probe_arrives", _arrives)], {}, 0, "G6"),
]


@pytest.mark.parametrize(("what", "patches", "given", "first", "broken"), WEAKENED, ids=[one[0] for one in WEAKENED])
def test_a_gate_without_its_mend_is_found_out(  # noqa: PLR0917  # one column each
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    patches: list[tuple[Any, str, Any]],
    given: Mapping[str, Any],
    first: int,
    broken: str,
) -> None:
    """The seeds of profile L break the promise that the mend is for."""
    for module, name, weak in patches:
        monkeypatch.setattr(module, name, weak)
    kinds: set[str] = set()
    for seed in range(first, first + 60):
        plan = Plan.of_seed(seed, **{**changes_of("L", seed), **given})
        kinds |= {text.split()[0] for _, text in run(plan).broken}
        if broken in kinds:
            return
    raise AssertionError(f"{what}: {kinds}")


def test_whole_migrations_through_every_gate_break_nothing() -> None:
    """The same seeds with the mends."""
    for seed in range(24):
        found = run(Plan.of_seed(seed, **changes_of("L", seed)))
        assert not found.broken, f"--profile L --seed {seed}\n{found.broken[0]}\n{found.trace}"
