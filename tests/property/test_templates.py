"""Templates against an independent reading of docs/rules.md: enumerate every split of the key."""

import re
from collections.abc import Iterator
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.rules.automata.dfa import compile_expression
from domain.rules.automata.expressions import parse_expression
from domain.rules.template_syntax import parse_source
from domain.rules.templates import PATH, SEGMENT, TEXT, Kind, Placeholder, Template

ALPHABET = "ab/.-"
EXPRESSIONS = (
    "a*b?", "(a|b|ab)/?", "[^/]+(/[^/]+)*", "(?:a{2,3}|b){1,2}/*?", r"[a-b]+\/?.{,2}", "a||b", "(ab?)+",
)  # fmt: skip
KEYS = st.text(ALPHABET, max_size=9)
FORMS = st.sampled_from(["{%s}", "{%s...}", "{%s*}", "{%s:a*b?}", "{%s:(a|b|ab)/?}"])


@st.composite
def templates(draw: st.DrawFn) -> str:
    """Up to five pieces; a name may come again."""
    text, names = "", list[str]()
    for _ in range(draw(st.integers(1, 5))):
        choice = draw(st.integers(0, 5))
        if choice < 2:
            text += draw(st.text(ALPHABET, min_size=1, max_size=2))
        elif choice == 5 and names:
            text += "{" + draw(st.sampled_from(names)) + "}"
        else:
            names.append(f"n{len(names)}")
            text += draw(FORMS) % names[-1]
    return text


def every_parse(template: Template, key: str, index: int = 0, start: int = 0) -> Iterator[dict[str, str]]:
    """All ways to cut the key, shortest first, by trying each of them."""
    if index == len(template.pieces):
        if start == len(key):
            yield {}
        return
    piece = template.pieces[index]
    for end in range(start, len(key) + 1):
        text = key[start:end]
        if not (text == piece if isinstance(piece, str) else piece.kind.dfa.accepts(text)):
            continue
        for rest in every_parse(template, key, index + 1, end):
            if not isinstance(piece, Placeholder):
                yield rest
            elif rest.get(piece.name, text) == text:
                yield {**rest, piece.name: text}


@given(templates(), KEYS)
def test_a_template_finds_every_parse_and_the_shortest_first(text: str, key: str) -> None:
    """The search agrees with enumeration, in its order too."""
    template = parse_source(text, {})
    assert list(template.parses(key)) == list(every_parse(template, key))


@given(templates(), KEYS)
def test_a_match_rendered_by_its_own_template_is_the_key(text: str, key: str) -> None:
    """``from`` used as ``to`` gives the key back."""
    template = parse_source(text, {})
    captures = template.match(key)
    if captures is not None:
        assert template.render(captures) == key


@pytest.mark.parametrize("kind", [SEGMENT, PATH, TEXT], ids=lambda kind: str(kind.label))
@given(text=st.text(ALPHABET + "\n\U0001f600", max_size=12), start=st.integers(0, 3))
def test_the_quick_ends_are_those_of_the_automaton(kind: Kind, text: str, start: int) -> None:
    """The hand-written scanners and the automata that proofs use describe the same texts."""
    start = min(start, len(text))
    assert list(kind.find_ends(text, start)) == list(kind.dfa.ends(text, start))


@given(st.text("ab/", max_size=8))
def test_an_expression_accepts_what_python_s_re_accepts(text: str) -> None:
    """Our reading of expressions is the usual one."""
    for expression in (
        "a*b?",
        "(a|b|ab)/?",
        "[^/]+(/[^/]+)*",
        "(?:a{2,3}|b){1,2}/*?",
        r"[a-b]+\/?.{,2}",
        "a||b",
        "(ab?)+",
    ):
        expected = re.fullmatch(expression.replace("{,2}", "{0,2}"), text, re.DOTALL) is not None
        assert expected == compile_expression(parse_expression(expression)).accepts(text), expression


@given(st.sampled_from(["a*", "(a|b){1,2}", "a?b?", "[ab]/|a", "a{3}", "(a|bb)*", "b(/*b){0,2}", "a/*b|bb"]))
def test_the_texts_of_an_automaton_are_the_shortest(expression: str) -> None:
    """They come by length, and all of them when they are few."""
    dfa = compile_expression(parse_expression(expression))
    every = ["".join(letters) for size in range(9) for letters in product("/ab", repeat=size)]
    accepted = {text for text in every if dfa.accepts(text)}
    found = dfa.texts(8)
    assert [len(text) for text in sorted(accepted, key=len)[:8]] == [len(text) for text in found]
    assert len(set(found)) == len(found)
    assert all(dfa.accepts(text) for text in found)
    assert dfa.is_finite == (len(dfa.texts(200)) < 200)
