"""A copy in one request or in parts: which requests, what is declared before them, and what is left after a refusal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import md5

import pytest

from domain.errors import ArchivedError, RefusedRequestError
from domain.objects import Encryption, ObjectState
from domain.protocol.attempt import Lease, MigrationPolicy, Verdict, copy_intent
from domain.protocol.copying import SeenCopy, copy_seen, may_be_completed
from domain.protocol.held_record import HeldRecord, take_claim
from domain.protocol.intents import Action, Intent
from domain.protocol.migration import migrate_object
from domain.protocol.notices import Destination, Notice, NoticeKind
from domain.protocol.parts import MAX_OBJECT_BYTES, MIB, Part, composed_etag
from domain.protocol.ports import MustMatch, Refused, SourceObject, TargetObject, Written
from domain.protocol.record import Origin, State
from tests.fakes.object_store import InMemoryObjectStore as InMemory
from tests.worlds.migration import (
    BARE_ROW,
    LARGE,
    POLICY,
    SHORT,
    SOURCE,
    TARGET,
    MigrationWorld,
    holding,
    holding_large,
    listed,
    unanswered,
)
from tests.worlds.presence import present

DIGEST = md5(b"bytes", usedforsecurity=False).hexdigest()


def claimed_world(body: bytes = b"bytes") -> tuple[MigrationWorld, HeldRecord, ObjectState]:
    """A finished copy whose record is claimed again, and its source as seen."""
    world = holding(body)
    world.migrate(listed(body))
    held = claim(world)
    seen = present(world.store.look_at_object(SOURCE, with_tags=True))
    world.store.calls.clear()
    return world, held, seen


def claim(world: MigrationWorld) -> HeldRecord:
    """The record that is there, held."""
    lease = Lease.begin(world.attempt(), POLICY, world.clock)
    return present(take_claim(world.record, Intent(Action.COPY, DIGEST), lease=lease, ports=world.ports))


def copy(world: MigrationWorld, held: HeldRecord, seen: ObjectState, policy: MigrationPolicy = POLICY) -> object:
    """Over the copy that is there."""
    current = present(world.store.look_at_object(TARGET))
    return copy_seen(held, SeenCopy(SOURCE, TARGET, seen, MustMatch(current.etag)), ports=world.ports, policy=policy)


@pytest.mark.parametrize(
    ("etag", "more", "policy", "foretold"),
    [
        (DIGEST, {}, POLICY, DIGEST),
        (f"{DIGEST}-2", {}, POLICY, ""),
        (DIGEST, {"is_encrypted": True}, POLICY, ""),
        (DIGEST, {}, replace(POLICY, encrypts_targets=lambda: True), ""),
    ],
)
def test_an_etag_is_foretold_only_where_both_are_digests(
    etag: str, more: dict[str, bool], policy: MigrationPolicy, foretold: str
) -> None:
    """Each of the three alone forbids it."""
    assert copy_intent(etag, "v", policy, checksum="c", **more) == Intent(Action.COPY, etag, "v", foretold, "c")
    assert copy_intent(etag, None, policy).version_id == ""


def test_an_archived_or_impossible_object_is_refused_before_any_request() -> None:
    """The largest possible one is not."""
    world, held, seen = claimed_world()
    with pytest.raises(ArchivedError, match=r"GLACIER.*restore it first"):
        copy(world, held, replace(seen, storage_class="GLACIER"))
    with pytest.raises(RefusedRequestError, match="more than one S3 object"):
        copy(world, held, replace(seen, size=MAX_OBJECT_BYTES + 1))
    assert set(world.store.calls) == {"look_at_object"}
    with pytest.raises(RefusedRequestError, match="the parts do not make"):
        copy(world, held, replace(seen, size=MAX_OBJECT_BYTES), replace(POLICY, part_size=5 * 1024 * MIB))


@pytest.mark.parametrize(
    ("change", "in_parts"),
    [
        ({}, False),
        ({"checksums": {}}, False),
        ({"encryption": Encryption("aws:kms"), "checksums": {}}, True),
        ({"encryption": Encryption("aws:kms"), "checksums": {"CRC64NVME": "x"}, "full_checksums": True}, False),
        ({"encryption": Encryption("aws:kms"), "checksums": {"CRC64NVME": "x"}, "full_checksums": False}, True),
        ({"encryption": Encryption("aws:kms"), "checksums": {}, "size": 0}, False),
        ({"size": 6 * MIB}, False),
        ({"size": 6 * MIB + 1}, True),
    ],
)
def test_a_copy_that_could_not_be_recognised_goes_in_parts(change: dict[str, object], *, in_parts: bool) -> None:
    """Its declared etag is known before it is completed; an empty object has no parts."""
    world, held, seen = claimed_world()
    try:
        copy(world, held, replace(seen, **change))  # type: ignore[arg-type]
    except RefusedRequestError:  # the size is made up
        assert in_parts
    assert ("create_upload" in world.store.calls) is in_parts
    assert ("copy_object" in world.store.calls) is not in_parts


def test_another_upload_of_the_record_is_dropped_before_a_copy_in_one_request() -> None:
    """Its parts would be billed for ever, and the record names it no more."""
    world, held, seen = claimed_world()
    large = replace(seen, size=6 * MIB + 1)
    with pytest.raises(RefusedRequestError):
        copy(world, held, large)
    assert held.record.upload is not None
    assert isinstance(copy(world, held, seen), Written)
    assert held.record.upload is None
    assert world.store.uploads == {}


def test_a_copy_in_parts_carries_everything_and_declares_its_etag() -> None:
    """Class, tags and metadata are given when it begins; the etag is known before it is completed."""
    world = holding_large()
    world.migrate(listed(LARGE))
    seen = present(world.store.look_at_object(TARGET, with_tags=True))
    assert (seen.storage_class, seen.tags, seen.metadata) == ("STANDARD_IA", {"t": "1"}, {"a": "b"})
    declared = [now.intent for _, now in world.manifest.changes if now.intent is not None]
    bodies = {1: LARGE[: 5 * MIB], 2: LARGE[5 * MIB : 10 * MIB], 3: LARGE[10 * MIB :]}
    etags = {number: md5(body, usedforsecurity=False).hexdigest() for number, body in bodies.items()}
    assert declared[-1].target_etag == composed_etag(etags) == seen.etag
    assert world.store.calls.count("copy_parts") == 1
    assert world.record.upload is None


@pytest.mark.parametrize("body", [b"", b"x"])
def test_with_a_limit_of_zero_every_object_goes_in_parts(body: bytes) -> None:
    """A bucket that refuses a CopyObject with a condition takes a completion with one, also of no bytes."""
    world = holding(body)
    outcome = world.migrate(BARE_ROW, policy=replace(POLICY, multipart_above=0))
    copied = world.store.look_at_object(TARGET)
    assert outcome.state is State.COPIED
    assert copied is not None
    assert (copied.etag, copied.size) == (composed_etag({1: md5(body, usedforsecurity=False).hexdigest()}), len(body))
    assert "copy_object" not in world.store.calls


def test_encrypted_targets_have_no_etag_to_foretell() -> None:
    """Their parts' etags are no digests."""
    world = holding_large()
    world.migrate(listed(LARGE), policy=replace(POLICY, encrypts_targets=lambda: True))
    declared = [now.intent for _, now in world.manifest.changes if now.intent is not None]
    assert [one.target_etag for one in declared[1:]] == [""] * (len(declared) - 1)
    assert world.store.body(TARGET) == LARGE


def test_an_upload_under_a_kms_key_has_no_etag_to_foretell() -> None:
    """Its parts' etags only look like digests: the copy is recognised by its checksum when an answer is lost."""
    world = MigrationWorld()
    world.store.put(SOURCE, LARGE, encryption=Encryption("aws:kms", "arn:aws:kms:us-east-1:111122223333:key/a"))
    with unanswered(world, "complete_upload"):
        world.migrate(BARE_ROW)
    declared = present(world.record.intent)
    assert (declared.target_etag, bool(declared.checksum)) == ("", True)
    world.clock.advance(10_000)
    world.store.calls.clear()
    assert world.migrate(BARE_ROW).state is State.COPIED
    assert "create_upload" not in world.store.calls
    assert world.record.origin is Origin.CREATED


def test_an_attempt_without_time_hands_the_rest_on_and_the_next_goes_on() -> None:
    """One batch at least; nothing is copied twice."""
    world = holding_large(versioned=True)
    attempt = replace(world.attempt(), limit=2.0)
    outcome = migrate_object(
        listed(LARGE), destination=Destination(TARGET, "r"), attempt=attempt, ports=world.ports, policy=SHORT
    )
    assert outcome.verdict is Verdict.CONTINUE
    assert world.store.calls.count("copy_parts") == 1
    upload = present(world.record.upload)
    current = present(world.store.look_at_object(SOURCE))
    assert (upload.version_id, upload.location) == (current.version_id, TARGET)
    world.store.calls.clear()
    assert world.migrate(listed(LARGE), policy=SHORT).state is State.COPIED
    assert "create_upload" not in world.store.calls
    assert world.store.calls.count("copy_parts") == 2


def test_a_source_changed_between_looks_is_looked_at_again() -> None:
    """The tags that a copy in parts needs are another look's: of the same object, or there is no copy of it."""
    world, held, seen = claimed_world()
    stale = replace(seen, etag="another", size=6 * MIB + 1, tags=None)
    assert copy(world, held, stale) is Refused.PRECONDITION
    world.store.remove(SOURCE)
    assert copy(world, held, stale) is Refused.PRECONDITION
    assert "create_upload" not in world.store.calls


def _overwrite(world: MigrationWorld) -> None:
    world.store.put(SOURCE, b"smaller")


def _forget_uploads(world: MigrationWorld) -> None:
    world.store.uploads.clear()


@pytest.mark.parametrize("disturb", [_overwrite, _forget_uploads])
def test_a_refused_part_ends_the_upload(
    monkeypatch: pytest.MonkeyPatch, disturb: Callable[[MigrationWorld], None]
) -> None:
    """Source changed, or upload gone: nothing of it stays behind, and the next look decides."""
    world, real = holding_large(), InMemory.copy_parts
    disturbed: list[bool] = []

    def copy_parts(self: InMemory, *arguments: object, **named: object) -> object:
        if not disturbed:
            disturbed.append(True)
            disturb(world)
        return real(self, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(InMemory, "copy_parts", copy_parts)
    assert world.migrate(listed(LARGE)).state is State.COPIED
    assert world.store.uploads == {}
    assert world.store.calls.count("abort_upload") == 1
    assert world.store.body(TARGET) == world.store.body(SOURCE)


def test_a_conflict_at_the_end_begins_another_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a 409 S3 wants a new one; the old one is dropped."""
    world, real = holding_large(), InMemory.complete_upload
    refused: list[str] = []

    def complete_upload(self: InMemory, *arguments: object, **named: object) -> object:
        if not refused:
            refused.append("once")
            return Refused.CONCURRENT
        return real(self, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(InMemory, "complete_upload", complete_upload)
    assert world.migrate(listed(LARGE)).state is State.COPIED
    assert world.store.calls.count("create_upload") == 2
    assert world.store.calls.count("abort_upload") == 1
    assert world.store.uploads == {}


def test_a_lost_answer_at_the_end_is_recognised_by_its_etag() -> None:
    """No second copy is made."""
    world = holding_large()
    with unanswered(world, "complete_upload"):
        world.migrate(listed(LARGE))
    world.clock.advance(100.0)
    world.store.calls.clear()
    assert world.migrate(listed(LARGE)).state is State.COPIED
    assert not {"copy_parts", "complete_upload", "copy_object"} & set(world.store.calls)


def test_a_large_object_is_looked_at_for_its_class_and_once_more_for_its_tags() -> None:
    """The second look finds the same object, and the upload begins."""
    world = holding_large()
    world.migrate(listed(LARGE))
    assert world.store.calls[:3] == ["look_at_object", "look_at_object", "create_upload"]


def test_a_version_under_another_one_goes_in_parts_with_its_own_tags() -> None:
    """It is read by its id, whatever is current; the owner's newer tags are another object's."""
    world = holding_large(versioned=True)
    seen = present(world.store.look_at_object(SOURCE))
    world.store.put(SOURCE, b"newer", tags={"t": "2"})
    world.migrate(listed(b"newer"))
    held, current = claim(world), world.record.target_etag
    assert current is not None
    copy = SeenCopy(SOURCE, TARGET, seen, MustMatch(current), seen.version_id)
    answer = copy_seen(held, copy, ports=world.ports, policy=POLICY)
    assert isinstance(answer, Written)
    assert answer.source_version_id == seen.version_id
    copied = present(world.store.look_at_object(TARGET, with_tags=True))
    assert (world.store.body(TARGET), copied.tags) == (LARGE, {"t": "1"})


def test_parts_that_are_refused_again_and_again_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message comes back; until then nobody is billed for parts."""
    world = holding_large()
    monkeypatch.setattr(InMemory, "copy_parts", lambda *_, **__: Refused.PRECONDITION)
    assert world.migrate(listed(LARGE)).verdict is Verdict.RETURN
    assert world.store.uploads == {}
    assert world.record.upload is None


def test_a_refused_completion_had_no_effect_only_while_its_upload_is_there() -> None:
    """And only where S3 refused a condition: a proxy may have sent it twice."""
    world, held, _ = claimed_world()
    assert may_be_completed(Refused.PRECONDITION, held, world.store)
    held.release()
    world.leave_upload()
    held = claim(world)
    assert not may_be_completed(Refused.PRECONDITION, held, world.store)
    assert may_be_completed(Refused.SOURCE_ABSENT, held, world.store)
    world.store.uploads.clear()
    assert may_be_completed(Refused.PRECONDITION, held, world.store)


def test_a_copy_that_is_handed_on_is_unfinished_also_where_the_row_named_no_etag() -> None:
    """No duplicate, cleanup or cut-over takes it for done."""
    world = holding_large()
    row, policy = Notice(NoticeKind.LISTED, SOURCE), replace(SHORT, request_seconds=400.0)
    assert world.migrate(row, policy=policy).verdict is Verdict.CONTINUE
    assert world.record.claim is None
    assert world.record.is_unfinished


def test_parts_whose_etags_are_no_digests_foretell_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can compose their object's etag; they are made one object all the same."""
    world, copy_parts, complete = holding_large(), InMemory.copy_parts, InMemory.complete_upload

    def copy_opaque(self: InMemory, *arguments: object, **named: object) -> object:
        etags = copy_parts(self, *arguments, **named)  # type: ignore[arg-type]
        return {number: f"opaque {etag}" for number, etag in etags.items()} if isinstance(etags, dict) else etags

    def complete_opaque(self: InMemory, *arguments: object, etags: dict[int, str], **named: object) -> object:
        plain = {number: etag.removeprefix("opaque ") for number, etag in etags.items()}
        return complete(self, *arguments, etags=plain, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(InMemory, "copy_parts", copy_opaque)
    monkeypatch.setattr(InMemory, "complete_upload", complete_opaque)
    assert world.migrate(listed(LARGE)).state is State.COPIED
    assert world.store.body(TARGET) == LARGE
    declared = [now.intent.target_etag for _, now in world.manifest.changes if now.intent is not None]
    assert declared[-1] == ""


def test_what_a_row_does_not_tell_is_declared_before_the_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row with the key alone leaves the intent to the look."""
    world, declared, real = MigrationWorld(), list[Intent | None](), InMemory.copy_object
    world.store.put(SOURCE, b"bytes")

    def copy_object(
        self: InMemory, source: SourceObject, target: TargetObject, *, seen: ObjectState | None
    ) -> Written | Refused:
        declared.append(world.record.intent)
        return real(self, source, target, seen=seen)

    monkeypatch.setattr(InMemory, "copy_object", copy_object)
    world.migrate(BARE_ROW)
    assert [(one.action, one.etag) for one in declared if one is not None] == [(Action.COPY, DIGEST)]


def test_a_resumed_upload_is_declared_as_one_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its claim may name a copy, and no part is an object at the target yet."""
    world, declared, real = holding_large(), list[Action | None](), InMemory.copy_parts

    def copy_parts(
        self: InMemory, source: SourceObject, target: TargetObject, *, upload_id: str, parts: Sequence[Part]
    ) -> Mapping[int, str] | Refused:
        intent = world.record.intent
        declared.append(intent.action if intent is not None else None)
        return real(self, source, target, upload_id=upload_id, parts=parts)

    monkeypatch.setattr(InMemory, "copy_parts", copy_parts)
    row = listed(LARGE)
    for limit in (2.0, 60.0):
        migrate_object(
            row,
            destination=Destination(TARGET, "r"),
            attempt=world.attempt(limit),
            ports=world.ports,
            policy=SHORT,
        )
    assert world.record.state is State.COPIED
    assert declared == [Action.UPLOAD] * 3
