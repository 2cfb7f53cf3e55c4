"""The real protocol code under every interleaving of small scenarios, and with each condition taken away."""

from dataclasses import replace

import pytest

import domain.protocol.carrying
import domain.protocol.claimed_object
import domain.protocol.cleanup
import domain.protocol.copying
import domain.protocol.held_record
import domain.protocol.known_target
import domain.protocol.reconciling
import domain.protocol.rollback
import domain.protocol.versions
from domain.objects import ObjectState
from domain.protocol.claims import left_over
from domain.protocol.decisions import Copy, Decision, Sight
from domain.protocol.held_record import HeldRecord
from domain.protocol.intents import Intent
from domain.protocol.known_target import wrote
from domain.protocol.ports import HiddenVersion, MustBeAbsent, MustMatch
from domain.protocol.reconciling import decide
from domain.protocol.record import Origin, Record
from tests.simulation.explore import explore
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.scenarios_buckets import BUCKETS

ALL = SCENARIOS | BUCKETS
# The larger ones (up to 1.5 million states each) are run by ``make simulate``.
SMALL = (
    *("S01", "S02", "S05", "S06", "S08", "S09", "S10", "S12", "S13", "S15", "S16", "S17", "S19", "S20", "S21"),
    *("S22", "S33", "S34", "S35", "S40", "S41", "S42", "S48", "S49", "S50"),
    *("S51", "S52", "S53", "S54", "S55", "S59", "S63", "S65", "S66", "S67", "S69", "S70", "S72", "S73"),
    *("S75", "S76", "S77"),
)


QUICK = ("S01", "S02", "S05", "S06")
LONG = pytest.mark.slow("explores every state")


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=LONG) for name in SMALL if name not in QUICK)])
def test_every_interleaving_keeps_the_invariants(name: str) -> None:
    """No order of steps, crashes, duplicates and lost answers breaks an invariant, and each can end well."""
    findings = explore(SCENARIOS[name])
    assert findings.complete
    assert not findings.broken, findings.readable()


@LONG
@pytest.mark.parametrize("name", [name for name in BUCKETS if name != "W22"])
def test_real_buckets_keep_the_invariants(name: str) -> None:
    """Nor does suspended versioning, a lifecycle rule, a refused cleanup or an owner who writes to both places."""
    findings = explore(BUCKETS[name])
    assert findings.complete
    assert not findings.broken, findings.readable()


# What breaks, and where it shows, when S3 or DynamoDB no longer checks a condition.
WORLD_CONDITIONS = [
    ("source-if-match", "S02", "I4"),
    ("target-if-none-match", "S12", "I2b"),
    ("target-if-match", "S12", "I2b"),
    ("target-if-match", "S14", "I2c"),
    ("claim-exclusion", "S06", "I2"),
    ("intent-kept", "S02", "I7"),
    ("intent-kept", "S26", "I6"),
    ("commit-check", "S24", "I6"),
    ("delete-target-if-match", "S41", "I2b"),
    ("delete-source-if-match", "S18", "I5"),
    ("part-if-match", "S29", "I1"),
    # What completes an upload in parts has conditions of its own.
    ("target-if-none-match", "S49", "I2b"),
    ("target-if-match", "S12 in parts", "I2b"),
    # The purge's delete, and the claims that cleanup, rollback and purge take on the record that they have read.
    ("delete-target-if-match", "S42", "I2b"),
    ("claim-as-read", "S18", "I3"),
    ("claim-as-read", "S24", "I1"),
]


@LONG
@pytest.mark.parametrize(("condition", "name", "broken"), WORLD_CONDITIONS)
def test_each_condition_is_needed(condition: str, name: str, broken: str) -> None:
    """Without the condition the same exploration finds the invariant broken."""
    whole = SCENARIOS[name.removesuffix(" in parts")]
    scenario = replace(
        whole,
        ablations=frozenset({condition}),
        crashes=min(1, whole.crashes),
        in_parts=whole.in_parts or name.endswith(" in parts"),
    )
    findings = explore(scenario, at_most=400_000, until=broken)
    assert broken in findings.broken


@LONG
def test_a_claim_that_ends_under_a_living_holder_breaks_the_order() -> None:
    """The timing rule is needed: with early expiry the target goes back to an older state."""
    findings = explore(replace(SCENARIOS["S06"], early_expiry=True), at_most=60_000, until="I2")
    assert "I2" in findings.broken


def _everything_is_ours(target: ObjectState, record: Record) -> bool:
    return True


def _bring_back(sight: Sight) -> Decision:
    if sight.source is not None and sight.target is None:
        return Copy(sight.source, MustBeAbsent())
    return decide(sight)


def _never_cleaned(record: Record) -> bool:
    return False


def _not_about_conflicts(sight: Sight) -> Decision:
    if sight.record.replaceable_etag is not None and sight.source is not None and sight.target is not None:
        return Copy(sight.source, MustMatch(sight.target.etag))
    return decide(sight)


def _always_as_verified(source: ObjectState, target: ObjectState, record: Record) -> bool:
    return True


def _nothing_hidden(sight: Sight) -> bool:
    return False


def _never_taken_over(target: ObjectState | None, record: Record) -> bool:
    return target is not None


def _all_left_over(held: HeldRecord) -> frozenset[Intent]:
    return frozenset(intent.undated for intent in left_over(held.record))


def _declared_as_done(copy: domain.protocol.copying._PartsCopy, intent: Intent) -> None:
    copy._held.declare_intent(intent)
    copy._held._may_have_landed = True


def _always_overwritten(source: ObjectState, intent: Intent) -> bool:
    return True


def _knows_what_was_refused(target: ObjectState, record: Record) -> bool:
    return record.target_etag == target.etag or any(wrote(intent, target) for intent in record.maybe)


def _doubts_without_dates(target: ObjectState, record: Record) -> frozenset[Intent]:
    return frozenset(intent for intent in record.maybe if intent.is_refused and wrote(intent.undated, target))


def _without_doubts(maybe: frozenset[Intent], doubtful: frozenset[Intent]) -> frozenset[Intent]:
    return maybe


def _never_completed(*_: object) -> bool:
    return False


def _whatever_is_hidden(hidden: HiddenVersion, record: Record, copy: ObjectState | None) -> bool:
    return True


def _never_put_since(*_: object) -> bool:
    return False


def _by_record(record: Record, _: ObjectState | None) -> frozenset[str]:
    return frozenset({record.source_version}) if record.source_version else frozenset()


def _always(_: Record) -> bool:
    return True


def _created(target: ObjectState, record: Record, *, known: bool) -> Origin:
    return Origin.CREATED


def _as_texts(one: str | None, other: str | None) -> bool:
    return one != other


_STILL_DECIDED = {
    key: value for key, value in domain.protocol.held_record._SETTLED.items() if key != "replaceable_etag"
}
CODE_CONDITIONS = [
    (
        "a copy that was not sent is not ours",
        domain.protocol.held_record.HeldRecord,
        "_unsettled",
        _all_left_over,
        "S54",
        "I2b",
    ),
    ("parts are no object yet", domain.protocol.copying._PartsCopy, "_declare_parts", _declared_as_done, "S55", "I2b"),
    ("second look at the target", domain.protocol.cleanup, "is_as_recorded", _never_taken_over, "S21", "I5"),
    ("foreign content is foreign", domain.protocol.reconciling, "is_known", _everything_is_ours, "S12", "I2b"),
    ("the new owner deleted it", domain.protocol.claimed_object, "decide", _bring_back, "S14", "I2c"),
    ("late delete after cleanup", domain.protocol.reconciling, "was_cleaned", _never_cleaned, "S43", "I1"),
    ("second look at the source", domain.protocol.cleanup, "_is_as_verified", _always_as_verified, "S33", "I5"),
    ("an operator's word counts once", domain.protocol.held_record, "_SETTLED", _STILL_DECIDED, "S65", "I2b"),
    (
        "an operator's word is about what he saw",
        domain.protocol.claimed_object,
        "decide",
        _not_about_conflicts,
        "S64",
        "I2b",
    ),
    (
        "a refused copy is no copy of what is there",
        domain.protocol.reconciling,
        "is_overwritten",
        _always_overwritten,
        "S76",
        "I2b",
    ),
    ("a refused copy is not known", domain.protocol.reconciling, "is_known", _knows_what_was_refused, "S77", "I2b"),
    (
        "a refused copy wrote nothing before",
        domain.protocol.reconciling,
        "doubted",
        _doubts_without_dates,
        "S75",
        "I2b",
    ),
    ("a refused copy is remembered", domain.protocol.held_record, "with_doubtful", _without_doubts, "S66", "I7"),
    ("an upload that is gone may be done", domain.protocol.copying, "may_be_completed", _never_completed, "S68", "I7"),
    (
        "versions hidden by our marker",
        domain.protocol.claimed_object,
        "may_lie_under_a_marker",
        _nothing_hidden,
        "S31",
        "I7",
    ),
    (
        "an older version is not what we hid",
        domain.protocol.reconciling,
        "is_what_we_hid",
        _whatever_is_hidden,
        "W12",
        "I1",
    ),
    ("nor is it restored", domain.protocol.rollback, "is_what_we_hid", _whatever_is_hidden, "W02", "I6"),
    ("what the owner put after our copy", domain.protocol.rollback, "is_put_after", _never_put_since, "W22", "I6"),
    (
        "a delete that was not sent is not done",
        domain.protocol.held_record.HeldRecord,
        "_unsettled",
        _all_left_over,
        "W30",
        "I7",
    ),
    ("a delete that was never tried is not ours", domain.protocol.cleanup, "_may_be_deleted", _always, "W04", "I7"),
    ("nor is it undone", domain.protocol.cleanup, "_may_be_deleted", _always, "W20", "I6"),
    ("what was there is not our copy", domain.protocol.reconciling, "_origin_of", _created, "W40", "I2b"),
    (
        "equal bytes put since are not ours",
        domain.protocol.known_target,
        "was_put_since",
        _never_put_since,
        "W44",
        "I2b",
    ),
    ("equal versions have a place each", domain.protocol.versions, "_copy_again", _never_put_since, "W83", "I10"),
    (
        "a copy without an answer is recorded before the next",
        domain.protocol.carrying.CarriedVersions,
        "_note_unrecorded",
        _never_put_since,
        "W82",
        "I2",
    ),
    ("an unsettled copy is of its own version", domain.protocol.versions, "carried_versions", _by_record, "W84", "I10"),
    ("an unknown version proves nothing", domain.protocol.cleanup, "is_other_version", _as_texts, "W50", "I7"),
]


@LONG
@pytest.mark.parametrize(("what", "module", "name", "broken_code", "scenario", "broken"), CODE_CONDITIONS)
def test_each_look_is_needed(  # noqa: PLR0917  # one column each
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    module: object,
    name: str,
    broken_code: object,
    scenario: str,
    broken: str,
) -> None:
    """With the look taken out of the code the exploration finds the invariant broken."""
    monkeypatch.setattr(module, name, broken_code)
    findings = explore(ALL[scenario], at_most=400_000, until=broken)
    assert broken in findings.broken
