"""What the proofs do at their limits: budgets, repeated names, reordered names."""

import pytest

from domain.keys import Location
from domain.proofs.excluding import Excluding
from domain.proofs.machines import Machine, Step, Walkable, literal_step, template_steps
from domain.proofs.proof import FindingKind, Proof, ProofVerdict, RulesFinding, prove_rules
from domain.proofs.search import BudgetSpentError, FoundText, search
from domain.proofs.subject import Answer, Evidence, Subject, settle
from domain.rules.automata.dfa import Dfa, TooManyStatesError, compile_expression
from domain.rules.automata.expressions import parse_expression
from domain.rules.template_filters import Filter
from domain.rules.template_syntax import parse_source
from handlers.config.rules_file import read_rules

HEAD = "version: 1\nmigration: m\nsource: {bucket: one-bucket}\ntarget: {bucket: one-bucket}\n"


def compiled(expression: str) -> Dfa:
    """The automaton of an expression's text."""
    return compile_expression(parse_expression(expression))


def machine(template: str) -> Machine:
    """The keys of a template."""
    return Machine(template_steps(parse_source(template, {}), ""))


def texts(*machines: Walkable, visits: int = 1) -> list[str]:
    """The texts that a search finds, in its order."""
    return [found.text for found in search(machines, visits=visits)]


def writes(machine: Walkable, text: str) -> bool:
    """Whether the machine can write exactly the text."""
    return bool(texts(machine, Machine([literal_step(text)])))


def test_a_search_that_meets_too_much_says_so() -> None:
    """A spent budget is no proof, and it is spent by the first state too many."""
    assert [found.text for found in search([machine("ab")], budget=3)] == ["ab"]
    with pytest.raises(BudgetSpentError):
        list(search([machine("ab")], budget=2))
    with pytest.raises(BudgetSpentError):
        list(search([machine("{a...}x"), machine("{a...}y")], budget=3))


def test_a_spent_budget_leaves_the_question_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Size never turns into a proof."""
    monkeypatch.setattr("domain.proofs.subject.COARSE_BUDGET", 2)
    monkeypatch.setattr("domain.proofs.subject.FINE_BUDGET", 2)
    proof = prove_rules(read_rules(HEAD + "rules: [{name: a, from: 'xxx/{n}', to: 'yyy/{n}'}]\n"))
    assert proof.verdict is ProofVerdict.UNDECIDED
    assert {finding.kind for finding in proof.findings} == {FindingKind.UNDECIDED}


def test_a_search_without_any_text_is_a_proof_and_one_without_evidence_is_not() -> None:
    """The difference between "there is none" and "none was confirmed"."""
    disjoint, shared = [machine("x{a}"), machine("y{a}")], [machine("x{a}"), machine("{a}")]
    assert settle([lambda: disjoint], lambda _: None) == "impossible"
    assert settle([lambda: shared], lambda _: None) == "undecided"
    assert settle([lambda: None], lambda _: None) == "undecided"


def test_each_stage_has_its_own_budget_and_the_next_one_may_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A coarse stage that meets too much, or cannot be asked, leaves the answer to the finer ones."""
    monkeypatch.setattr("domain.proofs.subject.COARSE_BUDGET", 2)
    disjoint = [machine("wwx{a}"), machine("wwy{a}")]
    assert settle([lambda: disjoint], lambda _: None) == "undecided"
    assert settle([lambda: disjoint, lambda: disjoint], lambda _: None) == "impossible"
    assert settle([lambda: None, lambda: disjoint], lambda _: None) == "impossible"


def test_evidence_that_the_first_round_misses_is_looked_for_with_other_characters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second round comes to each state by more ways, within the same budget."""
    ways = [machine("{a:(p|q|r|s)[abcd]}")]

    def ask(text: str) -> Answer:
        return settle([lambda: ways], lambda found: Evidence((found.text,), ()) if found.text == text else None)

    assert ask("sd") == Evidence(("sd",), ())
    monkeypatch.setattr("domain.proofs.subject.COARSE_BUDGET", 7)
    assert ask("qb") == Evidence(("qb",), ())
    assert ask("sd") == "undecided"


def test_a_question_of_two_ways_is_only_asked_about_texts_with_two_ways() -> None:
    """Both rounds offer what the two equal machines read differently, also where the way goes on alike afterwards."""
    twice, offered = machine("{a:x+}{b:x+}y"), list[FoundText]()
    assert settle([lambda: [twice, twice]], offered.append, differ=True) == "undecided"
    assert offered[0].text == "xxxy"
    assert [found for found in offered if found.captures[0] == found.captures[1]] == []
    silent = Machine([literal_step("x", writes=False), Step(compiled("a+"), "n"), Step(compiled("a+"), "m")])
    first = next(search([silent, silent], differ=True))
    assert (first.text, first.captures) == ("aaa", ({"n": "aa", "m": "a"}, {"n": "a", "m": "aa"}))


@pytest.mark.parametrize(
    ("kind", "visits", "expected"),
    [
        ("[!a]", 1, ["a"]),
        ("[0a]", 1, ["a"]),
        ("[!0]", 1, ["0"]),
        ("[!0]", 2, ["0", "!"]),
        ("[ab]", 1, ["a"]),
        (r"[\t-\r]", 1, ["\t"]),
        ('[!"]', 1, ["!"]),
        ('(u|v|w)[!"]', 2, ["u!", 'v"']),
        ("(u|v|w)[ab]", 1, ["ua"]),
        ("(u|v|w)[ab]", 2, ["ua", "vb"]),
        ("(u|v|w)[ab]", 3, ["ua", "vb", "wa"]),
    ],
)
def test_the_texts_that_are_found_are_the_ones_that_people_read(kind: str, visits: int, expected: list[str]) -> None:
    """Letters before digits before the rest, and another character each time that a state is met."""
    assert texts(machine(f"{{n:{kind}}}"), visits=visits) == expected
    assert texts(Excluding(machine(f"{{n:{kind}}}"), [machine("zz")]), visits=visits) == expected


def test_the_start_counts_as_met() -> None:
    """A machine that comes back to its start meets it as often as any other state."""
    circle = Machine([Step(Dfa((((97, 98, 0),),), frozenset({0})))])
    assert [texts(circle, visits=visits) for visits in (1, 2, 3)] == [[""], ["", "b"], ["", "b", "ba"]]


def test_the_first_character_of_all_is_one_like_any_other() -> None:
    """Keys may hold U+0000."""
    assert writes(machine("{n}"), "\0")
    assert writes(Excluding(machine("{n}"), [machine("b")]), "\0")


def test_what_is_only_read_is_not_written_and_what_is_only_written_not_read() -> None:
    """A transducer's text holds what it writes; what it reads decides what is excluded."""
    assert texts(Machine([literal_step("x", writes=False), literal_step("y"), literal_step("z", reads=False)])) == [
        "yz"
    ]
    mixed = Machine([Step(compiled("[!a]*"), "n"), literal_step("a", reads=False)])
    assert writes(Excluding(mixed, [machine("zz")]), "!a")


def test_what_is_excluded_is_found_out_on_the_key_that_a_filter_reads() -> None:
    """Without the key B, lower case leaves a and c; without the key b, its neighbours stay."""
    lower = Machine([Step(compiled("[A-C]"), "n", filter=Filter.LOWER)])
    kept = Excluding(lower, [machine("B")]), Excluding(machine("{n:[a-d]}"), [machine("b")])
    assert [[text for text in "abcd" if writes(one, text)] for one in kept] == [["a", "c"], ["a", "c", "d"]]


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
    undecided = RulesFinding(FindingKind.UNDECIDED, "a", about=FindingKind.LOOP)
    loop = RulesFinding(FindingKind.LOOP, "a", "a")
    note = RulesFinding(FindingKind.NOTE, "a")
    assert Proof((undecided, loop), ()).verdict is ProofVerdict.REFUTED
    assert Proof((undecided, note), ()).verdict is ProofVerdict.UNDECIDED
    assert Proof((RulesFinding(FindingKind.LOOP, "a", "a", allowed=True),), ()).verdict is ProofVerdict.ALLOWED
    assert Proof((note,), ()).verdict is ProofVerdict.PROVEN


def test_an_expression_that_explodes_is_refused() -> None:
    """The subset construction stops at its limit."""
    with pytest.raises(TooManyStatesError):
        compiled("(a|b)*a(a|b){14}")
    with pytest.raises(TooManyStatesError):
        compiled("((a{1000}){1000}){1000}")


def test_a_machine_of_texts_ends_where_a_dash_loop_could_run_for_ever() -> None:
    """The shortest texts are found though the lowest character leads round in circles (found on a job name)."""
    assert compiled("a(-*b){2}").texts(2)[0] == "abb"


def test_only_exact_templates_take_keys_away_in_a_proof() -> None:
    """A repeated name matches fewer keys than its automaton, so leaving those out would leave out too much."""
    body = "rules: [{name: a, from: '{n}/{n}', to: 'x'}, {name: b, from: '{n}/{m}', to: 'y/{n}/{m}'}]\n"
    subject = Subject(read_rules(HEAD + body + "keep: ['{n}{n}', z]\n"))
    first, second = subject.rules.branches
    assert subject.exact_before(second) == subject.exact_before(first) == subject.keep_machines[1:]


IN_PLACE = (
    "version: 1\nmigration: m\nsource: {bucket: one-bucket, prefix: s/}\ntarget: {bucket: one-bucket, prefix: s/}\n"
)


def test_a_key_has_a_place_where_a_rule_or_keep_says_so() -> None:
    """A move's target or the place it has; none where nobody decides, or where the rules refuse the key."""
    body = "rules: [{name: stays, from: 'x/{n}', to: 'x/{n}'}, {name: up, from: 'u/{n:[.]+}', to: '{n}/{n}/v'},"
    body += " {name: moves, from: 'y/{n}', to: 'z/{n}'}]\nkeep: ['k/{n}']\n"
    for unmapped in ("report", "keep"):
        subject = Subject(read_rules(IN_PLACE + body + f"unmapped: {unmapped}\n"))
        assert subject.place("s/x/a") == ("stays", Location("one-bucket", "s/x/a"))
        assert subject.place("s/y/a") == ("moves", Location("one-bucket", "s/z/a"))
        assert subject.place("s/k/a") == ("keep", Location("one-bucket", "s/k/a"))
        assert [subject.place(key) for key in ("s/other", "t/x/a", "s/u/..", "s/" + "x" * 1_023)] == [None] * 4


def test_only_keys_of_the_migration_are_kept() -> None:
    """``keep`` is about valid keys under the source's prefix."""
    subject = Subject(read_rules(IN_PLACE + "rules: [{name: a, from: 'x/{n}', to: 'y/{n}'}]\nkeep: ['{n*}']\n"))
    keys = ["s/a", "s/..", "t/a", "s/../../a", "", "s/" + "x" * 1_023]
    assert [key for key in keys if subject.is_kept(key)] == [key for key in keys if subject.within(key)] == keys[:2]
    subject = Subject(read_rules(IN_PLACE + "rules: [{name: a, from: 'x/{n}', to: 'y/{n}'}]\nkeep: ['k/{n*}']\n"))
    assert [key for key in ("s/k/a", "s/a", "k/a") if subject.is_kept(key)] == ["s/k/a"]
    assert (subject.within("s/k/a"), subject.within("k/a")) == ("k/a", None)


@pytest.mark.parametrize(
    ("source", "target", "taken", "expected"),
    [
        ("x{a:[ac]}-{b:[ac]}y", "n{a}_{b}z", "xa-{b:[ac]}y", ["t/nc_az", "t/nc_cz"]),
        ("x{a:[ac]}-{b:[ac]}y", "n{b}z", "x{a:[ac]}-cy", ["t/naz"]),
        ("{a:[ac]}/{a}", "n{a}", "zz", ["t/na", "t/nc"]),
        ("{a:[AC]}", "{a|lower}", "A", ["t/c"]),
        ("{a:[ac]}x", "fixed", "{a:[ac]}x", []),
    ],
)
def test_the_targets_that_a_rule_wins_are_told_exactly(
    source: str, target: str, taken: str, expected: list[str]
) -> None:
    """Those of the keys that are left to it, with the target's own prefix and texts, read from the source's."""
    head = HEAD.replace("one-bucket}", "one-bucket, prefix: s/}", 1).replace(
        "one-bucket}", "one-bucket, prefix: t/}", 1
    )
    body = f"rules: [{{name: a, from: '{taken}', to: w}}, {{name: b, from: '{source}', to: '{target}'}}]\n"
    subject = Subject(read_rules(head + body))
    won = subject.won_targets(subject.rules.branches[1])
    assert won is not None
    assert sorted(set(texts(won, visits=9))) == expected
