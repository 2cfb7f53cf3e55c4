"""Templates that RE2 cannot read, or reads with another answer, are mapped by the one-key mapping."""

import pytest

from domain.rules.branches import Branch
from domain.rules.compiled import BucketSide, CompiledRules
from domain.rules.template_syntax import parse_source, parse_target
from tests.property.both_mappings import disagreements

SIDE, OTHER = BucketSide("src-bucket", ""), BucketSide("dst-bucket", "")


def rules(*pairs: tuple[str, str], keep: tuple[str, ...] = ()) -> CompiledRules:
    """Rules of one source and one target each."""
    branches = []
    for number, (source_text, target_text) in enumerate(pairs):
        source = parse_source(source_text, {})
        branches.append(Branch(f"r{number}", source, parse_target(target_text, source.kinds)))
    return CompiledRules("m", SIDE, OTHER, tuple(branches), keep=tuple(parse_source(text, {}) for text in keep))


@pytest.mark.parametrize(
    "source",
    [
        "{a:[^/]{1,1024}}",
        "{a:[^/]{1,1000}}/{b}",
        "{a:[^/]{1,1001}}/{b}",
        "{a:[^/]{1001}}",
        "x/{a:([a-z]{1,40}/){1,30}}{b}",
        "{a:(([a-z]{0,9}){1,20}/){0,6}}{b}",
        "{a:(a|b){3,1024}}{b*}",
        "{a:([a-z0-9]{1,63}[.]){1,10}}{b:[0-9]{1,20}}",
    ],
)
def test_a_kind_that_re2_refuses_is_planned_as_it_is_mapped(source: str) -> None:
    """RE2 takes no repetition above 1,000, nested ones multiplied; ``rules check`` does, so the plan must as well."""
    keys = ["a", "abc", "a/b", "abc/def", "x/a/b/c", "x/abc/7", "ab" * 500 + "/x", "a" * 1001, "a.b.7", "", "/", "é/x"]
    for planned in (rules((source, "n/{a}")), rules((source, "n/{a|upper}")), rules(("q", "r"), keep=(source,))):
        assert disagreements(planned, keys) == []


@pytest.mark.parametrize(
    ("source", "keys"),
    [
        ("{a*}-{b:[0-9]}{b}{c*}", ["x-12-33y", "x-11y", "x-12-34y", "x-1-22"]),
        ("{a*}{b:[0-9]}{b}", ["x12", "x11", "1122", "12"]),
        ("{a...}/{b}/{b}/{c...}", ["u/v/w/w/x", "u/v/v/w/w/x", "u/v/w/x"]),
        ("{a*}{b*}{c*}{a}{b}{z:[x]}", ["a" * 600, "abcabx", "aaaax"]),
        ("{a*}/{b*}/{a}/{b}/z", ["u/v/u/v/z", "/" * 1_000 + "z", "u/v/u/w/z"]),
        ("{a:[ab]{2}}{b:[ab]{2}}{a}{b}", ["aabbaabb", "aabbaaba", "ab"]),
    ],
)
def test_a_repeated_name_is_planned_as_it_is_mapped(source: str, keys: list[str]) -> None:
    """Also where a later way to take the key apart is the right one, and where the million tries are used up."""
    target = "n/{a}"
    for planned in (rules((source, target)), rules((source, target), ("{all*}", "rest/{all}"))):
        assert disagreements(planned, keys) == []
