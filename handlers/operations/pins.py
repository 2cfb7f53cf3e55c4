"""Things that cannot be edited and hold old URIs: the gates' PinFinder."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from domain.keys import Location
from domain.planning.ports import ObjectListing
from domain.references.holders import Pin
from domain.references.pins import copy_pins_of, pins_of
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
        for holder in self.holders:
            yield from self.pins_in(holder, of_copies=False)

    def find_copy_pins(self) -> Iterator[Pin]:
        """See the port PinFinder."""
        for holder in self.holders:
            yield from self.pins_in(holder, of_copies=True)

    def pins_in(self, holder: UriHolder, *, of_copies: bool) -> Iterator[Pin]:
        """What is found in one service."""
        find = copy_pins_of if of_copies else pins_of
        for held in holder.list_uris():
            yield from find(held, rules=self.rules, below=self._below)

    def _below(self, place: Location) -> Iterable[Location]:
        return (Location(place.bucket, one.key) for one in self.listing.list_objects(place.bucket, prefix=place.key))
