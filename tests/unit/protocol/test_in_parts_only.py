"""A bucket that answers 501 to a CopyObject with a condition gets its objects in parts, and is asked only once."""

from dataclasses import replace
from hashlib import md5

import pytest

from domain.errors import UnavailableError
from domain.keys import Location
from domain.protocol.attempt import InPartsOnly, MigrationPolicy, Verdict
from domain.protocol.cleanup import clean_source
from domain.protocol.intents import Action
from domain.protocol.notices import Notice
from domain.protocol.parts import composed_etag
from domain.protocol.ports import Refused, Written
from domain.protocol.record import Origin, State
from domain.protocol.rollback import roll_back_object
from tests.worlds.migration import (
    BARE_ROW,
    POLICY,
    PROMISED,
    SOURCE,
    TARGET,
    MigrationWorld,
    created,
    holding,
    listed,
    unanswered,
)

BODY = b"bytes"
ETAG = composed_etag({1: md5(BODY, usedforsecurity=False).hexdigest()})


def enforcing(body: bytes = BODY, **more: bool) -> MigrationWorld:
    """One object in a bucket whose policy enforces conditional writes."""
    world = MigrationWorld(**more)
    world.store.put(SOURCE, body, metadata={"a": "b"}, tags={"t": "1"})
    world.store.annotate(SOURCE, "note", b"kept")
    world.store.enforcing.add("line")
    return world


def learning() -> MigrationPolicy:
    """A policy of a process that knows nothing of its buckets yet."""
    return replace(PROMISED, in_parts_only=InPartsOnly())


@pytest.mark.parametrize("versioned", [False, True])
@pytest.mark.parametrize("notice", [BARE_ROW, listed(BODY), created(BODY)])
def test_a_copy_that_is_not_offered_goes_in_parts_in_the_same_attempt(notice: Notice, *, versioned: bool) -> None:
    """Complete, created by keyshift, with nothing unsettled: neither a conflict nor an adoption."""
    world, policy = enforcing(versioned=versioned), learning()
    assert world.migrate(notice, policy=policy).state is State.COPIED
    seen = world.store.look_at_object(TARGET, with_tags=True)
    assert seen is not None
    assert (seen.etag, seen.metadata, seen.tags) == (ETAG, {"a": "b"}, {"t": "1"})
    assert world.store.annotations(TARGET) == {"note": b"kept"}
    assert (world.record.origin, world.record.maybe, world.record.upload) == (Origin.CREATED, frozenset(), None)
    assert world.store.calls.count("copy_object") == 1
    assert "line" in policy.in_parts_only


def test_the_process_asks_such_a_bucket_only_once() -> None:
    """The next object goes in parts at once, an empty one too; another process must learn it for itself."""
    world, policy = enforcing(), learning()
    world.migrate(listed(BODY), policy=policy)
    for number, body in enumerate((b"", b"more")):
        source, target = Location("line", f"old//{number}"), Location("line", f"new/{number}")
        world.store.put(source, body)
        world.store.calls.clear()
        assert world.migrate(replace(listed(body), source=source), target=target, policy=policy).state is State.COPIED
        assert "copy_object" not in world.store.calls
        assert world.store.body(target) == body
    world.store.put(SOURCE, b"another")
    world.migrate(created(b"another", 2), policy=learning())
    assert world.store.calls.count("copy_object") == 1


def test_only_the_bucket_that_said_so_gets_everything_in_parts() -> None:
    """A rollback writes to the other bucket, whose policy may differ. The log gets one line for a bucket."""
    told: list[str] = []
    policy = replace(PROMISED, in_parts_only=InPartsOnly(told.append))
    for _ in range(2):
        policy.in_parts_only.learn("line", Refused.NOT_OFFERED)
    for answer in (Written("e"), Refused.PRECONDITION, Refused.SOURCE_ABSENT, Refused.CONCURRENT):
        policy.in_parts_only.learn("other", answer)
    assert told == ["line"]
    assert policy.is_cut(1, "line")
    assert not policy.is_cut(1, "other")
    assert policy.fits_one_request(listed(BODY), "other")
    assert not policy.fits_one_request(listed(BODY), "line")


def test_a_copy_that_is_not_offered_is_not_taken_for_one_that_may_exist() -> None:
    """Every intent is announced before its request, and the refused copy is in no later record: it had no effect."""
    world = enforcing()
    world.store.fail_next(UnavailableError("no answer"), when="before", call="complete_upload")
    with pytest.raises(UnavailableError):
        world.migrate(listed(BODY), policy=learning())
    declared = [now.intent for _, now in world.manifest.changes if now.intent is not None]
    assert [one.action for one in declared][-1] is Action.COPY
    assert Action.UPLOAD in {one.action for one in declared}
    assert declared[-1].target_etag == ETAG
    assert not any(one.is_refused for _, now in world.manifest.changes for one in now.maybe)
    world.clock.advance(10_000)
    assert world.migrate(listed(BODY), policy=learning()).state is State.COPIED
    assert world.record.origin is Origin.CREATED


def test_a_lost_completion_there_is_recognised_by_the_next_attempt() -> None:
    """The object was made; it is neither made again nor taken for another writer's."""
    world = enforcing()
    with unanswered(world, "complete_upload"):
        world.migrate(listed(BODY), policy=learning())
    world.clock.advance(10_000)
    world.store.calls.clear()
    assert world.migrate(listed(BODY), policy=learning()).state is State.COPIED
    assert world.record.origin is Origin.CREATED
    assert not {"copy_object", "create_upload"} & set(world.store.calls)


def test_another_writers_object_there_is_never_overwritten() -> None:
    """The completion carries the same condition that the copy did."""
    world = enforcing()
    world.store.put(TARGET, b"of another writer")
    assert world.migrate(listed(BODY), policy=learning()).state is State.CONFLICT
    assert world.store.body(TARGET) == b"of another writer"
    assert world.store.uploads == {}


def test_a_newer_source_replaces_the_copy_there() -> None:
    """On the condition of the copy's etag, which is that of one part."""
    world, policy = enforcing(), learning()
    world.migrate(created(BODY), policy=policy)
    world.store.put(SOURCE, b"newer")
    assert world.migrate(created(b"newer", 2), policy=policy).state is State.COPIED
    assert world.store.body(TARGET) == b"newer"


def test_a_rollback_into_such_a_bucket_goes_in_parts_too() -> None:
    """Cleanup deleted the source, and its bucket takes no CopyObject with a condition."""
    world = holding(BODY)
    world.migrate(listed(BODY))
    clean_source(SOURCE.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY, need_proof=False)
    assert world.store.body(SOURCE) is None
    world.store.enforcing.add("line")
    world.store.calls.clear()
    outcome = roll_back_object(
        SOURCE,
        TARGET,
        attempt=world.attempt(),
        ports=world.ports,
        policy=replace(POLICY, in_parts_only=InPartsOnly()),
    )
    assert outcome.verdict is Verdict.DONE
    assert world.store.body(SOURCE) == BODY
    assert world.store.calls.count("copy_object") == 1
