"""Whole migrations by seed: the real handlers under everything that may go wrong at once."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

import domain.lifecycle.verification
import domain.protocol.claimed_object
import domain.protocol.claims
import domain.protocol.cleanup
import domain.protocol.held_record
import domain.protocol.reconciling
import domain.protocol.settling
import domain.references.item_rewriting
import domain.references.manifest_lines
import domain.references.manifest_rewriting
import domain.references.undo
import handlers.operations.control
import handlers.operations.dead_letters
import handlers.operations.reference_manifests
import handlers.operations.references
import handlers.operations.rollback_run
import handlers.operations.start
import tests.fakes.manifest
import tests.fakes.references
from domain.keys import Location
from domain.objects import ObjectState
from domain.protocol.attempt import Verdict
from domain.protocol.causes import Cause
from domain.protocol.decisions import Copy, Decision, Sight
from domain.protocol.held_record import HeldRecord
from domain.protocol.intents import Intent
from domain.protocol.ports import MustMatch
from domain.protocol.reconciling import decide
from domain.protocol.record import Record
from domain.references.manifest_rewriting import ManifestRewriter
from domain.runs.slices import moved
from domain.steering.control import Control, resumed
from handlers.engine.learned_gate import LearnedLimits
from handlers.engine.rate_gate import HeldBack
from handlers.operations.reference_manifests import ManifestScan
from handlers.operations.slice_work import Page
from handlers.operations.slices import SliceWorker
from handlers.operations.watched_holders import Holders
from tests.fakes.object_store import InMemoryObjectStore
from tests.simulation.whole.__main__ import main, shrink
from tests.simulation.whole.dice import KINDS
from tests.simulation.whole.draws import trusting_changes
from tests.simulation.whole.plans import ALONE, Plan, read_changes
from tests.simulation.whole.run import Found, run

pytestmark = pytest.mark.slow("plays hundreds of whole migrations")

SEEDS = 120


@pytest.mark.parametrize("part", range(4))
def test_whole_migrations_keep_every_invariant(part: int) -> None:
    """Owners, strangers, crashes, lost answers, stalls, pauses, cleanup and rollback at once break nothing."""
    faults = Counter[str]()
    for seed in range(part, SEEDS, 4):
        found = run(Plan.of_seed(seed))
        assert not found.broken, f"python -m tests.simulation.whole --seed {seed}\n{found.broken[0]}\n{found.trace}"
        faults.update(found.faults)
    assert set(faults) == set(KINDS)


def test_migrations_that_are_throttled_again_and_again_keep_every_invariant(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes learn limits, and objects wait for them."""
    held: list[object] = []
    admit = LearnedLimits.admit

    def noted(self: LearnedLimits, source: Location, target: Location) -> HeldBack | None:
        answer = admit(self, source, target)
        held.extend([answer] if answer is not None else [])
        return answer

    monkeypatch.setattr(LearnedLimits, "admit", noted)
    for seed in range(12):
        found = run(Plan.of_seed(seed, learns=True, kinds=("throttle",), fault_rate=0.2))
        assert found.broken == [], f"python -m tests.simulation.whole --seed {seed} --with learns=True"
    assert held


def test_a_seed_is_always_the_same_migration() -> None:
    """What a seed found can be played again: the same steps and the same faults."""
    first, second = run(Plan.of_seed(42)), run(Plan.of_seed(42))
    assert first.steps == second.steps > 0
    assert first.faults == second.faults


def test_a_command_line_makes_the_same_plan() -> None:
    """The printed arguments read back give the plan."""
    plan = replace(Plan.of_seed(7), keys=3, kinds=("lost", "late"), cleanup=True, fault_rate=0.5)
    texts = [text for text in plan.arguments().split() if "=" in text]
    assert Plan.of_seed(7, **read_changes(texts)) == plan


def first_broken(seeds: range, **given: Any) -> Found:
    """The first of these migrations that breaks an invariant."""
    for seed in seeds:
        found = run(Plan.of_seed(seed, **given))
        if found.broken:
            return found
    raise AssertionError("nothing broke")


def _everything_is_ours(target: ObjectState, record: Record) -> bool:
    return True


def _never_cleaned(record: Record) -> bool:
    return False


def _always_holds(one: object, other: object) -> bool:
    return True


def _nothing_left_over(record: Record) -> frozenset[Intent]:
    return frozenset()


def _any_object(target: ObjectState | None, record: Record) -> bool:
    return target is not None


def _always_ended(record: Record) -> bool:
    return True


def _nobody_knows(record: Record) -> None:
    return None


class _Anything:
    """Equal to whatever it is compared with."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True


def _any_value(item: object, place: object) -> _Anything:
    return _Anything()


def _no_reason(record: Record | None, store: object) -> None:
    return None


def _without_doubts(maybe: frozenset[Intent], doubtful: frozenset[Intent]) -> frozenset[Intent]:
    return maybe


def _never_completed(*_: object) -> bool:
    return False


def _nothing(*_: object, **__: object) -> list[Any]:
    return []


def _nobody_holds_it(self: object, location: object) -> None:
    return None


def _takes_whatever_is_there(sight: Sight) -> Decision:
    if sight.record.replaceable_etag is not None and sight.source is not None and sight.target is not None:
        return Copy(sight.source, MustMatch(sight.target.etag))
    return decide(sight)


def _forgets_what_it_was(held: HeldRecord, cause: Cause, detail: str = "") -> None:
    held.park(cause, detail)


def _is_done_with_it(notice: object, record: object) -> Verdict:
    return Verdict.DONE


def _overtaken(notice: object, record: object) -> tuple[str, bool]:
    return "overtaken", True


def _forgets_mappings(before: Control, *, by: str, now: float) -> Control:
    return resumed(replace(before, mappings=()), by=by, now=now)


_results_of_page = SliceWorker._results


def _counts_what_it_repeats(self: SliceWorker[Any], page: Page[Any]) -> list[Any]:
    """Counts the part of a page that was done in time, and leaves the cursor before it."""
    done = _results_of_page(self, page)
    if len(done) < len(page.tasks):
        counts = Counter[str]()
        for one in done:
            counts.update(self._work.count_result(one))
        self._write(moved(self._held, self._held.cursor, counts=counts, parts=0))
    return done


def _hands_on_too_far(self: SliceWorker[Any], page: Page[Any]) -> list[Any]:
    """Hands on the cursor behind a page of which only a part was done in time."""
    done = _results_of_page(self, page)
    return done + done[-1:] * (len(page.tasks) - len(done))


def _arrives(*_: object, **__: object) -> bool:
    return True


REFERRED: dict[str, Any] = {"items": 6, "edits": 30}
SLOW_REWRITING: dict[str, Any] = {"kinds": ("slow", "stall"), "fault_rate": 0.3, "mirrors": True, "removes": 0.6} | {
    "rollback": False,
    "cleanup": False,
    "strangers": 0,
    "gated": False,
}
"""Producers delete objects while a rewriting that has read their records stands still."""
LISTED: dict[str, Any] = {"manifests": 3}
BY_COMMAND: dict[str, Any] = {"by_command": True, "cleanup": True, "rollback": False}
BACKWARD: dict[str, Any] = {"cleanup": True, "rollback": True, "by_command": False, "strangers": 12, "keys": 16} | {
    "fault_rate": 0.25,
    "knows_itself": False,
}
CLEANED: dict[str, Any] = {"redeploys": 3, "cleanup": True, "strangers": 0}
DOUBLED: dict[str, Any] = {"kinds": ("doubled",), "fault_rate": 0.3, "strangers": 0, "rollback": False}
DECIDED: dict[str, Any] = {"decides": True, "strangers": 12, "rollback": False, "fault_rate": 0.0}
RUNS: dict[str, Any] = {"engine": 2, "by_command": True, "items": 0, "manifests": 0, "strangers": 0, "redeploys": 0} | {
    "keys": 16,
    "kinds": ("stall", "late"),
    "fault_rate": 0.1,
    "verifies": True,
    "cleanup": False,
    "rollback": False,
}
TRUSTED: dict[str, Any] = {**ALONE, "gated": True, "by_command": True, "items": 0, "manifests": 0, "words": 4} | (
    trusting_changes()
)
STILL_DECIDED = {key: value for key, value in domain.protocol.held_record._SETTLED.items() if key != "replaceable_etag"}
WEAKENED: list[tuple[Any, str, Any, dict[str, Any], str]] = [
    (domain.protocol.reconciling, "is_known", _everything_is_ours, {"strangers": 12}, "I2b"),
    (
        domain.protocol.reconciling,
        "was_cleaned",
        _never_cleaned,
        {"cleanup": True, "rollback": False, "strangers": 0},
        "I1",
    ),
    (tests.fakes.manifest, "_same_holder", _always_holds, {"fault_rate": 0.25, "cleanup": True}, "I3"),
    (InMemoryObjectStore, "_holds", _always_holds, {"strangers": 12}, "I2b"),
    (domain.protocol.claims, "left_over", _nothing_left_over, {"fault_rate": 0.25, "strangers": 0}, "I7"),
    (
        domain.protocol.cleanup,
        "is_as_recorded",
        _any_object,
        {"cleanup": True, "strangers": 12, "versioned": False},
        "I5",
    ),
    (domain.protocol.settling, "cleaned_etag_of", _nobody_knows, BACKWARD, "I6"),
    # References: only to what is seen there, of records that are as they were read, on the old value.
    (domain.references.item_rewriting, "not_ready", _no_reason, REFERRED, "I9"),
    (tests.fakes.references, "_is_as_read", _always_holds, {**REFERRED, **SLOW_REWRITING}, "I9"),
    (tests.fakes.references, "value_at", _any_value, REFERRED, "I8"),
    (domain.references.undo, "not_back", _no_reason, {**REFERRED, "rollback": True}, "I9"),
    (handlers.operations.references, "undo_entry", _nothing, {**REFERRED, "rollback": True}, "I6"),
    (handlers.operations.references, "rewrite_item", _nothing, {**REFERRED, "rollback": False}, "I7"),
    (Holders, "holder_of", _nobody_holds_it, {**REFERRED, **BY_COMMAND}, "I5"),
    # Manifests: the same, over the owner's content only, and whatever a line still names holds its object.
    (domain.references.manifest_lines, "not_ready", _no_reason, {**LISTED, "rollback": False}, "I9"),
    (
        domain.references.manifest_rewriting,
        "is_ours",
        _always_holds,
        {**LISTED, "strangers": 12, "rollback": False},
        "I2b",
    ),
    (ManifestRewriter, "rewrite_manifest", _nothing, {**LISTED, "rollback": False}, "I7"),
    (ManifestScan, "_not_copied", _nothing, {**LISTED, **BY_COMMAND}, "I5"),
    (ManifestScan, "references_at", _nothing, {**LISTED, **BY_COMMAND}, "I5"),
    # What S3 refused may be done all the same, where something on the way sent it twice.
    (domain.protocol.held_record, "with_doubtful", _without_doubts, DOUBLED, "I3"),
    (domain.protocol.copying, "may_be_completed", _never_completed, DOUBLED | {"large": 0.8}, "I7"),
    (
        domain.references.manifest_rewriting,
        "may_be_completed",
        _never_completed,
        DOUBLED | LISTED | {"fault_rate": 0.1},
        "I3",
    ),
    # Other rules, deployed for a while: what was known before is known after, and a delete is not told in vain.
    (HeldRecord, "set_aside", _forgets_what_it_was, CLEANED | {"rollback": False}, "I7"),
    (HeldRecord, "set_aside", _forgets_what_it_was, CLEANED | {"rollback": True}, "I6"),
    (domain.protocol.claimed_object, "_verdict_of_rules", _is_done_with_it, {"redeploys": 3, "rollback": False}, "I7"),
    # Operators: what verification proves, which letters need no replay, what a resume switches on, when rollback ends.
    (
        domain.lifecycle.verification,
        "compare_objects",
        _nothing,
        {"lost_events": 0.3, "rollback": False, "repeats": 0.8},
        "I3",
    ),
    # An operator's word on a conflict: once, and about nothing but what he saw.
    (domain.protocol.held_record, "_SETTLED", STILL_DECIDED, DECIDED, "I2c"),
    (domain.protocol.claimed_object, "decide", _takes_whatever_is_there, DECIDED, "I2b"),
    (handlers.operations.dead_letters, "_cause", _overtaken, {"buried": 0.5, "mirrors": True, "rollback": False}, "I7"),
    (
        handlers.operations.control,
        "resumed",
        _forgets_mappings,
        {"pauses": 4, "rollback": False, "seconds": 60.0},
        "I7",
    ),
    (handlers.operations.rollback_run, "is_ended", _always_ended, {"by_command": True, "rollback": True}, "I6"),
    # Runs by functions: each object is worked on, and counted once.
    (SliceWorker, "_results", _hands_on_too_far, RUNS, "R1"),
    (SliceWorker, "_results", _counts_what_it_repeats, RUNS, "R2"),
    # A start: what changes between the notification and the backfill is in one of the two.
    (handlers.operations.start, "probe_arrives", _arrives, TRUSTED, "G7"),
]


FOUND_BY = {("references_at", "I5"): 77, ("set_aside", "I6"): 158, ("set_aside", "I7"): 158, ("resumed", "I7"): 168}
"""The seeds that found a rare one are tried first; after a change of the code the others are."""


@pytest.mark.parametrize(("module", "name", "weak", "given", "broken"), WEAKENED)
def test_weakened_code_is_found_out(  # noqa: PLR0917  # one column each
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, weak: Any, given: Any, broken: str
) -> None:
    """The seeds can fail: without one of the conditions they break the invariant that it is for."""
    monkeypatch.setattr(module, name, weak)
    kinds: set[str] = set()
    for seed in (FOUND_BY.get((name, broken), 0), *range(200)):
        try:
            kinds |= {text.split()[0] for _, text in run(Plan.of_seed(seed, **given)).broken}
        except LookupError:  # a fake without its condition falls over the item that it should have refused
            kinds.add("LookupError")
        if broken in kinds:
            return
    raise AssertionError(kinds)


def test_a_failure_is_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shrunk breaks the same invariant with fewer keys, and its trace tells the story."""
    monkeypatch.setattr(domain.protocol.reconciling, "is_known", _everything_is_ours)
    small = shrink(first_broken(range(50), strangers=12, keys=8))
    assert small.plan.keys == 1
    assert small.broken
    assert "stranger" in small.trace


def test_the_command_counts_and_replays(capsys: pytest.CaptureFixture[str]) -> None:
    """``--seeds`` prints seeds, steps and faults; ``--seed`` the trace of one."""
    assert main(["--seeds", "3", "--first", "10"]) == 0
    assert capsys.readouterr().out.startswith("3 seeds, ")
    assert main(["--seed", "5027", "--with", "keys=1"]) == 0
    assert "claim_record old/k0" in capsys.readouterr().out


def test_the_command_stops_at_a_broken_seed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It prints the invariant, the trace and the command that plays it again."""
    monkeypatch.setattr(domain.protocol.reconciling, "is_known", _everything_is_ours)
    assert main(["--seeds", "50", "--with", "strangers=12"]) == 1
    told = capsys.readouterr().out
    assert "replay: python -m tests.simulation.whole --seed" in told
