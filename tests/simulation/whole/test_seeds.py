"""Whole migrations by seed: the real handlers under everything that may go wrong at once."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import domain.reconciling
import domain.record
import tests.fakes.manifest
from domain.objects import ObjectState
from domain.record import Intent, Record
from tests.fakes.object_store import InMemoryObjectStore
from tests.simulation.whole.__main__ import main, shrink
from tests.simulation.whole.dice import KINDS
from tests.simulation.whole.plans import Plan, read_changes
from tests.simulation.whole.run import Found, run

SEEDS = 320


@pytest.mark.parametrize("part", range(4))
def test_whole_migrations_keep_every_invariant(part: int) -> None:
    """Owners, strangers, crashes, lost answers, stalls, pauses, cleanup and rollback at once break nothing."""
    faults = Counter[str]()
    for seed in range(part, SEEDS, 4):
        found = run(Plan.of_seed(seed))
        assert not found.broken, f"python -m tests.simulation.whole --seed {seed}\n{found.broken[0]}\n{found.trace}"
        faults.update(found.faults)
    assert set(faults) == set(KINDS)


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


def _everything_is_ours(target: ObjectState, record: Record, declared: object) -> bool:
    return True


def _never_cleaned(record: Record) -> bool:
    return False


def _always_holds(one: object, other: object) -> bool:
    return True


def _nothing_left_over(record: Record) -> frozenset[Intent]:
    return frozenset()


WEAKENED: list[tuple[Any, str, Callable[..., Any], dict[str, Any], str]] = [
    (domain.reconciling, "is_known", _everything_is_ours, {"strangers": 12}, "I2b"),
    (domain.reconciling, "was_cleaned", _never_cleaned, {"cleanup": True, "rollback": False, "strangers": 0}, "I1"),
    (tests.fakes.manifest, "_same_holder", _always_holds, {"fault_rate": 0.25, "cleanup": True}, "I3"),
    (InMemoryObjectStore, "_holds", _always_holds, {"strangers": 12}, "I2b"),
    (domain.record, "left_over", _nothing_left_over, {"fault_rate": 0.25, "strangers": 0}, "I7"),
]


@pytest.mark.parametrize(("module", "name", "weak", "given", "broken"), WEAKENED)
def test_weakened_code_is_found_out(  # noqa: PLR0917  # one column each
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, weak: Callable[..., Any], given: Any, broken: str
) -> None:
    """The seeds can fail: without one of the conditions they break the invariant that it is for."""
    monkeypatch.setattr(module, name, weak)
    kinds: set[str] = set()
    for seed in range(200):
        kinds |= {text.split()[0] for _, text in run(Plan.of_seed(seed, **given)).broken}
        if broken in kinds:
            return
    raise AssertionError(kinds)


def test_a_failure_is_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shrunk breaks the same invariant with fewer keys, and its trace tells the story."""
    monkeypatch.setattr(domain.reconciling, "is_known", _everything_is_ours)
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
    monkeypatch.setattr(domain.reconciling, "is_known", _everything_is_ours)
    assert main(["--seeds", "50", "--with", "strangers=12"]) == 1
    told = capsys.readouterr().out
    assert "replay: python -m tests.simulation.whole --seed" in told
