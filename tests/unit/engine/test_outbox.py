"""Every change of a record is published and counted, in the order of the stream."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from domain.audit.chain import MISSING_SHARD
from domain.audit.reading import ChainedEvent, ChainReader
from domain.errors import UnavailableError
from handlers.bootstrap.audit_chain import event_of_item
from handlers.engine.outbox import respond
from tests.worlds.audited import SHARD, Audited
from tests.worlds.handlers import bench
from tests.worlds.stream import BEGUN, DONE, change


def test_each_change_is_published_once_under_its_own_id() -> None:
    """Claim, copy and removal of one record are three events."""
    made = bench()
    records = [change(1, None, BEGUN), change(2, BEGUN, DONE), change(3, DONE, None)]
    assert respond({"Records": records}, made.dependencies) == {"batchItemFailures": []}
    ids = [f"{DONE.record_id}:1", f"{DONE.record_id}:2", f"{DONE.record_id}:2:removed"]
    assert ids == [event.event_id for event in made.bus.events]
    assert made.bus.events[2].detail_type == "Record Removed"


def test_figures_follow_the_records() -> None:
    """One object copied, three bytes, one record in that state."""
    made = bench()
    respond({"Records": [change(1, None, BEGUN), change(2, BEGUN, DONE)]}, made.dependencies)
    expected = {"records.COPIED": 1, "objects_copied": 1, "bytes_copied": 3, "rule.move": 1, "rule_bytes.move": 3}
    expected |= {"changes": 2, "copy_milliseconds": 1_500}
    assert expected == {name: figure for name, figure in made.figures.read_progress().items() if figure}


def test_a_repeated_batch_counts_once() -> None:
    """The stream may deliver twice, the figures may not."""
    made = bench()
    event = {"Records": [change(1, BEGUN, DONE)]}
    respond(event, made.dependencies)
    respond(event, made.dependencies)
    assert made.figures.read_progress()["objects_copied"] == 1


def test_the_first_change_that_was_not_accepted_is_named() -> None:
    """The stream comes back from there, and nothing after it is counted yet."""
    made = bench()
    made.bus.refuse = {f"{DONE.record_id}:2", f"{DONE.record_id}:2:removed"}
    other = {"eventID": "e0", "dynamodb": {"Keys": {"pk": {"S": "control#"}}, "SequenceNumber": "000"}}
    records = [change(1, None, BEGUN), other, change(2, BEGUN, DONE), change(3, DONE, None)]
    answer = respond({"Records": records}, made.dependencies)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "200"}]}
    assert made.figures.read_progress() == {"records.NEW": 1, "changes": 1}


@pytest.mark.parametrize("shard_id", [SHARD, MISSING_SHARD])
def test_every_accepted_change_is_in_its_shards_chain_before_it_is_acknowledged(shard_id: str) -> None:
    """What the bus did not accept is not in the chain yet; it comes again. The log names the chain."""
    made = bench()
    audited = Audited()
    dependencies = replace(made.dependencies, chains=audited.writer().writer)
    made.bus.refuse = {f"{DONE.record_id}:2"}
    shard = {"shardId": shard_id} if shard_id else {}
    respond({"Records": [change(1, None, BEGUN), change(2, BEGUN, DONE)], **shard}, dependencies)
    made.bus.refuse.clear()
    respond({"Records": [change(2, BEGUN, DONE)], **shard}, dependencies)
    archive, head = audited.chains.archive(shard_id), audited.chains.head(shard_id)
    told = [one for number in (1, 2) for one in ChainReader("unit").read(number, archive.segments[number])]
    assert [f"{DONE.record_id}:1", f"{DONE.record_id}:2"] == [
        one.event_id for one in told if isinstance(one, ChainedEvent)
    ]
    assert head.head is not None
    logged = [(line["shard"], line["sha256"]) for line in made.lines("INFO") if line.get("sequence") == 2]
    assert logged == [(shard_id, head.head.sha256)]


def test_without_the_chain_nothing_is_acknowledged() -> None:
    """An archive that does not answer brings the batch back, and the figures wait for it."""
    made = bench()
    audited = Audited()
    audited.archive.fail_next(UnavailableError("no answer"))
    writer = audited.writer().writer
    with pytest.raises(UnavailableError):
        respond({"Records": [change(1, None, BEGUN)]}, replace(made.dependencies, chains=writer))
    assert made.figures.read_progress() == {}


def test_the_operators_control_is_audited() -> None:
    """A change of the control item is an event among the others, and no figure."""
    made = bench()
    dependencies = replace(made.dependencies, event_of_item=event_of_item)
    images = {"Keys": {"pk": {"S": "keyshift#control"}}, "SequenceNumber": "100"}
    image = {"paused": {"BOOL": True}, "reason": {"S": "x"}, "fence": {"N": "1"}, "changed_at": {"N": "5.5"}}
    respond({"Records": [{"eventID": "e1", "dynamodb": {**images, "NewImage": image}}]}, dependencies)
    assert [(event.detail_type, event.time) for event in made.bus.events] == [("Migration Paused", 5.5)]
    assert made.figures.read_progress() == {}


def test_learned_limits_are_not_audited() -> None:
    """They share the control item, and change as often as AWS throttles; an operator's change beside them is told."""
    made = bench()
    dependencies = replace(made.dependencies, event_of_item=event_of_item)
    learned = {"learned": {"L": []}, "learned_revision": {"N": "1"}}
    word = {"paused": {"BOOL": True}, "reason": {"S": "x"}, "fence": {"N": "1"}, "changed_at": {"N": "5.5"}}
    images: list[dict[str, Any]] = [
        {},
        learned,
        {**learned, **word},
        {**word, "learned": {"L": []}, "learned_revision": {"N": "2"}},
        word,
    ]
    for number, (old, new) in enumerate(pairwise(images), start=100):
        keys = {"Keys": {"pk": {"S": "keyshift#control"}}, "SequenceNumber": str(number)}
        kept = {name: image for name, image in (("OldImage", old), ("NewImage", new)) if image}
        respond({"Records": [{"eventID": f"e{number}", "dynamodb": {**keys, **kept}}]}, dependencies)
    assert [event.detail_type for event in made.bus.events] == ["Migration Paused"]


def test_what_shares_the_table_is_no_record() -> None:
    """Control, counters and checkpoints are not audited."""
    made = bench()
    assert respond({"Records": [change(1, None, BEGUN, pk="counters#unit")]}, made.dependencies) == {
        "batchItemFailures": []
    }
    assert (made.bus.events, made.figures.read_progress()) == ([], {})


def test_an_item_that_cannot_be_read_is_audited_and_stops_nothing() -> None:
    """The audit says that something happened there, and the next change goes through."""
    made = bench()
    broken = change(1, None, BEGUN)
    broken["dynamodb"]["NewImage"] = {"nonsense": 1}
    respond({"Records": [broken, change(2, BEGUN, DONE)]}, made.dependencies)
    assert [event.detail_type for event in made.bus.events] == ["Record Unreadable", "Object Migrated"]
    assert len(made.lines("ERROR")) == 1
