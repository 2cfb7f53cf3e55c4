"""What is decided for each sight of both keys: a table of facts, one difference at a time."""

from dataclasses import replace
from typing import Any

import pytest

from domain.objects import ContentHeaders, Encryption, Lock, ObjectState
from domain.protocol.causes import Cause
from domain.protocol.cleaned_source import cleaned_etag_of
from domain.protocol.decisions import Copy, CopyHidden, Decision, DeleteTarget, Settle, Sight
from domain.protocol.intents import Action, Intent
from domain.protocol.known_target import is_known, wrote
from domain.protocol.ports import HiddenVersion, MustBeAbsent, MustMatch, TargetCondition, TopMarker
from domain.protocol.reconciling import decide, may_lie_under_a_marker
from domain.protocol.record import EMPTY_TARGET, Origin, Record, State
from tests.worlds.migration import SOURCE, TARGET

OLD, NEW, FOREIGN = "1" * 32, "2" * 32, "f" * 32
RECORD = Record(
    SOURCE, TARGET, State.COPIED, source_etag=OLD, source_version="v1", target_etag=OLD, origin=Origin.ADOPTED
)
SOURCE_SEEN = ObjectState(NEW, 5, version_id="v2", metadata={"a": "b"}, tags={})
TARGET_SEEN = ObjectState(OLD, 5, version_id="t1", last_modified=5, metadata={"a": "b"}, tags={})
GONE_BY_OTHERS = Cause.COPY_DELETED
FOREIGN_THERE = Cause.TARGET_FOREIGN


def sight(**changes: Any) -> Sight:
    """A source that is newer than its copy, and a record that knows the copy."""
    known = {"record": RECORD, "source": SOURCE_SEEN, "target": TARGET_SEEN}
    return Sight(**{**known, "removed": False, "mirror_deletes": True, "top": None, **changes})


def record(**changes: Any) -> Record:
    """The record with something else in it."""
    return replace(RECORD, **changes)


def settle(state: State, **more: Any) -> Settle:
    """Nothing but the record is written."""
    return Settle(state, **more)


def conflict(cause: Cause) -> Settle:
    """Left alone."""
    return Settle(State.CONFLICT, cause, keeps_target=False)


NEW_COPY = MustBeAbsent()
KEPT = settle(State.CLEANED, origin=Origin.ADOPTED)
GONE = settle(State.GONE, origin=Origin.ADOPTED)
REPLACED = MustMatch(OLD)
SAME = replace(SOURCE_SEEN, etag=NEW, version_id="t1", checksums={"CRC32": "c"}, full_checksums=True)
MAYBE_DELETED = frozenset({Intent(Action.DELETE_TARGET, OLD)})
MAYBE_COPIED = frozenset({Intent(Action.COPY, NEW, "v2", NEW)})
MAYBE_CLEANED = frozenset({Intent(Action.DELETE_SOURCE)})
DECIDED = State.CONFLICT
FOLLOWED = DeleteTarget(OLD)
REPAIRED = MustMatch(NEW)
IA = replace(SOURCE_SEEN, storage_class="STANDARD_IA")
KMS = replace(SOURCE_SEEN, encryption=Encryption("aws:kms", "key"), checksums={"CRC32": "c"}, full_checksums=True)
HELD = replace(SOURCE_SEEN, lock=Lock(legal_hold=True))
UNKNOWN = record(state=State.NEW, target_etag=None, origin=None)
STRANGE = replace(UNKNOWN, state=State.CONFLICT)


@pytest.mark.parametrize(
    ("seen", "decided"),
    [
        # The copy is absent.
        (sight(target=None), conflict(GONE_BY_OTHERS)),
        (sight(target=None, record=STRANGE), conflict(Cause.TARGET_EMPTIED)),
        (sight(target=None, record=record(maybe=MAYBE_DELETED)), NEW_COPY),
        (sight(target=None, record=record(maybe=MAYBE_COPIED)), conflict(GONE_BY_OTHERS)),
        (sight(target=None, record=UNKNOWN), NEW_COPY),
        # An operator has spoken: of an empty target, or of one object there.
        (sight(target=None, record=replace(STRANGE, replaceable_etag=EMPTY_TARGET)), NEW_COPY),
        # What was decided has been done, perhaps, and another writer deleted it again.
        (
            sight(target=None, record=replace(STRANGE, replaceable_etag=EMPTY_TARGET, maybe=MAYBE_COPIED)),
            conflict(Cause.TARGET_EMPTIED),
        ),
        (sight(target=None, record=replace(STRANGE, replaceable_etag=OLD)), conflict(Cause.TARGET_EMPTIED)),
        (sight(record=replace(STRANGE, replaceable_etag=EMPTY_TARGET)), conflict(FOREIGN_THERE)),
        (sight(record=replace(STRANGE, replaceable_etag=NEW)), conflict(FOREIGN_THERE)),
        (sight(record=replace(STRANGE, replaceable_etag=OLD)), REPLACED),
        (
            sight(target=SAME, record=replace(STRANGE, replaceable_etag=NEW)),
            settle(State.COPIED, origin=Origin.ADOPTED),
        ),
        # The copy is there.
        (sight(), REPLACED),
        (sight(record=UNKNOWN), conflict(FOREIGN_THERE)),
        (sight(record=STRANGE), conflict(FOREIGN_THERE)),
        (sight(target=SAME), settle(State.COPIED, origin=Origin.ADOPTED)),
        # Another writer put there what the source is: it is his.
        (sight(target=SAME, record=record(origin=Origin.CREATED)), settle(State.COPIED, origin=Origin.ADOPTED)),
        (
            sight(target=SAME, record=record(origin=Origin.CREATED, target_etag=NEW)),
            settle(State.COPIED, origin=Origin.CREATED),
        ),
        # An etag is the bytes; the version or the date tells that another writer put them again.
        (sight(record=record(target_version="t0")), conflict(FOREIGN_THERE)),
        (sight(record=record(target_version="t1")), REPLACED),
        (sight(record=record(target_version="null")), conflict(FOREIGN_THERE)),
        (sight(target=replace(TARGET_SEEN, last_modified=9), record=record(copied_before=9)), conflict(FOREIGN_THERE)),
        (sight(target=replace(TARGET_SEEN, last_modified=8), record=record(copied_before=9)), REPLACED),
        (
            sight(record=record(target_version="t0", maybe=frozenset({Intent(Action.COPY, OLD, "v1", OLD)}))),
            REPLACED,
        ),
        # A write that nothing can recognise may be what is there.
        (sight(record=replace(UNKNOWN, maybe=frozenset({Intent(Action.COPY)}))), conflict(Cause.TARGET_IN_DOUBT)),
        (sight(record=replace(UNKNOWN, maybe=frozenset({Intent(Action.UPLOAD)}))), conflict(FOREIGN_THERE)),
        (sight(record=replace(UNKNOWN, maybe=frozenset({Intent(Action.DELETE_TARGET)}))), conflict(FOREIGN_THERE)),
        # What binds or places the source goes along later, where the copy is ours.
        (sight(target=SAME, source=IA, record=record(origin=Origin.CREATED, target_etag=NEW)), REPAIRED),
        (sight(target=SAME, source=KMS, record=record(origin=Origin.CREATED, target_etag=NEW)), REPAIRED),
        (sight(target=SAME, source=HELD, record=record(origin=Origin.CREATED, target_etag=NEW)), REPAIRED),
        (
            sight(target=SAME, source=HELD, record=record(target_etag=NEW)),
            settle(State.COPIED, origin=Origin.ADOPTED),
        ),
        (sight(target=SAME, record=UNKNOWN), settle(State.COPIED, origin=Origin.ADOPTED)),
        (sight(target=SAME, record=replace(UNKNOWN, maybe=MAYBE_COPIED)), settle(State.COPIED, origin=Origin.CREATED)),
        (
            sight(target=SAME, record=replace(UNKNOWN, maybe=frozenset({Intent(Action.REWRITE, NEW, "", NEW)}))),
            settle(State.COPIED, origin=Origin.ADOPTED),
        ),
        # The source is absent.
        (sight(source=None), settle(State.GONE, origin=Origin.ADOPTED)),
        (sight(source=None, removed=True), settle(State.GONE, origin=Origin.ADOPTED)),
        (sight(source=None, removed=True, mirror_adopted=True), FOLLOWED),
        (sight(source=None, removed=True, record=record(origin=Origin.CREATED)), FOLLOWED),
        (sight(source=None, removed=True, record=record(origin=None)), FOLLOWED),
        (
            sight(source=None, removed=True, record=record(origin=Origin.CREATED, target_version="t0")),
            conflict(Cause.TARGET_FOREIGN_SOURCE_GONE),
        ),
        (sight(source=None, removed=True, mirror_deletes=False), settle(State.GONE, origin=Origin.ADOPTED)),
        (
            sight(source=None, removed=True, record=record(state=State.CONFLICT)),
            settle(State.GONE, origin=Origin.ADOPTED),
        ),
        (
            sight(source=None, removed=True, record=record(state=State.CONFLICT, origin=Origin.CREATED)),
            settle(State.GONE, origin=Origin.CREATED),
        ),
        (
            sight(source=None, removed=True, record=record(state=DECIDED, replaceable_etag=FOREIGN, origin=None)),
            FOLLOWED,
        ),
        (
            sight(source=None, removed=True, record=record(state=DECIDED, replaceable_etag=EMPTY_TARGET, origin=None)),
            FOLLOWED,
        ),
        (
            sight(source=None, removed=True, record=replace(STRANGE, replaceable_etag=OLD)),
            conflict(Cause.TARGET_FOREIGN_SOURCE_GONE),
        ),
        (
            sight(source=None, removed=True, record=record(state=State.CLEANED)),
            settle(State.CLEANED, origin=Origin.ADOPTED),
        ),
        (sight(source=None, record=record(maybe=MAYBE_CLEANED)), settle(State.CLEANED, origin=Origin.ADOPTED)),
        (
            sight(source=None, record=UNKNOWN),
            conflict(Cause.TARGET_FOREIGN_SOURCE_GONE),
        ),
        (
            sight(source=None, target=None, record=record(state=State.CLEANED)),
            conflict(Cause.COPY_DELETED_AFTER_CLEANUP),
        ),
        (sight(source=None, target=None), settle(State.GONE, keeps_target=False)),
        (sight(source=None, target=None, removed=True), settle(State.TOMBSTONE, keeps_target=False)),
        (
            sight(source=None, target=None, record=record(maybe=MAYBE_DELETED)),
            settle(State.TOMBSTONE, keeps_target=False),
        ),
        (
            sight(source=None, target=None, record=record(state=State.TOMBSTONE)),
            settle(State.TOMBSTONE, keeps_target=False),
        ),
    ],
)
def test_each_sight_has_its_step(seen: Sight, decided: Decision | TargetCondition) -> None:
    """The whole decision, conditions and origin included; a copy is of the source that was seen."""
    decision = decide(seen)
    if isinstance(decision, Copy):
        assert decision.source is seen.source
        assert decision.condition == decided
    else:
        assert decision == decided


OLDER = HiddenVersion("v0", OLD, last_modified=5)
HIDES = HiddenVersion("v2", OLD, last_modified=9)
HIDDEN = TopMarker("m1", HIDES)
CLEANED = record(state=State.CLEANED, marker_version="m1")
COPY_HIDDEN = CopyHidden(HIDES, MustMatch(OLD))


@pytest.mark.parametrize(
    ("changes", "decided"),
    [
        ({}, COPY_HIDDEN),
        ({"record": replace(CLEANED, marker_version=None)}, COPY_HIDDEN),
        ({"record": replace(CLEANED, marker_version="m0"), "top": TopMarker("m1", None)}, KEPT),
        ({"record": replace(CLEANED, marker_version="m0"), "top": TopMarker("m1", OLDER)}, KEPT),
        ({"top": None}, KEPT),
        ({"top": TopMarker("m1", HiddenVersion("v1", OLD, last_modified=9))}, KEPT),
        ({"top": TopMarker("m1", None)}, KEPT),
        # Our delete was conditional on the etag: other bytes came later, or were uncovered by a lifecycle rule.
        ({"top": TopMarker("m1", HiddenVersion("v2", NEW, last_modified=9))}, KEPT),
        ({"top": TopMarker("m1", HiddenVersion("v0", OLD, last_modified=5))}, KEPT),
        ({"top": TopMarker("m1", HiddenVersion("v0", OLD, last_modified=4))}, KEPT),
        ({"record": replace(CLEANED, state=State.COPIED)}, settle(State.GONE, origin=Origin.ADOPTED)),
        (
            {"target": replace(TARGET_SEEN, etag=FOREIGN)},
            conflict(Cause.TARGET_FOREIGN_SOURCE_GONE),
        ),
    ],
)
def test_what_our_marker_hides_is_copied_only_where_it_is_the_owners(
    changes: dict[str, Any], decided: Decision
) -> None:
    """A version that was written before our marker and never copied."""
    assert decide(sight(**{"source": None, "record": CLEANED, "top": HIDDEN, **changes})) == decided


@pytest.mark.parametrize("removed", [False, True])
@pytest.mark.parametrize(
    ("marker", "hidden"),
    [("m0", NEW), ("m0", OLD), (None, NEW)],
)
def test_what_its_owner_put_and_deleted_after_our_cleanup_is_deleted(
    marker: str | None, hidden: str, *, removed: bool
) -> None:
    """The marker on it is not ours: another id, or other bytes than our delete was conditional on."""
    known = replace(CLEANED, marker_version=marker, origin=Origin.CREATED)
    top = TopMarker("m1", HiddenVersion("v2", hidden, last_modified=9))
    decided = decide(sight(source=None, record=known, top=top, removed=removed))
    assert decided == (FOLLOWED if removed else settle(State.GONE, origin=Origin.CREATED))


@pytest.mark.parametrize(
    ("changes", "comes_up"),
    [
        ({}, True),
        ({"source": replace(SOURCE_SEEN, last_modified=5)}, True),
        ({"source": replace(SOURCE_SEEN, last_modified=6)}, False),
        ({"record": replace(CLEANED, source_modified=4)}, True),
        ({"record": replace(CLEANED, source_modified=3)}, False),
        ({"record": replace(CLEANED, state=State.CONFLICT, cleaned_etag=OLD)}, True),
        ({"source": replace(SOURCE_SEEN, etag=OLD, last_modified=4, metadata={"other": "words"})}, False),
        ({"record": replace(CLEANED, marker_version=None)}, False),
        ({"record": replace(CLEANED, state=State.COPIED)}, False),
    ],
)
def test_an_older_version_that_came_up_is_not_copied(changes: dict[str, Any], *, comes_up: bool) -> None:
    """Its owner took our marker off, and what the marker hid is gone for good."""
    older = replace(SOURCE_SEEN, last_modified=4)
    decided = decide(sight(**{"source": older, "record": CLEANED, **changes}))
    assert (isinstance(decided, Settle) and decided.state is State.CONFLICT) is comes_up


@pytest.mark.parametrize(
    ("changes", "may"),
    [
        ({}, True),
        ({"source": SOURCE_SEEN}, False),
        ({"target": None}, False),
        ({"target": replace(TARGET_SEEN, etag=FOREIGN)}, False),
        ({"record": replace(CLEANED, source_version=None)}, True),
        ({"record": replace(CLEANED, source_version=None, marker_version=None)}, False),
        ({"record": RECORD}, False),
    ],
)
def test_a_hidden_version_is_looked_for_only_where_there_may_be_one(changes: dict[str, Any], *, may: bool) -> None:
    """A listing of versions costs a request."""
    assert may_lie_under_a_marker(sight(**{"source": None, "record": CLEANED, **changes})) is may


REWRITTEN = record(source_etag=NEW, source_version="v2", target_etag=OLD, rewritten_etag=OLD)


@pytest.mark.parametrize(
    ("known", "source", "settled"),
    [
        (REWRITTEN, {}, True),
        (replace(REWRITTEN, rewritten_etag=None), {}, False),
        (REWRITTEN, {"etag": FOREIGN}, False),
        (REWRITTEN, {"version_id": "v3"}, False),
        (REWRITTEN, {"metadata": {"a": "c"}}, False),
        (REWRITTEN, {"headers": ContentHeaders(content_type="text/csv")}, False),
        (REWRITTEN, {"tags": {"t": "1"}}, False),
    ],
)
def test_our_own_rewriting_of_this_very_source_stays(known: Record, source: dict[str, Any], *, settled: bool) -> None:
    """Another copy would only undo it; of another source it is due."""
    decision = decide(sight(record=known, source=replace(SOURCE_SEEN, **source)))
    assert isinstance(decision, Settle if settled else Copy)


CHECKED = replace(TARGET_SEEN, etag=FOREIGN, checksums={"CRC64NVME": "x"}, full_checksums=True)


@pytest.mark.parametrize(
    ("intent", "target", "ours"),
    [
        (Intent(Action.COPY, NEW, target_etag=OLD), TARGET_SEEN, True),
        (Intent(Action.COPY, NEW, target_etag=NEW), TARGET_SEEN, False),
        (Intent(Action.COPY, NEW), replace(TARGET_SEEN, etag=""), False),
        (Intent(Action.COPY, NEW, checksum="CRC64NVME=x"), CHECKED, True),
        (Intent(Action.COPY, NEW, checksum="CRC64NVME=y"), CHECKED, False),
        (Intent(Action.COPY, NEW, checksum="CRC64NVME=x"), replace(CHECKED, full_checksums=False), False),
        (Intent(Action.COPY, NEW), CHECKED, False),
        (Intent(Action.COPY, NEW, checksum="SHA256="), CHECKED, False),
    ],
)
def test_a_target_is_recognised_by_etag_or_whole_checksum(intent: Intent, target: ObjectState, *, ours: bool) -> None:
    """Never by what neither says."""
    assert wrote(intent, target) is ours


def test_only_what_writes_makes_a_target_known() -> None:
    """Declared in this attempt or in an earlier one."""
    copied, deleted = Intent(Action.COPY, NEW, "", FOREIGN), Intent(Action.DELETE_TARGET, NEW, "", FOREIGN)
    target = replace(TARGET_SEEN, etag=FOREIGN)
    assert is_known(target, record(maybe=frozenset({copied})))
    assert is_known(target, record(maybe=frozenset({replace(copied, action=Action.REWRITE)})))
    assert not is_known(target, record(maybe=frozenset({deleted})))


def test_a_cleanup_stays_known_by_the_etag_that_it_deleted() -> None:
    """The first one that was noted, else the record's; empty where it had none."""
    assert cleaned_etag_of(RECORD) is None
    assert cleaned_etag_of(record(state=State.CLEANED)) == OLD
    assert cleaned_etag_of(record(state=State.CLEANED, source_etag=None)) == ""
    assert cleaned_etag_of(record(cleaned_etag=NEW)) == NEW
    assert cleaned_etag_of(record(maybe=MAYBE_CLEANED)) == OLD


def test_a_decision_keeps_its_target_and_a_sight_mirrors_unless_told() -> None:
    """What a caller that names neither gets."""
    assert Settle(State.GONE).keeps_target
    assert decide(Sight(RECORD, None, TARGET_SEEN)) == GONE
    ours = record(origin=Origin.CREATED)
    assert decide(Sight(ours, None, TARGET_SEEN, removed=True)) == FOLLOWED


def test_a_strangers_object_is_no_rewriting_of_ours() -> None:
    """Though the source is the very one that was copied, with the same metadata: only the etag tells."""
    seen = sight(record=REWRITTEN, target=replace(TARGET_SEEN, etag=FOREIGN))
    assert decide(seen) == conflict(FOREIGN_THERE)
