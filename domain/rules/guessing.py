"""Guess the templates of a bucket from the shapes of its keys, with a degree of certainty for each."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from domain.keys import MAX_KEY_BYTES

KINDS = {
    "uuid": "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
    "day": "(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}",
    "hex": "[0-9a-f]{8,}",
    "number": "[0-9]+",
}
"""Kinds of text that a key's segment may hold, the narrowest first."""
_FOUND = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    + "|".join(f"(?P<{name}>{pattern})" for name, pattern in KINDS.items() if name != "number")
    + r")(?![0-9A-Za-z])|(?P<number>[0-9]+)"
)
NAME, REST, TEXT = "name", "rest", "text"
_UNCLEAN = (("",), (".",), ("..",))
MOST_TEXTS = 6
"""With more different texts in one place, the place is a name and not a part of the layout."""
MOST_SHAPES = 5
"""With more rare shapes under one beginning, only the beginning is a layout."""
RARE_SHARE = 200
"""A shape of less than one in so many objects is rare; one that is not has a rule of its own."""
MANY = 20
"""Minimum number of objects for a guess that can be trusted."""


class Sureness(StrEnum):
    """How far a guess can be trusted."""

    SURE = "sure"
    """Many objects, and every changing place has its own kind."""
    LIKELY = "likely"
    """Many objects, but the kind of some changing place is unknown."""
    GUESS = "guess"
    """Few objects, or only a common beginning."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A changing place: a kind of KINDS, or NAME (a segment), REST (segments), TEXT (anything)."""

    kind: str


Segment: TypeAlias = tuple[str | Hole, ...]
ShapeKey: TypeAlias = tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Guess:
    """One possible rule: ``source`` and ``target`` are templates, ``example`` is a real key."""

    name: str
    source: str
    target: str
    objects: int
    example: str
    sureness: Sureness
    why: str


@dataclass(slots=True)
class _Seen:
    objects: int = 0
    example: str = ""
    tail_is_clean: bool = True

    def add(self, other: "_Seen") -> None:
        self.objects += other.objects
        self.example = min(filter(None, (self.example, other.example)), default="")
        self.tail_is_clean = self.tail_is_clean and other.tail_is_clean


def guess_rules(keys: Iterable[str], *, below: str, at_most: int = 40) -> tuple[Guess, ...]:
    """Rules that would move these keys below ``below`` (ends in a slash), the narrowest first.

    Keys that end in a slash (folder markers), shapes beyond ``at_most`` and those whose fixed text leaves no room for
    ``below`` stay unmapped.
    """
    shapes: dict[ShapeKey, _Seen] = {}
    for key in keys:
        if key.endswith("/"):
            continue
        segments = key.split("/")
        clean = all(segment not in ("", ".", "..") for segment in segments)
        shapes.setdefault(tuple(map(_segment, segments)), _Seen()).add(_Seen(1, key, clean))
    shapes = {shape: seen for shape, seen in _with_rests(_with_names(shapes)).items() if _fits(shape, below)}
    chosen = sorted(shapes.items(), key=lambda item: (-item[1].objects, repr(item[0])))[:at_most]
    names: Counter[str] = Counter()
    guesses = [_guess(shape, seen, below, names) for shape, seen in chosen]
    return tuple(sorted(guesses, key=lambda one: ("...}" in one.source or "*}" in one.source, one.source)))


def _fits(shape: ShapeKey, below: str) -> bool:
    """Whether the fixed text alone leaves room for the new beginning (keys have at most 1,024 bytes)."""
    fixed = "".join(piece for segment in shape for piece in segment if isinstance(piece, str))
    return len((below + fixed).encode()) + len(shape) - 1 <= MAX_KEY_BYTES


def _segment(text: str) -> Segment:
    """The segment with ids, days and numbers as holes; two holes never touch, so that it has one reading.

    Two holes cannot touch: a number takes all its digits, and the other kinds stand between non-alphanumeric
    characters.
    """
    pieces: list[str | Hole] = []
    at = 0
    for match in _FOUND.finditer(text):
        if match.start() > at:
            pieces.append(text[at : match.start()])
        pieces.append(Hole(str(match.lastgroup)))
        at = match.end()
    if at < len(text) or not pieces:
        pieces.append(text[at:])
    return tuple(pieces)


def _with_names(shapes: dict[ShapeKey, _Seen]) -> dict[ShapeKey, _Seen]:
    """Where shapes of one depth differ in a single place, and in many texts, that place is a name."""
    for position in range(max(map(len, shapes), default=0) - 1, -1, -1):
        groups: dict[tuple[ShapeKey, ShapeKey], list[ShapeKey]] = defaultdict(list)
        for shape in shapes:
            if len(shape) > position and shape[position] not in _UNCLEAN:  # a name cannot be one of these
                groups[shape[:position], shape[position + 1 :]].append(shape)
        for (before, after), members in groups.items():
            if len(members) <= MOST_TEXTS:
                continue
            ending = _common_ending([shape[position] for shape in members]) if not after else ""
            merged = _Seen()
            for shape in members:
                merged.add(shapes.pop(shape))
            place: Segment = (Hole(NAME), ending) if ending else (Hole(NAME),)
            shapes.setdefault((*before, place, *after), _Seen()).add(merged)
    return shapes


def _common_ending(segments: Sequence[Segment]) -> str:
    """The file extension that all of them have, or an empty text."""
    endings = set()
    for segment in segments:
        last = segment[-1]
        _, dot, extension = last.partition(".") if isinstance(last, str) else ("", "", "")
        endings.add(dot + extension)
    return endings.pop() if len(endings) == 1 else ""


def _with_rests(shapes: dict[ShapeKey, _Seen]) -> dict[ShapeKey, _Seen]:
    """Where many rare shapes share a beginning, the longest one becomes a layout, and the rest is free."""
    rare = max(MANY, sum(seen.objects for seen in shapes.values()) // RARE_SHARE)
    for depth in range(max(map(len, shapes), default=0) - 1, 0, -1):
        groups: dict[ShapeKey, list[ShapeKey]] = defaultdict(list)
        for shape, seen in shapes.items():
            if seen.objects < rare and len(shape) > depth:
                groups[shape[:depth]].append(shape)
        for beginning, members in groups.items():
            if len(members) <= MOST_SHAPES:
                continue
            merged = _Seen()
            for shape in members:
                merged.add(shapes.pop(shape))
            kind = REST if merged.tail_is_clean else TEXT
            shapes.setdefault((*beginning, (Hole(kind),)), _Seen()).add(merged)
    return shapes


def _guess(shape: ShapeKey, seen: _Seen, below: str, names: Counter[str]) -> Guess:
    given: Counter[str] = Counter()
    source, target = [], []
    for segment in shape:
        written = list(_written(segment, given))
        source.append("".join(text for text, _ in written))
        target.append("".join(bare for _, bare in written))
    clean = [one for one in target if one not in ("", ".", "..")]
    sureness, why = _sureness(shape, seen)
    return Guess(
        name=_rule_name(shape, names),
        source="/".join(source),
        target=_escaped(below) + "/".join(clean),
        objects=seen.objects,
        example=seen.example,
        sureness=sureness,
        why=why,
    )


def _written(segment: Segment, given: Counter[str]) -> Iterator[tuple[str, str]]:
    """Each piece as ``from`` and ``to`` write it."""
    for piece in segment:
        if isinstance(piece, str):
            yield _escaped(piece), _escaped(piece)
            continue
        given[piece.kind] += 1
        name = piece.kind if given[piece.kind] == 1 else f"{piece.kind}{given[piece.kind]}"
        suffix = {REST: "...", TEXT: "*", NAME: ""}.get(piece.kind, f":{piece.kind}")
        yield f"{{{name}{suffix}}}", f"{{{name}}}"


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _sureness(shape: ShapeKey, seen: _Seen) -> tuple[Sureness, str]:
    kinds = {piece.kind for segment in shape for piece in segment if isinstance(piece, Hole)}
    if kinds & {REST, TEXT}:
        return Sureness.GUESS, "many shapes under one beginning: only the beginning is known"
    if all(isinstance(segment[0], Hole) for segment in shape):
        return Sureness.GUESS, "nothing in it is fixed: it would match almost any key of this depth"
    if seen.objects < MANY:
        few = "1 object looks" if seen.objects == 1 else f"{seen.objects} objects look"
        return Sureness.GUESS, f"only {few} like this"
    if NAME in kinds:
        return Sureness.LIKELY, "one place takes many texts without a common form"
    return Sureness.SURE, "every changing place has its own form" if kinds else "all of them have this very key"


def _rule_name(shape: ShapeKey, names: Counter[str]) -> str:
    """From the fixed words of the shape; the same name twice gets a number."""
    words = [word for segment in shape for piece in segment if isinstance(piece, str) for word in _words(piece)]
    name = "-".join(words[:4]) or "keys"
    names[name] += 1
    return name if names[name] == 1 else f"{name}-{names[name]}"


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())
