"""How much a proof looks at when rules become many: states are counted, not seconds."""

from collections.abc import Callable

import pytest

from domain.proofs import subject
from domain.proofs.proof import FindingKind, ProofVerdict, prove_rules
from domain.proofs.search import find_shared
from handlers.config.rules_file import read_rules
from tests.worlds.many_rules import portal_like


def test_questions_about_rules_of_the_portals_form_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of ten rules is decided against each other one within 120 states; before, one pair took 60,000 and more."""
    monkeypatch.setattr("domain.proofs.refining.REFINED_BUDGET", 120)
    monkeypatch.setattr("domain.proofs.subject.COARSE_BUDGET", 2_000)
    monkeypatch.setattr("domain.proofs.subject.FINE_BUDGET", 1)
    proof = prove_rules(read_rules(portal_like(10)))
    assert [finding for finding in proof.findings if finding.kind is FindingKind.UNDECIDED] == []
    loops = {(finding.rule, finding.other_rule) for finding in proof.findings if finding.kind is FindingKind.LOOP}
    assert loops == {(f"r{one}", f"r{other}") for one in range(10) for other in range(one, 10)}


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        (portal_like(50, target="two-bucket"), 50 * 49 // 2),
        pytest.param(
            portal_like(50, keep=("models/{rest...}",)),
            50 * 49 // 2 + 50,
            marks=pytest.mark.slow("decides 1,275 pairs of rules"),
        ),
    ],
    ids=["into another bucket", "in one bucket"],
)
def test_fifty_rules_of_the_portals_form_are_decided(monkeypatch: pytest.MonkeyPatch, text: str, pairs: int) -> None:
    """Nothing is left open within 300 states for a question; before, one pair took 60,000 and more."""
    monkeypatch.setattr("domain.proofs.refining.REFINED_BUDGET", 120)
    monkeypatch.setattr("domain.proofs.subject.COARSE_BUDGET", 300)
    monkeypatch.setattr("domain.proofs.subject.FINE_BUDGET", 200)
    proof = prove_rules(read_rules(text))
    kinds = [finding.kind for finding in proof.findings]
    assert FindingKind.UNDECIDED not in kinds
    assert kinds.count(FindingKind.OVERLAP) == pairs
    assert proof.verdict is ProofVerdict.REFUTED


def test_a_new_layout_that_is_kept_is_looked_at_once_for_all_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ``keep`` takes every target no pair of rules has to be asked about a loop."""
    asked = list[object]()
    shared: Callable[..., object] = find_shared

    def counted(*arguments: object, **more: object) -> object:
        asked.append(arguments)
        return shared(*arguments, **more)

    monkeypatch.setattr("domain.proofs.subject.find_shared", counted)
    proof = prove_rules(read_rules(portal_like(6, keep=("models/{rest...}",))))
    assert FindingKind.LOOP not in {finding.kind for finding in proof.findings}
    assert len(asked) == 6


def test_all_undecided_questions_of_a_file_share_one_allowance() -> None:
    """What the first ones use up the later ones have less of, but each is asked."""
    allowance = subject.Allowance(100_000)
    assert allowance.budget(60_000) == 5_000
    allowance.left = -7
    assert allowance.budget(60_000) == subject.LEAST_BUDGET
    assert allowance.budget(10) == 10
    assert subject.Allowance().budget(60_000) == 60_000
