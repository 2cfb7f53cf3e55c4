"""The automata behind the proofs hold every key and every target that the rules really make."""

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.keys import unclean_segment
from domain.proofs.machines import Machine, Walkable, literal_step
from domain.proofs.search import search
from domain.proofs.subject import Subject
from domain.proofs.targets import UNCLEAN
from domain.rules.branches import Branch
from domain.rules.compiled import BucketSide, CompiledRules
from domain.rules.template_syntax import parse_source, parse_target

SOURCES = ["x/{a}/{b}", "{a...}/x/{b}", "{b*}{a:[aA]+}", "{b:(.*/)?}x{a}", "{a}/{a}/{b*}", "x{c}/{a}.{b}", "{a}.{b...}"]
TARGETS = ["n/{a}/{b}", "{b}/{a}", "{a}-{b}-{a}", "{b}", "k/{a|lower}/{b|upper}", "{a}{b}/z", "{a|upper}", "fixed"]
PAIRS = st.lists(st.tuples(st.sampled_from(SOURCES), st.sampled_from(TARGETS)), min_size=1, max_size=3)
KEYS = st.text("aAx/.", max_size=8)


def writes(machine: Walkable, text: str) -> bool:
    """Whether the machine can write exactly the text."""
    return next(search([machine, Machine([literal_step(text)])]), None) is not None


@settings(max_examples=300)
@given(PAIRS, KEYS | st.builds("{}/{}/{}".format, KEYS, st.just("x"), KEYS), st.sampled_from(["", "p/"]))
def test_no_key_and_no_target_is_missing_from_its_automata(pairs: list[tuple[str, str]], key: str, prefix: str) -> None:
    """What the rules map is in the key machine, the target machine and the transducer without earlier rules' keys."""
    branches = []
    for number, (source_text, target_text) in enumerate(pairs):
        source = parse_source(source_text, {})
        branches.append(Branch(f"r{number}", source, parse_target(target_text, source.kinds)))
    sides = BucketSide("one-bucket", prefix), BucketSide("two-bucket", prefix[::-1].strip("/"))
    rules = CompiledRules("m", *sides, tuple(branches))
    mapped = rules.map_key(prefix + key)
    if mapped.target is None:
        return
    subject = Subject(rules)
    branch = next(branch for branch in rules.branches if branch.rule == mapped.rule)
    assert writes(subject.keys(branch), mapped.key)
    assert writes(subject.targets(branch), mapped.target.key)
    won = subject.won_targets(branch)
    assert won is None or writes(won, mapped.target.key)


@settings(max_examples=300)
@given(st.text("a./", max_size=7))
def test_the_automaton_of_unclean_keys_is_the_one_key_check(text: str) -> None:
    """Both call the same texts unclean."""
    assert writes(UNCLEAN, text) == (unclean_segment(text) is not None)
