"""The demo's judge: it sees every way to be wrong, and asks nobody but the owners and the bucket."""

import json
from collections.abc import Mapping
from dataclasses import replace
from random import Random

import pytest

from domain.audit.packs import PACK_TYPE
from domain.keys import Location
from domain.objects import ContentHeaders, ObjectState
from domain.protocol.record import Record
from handlers.cli.demo import packaged_rules
from handlers.config.rules_file import load_rules
from handlers.demo.actors import Auditor, DisturbedDelivery
from handlers.demo.checker import ProducersBook, compare, target_of, write_object
from handlers.demo.objects import ProducedObject, legacy_keys, new_object
from handlers.demo.run import Result
from tests.fakes.object_store import InMemoryObjectStore
from tests.fakes.queue import InMemoryQueue

RULES = load_rules(packaged_rules("edge-cv-portal.yaml"))
KEY = "datasets//training-output/cookie-1/output/model.tar.gz"
TARGET = Location(RULES.target_bucket, "models/training/cookie-1/output/model.tar.gz")
WRITTEN = ProducedObject(17, 1, {"line": "1"}, {"line": "1"}, "application/gzip", "max-age=60")


class InMemoryOwnersBucket:
    """A bucket as its owners see it."""

    def __init__(self) -> None:
        self.store = InMemoryObjectStore()
        self.store.create_bucket(RULES.source_bucket)

    def put_object(
        self,
        location: Location,
        *,
        body: bytes,
        metadata: Mapping[str, str],
        tags: Mapping[str, str],
        content_type: str,
        cache_control: str | None = None,
        in_parts: bool = False,
    ) -> None:
        """Write it."""
        headers = ContentHeaders(content_type=content_type, cache_control=cache_control)
        self.store.put(location, body, metadata=metadata, tags=tags, headers=headers)

    def delete_object(self, location: Location) -> None:
        """Delete it."""
        self.store.remove(location)

    def read_object(self, location: Location) -> tuple[bytes, ObjectState] | None:
        """Bytes, headers and tags."""
        state, body = self.store.look_at_object(location, with_tags=True), self.store.body(location)
        return None if state is None or body is None else (body, state)


def verdict(found: ProducedObject | None, *deeds: ProducedObject | None) -> list[str]:
    """What the checker says when the owner did these deeds and ``found`` is at the target."""
    ledger, bucket = ProducersBook(), InMemoryOwnersBucket()
    for deed in deeds:
        ledger.note(KEY, deed)
    if found is not None:
        write_object(bucket, TARGET, found)
    return [one.kind for one in compare(ledger.entries(), RULES, bucket, threads=1)]


def test_what_is_as_its_owner_left_it_is_no_difference() -> None:
    """Present as written, or absent as deleted."""
    assert verdict(WRITTEN, WRITTEN) == []
    assert verdict(None, WRITTEN, None) == []


def test_a_missing_copy_is_lost() -> None:
    """The owner wrote it, and it is not there."""
    assert verdict(None, WRITTEN) == ["lost"]


@pytest.mark.parametrize(
    "found",
    [
        replace(WRITTEN, seed=2),
        replace(WRITTEN, size=16),
        replace(WRITTEN, metadata={}),
        replace(WRITTEN, metadata={"line": "2"}),
        replace(WRITTEN, tags={}),
        replace(WRITTEN, content_type="text/plain"),
        replace(WRITTEN, cache_control=None),
    ],
)
def test_any_other_content_is_wrong(found: ProducedObject) -> None:
    """Bytes, metadata, tags and headers each count."""
    assert verdict(found, WRITTEN) == ["wrong"]


def test_an_older_content_is_stale() -> None:
    """The bytes of an earlier write of the same owner."""
    assert verdict(WRITTEN, WRITTEN, replace(WRITTEN, seed=2)) == ["stale"]


def test_a_copy_of_a_deleted_object_is_stale() -> None:
    """It came back, or never went."""
    assert verdict(WRITTEN, WRITTEN, None) == ["stale"]


def test_what_the_rules_do_not_move_must_stay() -> None:
    """A kept or unmapped key is looked for where its owner put it."""
    for key in ("datasets/raw/line-1/a.png", "notes/no rule maps this.txt"):
        assert Location(RULES.source_bucket, key) == target_of(RULES, key)


def test_the_owners_keys_never_meet() -> None:
    """No two keys that the demo makes up have one target: else the demo would blame the migrator for the rules."""
    keys = list(legacy_keys(Random(1), 3_000))
    assert len(keys) == 3_000
    targets = {target_of(RULES, key) for key in keys}
    assert len(set(keys)) == len(keys) == len(targets)


def test_objects_differ_and_are_the_same_for_the_same_dice() -> None:
    """A seed decides everything, and two objects with bytes have different ones."""
    first, second = new_object(Random(1)), new_object(Random(1))
    assert first == second
    assert replace(first, size=900, seed=1).body() != replace(first, size=900, seed=2).body()
    assert len(new_object(Random(2), large=True).body()) > 5 * 1024 * 1024


def test_a_revision_without_its_event_is_missing() -> None:
    """Every revision from 1 on must have come off the bus."""
    record = Record(Location("b", "old"), Location("b", "new"), revision=3)
    auditor = Auditor(InMemoryQueue())
    auditor.event_ids = {f"{record.record_id}:1", f"{record.record_id}:3"}
    assert auditor.missing([record]) == [f"{record.record_id}:2"]


def test_the_auditor_reads_what_eventbridge_delivers() -> None:
    """Each id once, alone or in a pack, repeated deliveries counted apart, and the queue is empty afterwards."""
    queue = InMemoryQueue()
    told = [{"detail": {"event_id": event_id}} for event_id in ("a:1", "a:2", "a:1", "a:3")]
    pack = {"detail-type": PACK_TYPE, "detail": {"events": told[2:]}}
    queue.send_messages([json.dumps(one) for one in (*told[:2], pack)])
    auditor = Auditor(queue)
    auditor.start()
    while queue.bodies:
        pass
    auditor.stop()
    assert auditor.failures == []
    assert auditor.event_ids == {"a:1", "a:2", "a:3"}
    assert auditor.repeated == 1


def test_the_troublemaker_loses_nothing() -> None:
    """Whatever it takes out comes back, some of it twice."""
    queue = InMemoryQueue()
    bodies = [f"body {number}" for number in range(10)]
    queue.send_messages(bodies)
    trouble = DisturbedDelivery(queue, seed=1)
    trouble.start()
    while not trouble.reordered:
        pass
    trouble.stop()
    assert trouble.failures == []
    assert set(bodies) == set(queue.bodies)
    assert len(queue.bodies) == len(bodies) + trouble.duplicated
    assert trouble.duplicated > 0


@pytest.mark.parametrize("name", ["lost", "wrong", "stale", "audit_missing"])
def test_one_bad_figure_makes_a_bad_result(name: str) -> None:
    """The demo's exit code hangs on it."""
    assert Result().is_good
    bad = Result()
    setattr(bad, name, 1)
    assert not bad.is_good
    assert not Result(troubles=["a worker ended by itself"]).is_good
