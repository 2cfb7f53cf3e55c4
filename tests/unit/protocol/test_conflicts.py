"""What an operator may decide, what then happens, and that his word counts once."""

from dataclasses import replace
from hashlib import md5
from typing import Any

import pytest

from domain.errors import AccessDeniedError
from domain.objects import ObjectState
from domain.protocol.attempt import Verdict
from domain.protocol.causes import Cause
from domain.protocol.conflicts import Conflict, Objection, objection_text, take_source, why_not_taken
from domain.protocol.intents import Action, Intent
from domain.protocol.notices import Notice, NoticeKind
from domain.protocol.record import EMPTY_TARGET, Claim, Mode, Origin, Record, State
from domain.protocol.rollback import purge_copy, roll_back_object
from domain.protocol.seen_parts import SeenParts
from tests.worlds.migration import (
    LARGE,
    POLICY,
    SOURCE,
    TARGET,
    MigrationWorld,
    created,
    holding_large,
    listed,
    unanswered,
)

OLD, NEW, FOREIGN = "1" * 32, "2" * 32, "f" * 32
RECORD = Record(
    SOURCE, TARGET, State.CONFLICT, revision=7, origin=Origin.CREATED, cause=Cause.TARGET_FOREIGN, changed_at=5.0
)
COPIED = replace(
    RECORD,
    state=State.COPIED,
    source_etag=OLD,
    target_etag=OLD,
    target_version="v",
    copied_before=3,
    verified_at=4.0,
    seen=SeenParts(tags=1),
)
SEEN = ObjectState(NEW, 5, metadata={"a": "b"}, tags={})
STRANGE = ObjectState(FOREIGN, 9, tags={})
ROW = Notice(NoticeKind.LISTED, SOURCE)
LOOK_AGAIN = "look again with keyshift conflicts list"


def conflict(**changes: Any) -> Conflict:
    """A stranger's object where the source should go."""
    return replace(Conflict(RECORD, SEEN, STRANGE), **changes)


def record(**changes: Any) -> Record:
    """The record of the conflict with something else in it."""
    return replace(RECORD, **changes)


@pytest.mark.parametrize(
    ("seen", "replacing"),
    [
        (conflict(), FOREIGN),
        (conflict(target=None), None),
        (conflict(target=SEEN), None),
        (conflict(record=COPIED), FOREIGN),
        (conflict(record=COPIED, target=None), None),
        (conflict(record=record(replaceable_etag=FOREIGN)), FOREIGN),
    ],
)
def test_what_may_be_decided(seen: Conflict, replacing: str | None) -> None:
    """An empty target, the same object, a stranger's whose etag is given; also where a copy was taken away."""
    assert why_not_taken(seen, replacing=replacing) is None


@pytest.mark.parametrize(
    ("seen", "replacing", "objection", "text"),
    [
        (conflict(record=record(mode=Mode.ROLLED_BACK)), FOREIGN, Objection.ROLLED_BACK, "it is rolled back"),
        (conflict(record=record(claim=Claim("t", 1.0))), FOREIGN, Objection.UNFINISHED, "an attempt at it runs"),
        (
            conflict(record=record(maybe=frozenset({Intent(Action.COPY)}))),
            FOREIGN,
            Objection.UNFINISHED,
            "an attempt at it runs",
        ),
        (
            conflict(record=record(state=State.CLEANED)),
            FOREIGN,
            Objection.NOT_IN_CONFLICT,
            "it is CLEANED: only a conflict",
        ),
        (
            conflict(record=record(state=State.PARKED)),
            FOREIGN,
            Objection.NOT_IN_CONFLICT,
            "it is PARKED: only a conflict",
        ),
        (
            conflict(source=None),
            FOREIGN,
            Objection.SOURCE_ABSENT,
            f"nothing is at {SOURCE.uri}: there is no source to copy",
        ),
        (
            conflict(record=COPIED, target=replace(STRANGE, etag=OLD)),
            OLD,
            Objection.COPY_IN_PLACE,
            "its copy is where it belongs",
        ),
        (conflict(target=None), FOREIGN, Objection.TARGET_ABSENT, f"nothing is at {TARGET.uri} to be replaced"),
        (conflict(), OLD, Objection.TARGET_CHANGED, f"{TARGET.uri} holds {FOREIGN} now, not {OLD}: {LOOK_AGAIN}"),
        (
            conflict(),
            None,
            Objection.TARGET_FOREIGN,
            f"{TARGET.uri} holds another writer's object: remove or rename it",
        ),
        (
            conflict(target=replace(SEEN, metadata={})),
            None,
            Objection.TARGET_FOREIGN,
            f"{TARGET.uri} holds another writer's object",
        ),
    ],
)
def test_what_stands_against_it_is_said_with_the_remedy(
    seen: Conflict, replacing: str | None, objection: Objection, text: str
) -> None:
    """Nothing that is in work, rolled back, without a source or not the object that the operator has seen."""
    found = why_not_taken(seen, replacing=replacing)
    assert found is objection
    assert objection_text(found, seen, replacing=replacing).startswith(text)


def test_the_etag_to_give_up_is_told() -> None:
    """So that it can be typed."""
    assert objection_text(Objection.TARGET_FOREIGN, conflict(), replacing=None).endswith(f"--replacing {FOREIGN}")


def test_the_word_is_in_the_record_with_who_and_why() -> None:
    """A copy that was taken away becomes a conflict, which names no copy and is not proven any more."""
    said = take_source(conflict(record=COPIED), by="anna@desk", why="the line writes it", now=9.0)
    assert said == replace(
        COPIED,
        state=State.CONFLICT,
        replaceable_etag=FOREIGN,
        target_etag=None,
        target_version=None,
        copied_before=None,
        verified_at=None,
        seen=None,
        cause=Cause.SOURCE_TAKES_TARGET,
        cause_detail="anna@desk: the line writes it",
        revision=8,
        changed_at=9.0,
    )
    assert take_source(conflict(target=None), by="", why="", now=0.0).replaceable_etag == EMPTY_TARGET
    assert [conflict(record=one).is_decided for one in (RECORD, said)] == [False, True]


class Disputed(MigrationWorld):
    """A world where a stranger was quicker."""

    def __init__(self) -> None:
        super().__init__()
        self.store.put(SOURCE, b"owner's", metadata={"m": "1"}, tags={"t": "2"})
        self.store.put(TARGET, b"a stranger's")
        assert self.migrate(ROW).state is State.CONFLICT

    def decide(self) -> None:
        """The operator has seen both, and lets the source take its target."""
        source, target = (self.store.look_at_object(one, with_tags=True) for one in (SOURCE, TARGET))
        seen = Conflict(self.record, source, target)
        assert why_not_taken(seen, replacing=target.etag if target is not None else None) is None
        decided = take_source(seen, by="op", why="w", now=self.clock.now())
        assert self.manifest.write_record(decided, before=self.record)


def test_without_a_word_a_conflict_stays_one() -> None:
    """Also when the stranger's object is gone, and when the owner writes again: who emptied it may have meant that."""
    world = Disputed()
    world.store.remove(TARGET)
    assert world.migrate(ROW).reason == "what was at the target was deleted by another writer"
    world.store.put(SOURCE, b"newer")
    assert world.migrate(created(b"newer", 5)).state is State.CONFLICT
    assert world.store.look_at_object(TARGET) is None


@pytest.mark.parametrize("emptied", [True, False])
def test_the_next_attempt_does_what_was_decided(emptied: bool) -> None:
    """With metadata and tags; the record then is like any other's, and the word is used up."""
    world = Disputed()
    if emptied:
        world.store.remove(TARGET)
    world.decide()
    assert world.migrate(ROW).state is State.COPIED
    seen = world.store.look_at_object(TARGET, with_tags=True)
    assert seen is not None
    assert (world.store.body(TARGET), dict(seen.metadata), seen.tags) == (b"owner's", {"m": "1"}, {"t": "2"})
    known = world.record
    assert (known.replaceable_etag, known.origin, known.target_etag) == (None, Origin.CREATED, seen.etag)


def test_a_message_that_comes_again_repeats_nothing() -> None:
    """The stranger writes and deletes once more after the decision was carried out: his word stands."""
    world = Disputed()
    world.decide()
    world.migrate(ROW)
    world.store.put(TARGET, b"a stranger's")
    assert world.migrate(ROW).state is State.CONFLICT
    world.store.remove(TARGET)
    assert world.migrate(ROW).state is State.CONFLICT
    assert world.store.look_at_object(TARGET) is None


@pytest.mark.parametrize("meanwhile", [b"another one", None])
def test_what_the_operator_has_not_seen_is_left_alone(meanwhile: bytes | None) -> None:
    """The target changed between the decision and the copy: the conflict stands, and the word is used up."""
    world = Disputed()
    world.decide()
    if meanwhile is None:
        world.store.remove(TARGET)
    else:
        world.store.put(TARGET, meanwhile)
    assert world.migrate(ROW).state is State.CONFLICT
    there = world.store.look_at_object(TARGET)
    assert (world.store.body(TARGET) if there else None) == meanwhile
    assert world.record.replaceable_etag is None


def test_a_word_survives_what_is_tried_again() -> None:
    """A denied copy, and one without an answer; the attempt after the claim has run out does it."""
    world = Disputed()
    world.decide()
    world.store.fail_next(AccessDeniedError("no"), call="copy_object")
    assert world.migrate(ROW).verdict is Verdict.RETURN
    assert (world.record.state, world.record.replaceable_etag is None) == (State.CONFLICT, False)
    with unanswered(world, "copy_object", when="before"):
        world.migrate(ROW)
    world.clock.advance(1_000.0)
    assert world.migrate(ROW).state is State.COPIED
    assert world.store.body(TARGET) == b"owner's"


def test_a_large_source_takes_its_target_over_several_attempts() -> None:
    """The word stays while the copy in parts is handed on."""
    world = holding_large()
    world.store.put(TARGET, b"a stranger's")
    row = listed(LARGE)
    assert world.migrate(row).state is State.CONFLICT
    target = world.store.look_at_object(TARGET, with_tags=True)
    seen = Conflict(world.record, world.store.look_at_object(SOURCE, with_tags=True), target)
    assert world.manifest.write_record(take_source(seen, by="op", why="w", now=0.0), before=world.record)
    short = replace(POLICY, multipart_above=1, parts_at_once=1, request_seconds=1_000.0)
    assert world.migrate(row, policy=short).verdict is Verdict.CONTINUE
    assert world.record.replaceable_etag == md5(b"a stranger's", usedforsecurity=False).hexdigest()
    while world.migrate(row, policy=short).verdict is Verdict.CONTINUE:
        assert world.store.body(TARGET) == b"a stranger's"
    assert (world.record.state, world.store.body(TARGET)) == (State.COPIED, LARGE)


def test_a_rollback_ends_the_word_and_purges_what_took_over() -> None:
    """The copy is ours, whatever it replaced; a decision that nobody carried out is fenced with the key."""
    world = Disputed()
    world.decide()
    roll_back_object(SOURCE, TARGET, attempt=world.attempt(), ports=world.ports, policy=POLICY)
    assert (world.record.mode, world.record.replaceable_etag) == (Mode.ROLLED_BACK, None)
    assert world.migrate(ROW).reason == "rolled-back"
    assert world.store.body(TARGET) == b"a stranger's"
    world = Disputed()
    world.decide()
    world.migrate(ROW)
    roll_back_object(SOURCE, TARGET, attempt=world.attempt(), ports=world.ports, policy=POLICY)
    world.clock.advance(1_000.0)
    purge_copy(SOURCE.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY)
    assert world.record.state is State.PURGED
    assert world.store.look_at_object(TARGET) is None
    assert world.store.body(SOURCE) == b"owner's"
