"""Each difference by its name: a record against what both keys hold."""

from dataclasses import replace
from typing import Any

import pytest

from domain.keys import Location
from domain.lifecycle.verification import (
    REPAIRABLE,
    Difference,
    Finding,
    Remark,
    Sides,
    Summary,
    judge,
    needs_reading,
)
from domain.objects import ContentHeaders, Encryption, EventHold, Lock, ObjectState
from domain.protocol.annotations import AnnotationsCompared
from domain.protocol.causes import Cause, told
from domain.protocol.intents import Action, Intent
from domain.protocol.record import Claim, Record, State
from domain.protocol.seen_parts import SeenParts

ETAG, OTHER = "a" * 32, "b" * 32
NOW = 1_790_000_000.0
SEEN = ObjectState(ETAG, 4, tags={"t": "1"}, metadata={"m": "1"})
COPIED = Record(
    Location("b", "old/k"), Location("b", "new/k"), State.COPIED, source_etag=ETAG, target_etag=ETAG, size=4
)
KMS = Encryption("aws:kms", "key")


def differences(record: Record, source: ObjectState | None, target: ObjectState | None, **more: Any) -> set[Difference]:
    """What is said of it."""
    return set(judge(record, Sides(source, target, **more), now=NOW).differences)


def test_a_true_copy_is_verified() -> None:
    """No difference, and the proof is said; of nothing else."""
    assert judge(COPIED, Sides(SEEN, SEEN), now=NOW).verified
    assert not judge(COPIED, Sides(SEEN, replace(SEEN, metadata={})), now=NOW).verified
    put_back = judge(replace(COPIED, state=State.ROLLED_BACK), Sides(SEEN, SEEN), now=NOW)
    assert (put_back.differences, put_back.verified) == ((), False)


@pytest.mark.parametrize(
    ("target", "difference"),
    [
        (replace(SEEN, metadata={}), Difference.METADATA),
        (replace(SEEN, tags={}), Difference.TAGS),
        (replace(SEEN, headers=ContentHeaders(content_type="a/b")), Difference.HEADERS),
        (replace(SEEN, storage_class="GLACIER"), Difference.STORAGE_CLASS),
        (replace(SEEN, size=5), Difference.SIZE),
    ],
)
def test_what_a_copy_does_not_carry_is_named(target: ObjectState, difference: Difference) -> None:
    """One name for each thing, and nothing else."""
    assert differences(COPIED, SEEN, target) == {difference}


@pytest.mark.parametrize("lock", [Lock(legal_hold=True), Lock("GOVERNANCE", "2999-01-01T00:00:00+00:00")])
def test_a_lock_that_the_copy_lacks_is_a_difference_and_one_that_it_has_more_is_not(lock: Lock) -> None:
    """The target bucket's default retention binds what its source did not."""
    held = replace(SEEN, lock=lock)
    assert differences(COPIED, held, SEEN) == {Difference.LOCK}
    assert differences(COPIED, SEEN, held) == set()


def test_annotations_that_the_copy_lacks_are_named() -> None:
    """A worker can put them. Where they were not looked at, nothing is reported."""
    lacking = judge(COPIED, Sides(SEEN, SEEN, annotations=AnnotationsCompared(3, ("label", "note"))), now=NOW)
    assert (lacking.differences, lacking.detail) == ((Difference.ANNOTATIONS,), "annotations label, note")
    assert not lacking.verified
    assert Difference.ANNOTATIONS in REPAIRABLE
    for one in (None, AnnotationsCompared(), AnnotationsCompared(3)):
        assert judge(COPIED, Sides(SEEN, SEEN, annotations=one), now=NOW).verified


FULL = replace(SEEN, storage_class="STANDARD_IA", encryption=KMS, lock=Lock(legal_hold=True))


def test_what_was_compared_is_said_of_the_source() -> None:
    """Numbers of what the report counts, and the names of what is missing."""
    seen = judge(COPIED, Sides(FULL, FULL, annotations=AnnotationsCompared(2)), now=NOW).seen
    assert seen == SeenParts(1, 1, "STANDARD_IA", has_kms_key=True, lock="legal hold", annotations=2, is_proven=False)
    bare = replace(SEEN, tags={}, size=5)
    lacking = judge(COPIED, Sides(SEEN, bare), now=NOW).seen
    assert lacking == SeenParts(1, 1, lost=("size", "tags"), is_proven=False)


@pytest.mark.parametrize(
    ("record", "source", "target"),
    [
        (COPIED, replace(SEEN, etag=OTHER), SEEN),
        (COPIED, SEEN, replace(SEEN, etag=OTHER)),
        (COPIED, None, SEEN),
        (COPIED, SEEN, None),
        (replace(COPIED, state=State.CONFLICT), SEEN, SEEN),
    ],
)
def test_nothing_was_seen_of_a_copy_that_is_none(
    record: Record, source: ObjectState | None, target: ObjectState | None
) -> None:
    """One side is absent or another object."""
    assert judge(record, Sides(source, target), now=NOW).seen is None


@pytest.mark.parametrize(
    ("lock", "text"),
    [
        (Lock(), ""),
        (Lock(legal_hold=True), "legal hold"),
        (Lock("GOVERNANCE", "2999-01-01"), "GOVERNANCE until 2999-01-01"),
        (Lock("COMPLIANCE", "2999-01-01", legal_hold=True), "COMPLIANCE until 2999-01-01 and legal hold"),
        (Lock(event_hold=EventHold()), "event hold"),
        (Lock(legal_hold=True, event_hold=EventHold(days=30)), "legal hold and event hold of 30 days"),
        (Lock(event_hold=EventHold(years=2)), "event hold of 2 years"),
    ],
)
def test_a_lock_has_its_words(lock: Lock, text: str) -> None:
    """As the report shows it."""
    assert lock.as_text == text


@pytest.mark.parametrize(
    ("copy", "is_kept"),
    [
        (Lock(), False),
        (Lock(legal_hold=True), False),
        (Lock(event_hold=EventHold()), False),
        (Lock(event_hold=EventHold(days=29)), False),
        (Lock(event_hold=EventHold(days=30)), True),
        (Lock(event_hold=EventHold(years=1)), True),
    ],
)
def test_an_event_hold_must_go_along(copy: Lock, *, is_kept: bool) -> None:
    """For at least as long. The object is locked until the hold is ended."""
    held = replace(SEEN, lock=Lock(event_hold=EventHold(days=30)))
    expected = set() if is_kept else {Difference.LOCK}
    assert differences(COPIED, held, replace(SEEN, lock=copy)) == expected
    assert differences(COPIED, SEEN, held) == set()
    assert held.lock.in_force(NOW)


def test_a_lock_that_is_over_is_no_difference() -> None:
    """It could not be set again."""
    over = replace(SEEN, lock=Lock("GOVERNANCE", "2001-01-01T00:00:00+00:00"))
    assert differences(COPIED, over, SEEN) == set()


def test_the_owners_key_must_go_along_and_more_encryption_is_fine() -> None:
    """A KMS key is the owner's wish; a target bucket may encrypt what the source did not."""
    same = {"CRC64NVME": "x"}
    plain = replace(SEEN, checksums=same, full_checksums=True)
    secret = replace(plain, encryption=KMS)
    assert differences(COPIED, secret, plain) == {Difference.ENCRYPTION}
    assert differences(COPIED, plain, secret) == set()


def test_bytes_are_proven_or_not_or_proven_different() -> None:
    """Checksums and digests decide; multipart etags alone say nothing, and reading settles it."""
    parts = replace(SEEN, etag=f"{ETAG}-2")
    record = replace(COPIED, target_etag=f"{ETAG}-2")
    assert differences(record, SEEN, parts) == {Difference.UNPROVEN}
    assert needs_reading(record, Sides(SEEN, parts))
    assert differences(record, SEEN, parts, source_digest="1", target_digest="1") == set()
    assert differences(record, SEEN, parts, source_digest="1", target_digest="2") == {Difference.BYTES}
    one = replace(SEEN, checksums={"CRC32": "1"}, full_checksums=True)
    two = replace(parts, checksums={"CRC32": "2"}, full_checksums=True)
    assert differences(record, one, two) == {Difference.BYTES}
    assert not needs_reading(record, Sides(one, two))
    other = replace(COPIED, target_etag=OTHER)
    assert differences(other, SEEN, replace(SEEN, etag=OTHER)) == {Difference.BYTES}


def test_a_source_that_changed_is_not_compared() -> None:
    """Its event is on the way; only that is said. A version tells a re-put of the same bytes."""
    assert differences(COPIED, replace(SEEN, etag=OTHER, size=9), SEEN) == {Difference.CHANGED_SINCE}
    versioned = replace(COPIED, source_version="v1")
    assert differences(versioned, replace(SEEN, version_id="v2"), SEEN) == {Difference.CHANGED_SINCE}


@pytest.mark.parametrize(
    ("state", "source", "target", "expected"),
    [
        (State.NEW, SEEN, None, {Difference.NOT_MIGRATED}),
        (State.COPIED, None, SEEN, {Difference.SOURCE_ABSENT}),
        (State.COPIED, SEEN, None, {Difference.MISSING}),
        (State.COPIED, SEEN, replace(SEEN, etag=OTHER), {Difference.TARGET_CHANGED, Difference.BYTES}),
        (State.CONFLICT, SEEN, SEEN, {Difference.CONFLICT}),
        (State.PARKED, SEEN, None, {Difference.PARKED}),
        (State.TOMBSTONE, None, None, set()),
        (State.TOMBSTONE, SEEN, None, {Difference.NOT_MIGRATED}),
        (State.GONE, None, SEEN, {Difference.ORPHAN}),
        (State.CLEANED, None, SEEN, set()),
        (State.CLEANED, None, None, {Difference.MISSING}),
        (State.CLEANED, None, replace(SEEN, etag=OTHER), {Difference.TARGET_CHANGED}),
        (State.CLEANED, SEEN, SEEN, {Difference.CHANGED_SINCE}),
        (State.ROLLED_BACK, SEEN, SEEN, set()),
        (State.ROLLED_BACK, None, SEEN, {Difference.SOURCE_ABSENT}),
        (State.PURGED, SEEN, None, set()),
        (State.ROLLBACK_CONFLICT, SEEN, SEEN, {Difference.CONFLICT}),
    ],
)
def test_every_state_has_its_truth(
    state: State, source: ObjectState | None, target: ObjectState | None, expected: set[Difference]
) -> None:
    """What the record says against what is there."""
    assert differences(replace(COPIED, state=state), source, target) == expected


def test_an_attempt_that_has_not_ended_proves_nothing() -> None:
    """Neither a running one nor one that never said what it did."""
    assert Difference.UNFINISHED in differences(replace(COPIED, claim=Claim("t", NOW)), SEEN, SEEN)
    assert Difference.UNFINISHED in differences(replace(COPIED, maybe=frozenset({Intent(Action.COPY)})), SEEN, SEEN)


def test_remarks_count_only_when_strict() -> None:
    """Somebody else's object in the new layout is no fault of the migration."""
    finding = Finding(None, Location("b", "new/x"), "", remarks=(Remark.FOREIGN,))
    assert finding.differences == ()
    assert Summary(1, 1, {}, {"foreign": 1}).clean
    assert not Summary(1, 1, {}, {"foreign": 1}, strict=True).clean
    assert not Summary(1, 0, {"bytes": 1}, {}).clean


WHOLE = {"full_checksums": True}


@pytest.mark.parametrize(
    ("record", "source", "target", "needed"),
    [
        (COPIED, {"etag": OTHER + "-2"}, {}, True),
        (COPIED, {}, {}, False),
        (COPIED, {"etag": OTHER}, {}, False),
        (COPIED, {"etag": OTHER + "-2", "size": 5}, {}, False),
        (COPIED, None, {}, False),
        (COPIED, {}, None, False),
        (replace(COPIED, state=State.CLEANED), {"etag": OTHER + "-2"}, {}, False),
        (replace(COPIED, rewritten_etag=ETAG), {"etag": OTHER + "-2"}, {}, False),
        (COPIED, {"etag": OTHER + "-2", "checksums": {"A": "x"}, **WHOLE}, {"checksums": {"A": "y"}, **WHOLE}, False),
        (COPIED, {"etag": OTHER + "-2", "checksums": {"A": "x"}, **WHOLE}, {"checksums": {"B": "y"}, **WHOLE}, True),
        (COPIED, {"etag": OTHER + "-2", "checksums": {"A": "x"}, **WHOLE}, {"checksums": {"A": "y"}}, True),
        (COPIED, {"etag": OTHER + "-2", "checksums": {"A": "x"}}, {"checksums": {"A": "y"}, **WHOLE}, True),
    ],
)
def test_bytes_are_read_only_where_nothing_else_can_tell(
    record: Record, source: dict[str, Any] | None, target: dict[str, Any] | None, *, needed: bool
) -> None:
    """Of a copy with both sides there, of one size, and neither proven the same nor proven different."""
    sides = [replace(SEEN, **one) if one is not None else None for one in (source, target)]
    assert needs_reading(record, Sides(sides[0], sides[1])) is needed


@pytest.mark.parametrize(
    ("digests", "found"),
    [
        (("x", "x"), set()),
        (("x", "y"), {Difference.BYTES}),
        (("x", None), {Difference.UNPROVEN}),
        ((None, "x"), {Difference.UNPROVEN}),
    ],
)
def test_digests_prove_only_as_a_pair(digests: tuple[str | None, str | None], found: set[Difference]) -> None:
    """One alone says nothing."""
    record = replace(COPIED, source_etag=OTHER + "-2")
    source = replace(SEEN, etag=OTHER + "-2")
    assert differences(record, source, SEEN, source_digest=digests[0], target_digest=digests[1]) == found


def test_a_finding_names_both_places_the_state_and_the_cause() -> None:
    """As a report prints them."""
    found = judge(replace(COPIED, state=State.CONFLICT, cause=Cause.TARGET_FOREIGN), Sides(SEEN, SEEN), now=NOW)
    assert found == Finding(
        COPIED.source, COPIED.target, "CONFLICT", (Difference.CONFLICT,), detail=told(Cause.TARGET_FOREIGN)
    )
    assert judge(COPIED, Sides(SEEN, SEEN), now=NOW).detail == ""
    assert not Finding(COPIED.source, COPIED.target, "COPIED").verified


def test_tags_that_nobody_read_are_not_the_same() -> None:
    """Not even where both are unread."""
    unread = replace(SEEN, tags=None)
    assert differences(COPIED, unread, unread) == {Difference.TAGS}


def test_after_a_rollback_only_our_own_copy_without_its_source_counts() -> None:
    """A stranger's object is nobody's source."""
    rolled_back = replace(COPIED, state=State.ROLLED_BACK)
    assert differences(rolled_back, None, SEEN) == {Difference.SOURCE_ABSENT}
    assert differences(rolled_back, None, replace(SEEN, etag=OTHER)) == set()
    assert differences(rolled_back, SEEN, SEEN) == set()


def test_a_rewritten_copy_may_differ_in_content_and_in_nothing_else() -> None:
    """Its etag is the proof of its bytes."""
    record = replace(COPIED, source_etag=OTHER, rewritten_etag=ETAG)
    assert differences(record, replace(SEEN, etag=OTHER, size=9), SEEN) == set()
    assert differences(record, replace(SEEN, etag=OTHER, metadata={}), SEEN) == {Difference.METADATA}


def test_remarks_count_only_where_that_was_asked_for() -> None:
    """Strict."""
    assert Summary(1, 1, {}, {"x": 1}).clean
    assert not Summary(1, 1, {}, {"x": 1}, strict=True).clean
    assert Summary(1, 1, {}, {}, strict=True).clean
