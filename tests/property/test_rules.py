"""Mapping there and back over random rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.rules.branches import Branch
from domain.rules.compiled import BucketSide, CompiledRules, MapOutcome
from domain.rules.template_syntax import parse_source, parse_target

SOURCES = ["{a}/x/{b...}", "{a...}/y/{b}", "{b*}-{a:[ab]+}", "{a}{b}", "x/{a}/{a}/{b*}", "{a:(.*/)?}x{b}"]
TARGETS = ["n/{a}/{b}", "{b}/{a}", "{a}-{b}-{a}", "m/{b}{a}", "{b}", "k/{a|upper}/{b}"]
BRANCHES = st.lists(st.tuples(st.sampled_from(SOURCES), st.sampled_from(TARGETS)), min_size=1, max_size=4)


def compiled(pairs: list[tuple[str, str]], prefixes: tuple[str, str]) -> CompiledRules:
    """Rules named by their number."""
    branches = []
    for number, (source_text, target_text) in enumerate(pairs):
        source = parse_source(source_text, {})
        branches.append(Branch(f"r{number}", source, parse_target(target_text, source.kinds)))
    return CompiledRules(
        "m", BucketSide("src-bucket", prefixes[0]), BucketSide("src-bucket", prefixes[1]), tuple(branches)
    )


@pytest.mark.slow("reverses hundreds of examples in every way")
@given(BRANCHES, st.sampled_from([("", ""), ("x/", ""), ("", "n/"), ("a", "b/")]), st.text("abxy/.-", max_size=10))
def test_a_moved_key_is_found_again_where_the_rule_can_be_turned_round(
    pairs: list[tuple[str, str]], prefixes: tuple[str, str], key: str
) -> None:
    """Whatever unmaps to a key maps to it again; and what a reversible rule moved is among it."""
    rules = compiled(pairs, prefixes)
    mapped = rules.map_key(prefixes[0] + key)
    if mapped.target is None:
        return
    assert mapped.outcome is MapOutcome.MOVE
    sources = rules.unmap_key(mapped.target.key).keys
    assert all(rules.map_key(source.key).target == mapped.target for source in sources)
    branch = next(branch for branch in rules.branches if branch.rule == mapped.rule)
    if not branch.dropped:
        assert mapped.key in {source.key for source in sources}
