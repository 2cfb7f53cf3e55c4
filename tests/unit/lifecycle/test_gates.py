"""What a census counts and what each gate says: facts of the cut-over that its stages leave open."""

from dataclasses import replace
from typing import Any

from domain.keys import Location
from domain.lifecycle.gates import ACCEPTABLE, Gate, cutover_gates
from domain.lifecycle.record_census import RecordCensus
from domain.lifecycle.stages import Stage, StageEntry
from domain.protocol.record import Record, State
from tests.worlds.migration import NOW
from tests.worlds.stages import GATE_LIMITS, readiness

COPIED = Record(Location("b", "old/k"), Location("b", "new/k"), State.COPIED, verified_at=NOW)


def gate(name: str, *records: Record, **changes: Any) -> Gate:
    """One gate of a world with these records."""
    seen = readiness(*records, **changes)
    return next(one for one in cutover_gates(seen, limits=GATE_LIMITS, accepted=frozenset()) if one.name == name)


def test_a_census_counts_each_record_under_one_reason() -> None:
    """The first of each is its example; only copies and cleaned sources are verified."""
    census = RecordCensus()
    parked = [replace(COPIED, source=Location("b", key), state=State.PARKED) for key in ("one", "two")]
    for one in (COPIED, replace(COPIED, state=State.CLEANED, verified_at=None), *parked):
        census.add(one)
    census.add(replace(COPIED, state=State.TOMBSTONE, verified_at=None))
    assert (census.records, census.verified, census.parked, census.unverified) == (5, 2, 2, 0)
    assert census.examples == {"parked": "s3://b/one"}
    census.add(replace(COPIED, verified_at=None))
    assert (census.unverified, census.verified) == (1, 2)
    assert census.examples == {"parked": "s3://b/one", "unverified": "s3://b/old/k"}


def test_a_record_gate_names_an_example_only_where_there_is_one() -> None:
    """And is accepted only where something is there to accept."""
    shut = gate("gone", replace(COPIED, state=State.GONE))
    assert (shut.open, shut.says) == (
        False,
        "1 sources vanished for an unknown reason; their copies are kept, such as s3://b/old/k",
    )
    assert gate("gone", COPIED).says == "0 sources vanished for an unknown reason; their copies are kept"
    assert not gate("gone", COPIED).accepted


def test_a_postponement_ends_with_its_moment() -> None:
    """Until then it says so, with who wrote the stage last, and why: a start may have come after it."""
    entry = StageEntry(Stage.LIVE, postponed_until=NOW + 1, by="me", why="a release")
    late = readiness()
    waits = gate("postponed", entry=replace(entry, postponed_until=late.now + 1))
    assert (waits.open, waits.says) == (False, "postponed until 1970-01-01 00:00Z (last change by me: a release)")
    over = gate("postponed", entry=replace(entry, postponed_until=late.now))
    assert (over.open, over.says) == (True, "not postponed")


def test_the_stage_says_why_it_may_or_may_not() -> None:
    """A fault with its remedy, else the stage it is in; once cut over it may stay so."""
    over = gate("stage", entry=StageEntry(Stage.CUT_OVER))
    assert (over.name, over.open, over.says, over.remedy) == ("stage", True, "cut over already", "")
    assert gate("stage", entry=StageEntry(Stage.LIVE)).says == "the migration is live"
    shut = gate("stage", entry=StageEntry(Stage.PREPARED))
    assert not shut.open
    assert shut.says.startswith("the migration is prepared, it cannot become cut-over")
    assert shut.remedy == "run keyshift start --yes first"
    assert gate("stage", entry=StageEntry(Stage.DONE)).remedy == "it is over: nothing more can be changed"


def test_the_lag_that_is_allowed_is_allowed() -> None:
    """A second more is not."""
    assert gate("lag", lag=60.0).open
    assert not gate("lag", lag=61.0).open


def test_nothing_is_accepted_where_nothing_holds() -> None:
    """A record of the cut-over says what an operator really put up with."""
    gates = cutover_gates(readiness(COPIED), limits=GATE_LIMITS, accepted=frozenset(ACCEPTABLE))
    assert all(one.open and not one.accepted for one in gates)
