"""Reading a template's text: braces, names, kinds and filters."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from domain.rules.automata.dfa import TooManyStatesError
from domain.rules.automata.expressions import ExpressionError, parse_expression
from domain.rules.template_filters import Filter
from domain.rules.templates import PATH, SEGMENT, TEXT, Kind, Placeholder, Template, image_of_kind, kind_of_expression

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FORMS = {"": SEGMENT, "...": PATH, "*": TEXT}


class TemplateError(ValueError):
    """The text is not a valid template; ``str(error)`` gives the reason and ``position`` (characters) the place."""

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message)
        self.position = position


@dataclass(frozen=True, slots=True)
class _Braces:
    """The text between braces, and its place."""

    inner: str
    position: int


def parse_source(text: str, kinds: Mapping[str, Kind]) -> Template:
    """Read a ``from`` or ``keep`` template; raises TemplateError."""
    pieces: list[str | Placeholder] = []
    seen: dict[str, Kind] = {}
    for part in _parts(text):
        if isinstance(part, str):
            pieces.append(part)
            continue
        name, suffix = _split_name(part)
        if "|" in suffix and not suffix.startswith(":"):
            raise TemplateError(f"'{{{part.inner}}}': a filter is only possible in 'to'", part.position)
        if name not in seen:
            seen[name] = _kind(name, suffix, kinds, part)
            pieces.append(Placeholder(name, seen[name]))
        elif suffix and _kind(name, suffix, kinds, part) != seen[name]:
            raise TemplateError(
                f"'{name}' comes twice with two meanings; write '{{{name}}}' the second time", part.position
            )
        else:
            pieces.append(Placeholder(name, seen[name], repeats=True))
    return _template(text, pieces)


def parse_target(text: str, captured: Mapping[str, Kind]) -> Template:
    """Read a ``to`` template that may use the ``captured`` names only; raises TemplateError."""
    pieces: list[str | Placeholder] = []
    seen: set[str] = set()
    for part in _parts(text):
        if isinstance(part, str):
            pieces.append(part)
            continue
        name, suffix = _split_name(part)
        if name not in captured:
            known = ", ".join(sorted(captured)) or "nothing"
            raise TemplateError(
                f"'to' uses '{name}', which 'from' does not capture (it captures {known})", part.position
            )
        form, _, word = suffix.partition("|")
        if form and form not in _FORMS:
            raise TemplateError(f"'{{{part.inner}}}': a kind belongs in 'from'; write '{{{name}}}'", part.position)
        if form and _FORMS[form] != captured[name]:
            raise TemplateError(f"'{{{part.inner}}}' is captured in another form; write '{{{name}}}'", part.position)
        if "|" in suffix and word not in list(Filter):
            raise TemplateError(f"'{word}' is not a filter; there are {', '.join(Filter)}", part.position)
        kind = captured[name]
        chosen = Filter(word) if word else None
        image = image_of_kind(kind, chosen) if chosen is not None else None
        pieces.append(Placeholder(name, kind, name in seen, chosen, image))
        seen.add(name)
    return _template(text, pieces)


def _template(text: str, pieces: list[str | Placeholder]) -> Template:
    if not pieces:
        raise TemplateError("a template must not be empty")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise TemplateError("it contains a lone surrogate, which an S3 key cannot contain") from None
    return Template(text, tuple(pieces))


def _split_name(part: _Braces) -> tuple[str, str]:
    name = _NAME.match(part.inner)
    if name is None:
        raise TemplateError(f"'{{{part.inner}}}' has no name; write literal braces as '{{{{' and '}}}}'", part.position)
    return name[0], part.inner[name.end() :]


def _kind(name: str, suffix: str, kinds: Mapping[str, Kind], part: _Braces) -> Kind:
    if suffix in _FORMS:
        return _FORMS[suffix]
    if not suffix.startswith(":"):
        forms = f"'{{{name}}}', '{{{name}...}}', '{{{name}*}}' or '{{{name}:kind}}'"
        raise TemplateError(f"'{{{part.inner}}}' is not {forms}", part.position)
    wanted = suffix[1:]
    if wanted in kinds:
        return kinds[wanted]
    if not wanted or _NAME.fullmatch(wanted):
        known = ", ".join(sorted(kinds)) or "none"
        raise TemplateError(f"'{wanted}' is not a kind of this file (it has {known})", part.position)
    return read_kind(wanted, part.position)


def read_kind(text: str, position: int = 0) -> Kind:
    """A kind from its expression; raises TemplateError."""
    try:
        return kind_of_expression(text, parse_expression(text))
    except ExpressionError as error:
        message = f"the expression '{text}' is not possible at character {error.position + 1}: {error}"
        raise TemplateError(message, position) from None
    except TooManyStatesError:
        raise TemplateError(f"the expression '{text}' is too large to decide; make it simpler", position) from None


def _parts(text: str) -> Iterator[str | _Braces]:
    """Literal texts (never two in a row) and braces."""
    pending: list[str] = []
    position = 0
    while position < len(text):
        character = text[position]
        if character in "{}" and text[position : position + 2] == character * 2:
            pending.append(character)
            position += 2
        elif character == "}":
            raise TemplateError("a '}' without its '{'; write a literal one as '}}'", position)
        elif character == "{":
            end = _closing(text, position)
            if pending:
                yield "".join(pending)
                pending = []
            yield _Braces(text[position + 1 : end], position)
            position = end + 1
        else:
            pending.append(character)
            position += 1
    if pending:
        yield "".join(pending)


def _closing(text: str, start: int) -> int:
    """The end of the brace that opens at ``start``; escaped braces do not count."""
    depth, position = 0, start
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == "{":
            depth += 1
        elif text[position] == "}":
            depth -= 1
            if not depth:
                return position
        position += 1
    raise TemplateError("a '{' without its '}'; write a literal one as '{{'", start)
