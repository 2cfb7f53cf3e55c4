"""The places that a look found held: an index of eight bytes a place in memory; their lines stay in the run's book."""

from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from threading import Lock

from domain.errors import PermanentError
from domain.keys import Location
from domain.runs.ports import RunBook
from handlers.operations.holder_looks import Look
from handlers.operations.holders import Holder, around, held_of

MOST_PLACES = 16_000_000
"""128 MB of index, which a function with 1,024 MB can hold."""
PARTS_IN_MEMORY = 16
_PART_BITS = 24
_BUCKETS = 256


class HeldPlaces:
    """What holds a place, of one look that is whole.

    Raises PermanentError for a look with more than MOST_PLACES, MissingResourceError for one that is not kept any more.
    """

    def __init__(self, book: RunBook, look: Look) -> None:
        self._book = book
        self._look = look
        self._parts = [(one.number, part) for one in look.slices for part in range(one.parts)]
        self._read: OrderedDict[int, Mapping[Location, Holder]] = OrderedDict()
        self._lock = Lock()
        self._index = self._indexed()

    def holder_of(self, location: Location) -> Holder | None:
        """What names the place, its bucket, or a folder that it is in; ``None``: nothing does."""
        with self._lock:
            for place in around(location):
                # Part of a digest may be another place's: the line decides.
                for ordinal in self._ordinals(place):
                    holder = self._part(ordinal).get(place)
                    if holder is not None:
                        return holder
        return None

    def _indexed(self) -> list["array[int]"]:
        index = [array("Q") for _ in range(_BUCKETS)]
        places = 0
        for ordinal in range(len(self._parts)):
            for place in self._lines(ordinal):
                digest = _digest(place)
                index[digest % _BUCKETS].append(digest << _PART_BITS | ordinal)
                places += 1
            if places > MOST_PLACES:
                raise PermanentError(
                    f"references and pins hold more than {MOST_PLACES:,} places, more than a process keeps in memory:"
                    " keyshift references rewrite first"
                )
        return [array("Q", sorted(bucket)) for bucket in index]

    def _ordinals(self, place: Location) -> Iterator[int]:
        digest = _digest(place)
        bucket, first = self._index[digest % _BUCKETS], digest << _PART_BITS
        at = bisect_left(bucket, first)
        while at < len(bucket) and bucket[at] >> _PART_BITS == digest:
            yield bucket[at] - first
            at += 1

    def _part(self, ordinal: int) -> Mapping[Location, Holder]:
        if ordinal not in self._read:
            self._read[ordinal] = self._lines(ordinal)
            if len(self._read) > PARTS_IN_MEMORY:
                self._read.popitem(last=False)
        self._read.move_to_end(ordinal)
        return self._read[ordinal]

    def _lines(self, ordinal: int) -> Mapping[Location, Holder]:
        text = self._book.read_part(self._look.run, *self._parts[ordinal])
        return dict(found for found in map(held_of, text.splitlines()) if found is not None)


def _digest(place: Location) -> int:
    """Forty bits."""
    text = f"{place.bucket}\0{place.key}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=5).digest())
