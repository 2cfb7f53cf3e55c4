"""Templates take exactly what docs/rules.md says."""

import pytest

from domain.rules.template_filters import Filter, TooManyParsesError
from domain.rules.template_syntax import TemplateError, parse_source, parse_target, read_kind
from domain.rules.templates import SEGMENT, Captures, kind_of_words

KINDS = {"platform": kind_of_words("platform", ["arm", "arm64", "x86"])}


def captured(template: str, key: str) -> Captures | None:
    """What the template takes from the key."""
    return parse_source(template, KINDS).match(key)


@pytest.mark.parametrize(
    ("template", "key", "captures"),
    [
        ("a/{x}", "a/b", {"x": "b"}),
        ("a/{x}", "a/", None),
        ("a/{x}", "a/b/c", None),
        ("a/{x}", "a/.", None),
        ("a/{x}", "a/..", None),
        ("a/{x}", "a/...", {"x": "..."}),
        ("a/{x}", "a/.b", {"x": ".b"}),
        ("a/{x}", "b/a/b", None),
        ("a/{x}", "a/b\n", {"x": "b\n"}),
        ("{x...}", "a/b/c", {"x": "a/b/c"}),
        ("{x...}", "a//c", None),
        ("{x...}", "/a", None),
        ("{x...}", "a/", None),
        ("{x...}", "a/../b", None),
        ("{x*}", "//a/", {"x": "//a/"}),
        ("{x*}", "", None),
        ("{x*}", "\0\n\U0001f600", {"x": "\0\n\U0001f600"}),
        ("{x...}/{y...}", "a/b/c", {"x": "a", "y": "b/c"}),
        ("{x}{y}", "abc", {"x": "a", "y": "bc"}),
        ("{x}{y}", "..c", None),
        ("{x*}/{y*}", "a/b/c", {"x": "a", "y": "b/c"}),
        ("{p:platform}{rest*}", "arm64z", {"p": "arm", "rest": "64z"}),
        ("{p:platform}/{rest*}", "arm64/z", {"p": "arm64", "rest": "z"}),
        ("{n:[0-9]{2,3}}{rest*}", "1234", {"n": "12", "rest": "34"}),
        ("{n:(ab|a)}{rest*}", "abc", {"n": "a", "rest": "bc"}),
        ("{n:a.*}/{m*}", "a/b/c", {"n": "a", "m": "b/c"}),
        ("{x}/{x}", "a/a", {"x": "a"}),
        ("{x}/{x}", "a/b", None),
        ("{x*}{x}", "abab", {"x": "ab"}),
        ("{x*}-{x}{y*}", "a-a-a-aa", {"x": "a", "y": "-a-aa"}),
        ("{{{x}}}", "{a}", {"x": "a"}),
        ("{x:\\x61\\u0062\\t[^a]\\D\\{}", "ab\tbb{", {"x": "ab\tbb{"}),
        ("{x:[a\\-z]+?}", "a-z", {"x": "a-z"}),
        ("{x:[]a]+}", "]a", {"x": "]a"}),
        ("a//{x}", "a//b", {"x": "b"}),
        ("a//{x}", "a/b", None),
        ("{x}+%2F", "a+%2F", {"x": "a"}),
        ("literal", "literal", {}),
        ("{x...}/{x...}", "a/b/a/b", {"x": "a/b"}),
        ("{a*}{b*}-{a}", "xyz-xy", {"a": "xy", "b": "z"}),
    ],
)
def test_a_template_takes_the_documented_text(template: str, key: str, captures: Captures | None) -> None:
    """Each form of placeholder takes what is documented, the earlier one the shortest text."""
    assert captures == captured(template, key)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("", "must not be empty"),
        ("a{b", "without its '}'"),
        ("a}b", "without its '{'"),
        ("{}", "has no name"),
        ("{1a}", "has no name"),
        ("{a!}", "is not '{a}'"),
        ("{a:nope}", "is not a kind of this file (it has platform)"),
        ("{a:}", "is not a kind"),
        ("{a|lower}", "only possible in 'to'"),
        ("{a}/{a...}", "two meanings"),
        ("{a:^x}", "not needed"),
        ("{a:(?=x)}", "plain groups"),
        ("{a:(x)\\1}", "not possible"),
        ("{a:[b-a]}", "ends before it begins"),
        ("{a:x**}", "two repetitions"),
        ("{a:x++}", "possessive"),
        ("{a:x{2000}}", "no key is that long"),
        ("{a:(x|y)*x(x|y){13}}", "too large"),
        ("{a:" + "(" * 60 + "b" + ")" * 60 + "}", "nested deeper"),
        ("{a:x{3,2}}", "ends before it begins"),
        ("{a:x{y}}", "is written '{2}'"),
        ("{a:*x}", "nothing to repeat"),
        ("{a:{x}}", "brace with nothing to repeat"),
        ("{a:\\xzz}", "hexadecimal"),
        ("{a:[\\d-z]}", "one character to one character"),
        ("{a:[^\\d\\D]}", "no character"),
        ("{a:(?P<n>x)}", "plain groups"),
        ("{a:[b}", "without its ']'"),
        ("{a:(b}", "without its ')'"),
        ("{a:b)}", "without its '('"),
        ("\ud800", "lone surrogate"),
    ],
)
def test_a_wrong_template_says_why(template: str, message: str) -> None:
    """A template that cannot be used is refused with its reason."""
    with pytest.raises(TemplateError, match=message.replace("(", r"\(").replace(")", r"\)").replace("{", r"\{")):
        parse_source(template, KINDS)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("{b}", r"does not capture \(it captures a\)"),
        ("{a:x+}", "belongs in 'from'"),
        ("{a|title}", "is not a filter"),
        ("{a*}", "another form"),
    ],
)
def test_a_wrong_target_says_why(target: str, message: str) -> None:
    """A 'to' may use captured names, their own form and the two filters only."""
    with pytest.raises(TemplateError, match=message):
        parse_target(target, parse_source("{a}", {}).kinds)


@pytest.mark.parametrize(
    ("text", "message"), [("x\\", "not possible at character 3: it ends too early"), ("x{2", "a repetition is written")]
)
def test_a_kind_of_the_file_that_breaks_off_says_where(text: str, message: str) -> None:
    """Between braces neither can be written; under ``kinds`` it can."""
    with pytest.raises(TemplateError, match=message):
        read_kind(text)


def test_where_there_is_nothing_to_name_that_is_said() -> None:
    """No kinds in the file, nothing captured."""
    with pytest.raises(TemplateError, match=r"it has none"):
        parse_source("{a:nope}", {})
    with pytest.raises(TemplateError, match=r"it captures nothing"):
        parse_target("{a}", {})


def test_every_split_is_found_also_through_places_seen_before() -> None:
    """Two different beginnings may end at one place; the rest is read again for each."""
    splits = [tuple(one.values()) for one in parse_source("{a*}{b*}{c*}", {}).parses("wxyz")]
    assert splits == [("w", "x", "yz"), ("w", "xy", "z"), ("wx", "y", "z")]


def test_a_template_names_each_capture_once() -> None:
    """In the order of its first place."""
    template = parse_source("{y}/{x}/{y}", {})
    assert template.names == ("y", "x")
    assert template.kinds == {"y": SEGMENT, "x": SEGMENT}
    assert SEGMENT.dfa != SEGMENT


def test_a_target_reads_what_its_filter_writes_and_nothing_else() -> None:
    """No lower-case text holds a capital, and a name that comes twice holds the same text."""
    kinds = parse_source("{a}", {}).kinds
    assert list(parse_target("{a|lower}", kinds).parses("x")) == [{"a": "x"}]
    assert list(parse_target("{a|lower}", kinds).parses("X")) == []
    assert list(parse_target("{a}/{a}", kinds).parses("x/y")) == []


@pytest.mark.parametrize("chosen", list(Filter))
def test_what_becomes_of_a_range_is_what_becomes_of_its_characters(chosen: Filter) -> None:
    """Proofs work on ranges, the mapping on characters: both must say the same, and say it once."""
    edges = (48, 64, 65, 66, 89, 90, 91, 96, 97, 98, 121, 122, 123, 200)
    for low in edges:
        for high in (edge for edge in edges if edge >= low):
            ranges = list(chosen.written(low, high))
            assert all(first <= last for first, last, _ in ranges)
            told = [(code - shift, code) for first, last, shift in ranges for code in range(first, last + 1)]
            assert sorted(told) == [(code, ord(chosen.apply(chr(code)))) for code in range(low, high + 1)]


def test_filters_change_ascii_letters_only() -> None:
    """``lower`` and ``upper`` leave every letter outside ASCII as it is."""
    target = parse_target("{a|lower}-{a|upper}", parse_source("{a}", {}).kinds)
    assert target.render({"a": "XyÉß"}) == "xyÉß-XYÉß"


@pytest.mark.parametrize(
    ("template", "key"),
    [
        ("{a*}/{b*}/{c*}/{d*}/x", "/" * 1024),
        ("{a*}/{b*}/{c*}/{d*}/{e:[x]}", "/" * 400),
        ("{a...}/{b...}/{c...}/{d...}/x", "a/" * 512),
        ("{a...}/{b...}/{c...}/{d...}/{e:[x]}", "a/" * 200 + "a"),
        ("{a:(a+)+}b", "a" * 1024),
        ("{a:(a|a)*(a|a)*}{b:(a*)*}c", "a" * 1024),
        ("{a}{b}{c}{d}{e}-", "a" * 1024),
        ("{a}{b}{c}{d}{e:[x]}", "a" * 400),
    ],
)
def test_a_hostile_key_has_its_answer_where_no_name_comes_twice(template: str, key: str) -> None:
    """Without repeated names the work is bounded by itself: the key is no match, and nothing gives up."""
    assert parse_source(template, {}).match(key) is None


def test_a_hostile_key_is_given_up_where_a_name_comes_twice() -> None:
    """A repeated name forces trying, and that ends after a million tries with the remedy."""
    with pytest.raises(TooManyParsesError, match="placeholders narrower"):
        parse_source("{a*}{b*}{c*}{a}{b}{d:[x]}", {}).match("a" * 600)
