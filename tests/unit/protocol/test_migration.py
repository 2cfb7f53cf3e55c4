"""One object's migration on S3 and a manifest in memory: what the exploration does not look at."""

from dataclasses import replace
from typing import Any

import pytest

from domain.errors import AccessDeniedError, LeaseExpiredError, ThrottledError
from domain.keys import Location, Sequencer
from domain.objects import ContentHeaders, ObjectState
from domain.protocol.attempt import Verdict
from domain.protocol.causes import Cause
from domain.protocol.cleanup import clean_source
from domain.protocol.held_record import ClaimLostError
from domain.protocol.intents import Action, Intent
from domain.protocol.migration import begin_attempt
from domain.protocol.notices import Destination, Notice, NoticeKind
from domain.protocol.parts import MIB
from domain.protocol.ports import Deleted, Refused, SourceObject, TargetObject, Written
from domain.protocol.record import Mode, State
from domain.protocol.rollback import purge_copy, roll_back_object
from tests.fakes.object_store import InMemoryObjectStore
from tests.worlds.migration import POLICY, SOURCE, TARGET, MigrationWorld, created, holding, listed, unanswered
from tests.worlds.presence import present


def test_a_live_event_keeps_the_class_that_it_does_not_name() -> None:
    """An event does not say the storage class, so the object is looked at before it is copied."""
    world = MigrationWorld()
    world.store.put(SOURCE, b"bytes", storage_class="STANDARD_IA", metadata={"a": "b"}, tags={"t": "1"})
    assert world.migrate(created(b"bytes")).state is State.COPIED
    seen = present(world.store.look_at_object(TARGET, with_tags=True))
    assert (seen.storage_class, seen.metadata, seen.tags) == ("STANDARD_IA", {"a": "b"}, {"t": "1"})


def test_a_late_row_of_a_listing_does_not_forget_that_the_owner_deleted() -> None:
    """An inventory is older than live capture: its row finds nothing, and the record still knows why."""
    world = holding()
    assert world.migrate(created(b"bytes")).state is State.COPIED
    world.store.remove(SOURCE)
    removed = Notice(NoticeKind.REMOVED, SOURCE, sequencer=Sequencer(f"{2:018x}"))
    assert world.migrate(removed).state is State.TOMBSTONE
    assert world.migrate(listed(b"bytes")).state is State.TOMBSTONE


def test_an_archived_object_is_parked_and_its_restore_brings_it_back() -> None:
    """The message is done, the record waits; the restore's notice copies it."""
    world = MigrationWorld()
    world.store.put(SOURCE, b"bytes", storage_class="GLACIER")
    outcome = world.migrate(created(b"bytes"))
    assert (outcome.verdict, world.record.state, world.record.cause) == (Verdict.DONE, State.PARKED, "archived")
    world.store.put(SOURCE, b"bytes")
    assert world.migrate(Notice(NoticeKind.LISTED, SOURCE)).state is State.COPIED
    assert world.record.cause is None


def test_a_missing_permission_parks_the_record_and_returns_the_message() -> None:
    """The record names the cause; the same message succeeds once the permission is there."""
    world = holding()
    world.store.fail_next(AccessDeniedError("no"), call="copy_object")
    outcome = world.migrate(listed(b"bytes"))
    assert (outcome.verdict, world.record.state, world.record.cause) == (Verdict.RETURN, State.PARKED, "access-denied")
    assert world.migrate(listed(b"bytes")).state is State.COPIED


def test_being_slowed_down_gives_the_claim_back_at_once() -> None:
    """Nothing was done, so the next try need not wait for the claim to end."""
    world = holding()
    world.store.fail_next(ThrottledError("slow"), call="copy_object")
    with pytest.raises(ThrottledError):
        world.migrate(listed(b"bytes"))
    assert world.record.claim is None
    assert world.migrate(listed(b"bytes")).state is State.COPIED


def test_a_lost_answer_keeps_the_claim_until_it_ends() -> None:
    """The copy may still land, so nobody else may begin; afterwards our own copy is recognised and not repeated."""
    world = holding()
    with unanswered(world, "copy_object"):
        world.migrate(listed(b"bytes"))
    assert world.record.claim is not None
    assert world.migrate(listed(b"bytes")).verdict is Verdict.RETURN
    world.clock.advance(60.0 + 5.0 + 1.0 + 0.1)
    assert world.migrate(listed(b"bytes")).state is State.COPIED
    assert world.record.origin == "created"


def test_a_failed_look_changes_nothing_and_waits_for_nobody() -> None:
    """A look sends nothing that could still take effect."""
    world = holding()
    with unanswered(world, "look_at_object", when="before"):
        world.migrate(created(b"bytes"))
    assert world.record.claim is None
    assert world.store.body(TARGET) is None


def test_a_worker_that_slept_past_its_limit_sends_nothing() -> None:
    """It finds out from the monotonic clock before it sends."""
    world = holding()
    claim_record = world.manifest.claim_record

    def slow_claim(request: Any) -> Any:
        answer = claim_record(request)
        world.clock.advance(61.0)
        return answer

    world.manifest.claim_record = slow_claim  # type: ignore[method-assign]
    with pytest.raises(LeaseExpiredError):
        world.migrate(listed(b"bytes"))
    assert world.store.body(TARGET) is None


def test_a_commit_after_a_take_over_is_lost() -> None:
    """Whoever took the record over decides; the message comes back."""
    world = holding()
    copy_object = world.store.copy_object

    def taken_over(*arguments: Any, **named: Any) -> Any:
        answer = copy_object(*arguments, **named)
        world.clock.advance(100.0)
        world.store.copy_object = copy_object  # type: ignore[method-assign]
        assert world.migrate(listed(b"bytes")).state is State.COPIED
        return answer

    world.store.copy_object = taken_over  # type: ignore[method-assign]
    with pytest.raises(ClaimLostError):
        world.migrate(listed(b"bytes"))
    assert (world.record.state, world.record.claim) == (State.COPIED, None)


def test_a_large_copy_goes_on_over_several_attempts() -> None:
    """One batch of parts in each short attempt; metadata, tags and headers arrive with the last."""
    world = MigrationWorld()
    body = bytes(range(256)) * (4 * 17 * 1024)
    headers = ContentHeaders(content_type="image/png", cache_control="no-cache")
    world.store.put(SOURCE, body, metadata={"m": "x"}, tags={"t": "y"}, headers=headers)
    policy = replace(POLICY, parts_at_once=1, request_seconds=400.0)
    verdicts: list[Verdict] = []
    while not verdicts or verdicts[-1] is Verdict.CONTINUE:
        verdicts.append(world.migrate(listed(body), policy=policy).verdict)
    assert verdicts == [Verdict.CONTINUE] * 3 + [Verdict.DONE]
    seen = present(world.store.look_at_object(TARGET, with_tags=True))
    assert (world.store.body(TARGET), seen.metadata, seen.tags, seen.headers) == (body, {"m": "x"}, {"t": "y"}, headers)
    assert world.store.uploads == {}


def test_a_source_put_again_with_other_metadata_starts_its_upload_anew() -> None:
    """The bytes are the same, but the upload begun before carries the old metadata."""
    world = MigrationWorld()
    body = b"x" * (17 * MIB)
    world.store.put(SOURCE, body, metadata={"m": "old"})
    policy = replace(POLICY, parts_at_once=1, request_seconds=400.0)
    assert world.migrate(listed(body), policy=policy).verdict is Verdict.CONTINUE
    world.clock.advance(5.0)
    world.store.put(SOURCE, body, metadata={"m": "new"})
    assert world.migrate(listed(body)).state is State.COPIED
    seen = present(world.store.look_at_object(TARGET))
    assert seen.metadata == {"m": "new"}
    assert world.store.uploads == {}


def test_corrected_rules_take_over_what_was_parked_for_an_impossible_key() -> None:
    """Nothing was written for it, so the record takes the new target."""
    world = holding()
    begin_attempt(
        listed(b"bytes"),
        destination=Destination(Location("line", ""), "r"),
        attempt=world.attempt(),
        ports=world.ports,
        policy=POLICY,
    ).park(Cause.IMPOSSIBLE_KEY)
    assert world.record.state is State.PARKED
    assert world.migrate(listed(b"bytes")).state is State.COPIED
    assert world.record.target == TARGET


def test_changed_rules_do_not_move_what_was_copied_elsewhere() -> None:
    """It is parked with both targets named: rolling back comes first."""
    world = holding(b"one")
    world.migrate(listed(b"one"))
    world.store.put(SOURCE, b"two")
    world.migrate(created(b"two"), target=Location("line", "other/k"))
    assert world.record.state is State.PARKED
    assert "new/k" in world.record.why
    assert world.store.body(Location("line", "other/k")) is None


def test_cleanup_wants_proof() -> None:
    """A copy that nobody verified keeps its source."""
    world = holding()
    world.migrate(listed(b"bytes"))
    outcome = clean_source(SOURCE.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY)
    assert (outcome.reason, world.store.body(SOURCE)) == ("it is not verified", b"bytes")


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": Mode.ROLLED_BACK},
        {"state": State.CONFLICT},
        {"state": State.PARKED},
        {"state": State.TOMBSTONE},
        {"maybe": frozenset({Intent(Action.COPY, "e")})},
        {"state": State.CONFLICT, "maybe": frozenset({Intent(Action.COPY, "e")})},
    ],
    ids=str,
)
def test_cleanup_touches_only_finished_forward_copies(changes: dict[str, Any]) -> None:
    """Verified or not: any other mode or state, and any unsettled intent, keeps the source and the record."""
    world = holding()
    world.migrate(listed(b"bytes"))
    before = world.record
    after = replace(before, verified_at=1.0, revision=before.revision + 1, **changes)
    assert world.manifest.write_record(after, before=before)
    outcome = clean_source(SOURCE.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY)
    assert (outcome.verdict, world.store.body(SOURCE), world.record) == (Verdict.DONE, b"bytes", after)


def test_cleanup_keeps_the_only_original() -> None:
    """A copy whose references were rewritten has other bytes; without versions nothing else holds the old ones."""
    world = holding()
    world.migrate(listed(b"bytes"))
    before = world.record
    after = replace(before, verified_at=1.0, rewritten_etag=before.target_etag, revision=before.revision + 1)
    assert world.manifest.write_record(after, before=before)
    outcome = clean_source(SOURCE.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY)
    assert "only original" in outcome.reason
    assert world.store.body(SOURCE) == b"bytes"


def test_cleanup_of_what_was_never_recorded_is_nothing_to_do() -> None:
    """No record, no proof: the source stays."""
    world = holding()
    outcome = clean_source(SOURCE.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY)
    assert (outcome.verdict, world.store.body(SOURCE)) == (Verdict.DONE, b"bytes")


@pytest.mark.parametrize("versioned", [False, True])
def test_rollback_restores_what_cleanup_deleted(versioned: bool) -> None:
    """The source holds its bytes again, late events are fenced, and the copy goes in the end."""
    world = MigrationWorld(versioned=versioned)
    world.store.put(SOURCE, b"bytes", metadata={"a": "b"})
    world.migrate(listed(b"bytes"))
    cleaned = clean_source(
        SOURCE.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY, need_proof=False
    )
    assert (cleaned.state, world.store.body(SOURCE)) == (State.CLEANED, None)
    rolled_back = roll_back_object(SOURCE, TARGET, attempt=world.attempt(), ports=world.ports, policy=POLICY)
    assert (rolled_back.state, world.store.body(SOURCE)) == (State.ROLLED_BACK, b"bytes")
    assert world.migrate(created(b"bytes", 9)).reason == "rolled-back"
    purged = purge_copy(SOURCE.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY)
    assert (purged.state, world.store.body(TARGET), world.store.body(SOURCE)) == (State.PURGED, None, b"bytes")


class _BusyStore(InMemoryObjectStore):
    """The same buckets; copies and deletes are refused with 409 ``busy`` times, as S3 does beside another write."""

    def __init__(self, world: MigrationWorld, *, busy: int) -> None:
        super().__init__(world.clock)
        self.buckets = world.store.buckets
        self.busy = busy

    def copy_object(self, source: SourceObject, target: TargetObject, *, seen: ObjectState | None) -> Written | Refused:
        """See the port."""
        if self.busy:
            self.busy -= 1
            return Refused.CONCURRENT
        return super().copy_object(source, target, seen=seen)

    def delete_object(self, location: Location, *, if_match: str, send_before: float) -> Deleted | Refused:
        """See the port."""
        if self.busy:
            self.busy -= 1
            return Refused.CONCURRENT
        return super().delete_object(location, if_match=if_match, send_before=send_before)


def test_a_busy_key_is_neither_rolled_back_nor_purged_but_tried_again() -> None:
    """A 409 says that nothing was done: the record must not say that the copy is gone, or past restoring."""
    world = holding()
    world.migrate(listed(b"bytes"))
    clean_source(SOURCE.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY, need_proof=False)
    ports = replace(world.ports, store=_BusyStore(world, busy=1))
    tried = [roll_back_object(SOURCE, TARGET, attempt=world.attempt(), ports=ports, policy=POLICY) for _ in range(2)]
    assert [(one.verdict, one.state) for one in tried] == [
        (Verdict.RETURN, State.CLEANED),
        (Verdict.DONE, State.ROLLED_BACK),
    ]
    assert world.store.body(SOURCE) == b"bytes"
    ports = replace(world.ports, store=_BusyStore(world, busy=1))
    purges = [purge_copy(SOURCE.record_id, attempt=world.attempt(), ports=ports, policy=POLICY) for _ in range(2)]
    assert [(one.verdict, one.state) for one in purges] == [
        (Verdict.RETURN, State.ROLLED_BACK),
        (Verdict.DONE, State.PURGED),
    ]
    assert world.store.body(TARGET) is None
