"""What a record, an object's look and an attempt's writes mean, one field at a time."""

from dataclasses import replace
from typing import Any

import pytest

from adapters.s3.requests import not_inherited
from domain.errors import AccessDeniedError, KeyshiftError, LeaseExpiredError, ThrottledError
from domain.keys import Sequencer
from domain.objects import ContentHeaders, Encryption, Lock, ObjectState, same_bytes, same_object
from domain.protocol.attempt import Attempt, Lease, MigrationPolicy, MigrationPorts
from domain.protocol.causes import Cause
from domain.protocol.claims import ClaimRequest, Refusal, claimed, is_incorporated, refusal
from domain.protocol.held_record import HeldRecord, take_claim
from domain.protocol.intents import Action, Intent
from domain.protocol.notices import Notice, NoticeKind
from domain.protocol.parts import GIB, MIN_PART_BYTES
from domain.protocol.ports import Refused
from domain.protocol.record import Claim, Mode, Record, State, Upload
from tests.fakes.clock import FakeClock
from tests.fakes.manifest import InMemoryManifest
from tests.fakes.object_store import InMemoryObjectStore
from tests.worlds.migration import POLICY, SOURCE, TARGET

NOW = 1_790_000_000.0
OLD, NEW = "1" * 32, "2" * 32
RECORD = Record(SOURCE, TARGET, State.COPIED, source_etag=OLD, source_version="v1", sequencer=Sequencer("05"))
COPY = Intent(Action.COPY, OLD, "", OLD)
OBJECT = ObjectState(OLD, 5, tags={}, metadata={"a": "b"})


def record(**changes: Any) -> Record:
    """The record with something else in it."""
    return replace(RECORD, **changes)


# Records


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({"state": State.NEW}, False),
        ({"state": State.PARKED}, False),
        ({}, True),
        ({"state": State.NEW, "target_etag": OLD}, True),
        ({"state": State.NEW, "maybe": frozenset({COPY})}, True),
        ({"state": State.NEW, "upload": Upload("u", TARGET, OLD, "", 0, 5)}, True),
    ],
)
def test_a_target_is_untouched_only_where_nothing_was_begun(changes: dict[str, Any], *, holds: bool) -> None:
    """Only such a record may take another target."""
    assert record(**changes).holds_nothing is not holds


def test_a_rewriting_counts_while_the_target_is_it() -> None:
    """Another copy ends it; a record without etags is no rewriting."""
    assert not record(target_etag=None, rewritten_etag=None).is_rewritten
    assert not record(target_etag=OLD, rewritten_etag=NEW).is_rewritten
    assert record(target_etag=OLD, rewritten_etag=OLD).is_rewritten


def test_a_conflict_names_what_cleanup_deleted() -> None:
    """The source's etag may be that of a later version."""
    assert record(cleaned_etag=NEW).deleted_etag == NEW
    assert RECORD.deleted_etag == OLD


ROW = Notice(NoticeKind.LISTED, SOURCE, OLD)
EVENT = Notice(NoticeKind.CREATED, SOURCE, NEW, sequencer=Sequencer("06"))


@pytest.mark.parametrize(
    ("known", "notice", "incorporated"),
    [
        (RECORD, ROW, True),
        (record(state=State.CLEANED), ROW, True),
        (record(state=State.GONE), ROW, False),
        (RECORD, replace(ROW, etag=NEW), False),
        (record(source_etag=None), replace(ROW, etag=None), False),
        (RECORD, replace(ROW, version_id="v1"), True),
        (RECORD, replace(ROW, version_id="v2"), False),
        (RECORD, replace(ROW, sequencer=Sequencer("01"), etag=NEW), False),
        (RECORD, EVENT, False),
        (RECORD, replace(EVENT, sequencer=Sequencer("05")), True),
        (record(state=State.GONE), replace(EVENT, sequencer=Sequencer("04")), True),
        (RECORD, replace(EVENT, sequencer=None, etag=OLD), False),
    ],
)
def test_what_a_record_has_already_seen(known: Record, notice: Notice, *, incorporated: bool) -> None:
    """Rows by etag and version, events by their order alone."""
    assert is_incorporated(known, notice) is incorporated


def test_a_claim_is_refused_for_one_reason() -> None:
    """An unfinished record is never taken for a finished one."""
    request = ClaimRequest(ROW, TARGET, Claim("t", NOW + 9), None, NOW)
    assert refusal(None, request) is None
    assert refusal(RECORD, request) is Refusal.INCORPORATED
    assert refusal(record(mode=Mode.ROLLED_BACK), request) is Refusal.ROLLED_BACK
    assert refusal(record(claim=Claim("o", NOW)), request) is Refusal.BUSY
    assert refusal(record(claim=Claim("o", NOW - 1)), request) is None
    assert refusal(record(maybe=frozenset({COPY})), request) is None


def test_a_claim_begins_a_record_or_goes_on_with_it() -> None:
    """What an abandoned attempt meant to do may have been done; a record that is known keeps what it knows."""
    request = ClaimRequest(ROW, TARGET, Claim("t", NOW + 9), COPY, NOW, rule="r", rules_digest="d")
    assert claimed(None, request) == Record(
        ROW.source, TARGET, claim=request.claim, intent=COPY, rule="r", rules_digest="d", changed_at=NOW
    )
    known = record(intent=Intent(Action.DELETE_TARGET), maybe=frozenset({COPY}), revision=7, rule="first")
    assert claimed(known, request) == replace(
        known,
        claim=request.claim,
        intent=COPY,
        maybe=frozenset({COPY, Intent(Action.DELETE_TARGET)}),
        revision=8,
        changed_at=NOW,
    )


# Looks


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {}, True),
        ({"size": 6}, {}, False),
        ({"etag": NEW}, {}, False),
        ({"etag": f"{OLD}-2"}, {"etag": f"{OLD}-2"}, False),
        ({"encryption": Encryption("aws:kms")}, {}, False),
        ({}, {"encryption": Encryption("aws:kms")}, False),
        ({"encryption": Encryption("AES256")}, {}, True),
        ({"etag": NEW, "checksums": {"A": "x"}, "full_checksums": True},) * 2 + (True,),
        (
            {"checksums": {"A": "x"}, "full_checksums": True},
            {"checksums": {"A": "y"}, "full_checksums": True},
            False,
        ),
        ({"checksums": {"A": "x"}, "full_checksums": True}, {"checksums": {"B": "y"}, "full_checksums": True}, True),
        ({"checksums": {"A": "x"}}, {"checksums": {"A": "y"}, "full_checksums": True}, True),
        ({"checksums": {"A": "x"}, "full_checksums": True}, {"checksums": {"A": "y"}}, True),
    ],
)
def test_the_same_bytes_need_a_proof(one: dict[str, Any], other: dict[str, Any], *, same: bool) -> None:
    """A checksum of the whole object that both have, else etags that are digests of the bytes."""
    assert same_bytes(replace(OBJECT, **one), replace(OBJECT, **other)) is same


@pytest.mark.parametrize(
    "change", [{"metadata": {}}, {"headers": ContentHeaders(content_type="text/csv")}, {"tags": {"t": "1"}}]
)
def test_the_same_object_is_more_than_its_bytes(change: dict[str, Any]) -> None:
    """Tags must have been read on both sides."""
    assert same_object(OBJECT, OBJECT)
    assert not same_object(OBJECT, replace(OBJECT, **change))
    assert not same_object(replace(OBJECT, tags=None), replace(OBJECT, tags=None))


def test_a_bucket_key_is_asked_for_only_where_the_source_has_one() -> None:
    """S3 is told of one only for an object that said so; the etag is no digest with or without one."""
    secret = replace(OBJECT, encryption=Encryption("aws:kms", "key"))
    assert not secret.etag_is_digest
    assert "BucketKeyEnabled" not in not_inherited(secret, now=NOW)
    shared = replace(OBJECT, encryption=Encryption("aws:kms", "key", bucket_key=True))
    assert not_inherited(shared, now=NOW)["BucketKeyEnabled"]


def test_a_restored_archive_can_be_read() -> None:
    """Until then it cannot, by class or by tier."""
    assert not OBJECT.is_archived
    assert replace(OBJECT, storage_class="GLACIER").is_archived
    assert replace(OBJECT, archive_status="ARCHIVE_ACCESS").is_archived
    assert not replace(OBJECT, storage_class="GLACIER", restored=True).is_archived


def test_a_retention_binds_until_its_moment() -> None:
    """A legal hold without one."""
    until = Lock("GOVERNANCE", "2026-09-21T14:13:20+00:00")
    assert until.in_force(NOW - 1)
    assert not until.in_force(NOW)
    assert Lock(legal_hold=True).in_force(NOW)
    assert not Lock().in_force(NOW)


# Writes


def _held(intent: Intent | None = None, **changes: Any) -> tuple[HeldRecord, InMemoryManifest, FakeClock]:
    clock, manifest = FakeClock(), InMemoryManifest()
    store = InMemoryObjectStore(clock)
    before = record(**changes)
    manifest.records[before.record_id] = before
    ports = MigrationPorts(store, store, manifest, clock)
    lease = Lease.begin(Attempt("t", 60.0), POLICY, clock)
    held = take_claim(before, intent or COPY, lease=lease, ports=ports)
    assert held is not None
    return held, manifest, clock


def test_a_claim_outlives_its_requests_and_is_the_next_revision() -> None:
    """Its end is the attempt's, the longest request's and the margin's; what may have been done before stays."""
    earlier = Intent(Action.COPY, NEW, "", NEW)
    held, manifest, clock = _held(intent=COPY, claim=Claim("dead", 0.0), maybe=frozenset({earlier}), revision=7)
    known = manifest.records[SOURCE.record_id]
    assert known.claim == Claim("t", clock.now() + 60.0 + POLICY.request_seconds + POLICY.margin_seconds)
    assert (known.revision, known.changed_at, known.maybe) == (8, clock.now(), frozenset({earlier}))
    clock.advance(3.0)
    held.send(lambda: None)
    held.declare_intent(Intent(Action.COPY, "3" * 32, "", "3" * 32))
    known = manifest.records[SOURCE.record_id]
    assert (known.revision, known.changed_at, known.maybe) == (9, clock.now(), frozenset({earlier, COPY}))
    held.send(lambda: None)
    held.release()
    known = manifest.records[SOURCE.record_id]
    assert (known.claim, known.intent, len(known.maybe)) == (None, None, 3)


@pytest.mark.parametrize("error", [ThrottledError("slow down"), AccessDeniedError("no")])
def test_a_copy_that_was_not_sent_or_was_refused_is_not_what_may_have_been_done(error: KeyshiftError) -> None:
    """S3 said no, or was not asked: an equal object at the target is somebody else's. What was sent before stays."""
    held, manifest, _ = _held(intent=COPY)
    held.send(lambda: None)
    held.declare_intent(Intent(Action.COPY, NEW, "", NEW))
    assert held.send(lambda: Refused.PRECONDITION) is Refused.PRECONDITION
    held.declare_intent(Intent(Action.COPY, "3" * 32, "", "3" * 32))
    with pytest.raises(type(error)):
        held.send(lambda: _raised(error))
    held.declare_intent(Intent(Action.COPY, "4" * 32, "", "4" * 32))
    assert manifest.records[SOURCE.record_id].maybe == {COPY}
    held.send(lambda: "a part")
    assert held.send(lambda: Refused.SOURCE_ABSENT) is Refused.SOURCE_ABSENT
    held.release()
    last = held.lease.dated(Intent(Action.COPY, "4" * 32, "", "4" * 32))
    assert manifest.records[SOURCE.record_id].maybe == {COPY, last}


def test_a_step_that_leaves_nothing_forgets_no_copy_before_it() -> None:
    """An upload begun after a copy of the same intent was sent: the copy still may have been done."""
    held, manifest, _ = _held(intent=COPY)
    held.send(lambda: None)
    held.send(lambda: "an upload", is_last=False)
    held.release()
    assert manifest.records[SOURCE.record_id].maybe == {COPY}


def test_the_defaults_of_a_migration_fit_s3() -> None:
    """Parts that it takes, of objects that one request could not copy."""
    assert MIN_PART_BYTES <= MigrationPolicy().part_size <= MigrationPolicy().multipart_above <= 5 * GIB


@pytest.mark.parametrize("sent", [False, True])
def test_a_delete_that_was_sent_stays_known(*, sent: bool) -> None:
    """Absent is absent, whoever did it: only what keyshift had begun says whose delete it was."""
    held, manifest, _ = _held(intent=COPY)
    held.send(lambda: None)
    held.declare_intent(Intent(Action.DELETE_TARGET))
    if sent:
        held.send(lambda: None)
    held.release()
    assert manifest.records[SOURCE.record_id].maybe == {COPY} | ({Intent(Action.DELETE_TARGET)} if sent else set())


def test_a_task_stays_known_though_nothing_was_sent() -> None:
    """The version that is to go for good is named nowhere else."""
    task = Intent(Action.DELETE_SOURCE, OLD, "v1")
    held, manifest, _ = _held(intent=task)
    held.release()
    assert manifest.records[SOURCE.record_id].maybe == {task}


def test_writes_that_nothing_can_recognise_are_one_entry() -> None:
    """Each would say the same: a record does not grow by what breaks off again and again."""
    held, manifest, _ = _held(intent=Intent(Action.COPY, OLD), maybe=frozenset({Intent(Action.COPY, NEW)}))
    held.send(lambda: None)
    held.release()
    assert manifest.records[SOURCE.record_id].maybe == {Intent(Action.COPY)}


def test_intents_have_an_order() -> None:
    """What may have been done is a set, and is written down in one order: equal records are equal items."""
    delete = Intent(Action.DELETE_TARGET)
    assert sorted([delete, replace(COPY, etag="2"), replace(COPY, etag="1")]) == [
        replace(COPY, etag="1"),
        replace(COPY, etag="2"),
        delete,
    ]


def _raised(error: Exception) -> None:
    raise error


def test_a_commit_says_its_cause_or_its_state() -> None:
    """In the outcome, for the log."""
    assert _held()[0].commit(State.CONFLICT, cause=Cause.COPY_DELETED).cause is Cause.COPY_DELETED
    assert _held()[0].commit(State.COPIED).reason == "COPIED"


def test_nothing_is_sent_from_the_last_second_on() -> None:
    """The claim could end before the request does."""
    held, _, clock = _held()
    assert held.has_time_for(59.0)
    assert not held.has_time_for(60.0)
    clock.advance(59.0)
    assert held.send(lambda: "sent") == "sent"
    clock.advance(1.0)
    with pytest.raises(LeaseExpiredError, match="no time left"):
        held.send(lambda: "sent")
