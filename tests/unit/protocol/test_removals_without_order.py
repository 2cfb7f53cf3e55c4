"""Removals whose sequencer tells nothing of when: by a lifecycle rule, and of one version for good."""

import json
from typing import Any

import pytest

from domain.keys import Location
from domain.protocol.notices import NoticeKind
from domain.protocol.ports import Deleted
from domain.protocol.record import State
from handlers.engine.batch import respond_to_batch
from handlers.intake.messages import decode_message
from tests.worlds.handlers import BUCKET, Bench, bench, created_entry, direct

SOURCE, TARGET = Location(BUCKET, "old/a"), Location(BUCKET, "new/a")
CREATION, LATER = "0055AED6DCD90281E5", "0055AED6DCD90291E5"
EXPIRED = {"reason": "Lifecycle Expiration", "deletion-type": "Permanently Deleted"}
EXPIRED_VERSIONED = {"reason": "Lifecycle Expiration", "deletion-type": "Delete Marker Created"}


def direct_removal(name: str, sequencer: str = CREATION, **more: Any) -> str:
    """S3's own event; by a lifecycle rule its sequencer is the one of the object's creation, as captured."""
    entry = created_entry(SOURCE.key, b"", sequencer)
    entry["eventName"] = name
    entry["s3"]["object"] = {"key": SOURCE.key, "sequencer": sequencer, **more}
    return direct(entry)


def bus_removal(detail: dict[str, str], sequencer: str = CREATION, **more: Any) -> str:
    """The same through EventBridge."""
    subject = {"key": SOURCE.key, "sequencer": sequencer, **more}
    told = {"bucket": {"name": BUCKET}, "object": subject, "requester": "s3.amazonaws.com", **detail}
    return json.dumps({"source": "aws.s3", "detail-type": "Object Deleted", "detail": told})


EXPIRATIONS = [
    direct_removal("LifecycleExpiration:Delete"),
    direct_removal("LifecycleExpiration:DeleteMarkerCreated", versionId="m"),
    bus_removal(EXPIRED),
    bus_removal(EXPIRED_VERSIONED, **{"version-id": "m"}),
]
OF_VERSIONS = [
    direct_removal("ObjectRemoved:Delete", versionId="v1"),
    bus_removal({"reason": "DeleteObject", "deletion-type": "Permanently Deleted"}, **{"version-id": "v1"}),
]


def handled(made: Bench, *bodies: str) -> list[str]:
    """The ids of the messages that stay."""
    event = {"Records": [{"messageId": f"m{at}", "receiptHandle": "r", "body": one} for at, one in enumerate(bodies)]}
    answer = respond_to_batch(event, made.dependencies, queue=made.live, seconds_left=lambda: 300.0)
    return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


def copied() -> Bench:
    """A world in which the object was copied, and a later event of it is incorporated."""
    made = bench()
    made.world.put(SOURCE.key, b"one")
    assert handled(made, direct(created_entry(SOURCE.key, b"one", LATER))) == []
    assert TARGET in made.world.objects
    return made


@pytest.mark.parametrize("body", [*EXPIRATIONS, *OF_VERSIONS])
def test_an_expired_source_takes_its_copy_along(body: str) -> None:
    """Its event is older than the copy by its sequencer, and both keys are looked at all the same."""
    made = copied()
    made.world.remove(SOURCE.key)
    assert handled(made, body) == []
    assert TARGET not in made.world.objects
    assert made.world.records[SOURCE.record_id].state is State.TOMBSTONE


@pytest.mark.parametrize("body", [*EXPIRATIONS, *OF_VERSIONS])
def test_a_source_that_was_written_again_keeps_its_copy(body: str) -> None:
    """What both keys hold now decides, whatever was removed before."""
    made = copied()
    made.world.put(SOURCE.key, b"two")
    assert handled(made, body) == []
    assert made.world.objects[TARGET] == b"two"
    assert made.world.records[SOURCE.record_id].state is State.COPIED


@pytest.mark.parametrize("body", [*EXPIRATIONS, *OF_VERSIONS])
def test_a_duplicate_changes_nothing(body: str) -> None:
    """Delivered twice, and once more after its owner has written the key again."""
    made = copied()
    made.world.remove(SOURCE.key)
    assert handled(made, body, body) == []
    made.world.put(SOURCE.key, b"three")
    assert handled(made, direct(created_entry(SOURCE.key, b"three", "0055AED6DCD90301E5")), body) == []
    assert made.world.objects[TARGET] == b"three"
    record = made.world.records[SOURCE.record_id]
    assert (record.state, record.is_unfinished) == (State.COPIED, False)


def test_an_expiry_does_not_put_later_events_in_the_past() -> None:
    """The record's order stays what owners' own events made it."""
    made = copied()
    before = made.world.records[SOURCE.record_id].sequencer
    made.world.remove(SOURCE.key)
    handled(made, EXPIRATIONS[0])
    assert made.world.records[SOURCE.record_id].sequencer == before


@pytest.mark.parametrize(
    "body",
    [
        direct_removal("ObjectRemoved:Delete"),
        direct_removal("ObjectRemoved:DeleteMarkerCreated", versionId="m"),
        bus_removal({"reason": "DeleteObject", "deletion-type": "Permanently Deleted"}),
        bus_removal({"reason": "DeleteObject", "deletion-type": "Delete Marker Created"}, **{"version-id": "m"}),
    ],
)
def test_an_owners_delete_of_the_current_object_has_its_order(body: str) -> None:
    """A late one costs a refused claim and no look."""
    (notice,) = decode_message(body).notices
    assert notice.kind is NoticeKind.REMOVED
    assert notice.sequencer is not None
    assert notice.sequencer.text == CREATION
    made = copied()
    made.world.store.delete_object = lambda *_, **__: Deleted()  # type: ignore[method-assign]
    looks: list[Location] = []
    made.world.store.look_at_object = lambda place, **_: looks.append(place)  # type: ignore[method-assign]
    assert handled(made, body) == []
    assert looks == []
