"""The expected content of the portal's tables after the move, computed from their content before, without keyshift."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from domain.keys import Location

Item: TypeAlias = Mapping[str, Any]
"""Attributes in DynamoDB's JSON."""
Items: TypeAlias = Mapping[str, Item]
"""The items of a table by their keys."""
PLACES: Mapping[str, tuple[tuple[str, str | None], ...]] = {
    "training": (
        ("artifact_s3", None),
        ("dataset_manifest_s3", None),
        ("compilation_jobs", "compiled_model_s3"),
        ("packaged_components", "component_package_s3"),
    ),
    "model": (("dataset_manifest_id", None),),
}
"""Where each kind of item holds URIs: an attribute, or one of every entry of a list."""
REFERENCE, ITEM, UNREADABLE = "references_wrong", "items_changed", "unreadable"


@dataclass(frozen=True, slots=True)
class Fault:
    """A difference; ``kind`` is the figure that counts it."""

    kind: str
    what: str


def forwarded(kind: str, item: Item, moved: Mapping[str, str]) -> Item:
    """The expected item when every object in ``moved`` (old URI to new) is at its new key."""
    after = dict(item)
    for name, inside in PLACES[kind]:
        value = after.get(name)
        if value is None:
            continue
        if inside is None:
            after[name] = _forwarded(value, moved)
        elif "L" in value:
            after[name] = {"L": [_entry(one, inside, moved) for one in value["L"]]}
    return after


def _entry(value: Item, name: str, moved: Mapping[str, str]) -> Item:
    fields = value.get("M", {})
    return {"M": {**fields, name: _forwarded(fields[name], moved)}} if name in fields else value


def _forwarded(value: Item, moved: Mapping[str, str]) -> Item:
    return {"S": moved.get(value["S"], value["S"])} if "S" in value else value


def held_by(kind: str, item: Item) -> Iterator[tuple[str, str]]:
    """Every URI of an item with its place."""
    for name, inside in PLACES[kind]:
        value = item.get(name, {})
        if inside is None:
            yield from [(name, value["S"])] if value.get("S") else []
            continue
        for place, entry in enumerate(value.get("L", [])):
            text = entry.get("M", {}).get(inside, {}).get("S")
            if text:
                yield f"{name}[{place}].{inside}", text


def item_faults(kind: str, before: Items, after: Items, moved: Mapping[str, str]) -> Iterator[Fault]:
    """Differences, attribute by attribute, from the earlier items with references at their new places."""
    for key in sorted({*before, *after}):
        if key not in after or key not in before:
            yield Fault(ITEM, f"{kind} {key} {'is gone' if key in before else 'is new'}")
            continue
        wanted, found = forwarded(kind, before[key], moved), after[key]
        places = {name for name, _ in PLACES[kind]}
        for name in sorted({*wanted, *found}):
            if wanted.get(name) != found.get(name):
                is_reference = name in places and name in wanted and name in found
                yield Fault(REFERENCE if is_reference else ITEM, f"{kind} {key}: {name} is {_said(found.get(name))}")


def byte_faults(
    kind: str, after: Items, *, location_of: Callable[[str], Location | None], is_good: Callable[[Location], bool]
) -> Iterator[Fault]:
    """URIs of the present items that do not lead to the right bytes."""
    for key, item in sorted(after.items()):
        for place, uri in held_by(kind, item):
            location = location_of(uri)
            if location is not None and not is_good(location):
                yield Fault(
                    REFERENCE, f"{kind} {key}: {place} leads to {uri!r}, and the bytes there are not the right ones"
                )


def _said(value: Item | None) -> str:
    return "missing" if value is None else ascii(value)[:200]
