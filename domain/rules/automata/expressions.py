"""The regular expressions that a kind may use: only what a finite automaton can decide."""

from dataclasses import dataclass, field

from domain.rules.automata.characters import ANY, Ranges, joined, of_characters, others
from domain.rules.automata.dfa import Chars, Choice, Expression, Repeat, Series

MAX_REPEAT = 1_024
"""Longer than any key."""
MAX_DEPTH = 50

_DIGIT: Ranges = ((48, 57),)
_WORD = joined([(48, 57), (65, 90), (95, 95), (97, 122)])
_SPACE = of_characters(" \t\n\r\f\v")
_CLASSES = {
    "d": _DIGIT,
    "D": others(_DIGIT),
    "w": _WORD,
    "W": others(_WORD),
    "s": _SPACE,
    "S": others(_SPACE),
}
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v"}
_PUNCTUATION = frozenset(r"""\.^$*+?{}[]()|/-_#&~'"<>=!:;,@%` """)


class ExpressionError(ValueError):
    """The text is not a valid expression; ``str(error)`` gives the reason and ``position`` the place."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


def parse_expression(text: str) -> Expression:
    """Read a regular expression: classes (ASCII), groups, alternatives and repetitions.

    Anchors, references, lookaround, flags and possessive repetitions are refused. Lazy repetitions are accepted: the
    template, not the expression, decides what a placeholder takes. Raises ExpressionError.
    """
    parser = _Parser(text)
    expression = parser.choice(0)
    if parser.position < len(text):
        raise ExpressionError("')' without its '('", parser.position)
    return expression


@dataclass(slots=True)
class _Parser:
    text: str
    position: int = field(default=0)

    def peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def take(self) -> str:
        character = self.peek()
        if not character:
            raise ExpressionError("it ends too early", self.position)
        self.position += 1
        return character

    def choice(self, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise ExpressionError(f"groups are nested deeper than {MAX_DEPTH}", self.position)
        options = [self.series(depth)]
        while self.peek() == "|":
            self.take()
            options.append(self.series(depth))
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def series(self, depth: int) -> Expression:
        items: list[Expression] = []
        while self.peek() not in ("", "|", ")"):
            items.append(self.repeated(self.atom(depth)))
        return Series(tuple(items))

    def atom(self, depth: int) -> Expression:
        start = self.position
        match self.take():
            case "(":
                return self.group(depth, start)
            case "[":
                return Chars(self.character_class(start))
            case ".":
                return Chars(ANY)
            case "\\":
                return Chars(self.escape(start))
            case "^" | "$":
                raise ExpressionError("'^' and '$' are not needed: a placeholder always matches as a whole", start)
            case "*" | "+" | "?":
                raise ExpressionError("a repetition with nothing to repeat", start)
            case "{" | "}":
                raise ExpressionError("a brace with nothing to repeat; write '\\{' for the character", start)
            case character:
                return Chars(of_characters(character))

    def group(self, depth: int, start: int) -> Expression:
        if self.peek() == "?":
            self.take()
            if self.take() != ":":
                raise ExpressionError("only plain groups '(…)' and '(?:…)' are possible, no '(?…'", start)
        inner = self.choice(depth + 1)
        if self.peek() != ")":
            raise ExpressionError("'(' without its ')'", start)
        self.take()
        return inner

    def repeated(self, item: Expression) -> Expression:
        start = self.position
        bounds = self.bounds()
        if bounds is None:
            return item
        if self.peek() == "?":
            self.take()
        elif self.peek() == "+":
            raise ExpressionError("possessive repetitions are not possible", self.position)
        if self.peek() in ("*", "+", "?", "{"):
            raise ExpressionError("two repetitions in a row", self.position)
        least, most = bounds
        if most is not None and most < least:
            raise ExpressionError("the repetition ends before it begins", start)
        if max(least, most or 0) > MAX_REPEAT:
            raise ExpressionError(f"more than {MAX_REPEAT} repetitions: no key is that long", start)
        return Repeat(item, least, most)

    def bounds(self) -> tuple[int, int | None] | None:
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if self.peek() in simple:
            return simple[self.take()]
        if self.peek() != "{":
            return None
        start = self.position
        end = self.text.find("}", start)
        low, comma, high = self.text[start + 1 : end if end >= 0 else None].partition(",")
        if end < 0 or not (low + high).isascii() or not (low + high).isdigit() or (not low and not comma):
            raise ExpressionError("a repetition is written '{2}', '{2,}', '{,3}' or '{2,3}'", start)
        self.position = end + 1
        return int(low or 0), (int(low) if not comma else int(high) if high else None)

    def escape(self, start: int) -> Ranges:
        character = self.take()
        if character in _CLASSES:
            return _CLASSES[character]
        if character in _CONTROLS:
            return of_characters(_CONTROLS[character])
        if character in "xu":
            digits = self.text[self.position : self.position + (2 if character == "x" else 4)]
            self.position += len(digits)
            try:
                return of_characters(chr(int(digits, 16)))
            except ValueError:
                raise ExpressionError(f"'\\{character}' needs hexadecimal digits", start) from None
        if character in _PUNCTUATION:
            return of_characters(character)
        raise ExpressionError(f"'\\{character}' is not possible: no references, anchors or other classes", start)

    def character_class(self, start: int) -> Ranges:
        negated = self.peek() == "^"
        if negated:
            self.take()
        pairs: list[tuple[int, int]] = []
        while self.peek() != "]" or not pairs:
            if not self.peek():
                raise ExpressionError("'[' without its ']'", start)
            pairs.extend(self.class_item())
        self.take()
        ranges = joined(pairs)
        if negated:
            ranges = others(ranges)
        if not ranges:
            raise ExpressionError("the class holds no character", start)
        return ranges

    def class_item(self) -> Ranges:
        start = self.position
        low = self.class_end()
        if self.text[self.position : self.position + 1] != "-" or self.text[self.position + 1 :][:1] in ("", "]"):
            return low
        self.take()
        high = self.class_end()
        if len(low) != 1 or len(high) != 1 or low[0][0] != low[0][1] or high[0][0] != high[0][1]:
            raise ExpressionError("a range goes from one character to one character", start)
        if low[0][0] > high[0][0]:
            raise ExpressionError("the range ends before it begins", start)
        return ((low[0][0], high[0][0]),)

    def class_end(self) -> Ranges:
        start = self.position
        character = self.take()
        return self.escape(start) if character == "\\" else of_characters(character)
