"""An audit event that EventBridge would refuse is published without its longest parts, each with its digest."""

import json
from dataclasses import replace
from hashlib import sha256

import pytest

from adapters.messaging.event_bus import MAX_BATCH_BYTES
from domain.audit.events import MOST_DETAIL_BYTES, AuditEvent, audit_event, fitted
from domain.audit.item_events import stage_event
from domain.lifecycle.stages import Stage, StageEntry
from domain.protocol.intents import Action, Intent
from domain.protocol.record import Record
from handlers.engine.outbox import respond
from tests.audit_schema import check_event
from tests.worlds.handlers import bench
from tests.worlds.stream import BEGUN, DONE, change

INTENTS = 4_000


def doubtful(count: int = INTENTS) -> Record:
    """A record whose attempts ended again and again without saying what they did."""
    return replace(BEGUN, maybe=frozenset(Intent(Action.COPY, f"{number:032x}") for number in range(count)))


def size(event: AuditEvent) -> int:
    """Bytes of the detail, as the bus sends it."""
    return len(json.dumps(dict(event.detail), separators=(",", ":")))


def test_a_record_of_many_intents_is_published() -> None:
    """Refused again and again, it would hold back its shard until the stream forgets it."""
    assert size(audit_event(doubtful(), migration="m")) > MAX_BATCH_BYTES
    made = bench()
    answer = respond({"Records": [change(1, None, doubtful()), change(2, BEGUN, DONE)]}, made.dependencies)
    assert answer == {"batchItemFailures": []}
    assert len(made.bus.events) == 2
    assert all(size(event) <= MOST_DETAIL_BYTES for event in made.bus.events)


def test_what_is_left_out_is_named_with_digest_and_count() -> None:
    """The record's own digest stays, so that the chain can still be compared with the record."""
    whole = audit_event(doubtful(), migration="m")
    shown = fitted(whole)
    check_event(shown)
    text = json.dumps(whole.detail["unsettled"], separators=(",", ":"))
    digest = sha256(text.encode()).hexdigest()
    assert shown.detail["omitted"] == {"unsettled": {"bytes": len(text), "sha256": digest, "count": INTENTS}}
    assert shown.detail["unsettled"] == []
    same = set(whole.detail) - {"unsettled"}
    assert {name: shown.detail[name] for name in same} == {name: whole.detail[name] for name in same}
    assert (shown.event_id, shown.detail_type, shown.time) == (whole.event_id, whole.detail_type, whole.time)


def test_a_repeated_delivery_is_the_same_event() -> None:
    """The chain recognises it."""
    assert fitted(audit_event(doubtful(), migration="m")) == fitted(audit_event(doubtful(), migration="m"))


def test_a_notification_configuration_that_is_too_long_is_left_out() -> None:
    """The stage item keeps the whole of it."""
    long = "é" * 60_000  # six bytes each, as ASCII JSON
    entry = replace(StageEntry(), stage=Stage.LIVE, capture=long, revision=1)
    shown = fitted(stage_event(None, entry, migration="m"))
    check_event(shown)
    assert shown.detail["capture"] == ""
    assert size(shown) <= MOST_DETAIL_BYTES
    omitted = shown.detail["omitted"]
    assert isinstance(omitted, dict)
    assert omitted["capture"]["bytes"] == 6 * 60_000 + 2


@pytest.mark.parametrize("count", [0, 3, 1_000])
def test_an_event_that_fits_is_published_as_it_is(count: int) -> None:
    """No field is added to it."""
    event = audit_event(doubtful(count), migration="m")
    assert fitted(event) is event


def test_several_long_parts_are_left_out_one_after_the_other() -> None:
    """The longest first, and no more than it takes."""
    detail = {"event_id": "e", "one": "1" * 200_000, "two": "2" * 150_000, "three": ["3"] * 10_000}
    shown = fitted(AuditEvent("e", "t", 1.0, detail))
    assert shown.detail["one"] == ""
    assert shown.detail["two"] == detail["two"]
    assert shown.detail["three"] == detail["three"]


def test_what_cannot_be_shortened_ends() -> None:
    """Its size is refused by the bus, and nothing loops."""
    event = AuditEvent("e", "t", 1.0, {"event_id": "e" * MAX_BATCH_BYTES, "one": ""})
    assert fitted(event) is event
