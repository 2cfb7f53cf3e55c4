"""What cleanup and purge report of each object that they delete, or would delete."""

import json
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import KeyshiftError
from domain.keys import Location
from domain.protocol.attempt import Outcome
from domain.rules.lake_tables import LakeTable


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
