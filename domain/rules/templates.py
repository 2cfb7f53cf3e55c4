"""Key templates: literal text and placeholders, matched in limited time (docs/rules.md).

``{name}`` is one clean segment, ``{name...}`` one or more joined by single slashes, ``{name*}`` any text that is not
empty, ``{name:kind}`` a named kind or an inline expression. Earlier placeholders take the shortest text.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from domain.rules.automata.characters import ANY, joined, others
from domain.rules.automata.dfa import Chars, Choice, Dfa, Expression, Repeat, Series, compile_expression, literal
from domain.rules.template_filters import Effort, Filter, TooManyParsesError

MAX_STEPS = 1_000_000
"""Tries for one key with a repeated name; about a second."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What one placeholder may match: ``find_ends(key, start)`` gives the possible ends, ascending, as ``dfa``."""

    label: str
    expression: Expression
    dfa: Dfa
    find_ends: Callable[[str, int], Iterator[int]]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Kind) and self.dfa == other.dfa

    def __hash__(self) -> int:
        return hash(self.dfa)


def kind_of_expression(label: str, expression: Expression) -> Kind:
    """A kind that matches what the expression describes; raises TooManyStatesError."""
    dfa = compile_expression(expression)
    return Kind(label, expression, dfa, dfa.ends)


def image_of_kind(kind: Kind, chosen: Filter) -> Kind:
    """The kind of the filtered texts."""
    return kind_of_expression(f"{kind.label}|{chosen}", _image(kind.expression, chosen))


def _image(expression: Expression, chosen: Filter) -> Expression:
    match expression:
        case Chars(ranges):
            return Chars(joined(part[:2] for low, high in ranges for part in chosen.written(low, high)))
        case Series(items):
            return Series(tuple(_image(item, chosen) for item in items))
        case Choice(items):
            return Choice(tuple(_image(item, chosen) for item in items))
        case Repeat(item, least, most):
            return Repeat(_image(item, chosen), least, most)


def kind_of_words(label: str, words: Sequence[str]) -> Kind:
    """A kind that matches exactly these words."""
    ascending = sorted(set(words), key=lambda word: (len(word), word))
    expression = Choice(tuple(literal(word) for word in ascending))

    def find_ends(key: str, start: int) -> Iterator[int]:
        return (start + len(word) for word in ascending if key.startswith(word, start))

    return Kind(label, expression, compile_expression(expression), find_ends)


_SLASH, _DOT = ((47, 47),), ((46, 46),)
_NO_SLASH, _NO_SLASH_DOT = Chars(others(_SLASH)), Chars(others(((46, 47),)))
_CLEAN = Choice(
    (
        Series((_NO_SLASH_DOT, Repeat(_NO_SLASH, 0, None))),
        Series((Chars(_DOT), _NO_SLASH_DOT, Repeat(_NO_SLASH, 0, None))),
        Series((Chars(_DOT), Chars(_DOT), Repeat(_NO_SLASH, 1, None))),
    )
)


def _segment_ends(key: str, start: int) -> Iterator[int]:
    slash = key.find("/", start)
    for end in range(start + 1, (len(key) if slash < 0 else slash) + 1):
        if end - start > 2 or key[start:end] not in (".", ".."):
            yield end


def _path_ends(key: str, start: int) -> Iterator[int]:
    while True:
        yield from _segment_ends(key, start)
        slash = key.find("/", start)
        if slash < 0 or key[start:slash] in ("", ".", ".."):
            return
        start = slash + 1


def _text_ends(key: str, start: int) -> Iterator[int]:
    return iter(range(start + 1, len(key) + 1))


def _built_in(label: str, expression: Expression, find_ends: Callable[[str, int], Iterator[int]]) -> Kind:
    return Kind(label, expression, compile_expression(expression), find_ends)


SEGMENT = _built_in("one clean segment", _CLEAN, _segment_ends)
PATH = _built_in("clean segments", Series((_CLEAN, Repeat(Series((Chars(_SLASH), _CLEAN)), 0, None))), _path_ends)
TEXT = _built_in("any text", Repeat(Chars(ANY), 1, None), _text_ends)


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One placeholder; ``repeats`` when its name came before in the template and must match the same text.

    ``image`` is the kind of the filtered texts.
    """

    name: str
    kind: Kind
    repeats: bool = False
    filter: Filter | None = None
    image: Kind | None = None


Captures = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template; no two literals are neighbours."""

    text: str
    pieces: tuple[str | Placeholder, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names it captures, in the order of their first place."""
        return tuple(piece.name for piece in self.placeholders if not piece.repeats)

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """Every placeholder, repeated ones too."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Placeholder))

    @property
    def kinds(self) -> dict[str, Kind]:
        """The kind of each name."""
        return {piece.name: piece.kind for piece in self.placeholders if not piece.repeats}

    @property
    def has_repeats(self) -> bool:
        """Whether some name comes twice: then no finite automaton describes it exactly."""
        return any(piece.repeats for piece in self.placeholders)

    @property
    def literal_size(self) -> int:
        """Bytes of its literal text."""
        return sum(len(piece.encode()) for piece in self.pieces if isinstance(piece, str))

    def match(self, key: str, effort: Effort | None = None) -> Captures | None:
        """What each name takes, or ``None``. Raises TooManyParsesError (repeated names, or no effort left)."""
        return next(self.parses(key, effort), None)

    def parses(self, key: str, effort: Effort | None = None) -> Iterator[Captures]:
        """Every way to match the whole of ``key``, the documented one first.

        A name that ``to`` writes with a filter only has its filtered text.
        """
        if self._may_match(key):
            yield from _Walk(self, key, effort).parses(0, 0)

    @property
    def filters(self) -> dict[str, Filter]:
        """The names that it writes only with a filter, each with its first filter."""
        plain = {piece.name for piece in self.placeholders if piece.filter is None}
        pieces = (piece for piece in reversed(self.placeholders) if piece.name not in plain)
        return {piece.name: piece.filter for piece in pieces if piece.filter is not None}

    def _may_match(self, key: str) -> bool:
        """A quick check: every literal must be in the key, in order."""
        position = 0
        for index, piece in enumerate(self.pieces):
            if isinstance(piece, str):
                found = key.find(piece, position)
                if found < 0 or (index == 0 and found > 0):
                    return False
                position = found + len(piece)
        last = self.pieces[-1] if self.pieces else ""
        return not isinstance(last, str) or key.endswith(last)

    def render(self, captures: Captures) -> str:
        """The template with every placeholder filled in."""
        return "".join(
            piece
            if isinstance(piece, str)
            else piece.filter.apply(captures[piece.name])
            if piece.filter
            else captures[piece.name]
            for piece in self.pieces
        )


class _Walk:
    """One search for the parses of one key.

    A pair of piece and position that failed once is never tried again, as long as no repeated name follows. So the work
    is at most the number of pieces times the square of the key's length.
    """

    def __init__(self, template: Template, key: str, effort: Effort | None = None) -> None:
        self._pieces = template.pieces
        self._key = key
        self._bound: dict[tuple[str, Filter | None], str] = {}
        self._failed: set[tuple[int, int]] = set()
        last = [index for index, piece in enumerate(self._pieces) if isinstance(piece, Placeholder) and piece.repeats]
        self._free_from = last[-1] + 1 if last else 0
        self._earlier = _earlier_forms(self._pieces) if last else {}
        self._steps = 0
        self._effort = effort

    def parses(self, index: int, position: int) -> Iterator[Captures]:
        """Every parse of the rest of the key by the rest of the pieces."""
        if (index, position) in self._failed:
            return
        self._count(index)
        if index == len(self._pieces):
            if position == len(self._key):
                yield self._captures()
            return
        succeeded, last = False, position
        for end in self._ends(index, position):
            if self._effort is not None:
                self._effort.spend(1 + end - last)
                last = end
            if (index + 1, end) not in self._failed:
                self._bind(self._pieces[index], position, end)
                for captures in self.parses(index + 1, end):
                    succeeded = True
                    yield captures
        if self._effort is not None:
            # Behind the last end the kind may have read further, perhaps to the key's own end.
            self._effort.spend((len(self._key) - last) // 4)
        if not succeeded and index >= self._free_from:
            self._failed.add((index, position))

    def _count(self, index: int) -> None:
        if index < self._free_from:
            self._steps += 1
            if self._steps > MAX_STEPS:
                raise TooManyParsesError("the key can be split in too many ways; make the rule's placeholders narrower")

    def _ends(self, index: int, position: int) -> Iterator[int]:
        piece = self._pieces[index]
        if isinstance(piece, str):
            return self._fixed(piece, position)
        if not piece.repeats:
            return (piece.image or piece.kind).find_ends(self._key, position)
        earlier = self._earlier[index]
        bound = self._bound[piece.name, earlier]
        if piece.filter is not None:
            return self._fixed(piece.filter.apply(bound), position)
        if earlier is None:
            return self._fixed(bound, position)
        end = position + len(bound)
        text = self._key[position:end]
        return iter((end,) if earlier.apply(text) == bound and piece.kind.dfa.accepts(text) else ())

    def _fixed(self, text: str, position: int) -> Iterator[int]:
        return iter((position + len(text),) if self._key.startswith(text, position) else ())

    def _bind(self, piece: str | Placeholder, position: int, end: int) -> None:
        if isinstance(piece, Placeholder):
            self._bound[piece.name, piece.filter] = self._key[position:end]

    def _captures(self) -> Captures:
        """The text as it was captured where ``to`` writes it unchanged, else its first filtered form."""
        found: dict[str, str] = {}
        for piece in self._pieces:
            if isinstance(piece, Placeholder) and (piece.filter is None or piece.name not in found):
                found[piece.name] = self._bound[piece.name, piece.filter]
        return found


def _earlier_forms(pieces: Sequence[str | Placeholder]) -> dict[int, Filter | None]:
    """For each repeated placeholder an earlier form of its name: the same one, else the plain one, else any other."""
    found: dict[int, Filter | None] = {}
    seen: dict[str, list[Filter | None]] = {}
    for index, piece in enumerate(pieces):
        if isinstance(piece, Placeholder):
            forms = seen.setdefault(piece.name, [])
            if forms:
                wanted = (one for one in (piece.filter, None) if one in forms)
                found[index] = next(wanted, forms[0])
            forms.append(piece.filter)
    return found
