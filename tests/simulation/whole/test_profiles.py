"""Profiles that came with a mend of their own: their seeds keep every invariant, and break it without the mend."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

import domain.protocol.cleanup
import domain.protocol.intents
import domain.protocol.reconciling
import domain.references.judging
import handlers.engine.give_back
import handlers.operations.references
import handlers.operations.rewrite_run
from domain.lifecycle import verification
from domain.protocol.intents import Intent
from domain.references.holders import Reference
from domain.references.items import held_uris
from domain.references.judging import Legacy, judge
from domain.references.ports import ItemPage
from domain.rules.references import Item, TableReferences
from handlers.operations.references import References
from tests.simulation.whole.plans import FIRST_LATER, FIRST_RUNS, Plan
from tests.simulation.whole.profiles import changes_of
from tests.simulation.whole.run import run

pytestmark = pytest.mark.slow("plays hundreds of whole migrations")


@pytest.mark.parametrize(
    ("letter", "seeds"), [("K", 40), ("H", 16), ("G", 8), ("R", 12), ("C", 16), ("F", 16), ("T", 12)]
)
def test_the_seeds_of_a_profile_keep_every_invariant(letter: str, seeds: int) -> None:
    """Parts of an object, forms of references, uploads that break off, pauses, conditions, runs, trusted starts."""
    for seed in range(seeds):
        found = run(Plan.of_seed(seed, **changes_of(letter, seed)))
        assert not found.broken, f"--profile {letter} --seed {seed}\n{found.broken[0]}\n{found.trace}"


def test_a_share_of_the_random_plans_has_what_came_later() -> None:
    """From a first seed on: what a smaller seed means stays as it was."""
    plans = [Plan.of_seed(FIRST_LATER + number) for number in range(100)]
    assert {plan.properties for plan in plans} == {plan.forms for plan in plans} == {False, True}
    assert {plan.locks for plan in plans if plan.properties} == {False, True}
    assert any(plan.trips for plan in plans)
    before = [Plan.of_seed(number) for number in range(100)]
    assert not any(plan.properties or plan.forms or plan.trips for plan in before)


def test_functions_do_runs_in_a_share_of_the_newest_plans() -> None:
    """From a first seed on, and with more plans through every gate, of which some trust their backfill."""
    plans = [Plan.of_seed(FIRST_RUNS + number) for number in range(200)]
    for name in ("engine", "cancels", "gated", "trusts"):
        assert {bool(getattr(plan, name)) for plan in plans} == {False, True}, name
    before = [Plan.of_seed(FIRST_RUNS - 1 - number) for number in range(200)]
    assert not any(plan.engine or plan.trusts for plan in before)


def _nothing_is_lost(*_: object, **__: object) -> tuple[str, ...]:
    return ()


def _all_that_can_be_read(self: References, table: TableReferences, item: Item) -> Iterator[Reference]:
    holder = table.holder(table.key_of(item))
    for held in held_uris(item, table):
        judged = judge(held, self.rules)
        if isinstance(judged, Legacy):
            yield Reference(holder, held.text, held.uri, judged.source)


def _nothing(*_: object) -> None:
    return None


def _nobody_is_renewed(*_: object) -> frozenset[str]:
    return frozenset()


def _as_they_are(maybe: frozenset[Intent]) -> frozenset[Intent]:
    return maybe


def _all_but_these(*left_out: verification.Difference) -> Any:
    compared = verification.compare_objects

    def compare(*args: Any, **named: Any) -> Iterator[verification.Difference]:
        yield from (one for one in compared(*args, **named) if one not in left_out)

    return compare


def _all_but_the_last(page: ItemPage, table: TableReferences) -> Iterator[tuple[Sequence[Item], Item | None]]:
    yield page.items[:-1], page.last_key


BINDING = (verification.Difference.ENCRYPTION, verification.Difference.LOCK)
MENDS: list[tuple[str, Any, str, Any, str]] = [
    # K: a copy that lacks class, key or lock is made again; cleanup compares them too; verification names them.
    ("K", domain.protocol.reconciling, "what_is_lost", _nothing_is_lost, "I7"),
    ("K", domain.protocol.cleanup, "what_is_lost", _nothing_is_lost, "I5"),
    ("K", verification, "compare_objects", _all_but_these(*BINDING), "I3"),
    # H: what cannot be rewritten holds its object, and a text that was to be JSON holds what it may name.
    ("H", handlers.operations.references.References, "_legacy", _all_that_can_be_read, "I5"),
    ("H", domain.references.judging, "_unreadable", _nothing, "I5"),
    # G: intents that recognise nothing are one.
    ("G", domain.protocol.intents, "_bounded", _as_they_are, "I4"),
    # F: a rewriting by functions comes to each item.
    ("F", handlers.operations.rewrite_run, "in_parts", _all_but_the_last, "R1"),
    # R: a message that only waits is renewed.
    ("R", handlers.engine.give_back, "_renewed", _nobody_is_renewed, "I7"),
]


@pytest.mark.parametrize(("letter", "module", "name", "weak", "broken"), MENDS)
def test_a_mend_that_is_taken_out_is_found_out(  # noqa: PLR0917  # one column each
    monkeypatch: pytest.MonkeyPatch, letter: str, module: Any, name: str, weak: Any, broken: str
) -> None:
    """The judge says so within the profile's first seeds, by the invariant that the mend is for."""
    monkeypatch.setattr(module, name, weak)
    kinds = set[str]()
    for seed in range(100):
        kinds |= {text.split()[0] for _, text in run(Plan.of_seed(seed, **changes_of(letter, seed))).broken}
        if broken in kinds:
            return
    raise AssertionError(kinds)
