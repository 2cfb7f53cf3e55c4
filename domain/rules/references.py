"""The rules file's declarations of references: the items and augmented manifests with URIs, and the places in them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

from domain.rules.paths import Path
from domain.rules.templates import Template

Item: TypeAlias = Mapping[str, Any]
"""Attributes in DynamoDB's JSON, ``{"name": {"S": …}}``: they are not converted, so that nothing changes."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Texts that an operator declares not to be references; ``*`` is any text. Only for texts not rewritten."""

    text: str
    why: str

    def takes(self, text: str) -> bool:
        """Whether it is such a text."""
        return re.fullmatch(".*".join(map(re.escape, self.text.split("*"))), text, re.DOTALL) is not None


@dataclass(frozen=True, slots=True)
class AttributePath:
    """Where URIs stand: ``inside`` is the path in a JSON text, ``bucket`` the one that bare keys belong to."""

    text: str
    path: Path
    inside: Path | None = None
    bucket: str | None = None
    accept: tuple[Accepted, ...] = ()


@dataclass(frozen=True, slots=True)
class TableReferences:
    """A table whose items hold URIs; ``indexes`` maps a secondary index to the attribute that is its partition key."""

    table: str
    key: tuple[str, ...]
    attributes: tuple[AttributePath, ...]
    indexes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def key_of(self, item: Item) -> Item:
        """The item's own key."""
        return {name: item[name] for name in self.key}

    def holder(self, key: Item) -> str:
        """The item's name in reports."""
        said = " ".join(f"{name}={next(iter(value.values()))}" for name, value in key.items())
        return f"table {self.table} {said}"


@dataclass(frozen=True, slots=True)
class ManifestReferences:
    """JSON Lines objects, by templates of their legacy or new keys, whose lines hold URIs."""

    keys: tuple[Template, ...]
    attributes: tuple[AttributePath, ...]

    def names(self, key: str) -> bool:
        """Whether an object at this key (without the side's prefix) is such a manifest."""
        return any(template.match(key) is not None for template in self.keys)


@dataclass(frozen=True, slots=True)
class References:
    """All declarations."""

    tables: tuple[TableReferences, ...] = ()
    manifests: tuple[ManifestReferences, ...] = ()


NO_REFERENCES = References()


@dataclass(frozen=True, slots=True)
class PinPlace:
    """Another place to search for pins: a region of this account, or the account of a role that is assumed."""

    region: str | None = None
    role_arn: str | None = None
    external_id: str | None = None

    def __str__(self) -> str:
        account = f"the account of {self.role_arn}" if self.role_arn else "this account"
        return f"{account}, {self.region or 'this region'}"
