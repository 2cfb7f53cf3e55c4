"""Pins: URIs in things that cannot be edited, and the legacy objects that must therefore stay where they are."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from domain.keys import Location
from domain.references.holders import Pin
from domain.references.uris import ObjectUri, read_uri
from domain.rules.compiled import CompiledRules, MapOutcome

_PREFIX = re.compile(r"\s*s3[an]?://(?P<bucket>[^/]*)/?(?P<key>.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class HeldUri:
    """A URI in a holder.

    ``is_prefix`` means that every object counts whose key begins with it. ``is_folder`` means that everything in the
    folder counts, now and later. ``remedy`` names what must be republished.
    """

    holder: str
    uri: str
    remedy: str
    is_prefix: bool = False
    is_folder: bool = False


Below = Callable[[Location], Iterable[Location]]
"""Also the objects whose keys begin with the location's key."""


def pins_of(held: HeldUri, *, rules: CompiledRules, below: Below) -> Iterator[Pin]:
    """The legacy objects of this migration that the URI keeps where they are, or may keep.

    A pin on a location without a key is a pin on everything in the bucket, and one on a folder on everything in it.
    """
    if held.is_folder:
        yield from _folder_pin(held, rules.source_bucket, rules.source_openings)
        return
    for place in _places(held, rules.source_bucket, below):
        if not place.key or rules.map_key(place.key).outcome is MapOutcome.MOVE:
            yield Pin(held.holder, held.uri, place, held.remedy)


def copy_pins_of(held: HeldUri, *, rules: CompiledRules, below: Below) -> Iterator[Pin]:
    """The same for places of the new layout."""
    if held.is_folder:
        yield from _folder_pin(held, rules.target_bucket, rules.target_openings)
        return
    for place in _places(held, rules.target_bucket, below):
        is_legacy = place.bucket == rules.source_bucket and rules.map_key(place.key).outcome is MapOutcome.MOVE
        if not is_legacy and (not place.key or place.key.startswith(rules.target_prefix)):
            yield Pin(held.holder, held.uri, place, held.remedy)


def _folder_pin(held: HeldUri, bucket: str, openings: Iterable[str]) -> Iterator[Pin]:
    """One pin on the folder, if keys that begin so can be in it; without a folder on the whole bucket."""
    found = _PREFIX.fullmatch(held.uri.rstrip())
    if found is None or found["bucket"] != bucket:
        return
    folder = found["key"].rstrip("/") + "/" if found["key"].rstrip("/") else ""
    if any(folder.startswith(opening) or opening.startswith(folder) for opening in openings):
        yield Pin(held.holder, held.uri, Location(bucket, folder), held.remedy)


def _places(held: HeldUri, bucket: str, below: Below) -> Iterator[Location]:
    """The places in the bucket that the URI names, or may name."""
    uri, found = read_uri(held.uri), _PREFIX.fullmatch(held.uri)
    if held.is_prefix and found is not None:
        places: Iterable[Location] = below(Location(bucket, found["key"])) if found["bucket"] == bucket else ()
    elif isinstance(uri, ObjectUri):
        places = (uri.location, *uri.others)
    elif uri is not None and (uri.bucket is None or uri.bucket.lower() == bucket):
        places = (Location(bucket, key) for key in uri.keys) if uri.keys is not None else (Location(bucket, ""),)
    else:
        places = ()
    yield from (place for place in places if place.bucket == bucket)
