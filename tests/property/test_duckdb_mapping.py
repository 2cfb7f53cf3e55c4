"""The vectorised mapping and the one-key mapping are the same function."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.rules.branches import Branch
from domain.rules.compiled import BucketSide, CompiledRules
from domain.rules.template_syntax import parse_source, parse_target, read_kind
from domain.rules.templates import kind_of_words
from tests.property.both_mappings import disagreements, other_layouts

KINDS = {
    "words": kind_of_words("words", ["a", "ab", "x/y"]),
    "maybe": read_kind("(.*/)?"),
    "letters": read_kind("[a-bX]+"),
    "line": read_kind("[^/\n]*x"),
}
SOURCES = [
    *("{a}/x/{b...}", "{a...}/y/{b}", "{b*}-{a:[ab]+}", "{a}{b}", "x/{a}/{a}/{b*}", "{a:maybe}x{b}", "{a:words}{b*}"),
    *("{a:letters}{b:line}", "{b...}/{a}", "{a*}.{b*}", "{a:[0-9]{2}}{b*}", "x'\\%{{{a}/{b*}", "{a:maybe}{b:letters}"),
    *("{a:maybe}{b...}", "{a...}{b...}", "{a:words}/{a}/{b...}", "é{a*} {b}", "{b}/{a:.*}", "{a*}{b*}", "{a*}aa{b*}"),
]
TARGETS = ["n/{a}/{b}", "{b}/{a}", "{a}-{b}-{a}", "m/{b}{a}", "{b}", "k/{a|upper}/{b|lower}", "\\1'%{a}\\{b}", "z"]
KEEPS = ["x/{a*}", "{a:words}", "x", "{a}/{a}"]
PIECES = [
    *(
        "/",
        "//",
        "x",
        "y",
        "a",
        "b",
        "ab",
        "-",
        ".",
        "..",
        "./",
        "x/y",
        "\n",
        "é",
        "\u0130",
        "\u017f",
        "K",
        "X",
        "0",
        "12",
    ),
    *(" ", "+", "%2F", "'", '"', "\\", "\\1", "\t", "\x7f", "𝄞", "x'\\%{", "é ", "a/x/b", "n/a/b", "a" * 600),
]
KEYS = st.lists(st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map("".join), min_size=1, max_size=40)


@st.composite
def rule_sets(draw: st.DrawFn) -> CompiledRules:
    """Rules of every form, into the same or another bucket."""
    pairs = draw(st.lists(st.tuples(st.sampled_from(SOURCES), st.sampled_from(TARGETS)), min_size=1, max_size=4))
    branches = []
    for number, (source_text, target_text) in enumerate(pairs):
        source = parse_source(source_text, KINDS)
        branches.append(Branch(f"r{number}", source, parse_target(target_text, source.kinds)))
    return CompiledRules(
        "m",
        BucketSide("src-bucket", draw(st.sampled_from(["", "x/", "a", "é"]))),
        BucketSide(draw(st.sampled_from(["src-bucket", "dst-bucket"])), draw(st.sampled_from(["", "n/", "\\1'"]))),
        tuple(branches),
        keep=tuple(parse_source(text, KINDS) for text in draw(st.lists(st.sampled_from(KEEPS), max_size=2))),
        unmapped=draw(st.sampled_from(["report", "fail", "keep"])),
    )


@settings(max_examples=100)
@given(rule_sets(), KEYS)
def test_sql_maps_every_key_as_the_one_key_mapping_does(rules: CompiledRules, keys: list[str]) -> None:
    """Outcome, rule and target are equal for hostile keys under every form of rule."""
    prefixed = [rules.source_prefix + key for key in keys]
    assert disagreements(rules, [*keys, *prefixed, ""]) == []


@settings(max_examples=100)
@given(rule_sets(), KEYS)
def test_sql_knows_the_keys_of_the_new_layout(rules: CompiledRules, keys: list[str]) -> None:
    """With filters and repeated names too, of keys as they come and of targets as the rules make them."""
    moved = [mapped.target.key for key in keys if (mapped := rules.map_key(rules.source_prefix + key)).target]
    assert other_layouts(rules, [*keys, *(rules.target_prefix + key for key in keys), *moved, ""]) == []


@pytest.mark.parametrize("target", TARGETS)
def test_a_key_that_a_filter_or_a_repeated_name_rules_out_is_not_of_the_new_layout(target: str) -> None:
    """An expression alone would let them in."""
    source = parse_source("{a}/x/{b...}", KINDS)
    side = BucketSide("src-bucket", "")
    rules = CompiledRules("m", side, side, (Branch("r", source, parse_target(target, source.kinds)),))
    keys = ["n/a/b", "b/a", "a-b-a", "a-b-c", "m/ba", "k/A/b", "k/a/b", "k/A/B", "k/\u0130/b", "z", "zz", "a\n"]
    assert other_layouts(rules, keys) == []


def test_a_planted_disagreement_is_found() -> None:
    """The comparison can fail: SQL of the same branches in another order maps one key by another rule."""
    source = parse_source("{a}/x/{b...}", KINDS)
    first = Branch("first", source, parse_target("n/{a}/{b}", source.kinds))
    second = Branch("second", source, parse_target("{b}/{a}", source.kinds))
    side = BucketSide("src-bucket", "")
    rules = CompiledRules("m", side, side, (first, second))
    swapped = CompiledRules("m", side, side, (second, first))
    assert disagreements(rules, ["a/x/b", "y"]) == []
    assert len(disagreements(rules, ["a/x/b", "y"], in_sql=swapped)) == 1


def test_a_literal_that_overlaps_itself_is_not_taken_for_the_only_one() -> None:
    """``aa`` is in ``aaab`` twice: only the second place leaves a text for what stands before."""
    source = parse_source("{a*}aa{b*}", KINDS)
    side = BucketSide("src-bucket", "")
    rules = CompiledRules("m", side, side, (Branch("r", source, parse_target("n/{b}/{a}", source.kinds)),))
    assert disagreements(rules, ["aaab", "xaaa", "aaaa", "xaab", "aab", "xaayaaz"]) == []


def test_a_key_outside_the_prefix_is_unmapped_even_where_unmapped_keys_are_kept() -> None:
    """``unmapped: keep`` is about keys that begin with the prefix."""
    source = parse_source("{a}/x/{b...}", KINDS)
    branch = Branch("r", source, parse_target("{b}/{a}", source.kinds))
    rules = CompiledRules("m", BucketSide("b-1", "p/"), BucketSide("b-1", ""), (branch,), unmapped="keep")
    assert disagreements(rules, ["other", "p/other", "p/a/x/b"]) == []
