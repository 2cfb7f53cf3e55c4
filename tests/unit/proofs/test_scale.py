"""How much a proof looks at when rules become many: states are counted, not seconds."""

import json
from collections.abc import Callable

import pytest

from domain.proofs import subject
from domain.proofs.proof import FindingKind, Verdict, prove_rules
from domain.proofs.search import find_shared
from domain.rules.compiled import CompiledRules
from handlers.config.rules_file import read_rules


def portal_like(rules: int, *, target: str = "one-bucket", keep: tuple[str, ...] = ()) -> CompiledRules:
    """Rules of the portal's own form: any beginning, a folder, a job name of 63 characters at most, the rest."""
    return read_rules(
        json.dumps(
            {
                "version": 1,
                "migration": "m",
                "source": {"bucket": "one-bucket"},
                "target": {"bucket": target},
                "kinds": {"job": "[A-Za-z0-9](-*[A-Za-z0-9]){0,62}"},
                "rules": [
                    {
                        "name": f"r{at}",
                        "from": f"{{root...}}/in{at}/{{job:job}}/{{rest...}}",
                        "to": f"models/t{at}/{{job}}/{{rest...}}",
                    }
                    for at in range(rules)
                ],
                "keep": keep,
            }
        )
    )


def test_questions_about_rules_of_the_portals_form_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of ten rules is decided against each other one within 120 states; before, one pair took 60,000 and more."""
    monkeypatch.setattr("domain.proofs.refining.REFINED_BUDGET", 120)
    monkeypatch.setattr("domain.proofs.subject.COARSE_BUDGET", 2_000)
    monkeypatch.setattr("domain.proofs.subject.FINE_BUDGET", 1)
    proof = prove_rules(portal_like(10))
    assert [finding for finding in proof.findings if finding.kind is FindingKind.UNDECIDED] == []
    loops = {(finding.rule, finding.other_rule) for finding in proof.findings if finding.kind is FindingKind.LOOP}
    assert loops == {(f"r{one}", f"r{other}") for one in range(10) for other in range(one, 10)}


def test_many_rules_into_another_bucket_are_decided() -> None:
    """Nothing is left open, and each pair has its overlap."""
    proof = prove_rules(portal_like(25, target="two-bucket"))
    kinds = [finding.kind for finding in proof.findings]
    assert FindingKind.UNDECIDED not in kinds
    assert kinds.count(FindingKind.OVERLAP) == 25 * 24 // 2
    assert proof.verdict is Verdict.REFUTED


def test_a_new_layout_that_is_kept_is_looked_at_once_for_all_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ``keep`` takes every target no pair of rules has to be asked about a loop."""
    asked = list[object]()
    shared: Callable[..., object] = find_shared

    def counted(*arguments: object, **more: object) -> object:
        asked.append(arguments)
        return shared(*arguments, **more)

    monkeypatch.setattr("domain.proofs.subject.find_shared", counted)
    proof = prove_rules(portal_like(6, keep=("models/{rest...}",)))
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
