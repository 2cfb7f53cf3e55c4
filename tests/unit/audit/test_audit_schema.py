"""Every event that can be made fits the published schema."""

import json
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import ValidationError

from adapters.dynamodb.reference_items import journal_id
from domain.audit.events import audit_event, record_digest
from domain.audit.item_events import control_event, references_event, stage_event
from domain.keys import Location
from domain.lifecycle.stages import Stage, StageEntry
from domain.protocol.intents import Action, Intent
from domain.protocol.record import Record
from domain.references.items import Switch
from domain.references.ports import JournalEntry
from domain.steering.control import Control, paused, resumed, throttled
from handlers.engine.outbox import respond
from tests.audit_schema import check_event
from tests.contract.records import records
from tests.worlds.handlers import bench
from tests.worlds.stream import BEGUN, change


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
    pairs.append((fifth, replace(fifth, rules_digest="d", revision=5)))
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


def test_a_digest_is_of_the_fields_in_one_order_and_of_what_is_there() -> None:
    """The figure is stored in the chain for years: the same record has the same one in every version."""
    plain = Record(Location("line-1", "old/a"), Location("line-1", "new/a"))
    told = json.dumps(
        {
            "changed_at": 0.0,
            "mode": "FORWARD",
            "revision": 1,
            "rule": "",
            "rules_digest": "",
            "source": {"bucket": "line-1", "key": "old/a"},
            "state": "NEW",
            "target": {"bucket": "line-1", "key": "new/a"},
        },
        separators=(",", ":"),
    )
    assert record_digest(plain) == sha256(told.encode()).hexdigest()
    unsettled = frozenset({Intent(Action.COPY, "b"), Intent(Action.COPY, "a")})
    told = told.replace('"mode"', f'"maybe":[{_intent("a")},{_intent("b")}],"mode"')
    assert record_digest(replace(plain, maybe=unsettled)) == sha256(told.encode()).hexdigest()
    doubted = frozenset(replace(one, not_before=1) for one in unsettled)
    assert record_digest(replace(plain, maybe=doubted)) != record_digest(replace(plain, maybe=unsettled))


def _intent(etag: str) -> str:
    return f'{{"action":"copy","checksum":"","etag":"{etag}","target_etag":"","version_id":""}}'


@pytest.mark.parametrize("removed", [False, True])
def test_events_of_control_and_references_have_ids_of_their_change(*, removed: bool) -> None:
    """A repeated delivery is recognised, and a removal is no repetition of the last change."""
    ending = ":removed" if removed else ""
    control = replace(Control(), fence=7)
    entry = JournalEntry("e", "jobs", {"id": {"S": "7"}}, (), 1.0, revision=4)
    changes = (control, None) if removed else (None, control)
    assert control_event(*changes, migration="m").event_id == f"keyshift#control:7{ending}"
    entries = (entry, None) if removed else (None, entry)
    assert references_event("id", *entries, migration="m").event_id == f"id:4{ending}"


def test_only_a_change_of_the_pause_is_a_pause_or_a_resume() -> None:
    """What stays paused, or running, while something else changes was changed or throttled."""
    running, stopped = Control(), replace(Control(), paused=True)
    kinds = {
        (before.paused, after.paused): control_event(before, after, migration="m").detail_type
        for before in (running, stopped)
        for after in (running, stopped)
    }
    assert kinds == {
        (False, False): "Control Changed",
        (True, True): "Control Changed",
        (False, True): "Migration Paused",
        (True, False): "Migration Resumed",
    }


def test_a_removed_entry_names_what_it_still_held() -> None:
    """The last word about those references; a change without images is none."""
    switch = Switch(("uri",), None, "s3://b/old/a", "s3://b/new/a", Location("b", "old/a").record_id)
    entry = JournalEntry("e", "jobs", {"id": {"S": "7"}}, (switch,), 1.0)
    removed = references_event("id", entry, None, migration="m")
    assert (removed.detail_type, removed.detail["count"]) == ("Reference Entry Removed", 1)
    with pytest.raises(ValueError, match="old or a new image"):
        references_event("id", None, None, migration="m")
