"""Pins: URIs in things that cannot be edited, and which legacy objects they keep where they are."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from domain.holders import Pin
from domain.keys import Location
from domain.rules import CompiledRules, MapOutcome
from domain.uris import ObjectUri, read_uri


@dataclass(frozen=True, slots=True)
class HeldUri:
    """A URI in a holder; ``is_prefix``: every object below it counts. ``remedy``: what must be published again."""

    holder: str
    uri: str
    remedy: str
    is_prefix: bool = False


Below = Callable[[Location], Iterable[Location]]
"""The objects whose keys begin with the location's key."""


def pins_of(held: HeldUri, *, rules: CompiledRules, below: Below) -> Iterator[Pin]:
    """The legacy objects of this migration that the URI keeps where they are."""
    text = held.uri
    uri = read_uri(text)
    if held.is_prefix and text[:5].lower() == "s3://":
        bucket, _, key = text[5:].partition("/")
        places: Iterable[Location] = below(Location(bucket, key)) if bucket == rules.source_bucket else ()
    else:
        places = (uri.location,) if isinstance(uri, ObjectUri) else ()
    for place in places:
        if place.bucket == rules.source_bucket and rules.map_key(place.key).outcome is MapOutcome.MOVE:
            yield Pin(held.holder, text, place, held.remedy)
