"""Routine events share an entry of the bus, as many as 64 KB hold; what a person must see goes alone."""

import json
from dataclasses import replace
from itertools import chain

import pytest

from domain.audit.events import AuditEvent, audit_event, enveloped
from domain.audit.item_events import control_event, stage_event
from domain.audit.packs import MOST_PACK_BYTES, PACK_TYPE, Entry, entries_of, events_of, is_routine
from domain.keys import Location
from domain.lifecycle.stages import StageEntry
from domain.planning.prices import EVENTS_PER_PACK
from domain.protocol.causes import Cause
from domain.protocol.record import Claim, Record, State
from domain.steering.control import Control
from tests.audit_schema import check_delivered

RECORD = Record(
    Location("manufacturing-line-1", "jobs/2026/11/job-000123/artifacts/output/model.tar.gz"),
    Location("manufacturing-line-1", "line=1/job=000123/artifacts/model.tar.gz"),
    claim=Claim("t" * 32, 1_790_000_000.0),
    rule="move",
    rules_digest="a" * 64,
    source_etag="e" * 32,
    source_version="v" * 32,
    size=1,
    changed_at=1_790_000_000.5,
)
COPIED = replace(RECORD, claim=None, state=State.COPIED, revision=2, target_etag="e" * 32, target_version="v" * 32)


def routine(number: int, *, padding: int = 0, migration: str = "m") -> AuditEvent:
    """A routine event with an id of its own."""
    told = {"pad": "x" * padding}
    return enveloped(f"id-{number}", "Object Migrated", 1_790_000_000.5 + number, told, migration=migration)


def alone(number: int) -> AuditEvent:
    """An event that a person must see."""
    return replace(routine(number), detail_type="Object In Conflict")


def told_by(entry: Entry) -> list[str]:
    """The ids of an entry's events, as a consumer reads them."""
    delivered = {"source": "keyshift", "detail-type": entry.detail_type, "detail": json.loads(entry.detail)}
    return [event["detail"]["event_id"] for event in events_of(delivered)]


def bytes_of(entry: Entry) -> int:
    """As EventBridge's guide adds them up."""
    return 14 + sum(len(text.encode()) for text in ("keyshift", entry.detail_type, entry.detail))


def test_a_full_batch_of_the_stream_is_two_packs() -> None:
    """100 changes of objects with keys of ordinary length, which is what the plan assumes."""
    events = [audit_event(record, migration="line-1") for _ in range(50) for record in (RECORD, COPIED)]
    entries = entries_of(events, in_packs=True)
    assert [entry.detail_type for entry in entries] == [PACK_TYPE, PACK_TYPE]
    assert len(events) // len(entries) == EVENTS_PER_PACK
    assert list(chain.from_iterable(entry.places for entry in entries)) == list(range(100))


def test_an_event_in_a_pack_is_what_it_is_alone() -> None:
    """Same fields; the time as EventBridge writes it; the pack has the time of its last change."""
    events = [audit_event(record, migration="m") for record in (RECORD, COPIED)]
    (pack,) = entries_of(events, in_packs=True)
    singles = entries_of(events, in_packs=False)
    told = json.loads(pack.detail)
    assert (told["schema_version"], told["migration"], pack.time) == ("1", "m", COPIED.changed_at)
    assert [one["detail"] for one in told["events"]] == [json.loads(single.detail) for single in singles]
    assert [one["detail-type"] for one in told["events"]] == [single.detail_type for single in singles]
    assert {(one["source"], one["time"]) for one in told["events"]} == {("keyshift", "2026-09-21T14:13:20Z")}
    for entry in (pack, *singles):
        check_delivered(entry)


def test_a_pack_is_full_at_the_border_and_not_beyond() -> None:
    """Two events that fill a pack to the last byte share it; with one byte more they do not."""
    (pack,) = entries_of([routine(1), routine(2)], in_packs=True)
    fitting = MOST_PACK_BYTES - pack.size
    (full,) = entries_of([routine(1), routine(2, padding=fitting)], in_packs=True)
    assert bytes_of(full) == full.size == MOST_PACK_BYTES
    assert [entry.places for entry in entries_of([routine(1), routine(2, padding=fitting + 1)], in_packs=True)] == [
        (0,),
        (1,),
    ]


def test_one_event_that_is_too_large_for_a_pack_goes_alone() -> None:
    """Between the others, which share one; at the border it is a pack of one."""
    (pack,) = entries_of([routine(1)], in_packs=True)
    fitting = MOST_PACK_BYTES - pack.size
    entries = entries_of([routine(1), routine(2, padding=fitting + 1), routine(3)], in_packs=True)
    assert [(entry.detail_type, entry.places) for entry in entries] == [(PACK_TYPE, (0, 2)), ("Object Migrated", (1,))]
    (largest,) = entries_of([routine(2, padding=fitting)], in_packs=True)
    assert (largest.detail_type, largest.size) == (PACK_TYPE, MOST_PACK_BYTES)


def test_what_a_person_must_see_goes_alone() -> None:
    """In no pack, in the place of its own, and the routine events around it still share one."""
    entries = entries_of([alone(0), routine(1), alone(2), routine(3)], in_packs=True)
    assert [(entry.detail_type, told_by(entry)) for entry in entries] == [
        ("Object In Conflict", ["id-0"]),
        (PACK_TYPE, ["id-1", "id-3"]),
        ("Object In Conflict", ["id-2"]),
    ]


def test_single_events_can_be_had_for_all() -> None:
    """Nothing is packed then."""
    entries = entries_of([routine(number) for number in range(5)], in_packs=False)
    assert [(entry.detail_type, told_by(entry)) for entry in entries] == [
        ("Object Migrated", [f"id-{number}"]) for number in range(5)
    ]


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("running", [False, True])
def test_only_states_that_need_nobody_are_routine(state: State, *, running: bool) -> None:
    """A rule that matches detail.state or a cause sees each event of such a record, also an attempt at it."""
    record = replace(COPIED, state=state, claim=RECORD.claim if running else None)
    needs_somebody = state in (State.CONFLICT, State.PARKED, State.ROLLBACK_CONFLICT)
    assert is_routine(audit_event(record, migration="m")) is not needs_somebody
    assert not is_routine(audit_event(replace(record, cause=Cause.TARGET_CHANGED), migration="m"))
    assert not is_routine(audit_event(record, migration="m", removed=True))


def test_steering_and_what_is_not_known_to_be_routine_goes_alone() -> None:
    """The control item (the circuit breaker pauses through it), the stage, what cannot be read, a type to come."""
    events = [
        control_event(None, replace(Control(), paused=True), migration="m"),
        stage_event(None, StageEntry(), migration="m"),
        enveloped("x:unreadable", "Record Unreadable", 1.0, {"cause": "KeyError"}, migration="m"),
        replace(routine(1), detail_type="Something New"),
    ]
    assert [is_routine(event) for event in events] == [False] * 4
