"""What an expression means, down to its last character, and where it is refused."""

from itertools import islice

import pytest

from domain.rules.automata.characters import ANY, Ranges, joined, others, readable
from domain.rules.automata.dfa import (
    Chars,
    Choice,
    Dfa,
    Expression,
    Repeat,
    Series,
    TooManyStatesError,
    compile_expression,
    literal,
)
from domain.rules.automata.expressions import ExpressionError, parse_expression

LAST = 0x10FFFF
A, B = literal("a"), literal("b")
NOTHING = Chars(())


def compiled(text: str) -> Dfa:
    """The automaton of an expression's text."""
    return compile_expression(parse_expression(text))


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([(3, 4), (1, 2)], ((1, 4),)),
        ([(1, 2), (4, 5)], ((1, 2), (4, 5))),
        ([(1, 9), (2, 3), (9, 12)], ((1, 12),)),
    ],
)
def test_ranges_that_touch_become_one(pairs: list[tuple[int, int]], expected: Ranges) -> None:
    """Neighbours and overlaps are one range, a hole of one character stays a hole."""
    assert joined(pairs) == expected


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ((), ANY),
        (((0, 4), (6, LAST)), ((5, 5),)),
        (((1, LAST),), ((0, 0),)),
        (((48, 57),), ((0, 47), (58, 0xD7FF), (0xE000, LAST))),
        (ANY, ()),
    ],
)
def test_the_other_characters_are_all_but_these_and_the_surrogates(ranges: Ranges, expected: Ranges) -> None:
    """A negated class begins at the first character, ends at the last one, and loses no single one between."""
    assert others(ranges) == expected


def test_dead_ends_are_no_part_of_an_automaton() -> None:
    """From every state that is left the end can be reached, so a search never walks in vain."""
    assert compile_expression(Choice((Series((A, NOTHING)), B))) == Dfa((((98, 98, 1),), ()), frozenset({1}))
    assert compile_expression(Series((A, NOTHING))) == Dfa(((),), frozenset())


@pytest.mark.slow("makes an automaton of the greatest size")
def test_an_automaton_of_4096_states_is_taken_and_one_more_is_not() -> None:
    """The limit is on the states that deciding needs, and it holds to the last one."""
    half = parse_expression("(a|b)*a(a|b){10}")
    states = len(compile_expression(half).edges)
    assert len(compile_expression(Choice((half, literal("c" * (4_096 - states))))).edges) == 4_096
    with pytest.raises(TooManyStatesError):
        compile_expression(Choice((half, literal("c" * (4_097 - states)))))


def test_an_expression_of_32769_places_is_taken_and_one_more_is_not() -> None:
    """However simple it turns out to be, what is written down at such length is refused before it is worked out."""
    many = Choice((A,) * 16_383)
    assert compile_expression(Series((A, many))).texts(9) == ["aa"]
    with pytest.raises(TooManyStatesError):
        compile_expression(Choice((A,) * 16_384))


@pytest.mark.parametrize(
    ("low", "high", "first"),
    [
        (0, LAST, "ab"),
        (ord("y"), ord("|"), "yz{|"),
        (ord("0") - 1, ord("1"), "01/"),
        (ord("~"), 0xA3, "~¡¢£\x7f\x80"),
        (0x1E, 0x22, ' !"\x1e\x1f'),
        (0xE9, 0xEB, "éêë"),
        (5, 6, "\5\6"),
        (6, 5, ""),
    ],
)
def test_what_people_read_easily_is_shown_first(low: int, high: int, first: str) -> None:
    """Letters, digits, other signs, and what cannot be seen at last; each once."""
    found = "".join(map(chr, islice(readable(low, high), len(first) if high == LAST else None)))
    assert found[: len(first)] == first
    assert high == LAST or sorted(map(ord, found)) == list(range(low, high + 1))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (Chars(ANY), ["a", "b", "c", "d"]),
        (literal(""), [""]),
        (Choice((literal("ba"), literal(""), literal("b"))), ["", "b", "ba"]),
        (Repeat(B, 0, None), ["", "b", "bb", "bbb"]),
        (NOTHING, []),
    ],
)
def test_the_shortest_texts_come_first(expression: Expression, expected: list[str]) -> None:
    """The empty text too, all that there are where there are few, none where there is none."""
    assert compile_expression(expression).texts(4) == expected


@pytest.mark.parametrize(
    ("text", "taken", "refused"),
    [
        ("[^a]", ["^", "b", "/"], ["a"]),
        ("[a-]b", ["ab", "-b"], ["]b", "bb"]),
        ("[a-a]", ["a"], ["-", "b"]),
        ("[a-c]", ["a", "b", "c"], ["-", "d"]),
        (r"\D", ["/", ":", "a", "\0", "\U0010ffff"], ["0", "9"]),
        ("a{1024}", ["a" * 1_024], ["a" * 1_023, "a" * 1_025]),
        ("a?b+", ["b", "ab", "abb"], ["aab", "a", ""]),
        ("a{,2}", ["", "a", "aa"], ["aaa"]),
        ("a{2,}", ["aa", "aaa"], ["a"]),
        ("(" * 50 + "a" + ")" * 50, ["a"], [""]),
    ],
)
def test_an_expression_takes_just_what_it_says(text: str, taken: list[str], refused: list[str]) -> None:
    """As Python's own regular expressions read it."""
    dfa = compiled(text)
    assert [one for one in taken + refused if dfa.accepts(one)] == taken


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("a\\", "it ends too early", 2),
        ("(?", "it ends too early", 2),
        ("(" * 51 + "a" + ")" * 51, "groups are nested deeper than 50", 51),
        ("a{1025}", "more than 1024 repetitions: no key is that long", 1),
        ("a{,1025}", "more than 1024 repetitions: no key is that long", 1),
        ("a{2", "a repetition is written '{2}', '{2,}', '{,3}' or '{2,3}'", 1),
        ("a{\u0663}", "a repetition is written '{2}', '{2,}', '{,3}' or '{2,3}'", 1),
        ("a{}", "a repetition is written '{2}', '{2,}', '{,3}' or '{2,3}'", 1),
        (r"[\d-z]", "a range goes from one character to one character", 1),
        (r"[!-\d]", "a range goes from one character to one character", 1),
        (r"[\s-z]", "a range goes from one character to one character", 1),
        (r"[!-\w]", "a range goes from one character to one character", 1),
        ("[b-a]", "the range ends before it begins", 1),
    ],
)
def test_a_refused_expression_says_why_and_where(text: str, message: str, position: int) -> None:
    """The mistake is named at its character, also at the limits of length and depth."""
    with pytest.raises(ExpressionError) as caught:
        parse_expression(text)
    assert (str(caught.value), caught.value.position) == (message, position)
