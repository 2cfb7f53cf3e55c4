"""What the proofs do at their limits: budgets, repeated names, reordered names."""

import pytest

from domain.automata import TooManyStatesError, compile_expression
from domain.automata_expressions import parse_expression
from domain.automata_search import BudgetSpentError, Excluding, Machine, search, template_steps
from domain.proofs import Finding, FindingKind, Proof, Verdict, prove_rules
from domain.proofs_subject import Subject, settle
from domain.template_syntax import parse_source
from handlers.rules_file import read_rules

HEAD = "version: 1\nmigration: m\nsource: {bucket: one-bucket}\ntarget: {bucket: one-bucket}\n"


def machine(template: str) -> Machine:
    """The keys of a template."""
    return Machine(template_steps(parse_source(template, {}), ""))


def test_a_search_that_meets_too_much_says_so() -> None:
    """A spent budget is no proof."""
    with pytest.raises(BudgetSpentError):
        list(search([machine("{a...}x"), machine("{a...}y")], budget=3))


def test_a_spent_budget_leaves_the_question_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Size never turns into a proof."""
    monkeypatch.setattr("domain.proofs_subject.COARSE_BUDGET", 2)
    monkeypatch.setattr("domain.proofs_subject.FINE_BUDGET", 2)
    proof = prove_rules(read_rules(HEAD + "rules: [{name: a, from: 'xxx/{n}', to: 'yyy/{n}'}]\n"))
    assert proof.verdict is Verdict.UNDECIDED
    assert {finding.kind for finding in proof.findings} == {FindingKind.UNDECIDED}


def test_a_search_without_any_text_is_a_proof_and_one_without_evidence_is_not() -> None:
    """The difference between "there is none" and "none was confirmed"."""
    disjoint, shared = [machine("x{a}"), machine("y{a}")], [machine("x{a}"), machine("{a}")]
    assert settle([lambda: disjoint], lambda _: None) == "impossible"
    assert settle([lambda: shared], lambda _: None) == "undecided"
    assert settle([lambda: None], lambda _: None) == "undecided"


def test_what_is_excluded_is_not_found() -> None:
    """Keys of the excluded templates are left out exactly."""
    left = Excluding(machine("{a:[ab]{1,2}}"), [machine("{a:a.?}"), machine("bb")])
    assert {found.text for found in search([left], visits=9)} == {"b", "ba"}


def test_a_repeated_name_is_followed_coarsely_and_never_called_proven() -> None:
    """``{n}.{n}`` has one parse only, but an automaton cannot count."""
    proof = prove_rules(read_rules(HEAD + "rules: [{name: a, from: '{n}.{n}', to: 'x/{n}'}]\n"))
    assert [(found.kind, found.about) for found in proof.findings if found.rule == "a" and found.about] == [
        (FindingKind.UNDECIDED, FindingKind.AMBIGUOUS)
    ]


def test_reordered_names_have_no_transducer() -> None:
    """Where ``to`` changes the order, or writes a name twice, source and target are looked at apart."""
    for target, follows in (("{a}-{b}", True), ("{b}-{a}", False), ("{a}{a}{b}", False), ("x{b}", True)):
        rules = read_rules(HEAD + f"rules: [{{name: a, from: '{{a}}/{{b}}', to: '{target}'}}]\n")
        assert (Subject(rules).won_targets(rules.branches[0]) is not None) == follows


def test_a_refuting_finding_beats_an_undecided_one() -> None:
    """The verdict is the worst of what is not allowed."""
    undecided = Finding(FindingKind.UNDECIDED, "a", about=FindingKind.LOOP)
    loop = Finding(FindingKind.LOOP, "a", "a")
    note = Finding(FindingKind.NOTE, "a")
    assert Proof((undecided, loop), ()).verdict is Verdict.REFUTED
    assert Proof((undecided, note), ()).verdict is Verdict.UNDECIDED
    assert Proof((Finding(FindingKind.LOOP, "a", "a", allowed=True),), ()).verdict is Verdict.ALLOWED
    assert Proof((note,), ()).verdict is Verdict.PROVEN


def test_an_expression_that_explodes_is_refused() -> None:
    """The subset construction stops at its limit."""
    with pytest.raises(TooManyStatesError):
        compile_expression(parse_expression("(a|b)*a(a|b){14}"))
    with pytest.raises(TooManyStatesError):
        compile_expression(parse_expression("((a{1000}){1000}){1000}"))


def test_a_machine_of_texts_ends_where_a_dash_loop_could_run_for_ever() -> None:
    """The shortest texts are found though the lowest character leads round in circles (found on a job name)."""
    assert compile_expression(parse_expression("a(-*b){2}")).texts(2)[0] == "abb"


def test_only_exact_templates_take_keys_away_in_a_proof() -> None:
    """A repeated name matches fewer keys than its automaton, so leaving those out would leave out too much."""
    body = "rules: [{name: a, from: '{n}/{n}', to: 'x'}, {name: b, from: '{n}/{m}', to: 'y/{n}/{m}'}]\n"
    subject = Subject(read_rules(HEAD + body + "keep: ['{n}{n}', z]\n"))
    first, second = subject.rules.branches
    assert subject.exact_before(second) == subject.exact_before(first) == subject.keep_machines[1:]
