"""YAML as plain values with their places in the file."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml

from domain.errors import RulesError

Path: TypeAlias = tuple[str | int, ...]

MAX_NODES = 100_000
"""More values than any rules file needs; stops files that multiply themselves by aliases."""


@dataclass(frozen=True, slots=True)
class PlacedYaml:
    """The ``value`` of a file, with the line and column (both from 1) of everything in it."""

    name: str
    value: Any
    places: dict[Path, tuple[int, int]]

    def say(self, path: Path, message: str) -> str:
        """``file:line:column: message`` for the value at ``path``, or for the nearest value around it."""
        while path and path not in self.places:
            path = path[:-1]
        line, column = self.places.get(path, (1, 1))
        return f"{self.name}:{line}:{column}: {message}"


def read_yaml(text: str, name: str) -> PlacedYaml:
    """Read one YAML document; raises RulesError for invalid YAML and for repeated keys."""
    loader = None
    try:
        loader = _Loader(text)  # refuses characters that YAML does not allow
        root = loader.get_single_node()
        if root is None:
            raise RulesError(f"{name}:1:1: the file is empty; see docs/rules.md for an example")
        reader = _Reader(loader, name)
        value = reader.value(root, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{mark.line + 1}:{mark.column + 1}" if mark else "1:1"
        raise RulesError(f"{name}:{place}: this is not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise RulesError(f"{name}:1:1: this is not valid YAML: {str(error).splitlines()[0]}") from None
    except (ValueError, RecursionError):
        raise RulesError(f"{name}:1:1: this YAML cannot be used: a value is impossible or nested too deep") from None
    finally:
        if loader is not None:
            loader.dispose()
    if reader.mistakes:
        raise RulesError("\n".join(reader.mistakes))
    return PlacedYaml(name, value, reader.places)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, used for its nodes."""


class _Reader:
    def __init__(self, loader: _Loader, name: str) -> None:
        self._loader = loader
        self._name = name
        self._open: set[int] = set()
        self.places: dict[Path, tuple[int, int]] = {}
        self.mistakes: list[str] = []

    def value(self, node: yaml.Node, path: Path) -> Any:
        self.places.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
        if id(node) in self._open or len(self.places) > MAX_NODES:
            self._blame(node, "an alias contains itself, or there are too many values")
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [self.value(item, (*path, at)) for at, item in enumerate(node.value)]
            return self._loader.construct_object(node, deep=True)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._blame(key_node, "a name must be a plain text")
                continue
            name = str(key_node.value)
            if name in found:
                self._blame(key_node, f"'{name}' is there twice; remove one of them")
            self.places[(*path, name)] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            found[name] = self.value(value_node, (*path, name))
        return found

    def _blame(self, node: yaml.Node, message: str) -> None:
        self.mistakes.append(f"{self._name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}: {message}")
