"""What cleanup and purge report of each object that they delete, or would delete."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock

from domain.errors import KeyshiftError
from domain.keys import Location
from domain.protocol.attempt import Outcome
from domain.references.holders import Pin, Reference
from domain.rules.lake_tables import LakeTable
from handlers.operations.operator import Operation

HOLDERS_SECONDS = 600.0
"""Applications still write: the holders of objects are read again after so many seconds."""


class Removed(StrEnum):
    """The result for one object."""

    WOULD_GO = "would-go"
    CLEANED = "cleaned"
    PURGED = "purged"
    KEPT = "kept"
    HELD = "held"
    FAILED = "failed"


class Hold(StrEnum):
    """What holds an object, besides the protocol's causes and the states of records."""

    REFERENCE = "reference"
    PIN = "pin"
    SOAK_TIME = "soak-time"
    QUIET_TIME = "quiet-time"
    PAUSED = "paused"
    VERSIONING = "versioning"
    LAKE_TABLE = "lake-table"


@dataclass(frozen=True, slots=True)
class Removal:
    """The result for one object; ``size`` in bytes.

    ``why`` is a sentence for people. ``reason`` is its code: a Hold, a Cause, a State, or the cause of an error.
    """

    source: str
    verdict: Removed
    why: str = ""
    reason: str = ""
    size: int = 0


def held(source: Location, reason: str, why: str) -> Removal:
    """An object that stays for now."""
    return Removal(source.uri, Removed.HELD, why, reason)


def held_by_outcome(source: Location, outcome: Outcome) -> Removal:
    """An object whose attempt ended without the delete."""
    return held(source, outcome.cause or outcome.state or "", outcome.reason)


def held_by_quiet_time(source: Location, seconds: float) -> Removal:
    """An object whose record changed within the longest life of an attempt; ``seconds`` are left of it."""
    return held(source, Hold.QUIET_TIME, f"quiet time: changed lately, {seconds:.0f} s to go")


def held_by_table(source: Location, table: LakeTable) -> Removal:
    """An object of a data-lake table, whose readers follow its metadata or a catalog to the legacy key."""
    why = (
        f"it belongs to the {table}, whose metadata or catalog names its files by their old URIs: let its readers use"
        f" the new layout, then say `cleanup: {{lake_tables: [{json.dumps(table.name)}]}}` in the rules file"
    )
    return held(source, Hold.LAKE_TABLE, why)


def failed(source: Location, error: KeyshiftError) -> Removal:
    """An object that could not be deleted."""
    return Removal(source.uri, Removed.FAILED, f"{error.cause}: {error}", error.cause)


@dataclass(frozen=True, slots=True)
class Holder:
    """What names an object: a reference or a pin, and where."""

    hold: Hold
    text: str


@dataclass(slots=True)
class Holders:
    """The holders of each source, read again ``seconds`` after the last read ended: applications still write.

    With ``of_copies`` it is about the copies at their new places.
    """

    operation: Operation
    seconds: float
    monotonic: Callable[[], float]
    of_copies: bool = False
    _held: dict[Location, Holder] = field(default_factory=dict)
    _looked: float | None = None
    _lock: Lock = field(default_factory=Lock)

    def holder_of(self, location: Location) -> Holder | None:
        """Why the object at this place must stay, or ``None``."""
        # One read serves all threads. A read of large tables may take longer than its result is valid.
        with self._lock:
            if self._looked is None or self.monotonic() - self._looked >= self.seconds:
                self._held = dict(self._look())
                self._looked = self.monotonic()
            return next((self._held[one] for one in _around(location) if one in self._held), None)

    def _look(self) -> Iterator[tuple[Location, Holder]]:
        operation = self.operation
        if self.of_copies:
            return _holders(operation.copy_references(), operation.find_copy_pins())
        return _holders(operation.references(), operation.find_pins())


def _around(location: Location) -> Iterator[Location]:
    """The location, its bucket as a whole, and every folder that it is in: a holder of any of these also names it."""
    yield location
    at = 0
    while True:
        yield Location(location.bucket, location.key[:at])
        at = location.key.find("/", at) + 1
        if not at:
            return


def _holders(references: Iterable[Reference], pins: Iterable[Pin]) -> Iterator[tuple[Location, Holder]]:
    for reference in references:
        yield reference.source, Holder(Hold.REFERENCE, f"a reference: {reference.holder} {reference.path}")
    for pin in pins:
        yield pin.source, Holder(Hold.PIN, f"a pin: {pin.holder} ({pin.remedy})")
