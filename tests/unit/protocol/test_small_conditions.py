"""Conditions that a change of the code once left unnoticed, one at a time."""

from dataclasses import replace
from typing import Any

import pytest

from domain.errors import AccessDeniedError
from domain.keys import Location
from domain.objects import ObjectState
from domain.protocol.attempt import Lease, Outcome, Verdict
from domain.protocol.causes import Cause, told
from domain.protocol.claims import may_go_along
from domain.protocol.cleaned_source import is_what_we_hid
from domain.protocol.cleanup import DELETE_SOURCE
from domain.protocol.cleanup_versions import forget_version
from domain.protocol.intents import Action, Intent
from domain.protocol.known_target import doubted, earlier_copy, is_ruled_out, wrote
from domain.protocol.ports import Deleted, Refused
from domain.protocol.record import Claim, Record, State
from domain.protocol.rollback import PURGE, ROLL_BACK
from tests.fakes.object_store import InMemoryObjectStore as InMemory
from tests.worlds.migration import (
    BARE_ROW,
    POLICY,
    SOURCE,
    TARGET,
    MigrationWorld,
    created,
    holding_large,
    listed,
    mirrored,
    removed,
    unanswered,
)
from tests.worlds.presence import present
from tests.worlds.rollback import clean, migrated, roll_back


def test_a_failure_without_a_detail_says_its_cause() -> None:
    """An error without a text of its own still tells what happened."""
    failed = Outcome(Verdict.RETURN, None, Cause.ACCESS_DENIED, is_failure=True)
    assert failed.reason == told(Cause.ACCESS_DENIED)
    assert replace(failed, detail="kms:Decrypt is missing").reason == "kms:Decrypt is missing"


def test_a_copy_in_parts_that_is_completed_is_not_aborted() -> None:
    """S3 has forgotten its upload."""
    world = holding_large()
    world.migrate(BARE_ROW)
    assert world.record.state is State.COPIED
    assert "complete_upload" in world.store.calls
    assert "abort_upload" not in world.store.calls


def test_a_delete_asks_for_nothing_while_an_attempt_has_announced_nothing() -> None:
    """The claim of a park is not a write, so a delete under other rules need not wait for it."""
    record = Record(SOURCE, TARGET, claim=Claim("t", 9e9))
    assert not may_go_along(record, removed(1))
    assert may_go_along(replace(record, intent=Intent(Action.COPY, "e")), removed(1))


def test_a_cleanup_notes_the_version_that_it_hides_where_the_record_does_not_know_it() -> None:
    """A cleanup of versions deletes it by its id."""
    world = migrated(cleaned=False, versioned=True)
    seen = present(world.store.look_at_object(SOURCE))
    world.edit(source_version=None)
    assert clean(world).state is State.CLEANED
    assert world.record.source_version == seen.version_id


def test_a_refused_delete_settles_the_earlier_ones_of_the_same_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """The source is there, so none of them had an effect; kept, they would make its producer's delete keyshift's."""
    world = migrated(cleaned=False)
    world.edit(maybe=frozenset({DELETE_SOURCE}))
    monkeypatch.setattr(InMemory, "delete_object", lambda *_, **__: Refused.PRECONDITION)
    assert clean(world).cause is Cause.SOURCE_CHANGED_NOW
    assert not world.record.maybe


@pytest.mark.parametrize("intent", [ROLL_BACK, PURGE, Intent(Action.UPLOAD)])
def test_a_target_that_is_there_rules_out_a_delete_of_it_alone(intent: Intent) -> None:
    """A purge may be under way, and a rollback writes to the source."""
    seen = present(migrated(cleaned=True).store.look_at_object(TARGET))
    assert not is_ruled_out(intent, None, seen)
    assert is_ruled_out(Intent(Action.DELETE_TARGET), None, seen)


def test_a_copy_is_recognised_by_its_checksum_alone() -> None:
    """Under a KMS key no etag can be foretold."""
    assert Intent(Action.COPY, "e", checksum="CRC32=AAAAAA==").is_recognisable
    assert not Intent(Action.COPY, "e").is_recognisable


def test_a_rollback_notes_cleanups_marker_before_it_removes_it() -> None:
    """A purge needs it to decide whether an older version may come up."""
    world = migrated(cleaned=True, versioned=True)
    marker = world.record.marker_version
    world.edit(marker_version=None)
    with unanswered(world, "remove_delete_marker", when="before"):
        roll_back(world)
    assert world.record.marker_version == marker


def test_a_marker_that_hides_nothing_any_more_is_copied_over_from_the_target() -> None:
    """A lifecycle rule removed the version, and the answer that named the marker was lost."""
    world = migrated(cleaned=True, versioned=True)
    world.store.destroy(SOURCE, world.record.source_version or "")
    world.edit(marker_version=None)
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) == b"bytes"


def test_a_version_under_another_one_is_not_deleted_for_good() -> None:
    """A producer put the same bytes at the last moment: cleanup's marker hides his version, not the copied one."""
    world = migrated(cleaned=False, versioned=True)
    copied = world.record.source_version or ""
    world.store.put(SOURCE, b"bytes", metadata={"a": "b"}, tags={"t": "1"})
    world.store.remove(SOURCE)
    marker = present(world.store.find_top_marker(SOURCE))
    world.edit(state=State.CLEANED, marker_version=marker.marker_id)
    ended = forget_version(
        SOURCE.record_id, attempt=world.attempt(), ports=world.ports, versions=world.store, policy=POLICY
    )
    assert ended.cause is Cause.MARKER_MOVED
    assert world.store.look_at_object(SOURCE, version_id=copied) is not None


def test_a_version_with_other_bytes_is_not_deleted_for_good() -> None:
    """Under suspended versioning another object can have the id of the one that was verified."""
    world = migrated(cleaned=True, versioned=True)
    version = world.record.source_version or ""
    world.edit(source_etag="other")
    forget_version(SOURCE.record_id, attempt=world.attempt(), ports=world.ports, versions=world.store, policy=POLICY)
    assert world.store.look_at_object(SOURCE, version_id=version) is not None
    assert world.record.source_version is None


def test_a_date_that_an_intent_has_is_kept() -> None:
    """The write may have been sent by an earlier attempt, long before this one."""
    world = MigrationWorld()
    lease = Lease.begin(world.attempt(), POLICY, world.clock)
    assert lease.dated(Intent(Action.COPY, "e", not_before=5)).not_before == 5
    assert lease.dated(Intent(Action.COPY, "e")).not_before == lease.not_before
    assert lease.dated(ROLL_BACK).not_before == 0


def test_a_write_that_nothing_can_recognise_is_not_ruled_out_by_an_absent_target() -> None:
    """It may have been made and deleted by another writer since."""
    assert not is_ruled_out(Intent(Action.COPY, "e"), None, None)
    assert is_ruled_out(Intent(Action.COPY, "e", target_etag="e"), None, None)


def test_the_keys_rule_out_only_what_they_contradict() -> None:
    """A copy that is at the target was made, and an absent target may have been deleted by a mirrored delete."""
    seen = present(migrated(cleaned=False).store.look_at_object(TARGET))
    assert not is_ruled_out(Intent(Action.COPY, "e", target_etag=seen.etag), None, seen)
    assert not is_ruled_out(Intent(Action.DELETE_TARGET), None, None)


def test_only_an_object_that_an_earlier_attempt_would_have_written_is_recorded_as_its_copy() -> None:
    """Another writer's object at the target is not keyshift's, whatever an attempt announced."""
    seen = present(migrated(cleaned=False).store.look_at_object(TARGET))
    sent = Record(SOURCE, TARGET, maybe=frozenset({Intent(Action.COPY, "e", target_etag=seen.etag)}))
    assert earlier_copy(seen, sent)["target_etag"] == seen.etag
    assert earlier_copy(seen, sent)["copied_before"] == seen.last_modified + 1
    assert earlier_copy(seen, sent)["source_version"] is None
    copy = Intent(Action.COPY, "e", "v", target_etag=seen.etag)
    assert earlier_copy(seen, replace(sent, maybe=frozenset({copy})))["source_version"] == "v"
    for other in (replace(copy, is_refused=True), replace(copy, action=Action.REWRITE)):
        assert earlier_copy(seen, replace(sent, maybe=frozenset({other}))) == {}
    assert earlier_copy(replace(seen, etag="another"), sent) == {}
    assert earlier_copy(None, sent) == {}
    assert earlier_copy(seen, replace(sent, state=State.CONFLICT)) == {}


def test_a_version_that_cleanups_marker_hides_is_copied_as_that_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its producer put the same bytes with other metadata between cleanup's look and its delete."""
    world, delete = migrated(cleaned=False, versioned=True), InMemory.delete_object

    def delete_object(store: InMemory, location: Location, **more: Any) -> Deleted | Refused:
        world.clock.advance(5)
        world.store.put(SOURCE, b"bytes", metadata={"new": "1"})
        return delete(store, location, **more)

    monkeypatch.setattr(InMemory, "delete_object", delete_object)
    assert clean(world).state is State.CLEANED
    world.clock.advance(1_000)
    assert world.migrate(created(b"bytes", 9)).state is State.CLEANED
    copy = present(world.store.look_at_object(TARGET))
    assert copy.metadata == {"new": "1"}


def test_a_source_whose_class_nothing_tells_is_looked_at() -> None:
    """A copy does not inherit the storage class."""
    world = MigrationWorld()
    world.store.put(SOURCE, b"bytes", storage_class="STANDARD_IA")
    notice = replace(listed(b"bytes"), storage_class=None)
    assert world.migrate(notice, policy=replace(POLICY, promised_plain=True)).state is State.COPIED
    copy = present(world.store.look_at_object(TARGET))
    assert copy.storage_class == "STANDARD_IA"


@pytest.mark.parametrize("is_back", [True, False])
def test_a_conflict_knows_of_a_cleanup_only_while_the_source_is_absent(*, is_back: bool) -> None:
    """A source that is there was put after it."""
    world = migrated(cleaned=True)
    emptied = world.record.source_etag
    world.store.put(TARGET, b"another writer's")
    if is_back:
        world.store.put(SOURCE, b"newer")
    assert world.migrate(created(b"newer", 9)).state is State.CONFLICT
    assert world.record.cleaned_etag == (None if is_back else emptied)


@pytest.mark.parametrize("is_back", [True, False])
def test_a_parked_record_knows_of_a_cleanup_only_while_the_source_is_absent(*, is_back: bool) -> None:
    """The attempt read the source before the request that was denied."""
    world = migrated(cleaned=True)
    emptied = world.record.source_etag
    if is_back:
        world.store.put(SOURCE, b"newer")
        world.store.fail_next(AccessDeniedError("give the role s3:PutObject"), call="copy_object")
    else:
        world.store.remove(TARGET)
        world.store.fail_next(AccessDeniedError("give the role s3:GetObject"), call="look_at_object")
    world.migrate(created(b"newer", 9))
    assert world.record.state is State.PARKED
    assert world.record.cleaned_etag == (None if is_back else emptied)


def test_a_marker_of_cleanup_over_nothing_teaches_no_id() -> None:
    """A lifecycle rule took the version below before the event of keyshift's own delete came."""
    world = migrated(cleaned=False, versioned=True)
    source = present(world.store.look_at_object(SOURCE))
    assert source.version_id is not None
    with unanswered(world, "delete_object"):
        clean(world)
    world.store.destroy(SOURCE, source.version_id)
    world.clock.advance(1_000)
    assert world.migrate(removed(9)).state is State.CLEANED
    assert world.record.marker_version is None


@pytest.mark.parametrize("is_marked", [True, False])
def test_a_cleanup_without_an_answer_counts_though_what_it_hid_is_gone(*, is_marked: bool) -> None:
    """A lifecycle rule took the version, and then the marker: the copy is the only one, and no delete follows it."""
    world = migrated(cleaned=False, versioned=True)
    version = world.record.source_version or ""
    with unanswered(world, "delete_object"):
        clean(world)
    world.store.destroy(SOURCE, version)
    if not is_marked:
        marker = present(world.store.find_top_marker(SOURCE))
        world.store.destroy(SOURCE, marker.marker_id)
    world.clock.advance(1_000)
    assert clean(world).state is State.CLEANED
    assert world.record.marker_version is None
    assert world.migrate(removed(9)).state is State.CLEANED
    assert world.store.body(TARGET) == b"bytes"


def test_a_rewritten_copy_is_not_copied_back_as_the_original() -> None:
    """Its content has other references, and a lifecycle rule took the version that cleanup hid."""
    world = migrated(cleaned=True, versioned=True)
    world.store.destroy(SOURCE, world.record.source_version or "")
    world.edit(rewritten_etag=world.record.target_etag)
    assert roll_back(world).cause is Cause.ORIGINAL_GONE
    assert world.record.state is State.ROLLBACK_CONFLICT
    assert (world.store.body(SOURCE), world.store.body(TARGET)) == (None, b"bytes")


def test_a_version_that_nothing_dates_is_not_made_current(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its producer put the same bytes before cleanup's delete. Another writer deleted the copy, whose date counts."""
    world, delete = migrated(cleaned=False, versioned=True), InMemory.delete_object

    def delete_object(store: InMemory, location: Location, **more: Any) -> Deleted | Refused:
        world.store.put(SOURCE, b"bytes", metadata={"new": "1"})
        return delete(store, location, **more)

    monkeypatch.setattr(InMemory, "delete_object", delete_object)
    assert clean(world).state is State.CLEANED
    assert world.record.source_modified is None
    world.store.remove(TARGET)
    assert roll_back(world).cause is Cause.NOTHING_TO_RESTORE
    assert world.store.body(SOURCE) is None


def test_a_mirrored_delete_that_s3_refused_with_409_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another writer is at the target: the copy is still there, and so is the message."""
    world = mirrored()
    monkeypatch.setattr(InMemory, "delete_object", lambda *_, **__: Refused.CONCURRENT)
    assert world.migrate(removed(2)).verdict is Verdict.RETURN
    assert world.record.state is State.COPIED
    assert world.store.body(TARGET) == b"bytes"


def test_a_version_that_the_record_does_not_name_was_not_hidden_by_cleanup() -> None:
    """A cleanup of versions forgot it: an older one with the same bytes may be all that is left."""
    world = migrated(cleaned=True, versioned=True)
    top = present(world.store.find_top_marker(SOURCE))
    assert top.hidden is not None
    assert is_what_we_hid(top.hidden, world.record, None)
    forgotten = replace(world.record, source_version=None, source_modified=0)
    assert not is_what_we_hid(top.hidden, forgotten, None)


def test_only_a_refused_copy_is_unconfirmed() -> None:
    """One that was not refused makes its target known."""
    seen = present(migrated(cleaned=False).store.look_at_object(TARGET))
    copy = Intent(Action.COPY, "e", target_etag=seen.etag)
    refused = replace(copy, is_refused=True)
    assert doubted(seen, Record(SOURCE, TARGET, maybe=frozenset({copy, refused}))) == {refused}


def test_a_cleanup_keeps_the_version_that_the_record_knows() -> None:
    """Where the server does not name it with the object, as some do not."""
    world = migrated(cleaned=False)
    world.edit(source_version="v1")
    assert clean(world).state is State.CLEANED
    assert world.record.source_version == "v1"


def test_a_copy_with_a_foretold_etag_is_not_recognised_by_its_checksum() -> None:
    """Another writer may put the same bytes in one part where keyshift's copy, in parts, was replaced."""
    sent = Intent(Action.COPY, "e" * 32, target_etag="f" * 32 + "-3", checksum="CRC64NVME=abc")
    there = ObjectState("a" * 32, 5, checksums={"CRC64NVME": "abc"}, full_checksums=True)
    assert not wrote(sent, there)
    assert wrote(replace(sent, target_etag=""), there)
    assert wrote(replace(sent, target_etag=there.etag), there)
