"""Each gate against another party who makes it false between the look and the act (docs/design/gates.md)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from domain.errors import AccessDeniedError, UnavailableError
from domain.keys import Location
from domain.lifecycle.stages import Stage, StageEntry, advanced, postponed
from domain.protocol.record import Claim, State
from domain.protocol.seen_parts import SeenParts
from domain.queues import Message
from domain.reporting.progress import RECORDS
from domain.steering.control import Limits, resumed, throttled
from handlers.operations.cleanup import Cleaner, refuse_cleanup, warn_of_cleanup
from handlers.operations.cutover import look_for_cutover, step_guarded
from handlers.operations.operator import Shut
from tests.fakes.lifecycle import (
    InMemoryStageBook,
)
from tests.worlds.gates import LIMITS, Place
from tests.worlds.handlers import BUCKET, HANDLER_RULES
from tests.worlds.holders import own_holders

HOUR = 3600.0


@pytest.fixture
def here() -> Place:
    """A migration whose every gate is open."""
    return Place()


def test_a_migration_whose_gates_are_open_is_cut_over(here: Place) -> None:
    """The control: the worlds below differ from this one by one act; the probes are gone afterwards."""
    assert here.cut() == {}
    assert here.capture.probes == set()


# Stage, postponement, pause
def test_a_postponement_that_came_during_the_look_holds(here: Place) -> None:
    """It is neither overridden nor wiped."""
    until = here.clock.now() + 9 * HOUR
    assert set(here.cut(lambda: here.say(postponed, until, why="freeze"))) == {"postponed"}
    assert here.stages.read_stage().postponed_until == until


def test_a_pause_that_came_during_the_look_holds(here: Place) -> None:
    """The breaker's, too; a probe could not even arrive."""
    assert set(here.cut(here.pause)) == {"running"}


def test_a_rollback_that_began_during_the_look_holds(here: Place) -> None:
    """The stage is another one by then."""
    assert set(here.cut(lambda: here.say(advanced, Stage.ROLLING_BACK, why="back"))) == {"stage"}


class RacingStages(InMemoryStageBook):
    """Another party acts between the last look and the write, ``races`` times."""

    def __init__(self, place: Place, act: Callable[[], object], races: int = 1) -> None:
        super().__init__(place.stages.entry, place.panel)
        self.act = act
        self.races = races

    def write_stage(self, entry: StageEntry, *, before: StageEntry, control: Any = None) -> bool:
        """See the port."""
        if self.races and entry.stage in (Stage.CUT_OVER, Stage.DONE):
            self.races -= 1
            self.act()
        return super().write_stage(entry, before=before, control=control)


def test_the_write_itself_checks_what_it_depends_on(here: Place) -> None:
    """A pause or a postponement between the last look and the write shuts its gate; a throttle does not."""
    here.stages = RacingStages(here, here.pause)
    assert set(here.cut()) == {"running"}
    here.panel.control = resumed(here.panel.control, by="me", now=1.0)
    until = here.clock.now() + HOUR
    here.stages = RacingStages(here, lambda: here.say(postponed, until, why="freeze"))
    assert set(here.cut()) == {"postponed"}
    here.say(postponed, None, why="")
    rates = Limits(objects_per_second=5.0)

    def throttle() -> None:
        here.panel.control = throttled(here.panel.control, rates, by="me", now=1.0)

    here.stages = RacingStages(here, throttle)
    assert here.cut() == {}


def test_a_step_that_others_outrun_each_time_ends_with_an_error(here: Place) -> None:
    """It says so, instead of writing over what it did not see."""

    def throttle() -> None:
        here.panel.control = throttled(here.panel.control, Limits(), by="me", now=1.0)

    here.stages = RacingStages(here, throttle, races=99)
    with pytest.raises(UnavailableError, match="stage or the control item each time"):
        step_guarded(here.operation(), Stage.CUT_OVER, why="test")
    assert here.stages.entry.stage is Stage.LIVE


# Capture
def test_capture_that_is_taken_away_during_the_look_holds(here: Place) -> None:
    """Another program replaces the notifications while the look runs."""
    assert set(here.cut(here.capture.entries.clear)) == {"capture"}


def test_capture_that_is_configured_and_not_effective_holds(here: Place) -> None:
    """A removed rule, a queue policy or a mapping that is off shows in no configuration: no probe arrives."""
    here.capture.works = False
    shut = here.cut()
    assert set(shut) == {"capture"}
    assert "not effective" in shut["capture"]
    assert here.capture.probes == set()


@pytest.mark.parametrize("call", ["find_fault", "write_probe"])
def test_capture_that_cannot_be_asked_is_not_proven(here: Place, call: str) -> None:
    """A gate that cannot know is shut, and says why."""
    for _ in range(9):
        here.capture.fail_next(AccessDeniedError("denied"), call=call)
    shut = here.cut()
    assert set(shut) == {"capture"}
    assert "denied" in shut["capture"]


def test_a_start_that_is_not_remembered_proves_nothing(here: Place) -> None:
    """What was switched on cannot be compared then."""
    here.stages.entry = replace(here.stages.entry, capture="")
    assert set(here.cut()) == {"capture"}


# Queues, dead letters, lag
def test_messages_that_came_during_the_look_hold(here: Place) -> None:
    """Thirty live events, ten allowed: the copies of thirty objects may be old."""
    shut = here.cut(lambda: here.events.send_messages(["{}"] * 30))
    assert set(shut) == {"queue events", "lag"}


def test_rows_that_were_enqueued_during_the_look_hold(here: Place) -> None:
    """One is enough: nothing says how old its object's copy is."""
    assert set(here.cut(lambda: here.backfill.send_messages(["{}"]))) == {"queue backfill"}


def test_letters_that_died_during_the_look_hold(here: Place) -> None:
    """The owner's change in it has reached no copy."""
    assert set(here.cut(lambda: here.events.dead.append(Message("m", "r", "{}")))) == {"dead events"}


def test_live_events_that_no_worker_takes_have_an_unknown_age(here: Place) -> None:
    """A few may wait, but only where a worker works them off: otherwise their age is unknown."""
    shut = here.cut(lambda: here.events.send_messages(["{}"]))
    assert set(shut) == {"lag"}
    assert "unknown" in shut["lag"]


# Records and the listing
@pytest.mark.parametrize(
    ("state", "name"), [(State.CONFLICT, "conflict"), (State.PARKED, "parked"), (State.GONE, "gone")]
)
def test_records_that_fell_during_the_look_hold(here: Place, state: State, name: str) -> None:
    """The census had counted them as good; the counters say that there are more of them since."""
    fell = {f"{RECORDS}{state.value}": 1}
    shut = here.cut(lambda: here.counters.add_progress(fell, batch_id="b"))
    assert set(shut) == {name}
    assert "1 more were added" in shut[name]


def test_an_owners_overwrite_without_an_event_is_seen(here: Place) -> None:
    """Capture was gone and is back: the listing has another etag than the verified record."""
    here.store.put(Location(BUCKET, "old/a"), b"newer")
    here.clock.advance(HOUR)
    shut = here.cut()
    assert set(shut) == {"changed"}
    assert f"s3://{BUCKET}/old/a" in shut["changed"]


def test_an_overwrite_with_the_same_bytes_is_seen_by_its_date(here: Place) -> None:
    """Only metadata differ, so the etag is the same: the object is younger than its verification."""
    here.clock.advance(1.0)
    here.store.put(Location(BUCKET, "old/a"), b"a", metadata={"n": "2"})
    here.clock.advance(HOUR)
    assert set(here.cut()) == {"changed"}


def test_a_verification_after_the_overwrite_counts_again(here: Place) -> None:
    """The same bytes, metadata and tags were written again: verify proves it, and its mark is renewed."""
    here.clock.advance(1.0)
    here.store.put(Location(BUCKET, "old/a"), b"a")
    here.clock.advance(HOUR)
    assert set(here.cut()) == {"changed"}
    here.verify()
    assert here.cut() == {}


def test_an_owners_delete_without_an_event_is_seen(here: Place) -> None:
    """The record says COPIED and nothing is listed: readers would get what its owner deleted."""
    here.store.remove(Location(BUCKET, "old/a"))
    shut = here.cut()
    assert set(shut) == {"changed"}


def test_a_source_that_came_back_without_an_event_is_seen(here: Place) -> None:
    """Its record says that its owner deleted it."""
    here.store.remove(Location(BUCKET, "new/b"))
    here.change("b", state=State.TOMBSTONE, verified_at=None)
    here.clock.advance(HOUR)
    assert set(here.cut()) == {"changed"}


@pytest.mark.parametrize("replaced", [True, False])
def test_a_copy_that_a_stranger_replaced_or_deleted_is_seen(here: Place, replaced: bool) -> None:
    """Readers are sent to it: what was verified is not there any more."""
    place = Location(BUCKET, "new/a")
    if replaced:
        here.store.put(place, b"a stranger's")
    else:
        here.store.remove(place)
    assert set(here.cut()) == {"replaced"}
    here.verify()
    assert set(here.cut()) == {"unverified"}


def test_what_changes_with_an_event_during_the_look_is_on_its_way(here: Place) -> None:
    """A worker has copied it since the census, has it now, or its event is younger than the lag allowed."""
    here.store.put(Location(BUCKET, "old/b"), b"newer")
    here.clock.advance(HOUR)
    here.store.put(Location(BUCKET, "old/a"), b"newer")
    here.store.put(Location(BUCKET, "old/young"), b"young")
    here.change("b", claim=Claim("t", here.clock.now() + 60))
    operation = here.operation()
    look = look_for_cutover(operation, here.lookout(), objects=here.objects(), limits=LIMITS, seen=lambda: None)
    assert look.seen.compared is not None
    counts = [getattr(look.seen.compared, name).count for name in ("uncopied", "changed", "replaced")]
    assert counts == [0, 0, 0]


def test_a_listing_that_is_older_than_the_record_refutes_nothing(here: Place) -> None:
    """An inventory's row has the etag of then: only what the key holds now counts."""
    rows = list(here.objects())
    here.store.put(Location(BUCKET, "old/a"), b"newer")
    here.store.put(Location(BUCKET, "new/a"), b"newer")
    etags = [here.etag(Location(BUCKET, key)) for key in ("old/a", "new/a")]
    here.change("a", source_etag=etags[0], target_etag=etags[1], verified_at=here.clock.now() + 60)
    here.clock.advance(HOUR)
    look = look_for_cutover(here.operation(), here.lookout(), objects=iter(rows), limits=LIMITS, seen=lambda: None)
    assert look.seen.compared is not None
    assert (look.seen.compared.changed.count, look.seen.compared.replaced.count) == (0, 0)


def test_a_failed_look_at_a_key_is_an_error_and_not_absent(here: Place) -> None:
    """Nothing is cut over on a look that failed."""
    here.store.put(Location(BUCKET, "old/a"), b"newer")
    here.clock.advance(HOUR)
    here.store.fail_next(AccessDeniedError("denied"), call="look_at_object")
    with pytest.raises(AccessDeniedError):
        here.cut()
    assert here.stages.entry.stage is Stage.LIVE


def test_a_verification_ages(here: Place) -> None:
    """Tags may change without an event, an etag or a date: after --most-age only another verification counts."""
    here.clock.advance(73 * HOUR)
    assert set(here.cut()) == {"stale"}
    assert here.cut(limits=replace(LIMITS, most_age=99 * HOUR)) == {}


def test_verify_records_what_it_saw_of_each_object(here: Place) -> None:
    """Also of a copy that lacks something. Of an object that verify did not look at, the record says nothing."""
    here.store.annotate(Location(BUCKET, "old/a"), "note", b"text")
    here.verify()
    assert (here.record("a").seen, here.record("a").verified_at) == (
        SeenParts(annotations=1, lost=("annotations",)),
        None,
    )
    assert here.record("b").seen == SeenParts(annotations=0)
    marked = here.record("a")
    here.verify()
    assert here.record("a") == marked, "the same is not written again"
    here.store.annotate(Location(BUCKET, "new/a"), "note", b"text")
    here.verify()
    assert here.record("a").seen == SeenParts(annotations=1)
    assert here.record("a").verified_at == here.clock.now()


def test_what_is_seen_later_leaves_the_date_of_the_proof(here: Place) -> None:
    """A cleanup's soak time counts from it."""
    proven = here.record("a").verified_at
    here.clock.advance(HOUR)
    for place in ("old/a", "new/a"):
        here.store.annotate(Location(BUCKET, place), "note", b"text")
    here.verify()
    assert (here.record("a").seen, here.record("a").verified_at) == (SeenParts(annotations=1), proven)


def test_a_source_that_changed_is_no_longer_seen(here: Place) -> None:
    """What was seen was another object."""
    here.store.put(Location(BUCKET, "old/a"), b"newer")
    here.verify()
    assert (here.record("a").seen, here.record("a").verified_at) == (None, None)


def test_a_stale_verification_may_be_accepted_or_renewed(here: Place) -> None:
    """Verify renews the mark only where it proves the same again."""
    here.clock.advance(73 * HOUR)
    marked = here.record("a")
    here.verify()
    assert here.record("a") == marked, "a mark is not written again without need"
    here.verify(fresh_since=here.clock.now() - HOUR)
    assert here.record("a").verified_at == here.clock.now()
    assert here.cut() == {}
    other = Place()
    other.clock.advance(73 * HOUR)
    assert other.cut(accepted=frozenset({"stale"})) == {}
    assert "accepted: stale" in other.stages.entry.why


# The end
@pytest.fixture
def cleaned(here: Place) -> Place:
    """Cut over, and every source is cleaned."""
    for name in ("a", "b"):
        here.store.remove(Location(BUCKET, f"old/{name}"))
        here.change(name, state=State.CLEANED)
    for stage in (Stage.CUT_OVER, Stage.CLEANING):
        here.say(advanced, stage, why="t")
    return here


def test_what_is_cleaned_is_finished(cleaned: Place) -> None:
    """The control: the worlds below differ from this one by one act."""
    assert cleaned.finish() is None
    assert cleaned.stages.entry.stage is Stage.DONE


@pytest.mark.parametrize("keep_rest", [False, True])
@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda at: at.store.put(Location(BUCKET, "old/new"), b"x"), "uncopied: 1 source keys"),
        (lambda at: at.store.put(Location(BUCKET, "old/a"), b"x"), "changed: 1 sources"),
        (lambda at: at.events.send_messages(["{}"] * 11), "queue events"),
        (lambda at: at.backfill.send_messages(["{}"]), "queue backfill"),
        (lambda at: at.events.dead.append(Message("m", "r", "{}")), "dead events: 1 dead"),
        (lambda at: at.pause(), "running: it is paused: denied"),
    ],
)
def test_what_may_still_be_work_keeps_a_migration_from_its_end(
    cleaned: Place, act: Callable[[Place], object], says: str, keep_rest: bool
) -> None:
    """Sources without a record, sources that are back, messages, dead letters, a pause: each is named."""
    act(cleaned)
    shut = cleaned.finish(keep_rest=keep_rest)
    assert isinstance(shut, Shut)
    assert shut.why.startswith(says)
    assert cleaned.stages.entry.stage is Stage.CLEANING


def test_a_rollback_that_begins_at_the_end_of_the_look_wins(cleaned: Place) -> None:
    """DONE is written only over the entry that was looked at."""
    cleaned.stages = RacingStages(cleaned, lambda: cleaned.say(advanced, Stage.ROLLING_BACK, why="back"))
    shut = cleaned.finish()
    assert isinstance(shut, Shut)
    assert "rolling-back" in shut.why
    assert cleaned.stages.entry.stage is Stage.ROLLING_BACK


# Cleanup and versioning
@pytest.mark.parametrize(
    ("versioning", "forgets", "word", "says"),
    [
        ("Enabled", True, "refuse", None),
        ("Off", False, "refuse", "keeps no versions"),
        ("Suspended", False, "refuse", "a delete destroys what was written since"),
        ("", False, "refuse", "keeps no versions"),
        ("Off", True, "fenced", None),
        ("Suspended", False, "fenced", None),
        ("Suspended", True, "fenced", "Omit --versions"),
    ],
)
def test_only_versioning_that_is_on_protects_a_source(
    versioning: str, forgets: bool, word: str, says: str | None
) -> None:
    """Suspended is like off, and worse with --versions; an answer that is not known protects nothing."""
    here = Place(HANDLER_RULES + f"cleanup: {{unversioned_source: {word}}}\n")
    here.say(advanced, Stage.CUT_OVER, why="t")
    here.versioning = versioning
    shut = refuse_cleanup(here.operation(), forgets_versions=forgets)
    assert (shut is None) == (says is None)
    if shut is not None and says is not None:
        assert says in shut.why
    assert (warn_of_cleanup(here.operation()) is None) == (versioning == "Enabled")


def test_versioning_that_is_suspended_during_a_cleanup_holds_the_rest(here: Place) -> None:
    """What is deleted after that would be gone for good: the run looks again every ten minutes."""
    here.clock.advance(9 * HOUR)
    here.say(advanced, Stage.CUT_OVER, why="t")
    operation = here.operation()
    cleaner = Cleaner(operation, own_holders(operation, here.manifest), soak=0.0, forgets_versions=False)
    here.clock.advance(9 * HOUR)
    done = []
    for record in cleaner.find_candidates(here.manifest.scan_records()):
        done.append(cleaner.remove_object(record, yes=True))
        here.versioning = "Suspended"
        here.clock.advance(601.0)
    assert [one.verdict for one in done] == ["cleaned", "held"]
    assert done[1].why.startswith("versioning: bucket line-1 has its versioning suspended")
