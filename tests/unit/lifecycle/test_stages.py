"""The stages, their steps and the events that tell of them; the gates before a cut-over."""

from typing import Any

import pytest

from domain.audit.item_events import stage_event
from domain.keys import is_probe, probe_location
from domain.lifecycle.census import Compared, Found
from domain.lifecycle.gates import Readiness, cutover_gates
from domain.lifecycle.stages import Stage, StageEntry, advanced, captured, postponed, rules_fault, stage_fault
from domain.protocol.intents import Action, Intent
from domain.protocol.record import Mode, Record, State
from tests.worlds.migration import NOW
from tests.worlds.stages import GATE_LIMITS, RECORD, readiness

FORWARD = [Stage.PREPARED, Stage.LIVE, Stage.CUT_OVER, Stage.CLEANING, Stage.DONE]


def test_stages_go_forward_one_by_one_or_back_until_done() -> None:
    """Every other step is refused with what to do; DONE is the end."""
    for at, stage in enumerate(FORWARD):
        allowed = {one for one in Stage if stage_fault(stage, one) is None}
        further = {FORWARD[at + 1]} if at + 1 < len(FORWARD) else set()
        back = set() if stage is Stage.DONE else {Stage.ROLLING_BACK}
        assert allowed == {stage} | further | back
    assert stage_fault(Stage.ROLLING_BACK, Stage.ROLLED_BACK) is None
    assert "keyshift start" in (stage_fault(Stage.PREPARED, Stage.CUT_OVER) or "")
    with pytest.raises(ValueError, match="it is over"):
        advanced(StageEntry(Stage.DONE), Stage.ROLLING_BACK, by="me", why="", now=1.0)


def test_what_start_remembers_is_a_change_only_where_it_differs() -> None:
    """The capture and the proven rules stand in the entry; the same again is the same entry."""
    once = captured(StageEntry(), "first", rules_digest="d", by="me", now=1.0)
    assert captured(once, "first", rules_digest="d", by="me", now=2.0) is once
    other = captured(once, "first", rules_digest="e", by="me", now=2.0)
    assert (other.rules_digest, other.revision) == ("e", 2)
    live = advanced(once, Stage.LIVE, by="me", why="", now=3.0)
    assert (live.capture, live.rules_digest, live.since, live.revision) == ("first", "d", 3.0, 2)


@pytest.mark.parametrize("stage", [Stage.DONE, Stage.ROLLING_BACK, Stage.ROLLED_BACK])
def test_no_capture_is_remembered_after_the_end(stage: Stage) -> None:
    """A start that looked before a rollback began must not switch capture on behind it."""
    with pytest.raises(ValueError, match=stage.value):
        captured(StageEntry(stage), "c", rules_digest="d", by="me", now=1.0)


def test_only_proven_rules_may_run() -> None:
    """Another digest is refused with the command that proves it; an earlier version's entry names none."""
    entry = StageEntry(Stage.LIVE, rules_digest="a" * 64)
    assert rules_fault(entry, "a" * 64) is None
    assert "keyshift start --yes" in (rules_fault(entry, "b" * 64) or "")
    assert rules_fault(StageEntry(Stage.LIVE), "b" * 64) is None


def test_a_cut_over_ends_a_postponement() -> None:
    """And allowing again leaves the stage as it is."""
    live = StageEntry(Stage.LIVE, since=5.0)
    off = postponed(live, 99.0, by="me", why="freeze", now=6.0)
    assert (off.stage, off.since, off.postponed_until) == (Stage.LIVE, 5.0, 99.0)
    assert postponed(off, None, by="me", why="", now=7.0).postponed_until is None
    assert advanced(off, Stage.CUT_OVER, by="me", why="", now=8.0).postponed_until is None


def test_a_start_ends_no_postponement() -> None:
    """Another operator put the cut-over off before: what he put off is not begun by a start."""
    off = postponed(StageEntry(), 99.0, by="me", why="freeze", now=6.0)
    assert advanced(off, Stage.LIVE, by="you", why="", now=8.0).postponed_until == 99.0
    assert advanced(off, Stage.ROLLING_BACK, by="you", why="", now=8.0).postponed_until is None


def test_a_stage_says_who_when_and_why() -> None:
    """Each step is the next revision; a postponement changes nothing else."""
    first = advanced(StageEntry(), Stage.LIVE, by="me", why="a", now=NOW)
    assert (first.by, first.why, first.since, first.changed_at, first.revision) == ("me", "a", NOW, NOW, 1)
    later = postponed(first, NOW + 9, by="you", why="b", now=NOW + 1)
    assert (later.postponed_until, later.by, later.why, later.changed_at, later.revision) == (
        NOW + 9,
        "you",
        "b",
        NOW + 1,
        2,
    )
    assert (later.stage, later.since) == (Stage.LIVE, NOW)
    kept = captured(later, "before us", rules_digest="d", by="them", now=NOW + 2)
    assert (kept.capture, kept.by, kept.changed_at, kept.revision) == ("before us", "them", NOW + 2, 3)
    assert captured(kept, "before us", rules_digest="d", by="x", now=NOW + 3) is kept


def test_when_it_was_cut_over_is_known_in_later_stages_too() -> None:
    """Cleanup asks for it on every run, also after its first one has changed the stage."""
    live = advanced(StageEntry(), Stage.LIVE, by="me", why="", now=3.0)
    over = advanced(live, Stage.CUT_OVER, by="me", why="", now=5.0)
    again = advanced(over, Stage.CUT_OVER, by="me", why="", now=7.0)
    cleaning = advanced(again, Stage.CLEANING, by="me", why="", now=9.0)
    assert [one.cut_over_at for one in (live, over, again, cleaning)] == [0.0, 5.0, 5.0, 5.0]
    assert cleaning.since == 9.0


def test_each_change_of_the_stage_is_an_event_of_its_own() -> None:
    """Its id grows with the revision; its kind says what changed."""
    live = advanced(StageEntry(), Stage.LIVE, by="me", why="probes", now=3.0)
    event = stage_event(None, live, migration="m")
    assert (event.event_id, event.detail_type, event.time) == ("keyshift#stage:1", "Stage Changed", 3.0)
    assert event.detail["stage_before"] == "prepared"
    off = postponed(live, 99.0, by="me", why="freeze", now=4.0)
    kinds = [
        stage_event(live, off, migration="m").detail_type,
        stage_event(off, postponed(off, None, by="me", why="", now=5.0), migration="m").detail_type,
        stage_event(
            StageEntry(), captured(StageEntry(), "c", rules_digest="d", by="me", now=1.0), migration="m"
        ).detail_type,
        stage_event(live, captured(live, "", rules_digest="d", by="me", now=4.0), migration="m").detail_type,
        stage_event(live, None, migration="m").detail_type,
    ]
    assert kinds == [
        "Cut-over Postponed",
        "Cut-over Allowed Again",
        "Live Capture Remembered",
        "Rules Proven",
        "Stage Removed",
    ]
    with pytest.raises(ValueError, match="old or a new image"):
        stage_event(None, None, migration="m")


def shut(seen: Readiness, *accepted: str) -> set[str]:
    """The gates that hold."""
    gates = cutover_gates(seen, limits=GATE_LIMITS, accepted=frozenset(accepted))
    assert all(gate.remedy for gate in gates if gate.holds), "each names what opens it"
    return {gate.name for gate in gates if gate.holds}


@pytest.mark.parametrize(
    ("changes", "gate"),
    [
        ({}, None),
        ({"entry": StageEntry(Stage.PREPARED)}, "stage"),
        ({"entry": StageEntry(Stage.LIVE, postponed_until=11.0)}, "postponed"),
        ({"entry": StageEntry(Stage.LIVE, postponed_until=9.0)}, None),
        ({"paused": "lunch"}, "running"),
        ({"queues": {"events": (1, 1, 0)}}, None),
        ({"queues": {"events": (2, 1, 0)}}, "queue events"),
        ({"queues": {"backfill": (0, 1, 0)}}, "queue backfill"),
        ({"queues": {"inventory": (0, 0, 1)}}, "dead inventory"),
        ({"lag": 61.0}, "lag"),
        ({"lag": None}, None),
        ({"lag": None, "queues": {"events": (1, 0, 0)}}, "lag"),
        ({"queues": {"events": (0, 0, None)}}, "dead events"),
        ({"capture": "the notification is gone"}, "capture"),
        ({"compared": Compared(uncopied=Found(1, "s3://b/old/k"))}, "uncopied"),
        ({"compared": Compared(changed=Found(1, "s3://b/old/k"))}, "changed"),
        ({"compared": Compared(replaced=Found(1, "s3://b/new/k"))}, "replaced"),
        ({"fallen": {"conflict": 1}}, "conflict"),
        ({"references": 1}, "references"),
    ],
)
def test_one_thing_amiss_shuts_one_gate(changes: dict[str, Any], gate: str | None) -> None:
    """And only that one."""
    assert shut(readiness(**changes)) == ({gate} if gate else set())


@pytest.mark.parametrize(
    ("record", "gate"),
    [
        (Record(RECORD.source, RECORD.target), "unfinished"),
        (Record(RECORD.source, RECORD.target, State.COPIED, maybe=frozenset({Intent(Action.COPY)})), "unfinished"),
        (Record(RECORD.source, RECORD.target, State.COPIED), "unverified"),
        (Record(RECORD.source, RECORD.target, State.CONFLICT), "conflict"),
        (Record(RECORD.source, RECORD.target, State.PARKED), "parked"),
        (Record(RECORD.source, RECORD.target, State.GONE), "gone"),
        (Record(RECORD.source, RECORD.target, State.ROLLED_BACK, mode=Mode.ROLLED_BACK), "rolled-back"),
    ],
)
def test_one_record_shuts_its_gate_and_only_some_can_be_accepted(record: Record, gate: str) -> None:
    """Conflicts, parked and vanished objects and unverified copies may be accepted by name; the rest never."""
    assert shut(readiness(RECORD, record)) == {gate}
    acceptable = gate in ("conflict", "parked", "gone", "unverified")
    assert shut(readiness(RECORD, record), gate) == (set() if acceptable else {gate})


def test_a_probe_is_known_by_its_key() -> None:
    """Under any prefix, and nothing that only looks like one."""
    probe = probe_location("b", "line//", "0" * 32)
    assert is_probe(probe.key)
    assert not is_probe("line//.keyshift/probe-1")
    assert not is_probe(probe.key + "/more")
