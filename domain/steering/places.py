"""The places that AWS throttles as one: a prefix of a bucket's keys, or a table."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import ThrottledAt
from domain.keys import Location


class Service(StrEnum):
    """The services whose places are told apart."""

    S3 = "s3"
    DYNAMODB = "dynamodb"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A prefix of a bucket (``name``), or a table, whose ``prefix`` is empty."""

    service: Service
    name: str
    prefix: str = ""

    @property
    def uri(self) -> str:
        """The name that operators see and give: ``s3://bucket/prefix``, ``dynamodb://table``."""
        return f"{self.service}://{self.name}" + (f"/{self.prefix}" if self.service is Service.S3 else "")


class PlaceNames:
    """Finds the places of an object: by how the rules' keys begin, and by the manifest table.

    S3 counts requests by partitions of a bucket's keys, which it cuts at prefixes of any length, and does not say where
    (S3 user guide, optimizing-performance). So a prefix here is the longest literal beginning that a rule gives to the
    key. All keys of that rule share it, and a cold partition holds all of them. Where no rule gives one, it is the
    first path segment.
    """

    def __init__(self, openings: Mapping[str, Collection[str]], *, table: str) -> None:
        self._openings = {
            bucket: sorted((one for one in found if one), key=len, reverse=True) for bucket, found in openings.items()
        }
        self._table = Place(Service.DYNAMODB, table)

    def places_of(self, source: Location, target: Location) -> frozenset[Place]:
        """The places that moving an object asks: its source's prefix, its target's prefix, the manifest table."""
        return frozenset({self.prefix_of(source), self.prefix_of(target), self._table})

    def prefix_of(self, location: Location) -> Place:
        """The prefix that is throttled together with this key."""
        key = location.key
        for opening in self._openings.get(location.bucket, ()):
            if key.startswith(opening):
                return Place(Service.S3, location.bucket, opening)
        return Place(Service.S3, location.bucket, key[: key.find("/") + 1])

    def place_of(self, at: ThrottledAt) -> Place:
        """The place that a throttled answer is about."""
        if at.table:
            return Place(Service.DYNAMODB, at.table)
        return self.prefix_of(Location(at.bucket, at.key))
