"""Things that cannot be edited and hold old URIs: the gates' PinFinder."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from domain.keys import Location
from domain.planning.ports import ObjectListing
from domain.references.holders import Pin
from domain.references.pins import HeldUri, copy_pins_of, pins_of
from domain.references.ports import UriHolder
from domain.rules.compiled import CompiledRules


@dataclass(frozen=True, slots=True)
class Pins:
    """Searches every service that keeps URIs forever."""

    rules: CompiledRules
    holders: tuple[UriHolder, ...]
    listing: ObjectListing

    def find_pins(self) -> Iterator[Pin]:
        """See the port PinFinder; a service that does not answer is an error, never "no pins"."""
        for held in self._held():
            yield from pins_of(held, rules=self.rules, below=self._below)

    def find_copy_pins(self) -> Iterator[Pin]:
        """See the port PinFinder."""
        for held in self._held():
            yield from copy_pins_of(held, rules=self.rules, below=self._below)

    def _held(self) -> Iterator[HeldUri]:
        return (held for holder in self.holders for held in holder.list_uris())

    def _below(self, place: Location) -> Iterable[Location]:
        return (Location(place.bucket, one.key) for one in self.listing.list_objects(place.bucket, prefix=place.key))
