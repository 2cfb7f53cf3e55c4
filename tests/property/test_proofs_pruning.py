"""What a proof leaves out changes no answer: compared with every short text."""

from functools import cache
from itertools import product

from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.proofs.excluding import Excluding
from domain.proofs.inclusion import MAX_PAIRS, Inclusion, inclusion_within
from domain.proofs.machines import Machine, Walkable, literal_step, template_steps
from domain.proofs.search import find_shared, search
from domain.proofs.subject import Subject
from domain.rules.automata.dfa import Dfa
from domain.rules.branches import Branch
from domain.rules.compiled import BucketSide, CompiledRules
from domain.rules.template_syntax import parse_source, parse_target, read_kind

SOURCES = [
    *("{a...}/x/{b...}", "{a...}/a/{b:[ab]{1,2}}/{c...}", "{b:(.*/)?}x{a}", "x/{a}", "{a:[ab]{1,3}}/{b...}", "{a*}"),
    *("{a}/{b}", "{a:a(-*[ab]){0,2}}{b*}", "{a...}", "a/{b*}", "{a:[abx]}{b:[/ab]{0,2}}"),
]
TARGETS = ["{a}", "x/{a}", "{a}/b", "a{a|upper}", "{a}x"]
KINDS = ["a(-*[ab]){0,2}", "[ab]{1,3}", "(a|ab)*", "(.*/)?", "[^/]+", "a+b?", "(ab?){0,2}"]
ALPHABET = "abx/"


@cache
def every_text(longest: int) -> tuple[str, ...]:
    """All texts over the alphabet up to this length."""
    return tuple("".join(one) for size in range(longest + 1) for one in product(ALPHABET, repeat=size))


def accepts(dfa: Dfa, state: int, text: str) -> bool:
    """Whether the automaton accepts the text from this state on."""
    here: int | None = state
    for character in text:
        here = dfa.step(here, ord(character)) if here is not None else None
    return here is not None and here in dfa.accepting


def compiled(source: str, target: str = "{a}") -> CompiledRules:
    """One rule."""
    template = parse_source(source, {})
    side = BucketSide("one-bucket", "")
    return CompiledRules("m", side, side, (Branch("r", template, parse_target(target, template.kinds)),))


def machine(source: str) -> Machine:
    """The keys of a template."""
    return Machine(template_steps(parse_source(source, {}), ""))


def matches(source: str, text: str) -> bool:
    """Whether the template itself matches the text."""
    return parse_source(source, {}).match(text) is not None


def writes(walked: Walkable, text: str) -> bool:
    """Whether the machine can write exactly the text, asked in both ways."""
    asked = [walked, Machine([literal_step(text)])]
    found = find_shared(asked, budget=100_000) is not None
    assert found == (next(search(asked), None) is not None)
    return found


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KINDS))
def test_one_state_includes_another_where_it_accepts_all_its_texts(kind: str) -> None:
    """Both answers are right for every pair of states."""
    dfa = read_kind(kind).dfa
    states = range(len(dfa.edges))
    accepted = {state: {text for text in every_text(5) if accepts(dfa, state, text)} for state in states}
    # A dash or another sign is beside the alphabet, so that "no" may rest on a text that is not among these.
    for one, other in product(states, states):
        if inclusion_within(dfa).holds(one, other):
            assert accepted[one] <= accepted[other]
        elif "-" not in kind and "^" not in kind and "." not in kind:
            assert not accepted[one] <= accepted[other]


def test_a_question_that_grows_too_large_is_answered_with_no() -> None:
    """A no only makes a search longer; nothing is called included that was not looked at to its end."""
    loop = read_kind("a*").dfa
    endless = Inclusion(lambda state: [(97, 97, int(str(state)) + 1)], lambda _: False, loop)
    assert not endless.holds(0, 0)
    assert Inclusion(lambda state: [(97, 97, (int(str(state)) + 1) % (MAX_PAIRS // 2))], lambda _: True, loop).holds(
        0, 0
    )


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SOURCES), st.lists(st.sampled_from(SOURCES), max_size=3), st.sampled_from(every_text(5)))
@example("{a...}/x/{b...}", ["{a...}", "x/{a}"], "a/x/b")
def test_what_is_excluded_is_left_out_and_nothing_else(base: str, others: list[str], text: str) -> None:
    """A text is left exactly where the base matches it and no other does."""
    left = Excluding(machine(base), [machine(other) for other in others])
    expected = matches(base, text) and not any(matches(other, text) for other in others)
    assert writes(left, text) == expected


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(SOURCES),
    st.sampled_from(TARGETS),
    st.sampled_from(SOURCES),
    st.lists(st.sampled_from(SOURCES), max_size=2),
    st.lists(st.sampled_from(SOURCES), max_size=2),
)
@example("{a...}", "{a}", "{a...}/x/{b...}", ["{a...}/x/{b...}"], [])
def test_a_search_that_finds_nothing_misses_no_key(
    source: str, target: str, again: str, before: list[str], kept: list[str]
) -> None:
    """Whenever some short key moves to a key that the second template takes, the search finds a text."""
    if "{a" not in source:
        return
    rules = compiled(source, target)
    subject, branch = Subject(rules), rules.branches[0]
    first = subject.won_targets(branch, [machine(one) for one in before])
    if first is None:
        return
    sides = [first, Excluding(machine(again), [machine(one) for one in kept])]
    found = find_shared(sides, budget=200_000)
    assert (found is None) == (next(search(sides, budget=200_000), None) is None)
    if found is not None:
        return
    for text in every_text(5):
        captures = branch.source.match(text)
        if captures is not None and not any(matches(one, text) for one in before):
            moved = branch.target.render(captures)
            assert not matches(again, moved) or any(matches(one, moved) for one in kept), (text, moved)


def test_a_state_from_which_more_is_excluded_covers_nothing() -> None:
    """The fewer keys are taken away, the more is left."""
    left = Excluding(machine("{a:[ab]{1,3}}"), [machine("a{b*}"), machine("b{b*}")])
    inner, followed = (1, 0), frozenset({(0, (1, 0)), (1, (1, 0))})
    fewer = frozenset({(0, (1, 0))})
    assert left.covers((inner, fewer), (inner, followed))
    assert not left.covers((inner, followed), (inner, fewer))
    assert {(1, followed), (1, fewer)} <= set(left.shelves((inner, followed)))
