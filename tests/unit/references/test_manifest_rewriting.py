"""One rewriting of a manifest: when it must not begin, where it stops, and what it leaves for the next one."""

from dataclasses import replace
from typing import Any

import pytest

from domain.errors import AccessDeniedError, KeyshiftError, LeaseExpiredError, ThrottledError, UnavailableError
from domain.protocol.cleanup import DELETE_SOURCE
from domain.protocol.intents import Action, Intent
from domain.protocol.parts import GIB, MAX_PARTS, MIB, MIN_PART_BYTES
from domain.protocol.record import Claim, Mode, State, Upload
from domain.protocol.rollback import purge_copy
from domain.references.manifest_reading import ManifestPorts
from domain.references.manifest_rewriting import MAX_TOLD, REWRITE, why_not
from domain.references.reports import ReferenceOutcome, Wait
from tests.worlds.augmented_manifests import CONTENT, MANIFEST, REWRITTEN
from tests.worlds.rewriting import OtherwiseDescribed, RewritingWorld

NOW = 1_790_000_000.0
STRANGE = b'{"source-ref":"s3://line-1/old//a.png","by":"somebody"}\n'
OLD_ROW, NEW_ROW = b'{"source-ref":"s3://line-1/old//a.png"}\n', b'{"source-ref":"s3://line-1/new/a.png"}\n'
WAITING_ROW = b'{"source-ref":"s3://line-1/old//b.png"}\n'


@pytest.mark.parametrize(
    ("changes", "wait"),
    [
        ({"state": State.CONFLICT}, Wait.MANIFEST_NOT_COPIED),
        ({"state": State.CLEANED}, Wait.MANIFEST_NOT_KEPT),
        ({"claim": Claim("other", NOW)}, Wait.ATTEMPT_RUNS),
        ({"claim": Claim("other", NOW - 1), "intent": DELETE_SOURCE}, Wait.MANIFEST_UNSETTLED),
        (
            {"claim": Claim("other", NOW - 1), "intent": REWRITE, "maybe": frozenset({DELETE_SOURCE})},
            Wait.MANIFEST_UNSETTLED,
        ),
        ({"maybe": frozenset({Intent(Action.COPY)})}, Wait.MANIFEST_UNSETTLED),
        ({"mode": Mode.ROLLED_BACK}, Wait.MANIFEST_ROLLED_BACK),
    ],
)
def test_a_manifest_that_something_else_decides_about_is_left_alone(changes: dict[str, Any], wait: Wait) -> None:
    """Its record says what: a state, a rollback, a cleanup without a copy of it, an attempt until its last second."""
    world = RewritingWorld()
    world.change_record(MANIFEST, **changes)
    before = world.record(MANIFEST)
    (told,) = world.rewrite()
    assert (told.outcome, told.reference.source, told.new_uri) == (ReferenceOutcome.WAITING, world.place, "")
    assert told.wait is wait
    assert world.record(MANIFEST) == before
    assert world.content() == CONTENT


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"claim": Claim("other", NOW - 1), "intent": REWRITE},
        {"maybe": frozenset({REWRITE})},
        {"state": State.CLEANED, "source_version": "v1"},
    ],
)
def test_nothing_is_said_against_a_manifest_that_is_rewritten(changes: dict[str, Any]) -> None:
    """A rewriting that was broken off is taken up by the next one, and a kept version is as good as the old object."""
    world = RewritingWorld()
    world.change_record(MANIFEST, **changes)
    assert why_not(world.record(MANIFEST), NOW) is None
    assert world.rewrite()[0].outcome is ReferenceOutcome.REWRITTEN
    assert world.content() == REWRITTEN


def test_of_two_workers_that_saw_one_record_the_second_does_nothing() -> None:
    """The claim is written on the condition that the record is still the one that was read."""
    world = RewritingWorld()
    seen_by_both = world.record(MANIFEST).revision
    world.rewrite()
    done = world.record(MANIFEST)
    assert world.rewrite(revision=seen_by_both) == [world.waiting(Wait.BUSY)]
    assert world.record(MANIFEST) == done


def test_a_refused_request_gives_the_manifest_back_at_once() -> None:
    """Nothing is on its way, so the next run need not wait until the claim has run out."""
    world = RewritingWorld()
    world.contents.fail_next(ThrottledError("SlowDown"), call="upload_part")
    with pytest.raises(ThrottledError):
        world.rewrite()
    assert world.record(MANIFEST).claim is None
    assert world.rewrite()[0].outcome is ReferenceOutcome.REWRITTEN
    assert world.store.uploads == {}


def test_a_manifest_that_was_deleted_at_its_new_key_is_not_written_again() -> None:
    """Whoever deleted it decided so; nothing is left open that would hold its cleanup up."""
    world = RewritingWorld()
    world.store.remove(world.target)
    assert world.rewrite() == world.stopped(Wait.MANIFEST_REPLACED)
    assert world.content() is None
    assert not world.record(MANIFEST).is_unfinished


@pytest.mark.parametrize("nth", [1, 2])
def test_a_manifest_that_changes_before_it_is_read_is_tried_again(nth: int) -> None:
    """Before the first reading or the second: what somebody wrote stays, and the next run says that it is not ours."""
    world = RewritingWorld()
    world.contents.before("read_content", nth, lambda: world.store.put(world.target, STRANGE))
    with pytest.raises(UnavailableError, match="changed while it was read"):
        world.rewrite()
    assert world.rewrite() == world.stopped(Wait.MANIFEST_REPLACED)
    assert world.content() == STRANGE


def test_a_manifest_that_changes_before_the_last_request_keeps_what_somebody_wrote() -> None:
    """Completing the upload is refused then, and its parts are dropped, which would be billed for ever."""
    world = RewritingWorld()
    world.contents.before("upload_part", 1, lambda: world.store.put(world.target, STRANGE))
    assert world.rewrite() == world.stopped(Wait.MANIFEST_REPLACED)
    assert world.store.uploads == {}
    assert world.record(MANIFEST).claim is None
    assert world.rewrite() == world.stopped(Wait.MANIFEST_REPLACED)
    assert world.content() == STRANGE


def test_an_upload_that_somebody_aborted_ends_the_rewriting() -> None:
    """The old content stays, and the next run begins anew."""
    world = RewritingWorld()
    world.contents.before("upload_part", 1, world.store.uploads.clear)
    assert world.rewrite() == world.stopped(Wait.BROKEN_OFF)
    assert world.content() == CONTENT
    assert (world.record(MANIFEST).upload, world.record(MANIFEST).is_unfinished) == (None, False)
    assert world.rewrite()[0].outcome is ReferenceOutcome.REWRITTEN


@pytest.mark.parametrize(("reading", "wait", "uploads"), [(1, Wait.NO_TIME, 0), (2, Wait.BROKEN_OFF, 1)])
def test_no_part_is_sent_in_the_last_seconds_of_an_attempt(reading: int, wait: Wait, uploads: int) -> None:
    """With less than half a request's time left nothing is begun, and what was begun is dropped."""
    world = RewritingWorld()
    world.contents.before("read_content", reading, lambda: world.clock.advance(58.0))
    assert world.rewrite() == world.stopped(wait)
    assert world.store.calls.count("create_upload") == uploads
    assert "upload_part" not in world.contents.calls
    assert (world.store.uploads, world.content()) == ({}, CONTENT)
    assert not world.record(MANIFEST).is_unfinished


@pytest.mark.parametrize("more", [0, 1, 5])
def test_a_report_names_a_hundred_references_and_counts_the_rest(more: int) -> None:
    """In the run that switches lines, and in a later one that finds nothing to switch."""
    world = RewritingWorld(WAITING_ROW * (MAX_TOLD + more) + OLD_ROW * 2)
    rest = [world.waiting(Wait.MORE, str(more), world.target.uri)] * bool(more)
    first, *told = world.rewrite()
    assert first == world.about_all(ReferenceOutcome.REWRITTEN, "2 references switched", world.target.uri)
    named, counted = told[:MAX_TOLD], told[MAX_TOLD:]
    assert [one.reference.path for one in named] == [f"line {n} source-ref" for n in range(1, MAX_TOLD + 1)]
    assert counted == rest
    assert world.rewrite() == [*named, *rest]
    assert not world.record(MANIFEST).is_unfinished


@pytest.mark.parametrize("versioned", [False, True])
@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("answered", [True, False])
def test_the_record_names_what_was_written_even_if_nobody_answered(
    *, versioned: bool, encrypted: bool, answered: bool
) -> None:
    """By its etag, or where a KMS key hides that by its checksum, it is known again; its old proof counts no more."""
    world = RewritingWorld(versioned=versioned)
    world.change_record(MANIFEST, verified_at=1.0)
    world.store.buckets.bucket("line-1").kms = encrypted
    if not answered:
        world.store.fail_next(UnavailableError("no answer"), when="after", call="complete_upload")
        with pytest.raises(UnavailableError):
            world.rewrite()
        world.clock.advance(1_000)
    world.rewrite()
    seen, record = world.seen(), world.record(MANIFEST)
    assert world.content() == REWRITTEN
    assert (record.target_etag, record.target_version, record.is_rewritten) == (seen.etag, seen.version_id, True)
    assert (record.verified_at, record.is_unfinished, record.upload) == (None, False, None)


@pytest.mark.parametrize("versioned", [False, True])
def test_what_it_began_from_and_what_it_will_leave_is_on_record_first(*, versioned: bool) -> None:
    """The intent names the content before, and the new one's etag and checksum; the upload is of no copy's source."""
    world = RewritingWorld(versioned=versioned)
    before, had = world.seen(), len(world.manifest.changes)
    world.rewrite()
    begun = int(world.clock.now() - world.policy.margin_seconds)
    del world.manifest.changes[:had]
    began = (before.etag, before.version_id or "")
    checksum = f"CRC32={world.seen().checksums['CRC32']}"
    assert world.written("intent") == [REWRITE, Intent(Action.REWRITE, *began, world.seen().etag, checksum, begun)]
    (upload,) = world.written("upload")
    assert upload == Upload(upload.upload_id, world.target, "", "", before.last_modified, MIN_PART_BYTES, begun)


@pytest.mark.parametrize("error", [ThrottledError("slow down"), AccessDeniedError("no"), LeaseExpiredError("late")])
def test_what_came_after_a_rewriting_that_was_never_done_is_not_ours(error: KeyshiftError) -> None:
    """The last request was refused; then somebody puts the very content that it would have made, with his own words."""
    world = RewritingWorld()
    world.store.fail_next(error, call="complete_upload")
    with pytest.raises(type(error)):
        world.rewrite()
    assert world.record(MANIFEST).maybe == frozenset()
    world.store.put(world.target, REWRITTEN, metadata={"who": "stranger"})
    assert world.rewrite() == world.stopped(Wait.MANIFEST_REPLACED)
    assert not world.record(MANIFEST).is_rewritten
    assert world.store.uploads == {}
    world.roll_back(MANIFEST)
    purge_copy(world.place.record_id, attempt=world.attempt(), ports=world.migration_ports, policy=world.policy)
    assert world.seen().metadata == {"who": "stranger"}


def test_a_rewriting_that_was_broken_off_is_done_again_from_its_beginning() -> None:
    """Its upload is found by the record and dropped, whoever comes next; one manifest has one upload at most."""
    world = RewritingWorld()
    world.break_off()
    assert len(world.store.uploads) == 1
    assert world.rewrite()[0].outcome is ReferenceOutcome.REWRITTEN
    assert world.content() == REWRITTEN
    assert world.store.uploads == {}


def test_an_upload_that_nobody_needs_any_more_is_dropped() -> None:
    """Between two runs the image was set aside: there is nothing to switch, and nothing is left open."""
    world = RewritingWorld()
    world.break_off()
    world.change_record("old//a.png", state=State.PARKED)
    assert {one.outcome for one in world.rewrite()} == {ReferenceOutcome.WAITING, ReferenceOutcome.STAYS}
    assert world.store.uploads == {}
    assert (world.content(), world.record(MANIFEST).is_unfinished) == (CONTENT, False)


def test_content_that_just_fills_its_parts_has_no_empty_one_at_its_end() -> None:
    """Parts are numbered from 1, and as large as they were to be."""
    rest = ((b" " * 65_535 + b"\n") * (2 * MIN_PART_BYTES // 65_536))[len(NEW_ROW) :]
    world = RewritingWorld(OLD_ROW + rest)
    world.break_off()
    (upload_id,) = world.store.uploads
    assert list(world.store.list_parts(world.target, upload_id=upload_id) or ()) == [1, 2]
    world.rewrite()
    assert world.content() == NEW_ROW + rest
    assert world.seen().etag.endswith("-2")


def test_parts_have_room_for_twice_the_content_and_for_hardly_more() -> None:
    """New URIs may be longer, S3 takes 10,000 parts, and each one is held in memory."""
    world = RewritingWorld()
    size = 40 * GIB
    described = OtherwiseDescribed(world.store, size=size)
    world.ports = ManifestPorts(replace(world.migration_ports, store=described), world.contents)
    world.rewrite()
    (upload,) = world.written("upload")
    assert (upload.part_size - MIB) * MAX_PARTS < 2 * size <= upload.part_size * MAX_PARTS


def test_the_new_content_has_a_crc32_of_the_whole_whatever_the_old_one_had() -> None:
    """By that it is known again; parts that are sent with another algorithm than their upload's S3 refuses."""
    world = RewritingWorld()
    described = OtherwiseDescribed(world.store, checksums={"CRC64NVME": "AAAAAAAAAAA="}, full_checksums=False)
    world.ports = ManifestPorts(replace(world.migration_ports, store=described), world.contents)
    world.break_off()
    (upload,) = world.store.uploads.values()
    assert (list(upload.state.checksums), upload.state.full_checksums) == (["CRC32"], True)


def test_a_manifest_put_again_after_cleanup_replaces_a_copy_that_was_rewritten_since() -> None:
    """The rewriting dates the copy anew, and what its owner put before it must not pass for an older version."""
    world = RewritingWorld(versioned=True)
    world.change_record(MANIFEST, state=State.CLEANED, marker_version="m1")
    world.clock.advance(100)
    world.store.put(world.place, STRANGE)
    world.clock.advance(100)
    assert world.rewrite()[0].outcome is ReferenceOutcome.REWRITTEN
    # The attempt before it ended without a result: the keys decide, not the event.
    world.change_record(MANIFEST, maybe=frozenset({Intent(Action.COPY)}))
    world.migrate(MANIFEST)
    assert (world.record(MANIFEST).state, world.content()) == (State.COPIED, STRANGE)
