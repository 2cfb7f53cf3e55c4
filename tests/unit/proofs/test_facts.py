"""What ``rules check`` finds in small rules, to the last key: everything that is there and nothing that is not."""

import json
from collections.abc import Mapping

import pytest

from domain.proofs.proof import FindingKind, Proof, ProofVerdict, RulesFinding, prove_rules
from handlers.config.rules_file import read_rules

ONE, TWO = "one-bucket", "two-bucket"


def prove(
    *rules: str, keep: tuple[str, ...] = (), target: str = TWO, side: Mapping[str, str] | None = None, **more: object
) -> Proof:
    """The proof over rules, each written as its name, its sources and its target; ``side`` is more of the target's."""
    written = [line.split() for line in rules]
    return prove_rules(
        read_rules(
            json.dumps(
                {
                    "version": 1,
                    "migration": "m",
                    "source": {"bucket": ONE},
                    "target": {"bucket": target, **(side or {})},
                    "rules": [{"name": name, "from": sources, "to": to} for name, *sources, to in written],
                    "keep": keep,
                    **more,
                }
            )
        )
    )


def said(finding: RulesFinding) -> str:
    """A finding in one line; of an undecided one what it would be."""
    kind = f"undecided {finding.about}" if finding.about else finding.kind.value
    shown = f": {' '.join(finding.keys)} -> {' '.join(finding.targets)}" if finding.keys else ""
    return f"{kind} {finding.rule}{' ' if finding.other_rule else ''}{finding.other_rule or ''}{shown}"


def told(proof: Proof) -> list[str]:
    """Every finding but the notes."""
    return [said(finding) for finding in proof.findings if finding.kind is not FindingKind.NOTE]


@pytest.mark.parametrize(
    ("rules", "keep", "expected"),
    [
        (["a {n}/{n} x/{n}", "b {m}/b y/{m}"], [], ["undecided overlap a b"]),
        (["b {m}/b y/{m}", "a {n}/{n} x/{n}"], [], ["undecided overlap b a"]),
        (
            ["a x/{n}/{n} y/{n}"],
            ["x/{k:.{6}}/{l}"],
            ["overlap a keep: x/aaaaaa/aaaaaa -> y/aaaaaa x/aaaaaa/aaaaaa"],
        ),
        (["a {n:[ac]}/{m:[c]} y/{n}/{m}"], ["{k}/{k}"], ["overlap a keep: c/c -> y/c/c c/c"]),
        (["a ../{n} y/{n}"], ["../{k}"], ["unreachable a", "undecided overlap a keep"]),
        (["a ../{n} y/{n}", "b z/{n} y/{n}"], [], ["undecided unreachable a", "undecided collision a b"]),
        (["b z/{n} y/{n}", "a ../{n} y/{n}"], [], ["undecided unreachable a", "undecided collision b a"]),
        (
            ["a {x} {x}/../../y", "b {n} z/{n}"],
            [],
            ["unreachable b", "invalid-target a: a -> a/../../y", "overlap a b: a -> a/../../y z/a"],
        ),
        (
            ["a {x}/{y} {x}/{y}", "b {n:[ac]{2}}/{n} z/{n}"],
            [],
            ["unreachable b a: aa/aa -> aa/aa", "overlap a b: aa/aa -> aa/aa z/aa"],
        ),
        (
            ["r {x:[a]}/{y:[a]} {x}/../../y", "s {x}/{y} w/{x}/{y}", "b {n:[ac]}/{n} z/{n}"],
            [],
            [
                "unreachable b",
                "invalid-target r: a/a -> a/../../y",
                "overlap r s: a/a -> a/../../y w/a/a",
                "overlap r b: a/a -> a/../../y z/a",
                "overlap s b: a/a -> w/a/a z/a",
            ],
        ),
        (
            ["r {x:[a]} {x}/../../y", "s c z", "b {n:[ac]} w/{n}"],
            [],
            [
                "unreachable b s: c -> z",
                "invalid-target r: a -> a/../../y",
                "overlap r b: a -> a/../../y w/a",
                "overlap s b: c -> z w/c",
            ],
        ),
        (["a {a:x*}{b:x*}{c:x*} y/{a}-{b}-{c}"], [], ["ambiguous a: x -> y/--x y/-x-"]),
    ],
)
def test_which_rules_share_a_key_is_told_with_a_key_that_both_match(
    rules: list[str], keep: list[str], expected: list[str]
) -> None:
    """A text that only looks like a shared key is no finding: with repeated names, or where S3 knows no such key."""
    assert told(prove(*rules, keep=tuple(keep))) == expected


@pytest.mark.parametrize(
    ("rules", "keep", "expected"),
    [
        (["a x/{n} y/{n}", "b z/{m} y/{m}"], [], ["collision a b: x/a z/a -> y/a y/a"]),
        (["a x/{a}/{b} {b}/{a}", "b z/{a}/{b} {b}/{a}"], [], ["collision a b: x/a/a z/a/a -> a/a a/a"]),
        (
            ["a x/{n} y/{n}", "c w/{n} y/{n}", "b {m:[wxz]}/{n} y/{n}"],
            [],
            [
                "undecided collision b b",
                "undecided lossy b",
                "collision a c: x/a w/a -> y/a y/a",
                "collision a b: x/a z/a -> y/a y/a",
                "overlap a b: x/a -> y/a y/a",
                "collision c b: w/a z/a -> y/a y/a",
                "overlap c b: w/a -> y/a y/a",
            ],
        ),
        (["a {x:[ab]} n/{x}", "b {x:[a-d]} n/{x}"], [], ["overlap a b: a -> n/a n/a"]),
        (
            ["c x/{n:[ab]} c/{n}", "a y/{n:[ab]} t/{n}", "b x/{n:[a-d]} t/{n}"],
            [],
            ["overlap c b: x/a -> c/a t/a"],
        ),
        (["a x/{n:[ab]} k{n}{n}", "b y/{m:[bc]} ka{m}"], [], ["undecided collision a b"]),
        (
            ["a {x:[ab]}/{y:[ab]} {y}/{x}", "b {x:[a-d]}/{y:[a-d]} {x}/{y}"],
            [],
            ["overlap a b: a/a -> a/a a/a"],
        ),
        (
            ["a {x:[ab]}/{y:[ab]} {x}/{y}", "b {x:[a-d]}/{y:[a-d]} {y}/{x}"],
            [],
            ["undecided collision a b", "overlap a b: a/a -> a/a a/a"],
        ),
        (["a {m:[a]}/{n} y/{n}"], [], []),
        (
            ["a {a:x+}/{b:x+} {a}{b}"],
            ["x/xx"],
            [
                "collision a a: xx/xx x/xxx -> xxxx xxxx",
                "lossy a: xx/xx x/xxx -> xxxx xxxx",
                "overlap a keep: x/xx -> xxx x/xx",
            ],
        ),
        (
            ["r x/xx xxx", "a {a:x+}/{b:x+} {a}{b}"],
            [],
            [
                "collision a a: xx/xx x/xxx -> xxxx xxxx",
                "lossy a: xx/xx x/xxx -> xxxx xxxx",
                "collision r a: x/xx xx/x -> xxx xxx",
                "overlap r a: x/xx -> xxx xxx",
            ],
        ),
        (
            ["a {n:[ac]}/{m:[ab]} {n}"],
            ["a/{m:[ab]}"],
            ["collision a a: c/a c/b -> c c", "lossy a: c/a c/b -> c c", "overlap a keep: a/a -> a a/a"],
        ),
        (
            ["r a/a a", "a {n:[ac]}/{m:[ab]} {n}"],
            [],
            [
                "collision a a: c/a c/b -> c c",
                "lossy a: c/a c/b -> c c",
                "collision r a: a/a a/b -> a a",
                "overlap r a: a/a -> a a",
            ],
        ),
    ],
)
def test_a_collision_is_told_with_two_keys_that_their_rules_really_win(
    rules: list[str], keep: list[str], expected: list[str]
) -> None:
    """Keys that an earlier rule or ``keep`` takes collide with nothing, and prove nothing."""
    assert told(prove(*rules, keep=tuple(keep))) == expected


@pytest.mark.parametrize(
    ("rules", "keep", "expected"),
    [
        (["r x/{n:[ab]} w/{n}", "a x/{n:[a-d]} k/{n}"], ["k/{m:[ab]}"], ["overlap r a: x/a -> w/a k/a"]),
        (
            ["r x/{n:[ab]} k/{n}", "a x/{n:[a-d]} k/{n}"],
            ["k/{m:[ab]}"],
            ["overlap r a: x/a -> k/a k/a", "collision r keep: x/a k/a -> k/a k/a"],
        ),
        (
            ["r x/a/{l:[a]} w", "a x/{n:[a]}/{l:[a]} k/{l}/{n}"],
            ["k/a/a"],
            [
                "unreachable a r: x/a/a -> w",
                "overlap r a: x/a/a -> w k/a/a",
                "undecided collision a keep",
            ],
        ),
        (["s x/{n} x/{n}", "o {k}/{n} z/{k}/{n}"], [], ["overlap s o: x/a -> x/a z/x/a"]),
        (["s x/{n} x/{n}", "m y/{n} x/{n}"], [], ["collision s m: x/a y/a -> x/a x/a"]),
        (["r x/{n:[ab]} w/{n}", "a x/{n:[a-d]} y/{n}", "c y/{m:[ab]} z/{m}"], [], ["overlap r a: x/a -> w/a y/a"]),
        (
            ["a x/{n:[ac]} y/{n}", "b {p:[xz]}/{n:[ac]} y/{n}", "c y/{m:[a]} w/{m}", "d {q:[yw]}/{m:[ac]} v/{m}"],
            [],
            [
                "undecided collision b b",
                "undecided lossy b",
                "collision d d: w/c y/c -> v/c v/c",
                "lossy d: w/c y/c -> v/c v/c",
                "collision a b: x/a z/a -> y/a y/a",
                "overlap a b: x/a -> y/a y/a",
                "overlap c d: y/a -> w/a v/a",
                "loop a c: x/a y/a -> y/a w/a",
                "loop a d: x/c y/c -> y/c v/c",
                "loop b c: z/a y/a -> y/a w/a",
                "loop b d: z/c y/c -> y/c v/c",
                "loop c d: y/a w/a -> w/a v/a",
            ],
        ),
        (["a x//{n} x//{n}"], [], []),
        (["a x/{n} {n}/../../y"], [], ["invalid-target a: x/a -> a/../../y"]),
        (["a x/{n:[a/]} k{n}{n}"], [], ["invalid-target a: x// -> k//"]),
        (
            ["r x/{n:[/]} /{n}", "a x/{n:[/a]} y/{n}"],
            [],
            ["invalid-target r: x// -> //", "overlap r a: x// -> // y//"],
        ),
        (["r x// w/s", "a x/{n:[/a]} y/{n}"], [], ["overlap r a: x// -> w/s y//"]),
        (
            ["a x/{p:a?}/{q:a?} x/{q}/{p}"],  # x// stays
            [],
            ["invalid-target a: x//a -> x/a/", "loop a a: x/a/ x//a -> x//a x/a/"],
        ),
        (
            ["a a/{x:[a-z]{3}} n/{x}-old", "b b/{y:[a-z]{3}} n/new-{y}"],
            [],
            ["collision a b: a/new b/old -> n/new-old n/new-old"],
        ),
    ],
)
def test_what_goes_wrong_in_one_bucket_is_told_with_keys_that_really_go_there(
    rules: list[str], keep: list[str], expected: list[str]
) -> None:
    """Loops, unclean targets and targets that are kept: of the rule that wins the key, and what stays does not move."""
    assert told(prove(*rules, keep=tuple(keep), target=ONE)) == expected


def test_what_stays_is_told_by_its_place_and_not_by_what_is_said_of_the_bucket() -> None:
    """An owner that only one side names makes no move of it."""
    proof = prove("s x//{n} x//{n}", "m y/{n} z/{n}", target=ONE, side={"expected_owner": "123456789012"})
    assert told(proof) == []


def test_keys_that_differ_are_shown_in_characters_that_people_can_type() -> None:
    """Also where every character is allowed."""
    assert told(prove("a x/{n:[^/]+}/{m:[bc]} y/{m}")) == [
        "collision a a: x/a/b x/b/b -> y/b y/b",
        "lossy a: x/a/b x/b/b -> y/b y/b",
    ]


def test_a_new_prefix_of_the_same_bucket_is_a_loop_where_the_rules_match_it_again() -> None:
    """Equal templates stay where they are only where the prefixes are equal too."""
    proof = prove("a {n...} {n}", target=ONE, side={"prefix": "new/"})
    assert told(proof) == ["loop a a: a new/a -> new/a new/new/a"]
    assert told(prove("a {n...} {n}", target=ONE)) == []


def test_what_is_undecided_for_one_form_is_told_where_another_form_shows_it() -> None:
    """A rule with two sources is ambiguous as soon as one of them is."""
    proofs = prove("a {n}.{n} x/{n}"), prove("a {n}.{n} {n}-{m:-?[ab]} x/{n}")
    assert [[line for line in told(proof) if "ambiguous" in line] for proof in proofs] == [
        ["undecided ambiguous a"],
        ["ambiguous a: a--a -> x/a x/a-"],
    ]


def test_too_few_tries_never_make_a_repeated_name_s_rule_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys of a repeated name are fewer than its automaton holds, so leaving them out would prove too much."""
    monkeypatch.setattr("domain.proofs.subject.CANDIDATES", 1)
    rules = ["a {n:[a-f]}/{n} a{n}", "b {m:[a-f]}/{k:[a-f]} {m}{k}"]
    assert told(prove(*rules)) == [
        "undecided unreachable b",
        "undecided collision a b",
        "overlap a b: a/a -> aa aa",
    ]


def test_what_the_two_rules_alone_decide_needs_no_room_for_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that the first rule takes from the second are left out first, which is cheap with many rules."""
    monkeypatch.setattr("domain.proofs.subject.FINE_BUDGET", 20)
    rules = ["c {n:[ab]{1,30}z} c/{n}", "a {n:[ab]+} t/{n}", "b {n:[a-d]+} t/{n}"]
    assert told(prove(*rules)) == ["overlap a b: a -> t/a t/a"]


def test_each_finding_says_why() -> None:
    """In words that stand in the report."""
    whys = {said(finding): finding.why for finding in prove("a {x} {x}/../../y", "b {n} z/{n}").findings}
    assert whys == {
        "unreachable b": "earlier rules or keep take every key that it matches",
        "invalid-target a: a -> a/../../y": "the target has an empty, '.' or '..' segment, or is not a valid S3 key",
        "overlap a b: a -> a/../../y z/a": "both match this key, so their order decides",
    }
    (undecided,) = prove("a x/{n:[ab]} k{n}{n}", "b y/{m:[bc]} ka{m}").findings
    assert undecided.why == "whether there is a finding of kind 'collision' could not be decided"


def test_an_exception_holds_for_its_own_finding_and_its_own_rules_only() -> None:
    """In whichever order it names the two rules; what it does not name stands, with its own reason."""
    rules = ["a x/{n} y/{n}", "b {m}/{n} w/{m}/{n}", "c z/{n} y/{n}"]
    entry = {"rule": "b", "other_rule": "a", "finding": "overlap", "why": "b is the rest"}
    proof = prove(*rules, allow=[entry])
    allowed = {said(finding): finding.why for finding in proof.findings if finding.allowed}
    assert allowed == {"overlap a b: x/a -> y/a w/x/a": "b is the rest"}
    assert (proof.verdict, proof.unneeded) == (ProofVerdict.REFUTED, ())
    assert [one.why for one in prove(*rules, allow=[entry, {**entry, "other_rule": "c", "why": "no"}]).unneeded] == []
    unneeded = prove(*rules, allow=[{**entry, "other_rule": "c", "finding": "collision"}]).unneeded
    assert [one.finding for one in unneeded] == ["collision"]
