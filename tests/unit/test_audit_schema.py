"""Every event that can be made fits the published schema."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import ValidationError

from adapters.reference_items import journal_id
from domain.audit import audit_event, record_digest
from domain.audit_control import control_event
from domain.audit_references import references_event
from domain.audit_stage import stage_event
from domain.control import Control, paused, resumed, throttled
from domain.keys import Location
from domain.ports.references import JournalEntry
from domain.record import Record
from domain.references_items import Switch
from domain.stages import Stage, StageEntry
from handlers.manifest_stream import respond
from tests.audit_schema import check_event
from tests.contract.records import records
from tests.unit.handler_world import bench
from tests.unit.test_manifest_stream import BEGUN, change


@given(records(), st.booleans())
def test_every_record_event_fits(record: Record, removed: bool) -> None:
    """Records in any shape."""
    check_event(audit_event(record, migration="m", removed=removed))


def test_every_control_event_fits() -> None:
    """Paused, throttled, resumed, changed, removed."""
    first = Control()
    second = paused(first, reason="lunch", by="me", now=1.0, mappings=("m1",))
    third = throttled(second, replace(first.limits, objects_per_second=2.5), by="me", now=2.0)
    fourth = resumed(third, by="me", now=3.0)
    pairs = [(None, second), (second, third), (third, fourth), (fourth, replace(fourth, fence=9)), (fourth, None)]
    for before, after in pairs:
        check_event(control_event(before, after, migration="m"))


def test_every_stage_event_fits() -> None:
    """Started, postponed, allowed again, remembered, confirmed, removed."""
    first = StageEntry()
    second = replace(first, stage=Stage.LIVE, since=1.0, by="me", why="go", revision=1)
    third = replace(second, postponed_until=9.0, revision=2)
    fourth = replace(third, postponed_until=None, revision=3)
    fifth = replace(fourth, capture="{}", revision=4)
    pairs = [(None, second), (second, third), (third, fourth), (fourth, fifth), (fifth, replace(fifth, revision=5))]
    for before, after in [*pairs, (fifth, None)]:
        check_event(stage_event(before, after, migration="m"))


def test_every_event_of_references_fits() -> None:
    """Rewritten, restored in part, restored, removed."""
    switches = tuple(
        Switch(("uris", at), None, f"s3://b/old/{at}", f"s3://b/new/{at}", Location("b", f"old/{at}").record_id)
        for at in range(30)
    )
    first = JournalEntry("e", "jobs", {"id": {"S": "7"}, "n": {"N": "1"}}, switches, 1.0)
    second = replace(first, switches=switches[1:], revision=2)
    third = replace(second, switches=(), revision=3)
    item_id = journal_id(first)
    told = []
    for before, after in [(None, first), (first, second), (second, third), (third, None)]:
        event = references_event(item_id, before, after, migration="m")
        check_event(event)
        told.append((event.detail_type, event.detail["count"], event.detail["left_to_restore"]))
    assert told == [
        ("References Rewritten", 30, 30),
        ("References Restored", 1, 29),
        ("References Restored", 29, 0),
        ("Reference Entry Removed", 0, 0),
    ]
    restored = references_event(item_id, first, second, migration="m").detail["references"]
    assert restored == [{"place": "uris[0]", "before": "s3://b/new/0", "after": "s3://b/old/0"}]


def test_an_unreadable_item_fits() -> None:
    """What could not be read is told in the same form."""
    made = bench()
    broken = change(1, None, BEGUN)
    broken["dynamodb"]["NewImage"] = {"nonsense": 1}
    respond({"Records": [broken]}, made.dependencies)
    check_event(made.bus.events[0])


def test_a_field_that_is_missing_does_not_fit() -> None:
    """The schema can fail."""
    event = audit_event(Record(Location("b", "k"), Location("b", "t")), migration="m")
    with pytest.raises(ValidationError):
        check_event(replace(event, detail={name: value for name, value in event.detail.items() if name != "state"}))
    with pytest.raises(ValidationError):
        check_event(replace(event, detail_type="Something Else"))


@given(records(), records())
def test_records_have_one_digest_only_when_they_are_equal(one: Record, other: Record) -> None:
    """Everything that a record holds is in its digest."""
    assert (one == other) == (record_digest(one) == record_digest(other))
