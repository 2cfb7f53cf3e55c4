"""Paths into items and JSON: ``compilation_jobs[*].compiled_model_s3``, ``meta.*.uri``, ``"odd.name"``, ``*-ref``."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Place: TypeAlias = tuple[str | int, ...]
"""A place in an item: names of attributes and indexes into lists, from the outside in."""

_TOKEN = re.compile(r'(?P<any>\[\*\])|\[(?P<index>[0-9]+)\]|"(?P<quoted>[^"]+)"|(?P<name>[^.\[\]"]+)')


class PathError(ValueError):
    """A path that cannot be read."""


@dataclass(frozen=True, slots=True)
class PathStep:
    """One step: an element of a list (``index``, any one where that is ``None``) or a name, where ``*`` is any text."""

    name: str | None = None
    index: int | None = None
    exact: bool = False

    def takes(self, key: str | int) -> bool:
        """Whether it leads to this name or element."""
        if isinstance(key, int):
            return self.name is None and self.index in (None, key)
        if self.name is None:
            return False
        if self.exact or "*" not in self.name:
            return key == self.name
        return re.fullmatch(".*".join(map(re.escape, self.name.split("*"))), key, re.DOTALL) is not None


Path: TypeAlias = tuple[PathStep, ...]


def read_path(text: str) -> Path:
    """Read a path; raises PathError with what is wrong."""
    steps: list[PathStep] = []
    at = 0
    while at < len(text):
        if steps and text[at] == ".":
            at += 1
        elif steps and text[at] != "[":
            raise PathError(f"'{text}': a '.' or '[' must stand before '{text[at:]}'")
        found = _TOKEN.match(text, at)
        if found is None:
            raise PathError(f"'{text}': a name, [*] or [0] must stand at position {at + 1}")
        if found["any"] or found["index"]:
            if not steps:
                raise PathError(f"'{text}': it must begin with the name of an attribute")
            steps.append(PathStep(index=None if found["any"] else int(found["index"])))
        else:
            steps.append(PathStep(name=found["quoted"] or found["name"], exact=found["quoted"] is not None))
        at = found.end()
    if not steps:
        raise PathError(f"'{text}' ends where a name is missing")
    return tuple(steps)


def write_place(place: Place) -> str:
    """A place as text for people."""
    return "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in place).removeprefix(".")


def matches(path: Path, place: Place) -> bool:
    """Whether the path leads to this place."""
    return len(path) == len(place) and all(step.takes(key) for step, key in zip(path, place, strict=True))


def values_at(item: Mapping[str, Any], path: Path) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """Every attribute value (in DynamoDB's JSON, ``{"S": …}``) of an item to which the path leads."""
    yield from _below({"M": item}, path, ())


def _below(value: Mapping[str, Any], path: Path, place: Place) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    if not path:
        yield place, value
        return
    step, rest = path[0], path[1:]
    children: Iterator[tuple[str | int, Any]] = iter(())
    if "M" in value:
        children = iter(value["M"].items())
    elif "L" in value:
        children = iter(enumerate(value["L"]))
    for key, child in children:
        if step.takes(key):
            yield from _below(child, rest, (*place, key))


def value_at(item: Mapping[str, Any], place: Place) -> Mapping[str, Any] | None:
    """The attribute value at a place, ``None`` where there is none."""
    value: Mapping[str, Any] = {"M": item}
    for key in place:
        inside = value.get("M", {}) if isinstance(key, str) else dict(enumerate(value.get("L", [])))
        if key not in inside:
            return None
        value = inside[key]
    return value


def with_value(item: Mapping[str, Any], place: Place, value: Mapping[str, Any]) -> dict[str, Any]:
    """The item with another value at a place that exists; everything else is unchanged."""
    changed: dict[str, Any] = _replaced({"M": item}, place, value)["M"]
    return changed


def _replaced(value: Mapping[str, Any], place: Place, new: Mapping[str, Any]) -> Any:
    if not place:
        return new
    key, rest = place[0], place[1:]
    if isinstance(key, str):
        return {"M": {**value["M"], key: _replaced(value["M"][key], rest, new)}}
    elements = list(value["L"])
    elements[key] = _replaced(elements[key], rest, new)
    return {"L": elements}
