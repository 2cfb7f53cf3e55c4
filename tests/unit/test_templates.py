"""Templates take exactly what product.md §2 says."""

import time
from contextlib import suppress

import pytest

from domain.template_syntax import TemplateError, parse_source, parse_target
from domain.templates import Captures, TooManyParsesError, kind_of_words

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
        ("{a:nope}", "is no kind"),
        ("{a:}", "is no kind"),
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
        ("{b}", "does not capture"),
        ("{a:x+}", "belongs in 'from'"),
        ("{a|title}", "no filter"),
        ("{a*}", "another form"),
    ],
)
def test_a_wrong_target_says_why(target: str, message: str) -> None:
    """A 'to' may use captured names, their own form and the two filters only."""
    with pytest.raises(TemplateError, match=message):
        parse_target(target, parse_source("{a}", {}).kinds)


def test_filters_change_ascii_letters_only() -> None:
    """``lower`` and ``upper`` leave every letter outside ASCII as it is."""
    target = parse_target("{a|lower}-{a|upper}", parse_source("{a}", {}).kinds)
    assert target.render({"a": "XyÉß"}) == "xyÉß-XYÉß"


@pytest.mark.parametrize(
    ("template", "key"),
    [
        ("{a*}/{b*}/{c*}/{d*}/x", "/" * 1024),
        ("{a...}/{b...}/{c...}/{d...}/x", "a/" * 512),
        ("{a:(a+)+}b", "a" * 1024),
        ("{a:(a|a)*(a|a)*}{b:(a*)*}c", "a" * 1024),
        ("{a*}{b*}{a}x", "ab" * 512),
        ("{a*}{b*}{a}{b}x", "a" * 1023 + "x"),
        ("{a}{b}{c}{d}{e}-", "a" * 1024),
    ],
)
def test_a_hostile_key_of_1024_bytes_never_hangs(template: str, key: str) -> None:
    """The work for one key is bounded, whatever the template and the key."""
    compiled = parse_source(template, {})
    started = time.monotonic()
    with suppress(TooManyParsesError):
        compiled.match(key)
    assert time.monotonic() - started < 20
