"""Looks for what holds objects: nothing is deleted that a look found held, or that no good look is about."""

from collections.abc import Iterator
from random import Random
from threading import Thread
from typing import Any

import pytest

from domain.errors import AccessDeniedError, PermanentError, UnavailableError
from domain.keys import Location
from domain.references.holders import Reference
from domain.runs.run import RunState
from domain.runs.slices import Slice
from domain.runs.works import StageQueue, Work
from handlers.operations import held_places
from handlers.operations.held_places import HeldPlaces
from handlers.operations.holder_looks import HOLDERS_SECONDS
from handlers.operations.holder_parts import TABLE_SEGMENTS
from handlers.operations.holder_scan import LINES_AT_ONCE, MOST_TRIES, HolderScan
from handlers.operations.holders import held_of, line_of
from handlers.operations.look_at_holders import holders_of, look_at_holders
from handlers.operations.removals import Hold
from handlers.operations.runs import KeptRun, RunView
from handlers.operations.slice_work import NotReadyError
from tests.worlds.looked import FREE, HELD, LOOK_SEGMENTS, NAMED, PINNED, Cleaning, found_at_once
from tests.worlds.presence import present
from tests.worlds.runs import worker_of

LOOKING, REMOVING = StageQueue.LOOKING, StageQueue.REMOVING


class KilledError(Exception):
    """The function ends here."""


def looked(cleaning: Cleaning, *, of_copies: bool = False, run_id: str = "r") -> set[tuple[Location, str]]:
    """What a look keeps, made by one process: the places and their holders."""
    kept = KeptRun(cleaning.book, Work.CLEANUP.value, run_id)
    look = look_at_holders(cleaning.operation, kept, cleaning.world.manifest, of_copies=of_copies, segments=3)
    begun = present(look.looks.begin(None))
    worker_of(cleaning.book, begun.run, look.scan, cleaning.clock).work_off()
    newest = present(look.looks.newest())
    assert newest.is_whole
    found = [held_of(line) for line in RunView(cleaning.book, newest.run).look()]
    return {(one[0], one[1].text.split(": ")[1].split(" (")[0]) for one in found if one is not None}


@pytest.mark.parametrize("of_copies", [False, True])
def test_a_look_in_parts_finds_what_a_search_finds(*, of_copies: bool) -> None:
    """Tables, augmented manifests with a record and without one, and pins."""
    cleaning = Cleaning()
    cleaning.world.put("new/unrecorded.manifest", b'{"source-ref":"s3://line-1/old//free-1"}\n')
    cleaning.published.uris += ("s3://line-1/new/free-2",)
    wanted = found_at_once(cleaning, of_copies=of_copies)
    found = looked(cleaning, of_copies=of_copies)
    assert {place for place, _ in found} == {place for place, _ in wanted}
    assert len(wanted) > 2
    for place, text in found:
        assert any(place == one and text.startswith(holder) for one, holder in wanted)


def test_functions_delete_what_nothing_holds() -> None:
    """Others look for them; what is held stays with its reason, and every message ends with the run."""
    cleaning = Cleaning()
    cleaning.ask()
    cleaning.work_off(LOOKING, REMOVING)
    assert set(cleaning.gone) == FREE
    assert cleaning.removals() == {**dict.fromkeys(FREE, "cleaned"), **dict.fromkeys(HELD, "held")}
    assert all(one.is_done for one in cleaning.book.read_slices(cleaning.run))


def test_the_dry_run_of_functions_shows_what_is_held() -> None:
    """The functions that look do it, with one look for all of them, and delete nothing; each slice has one message."""
    cleaning = Cleaning(yes=False)
    cleaning.ask()
    assert len(cleaning.queues[LOOKING].bodies) == LOOK_SEGMENTS
    cleaning.work_off(LOOKING)
    assert cleaning.removals() == {**dict.fromkeys(FREE, "would-go"), **dict.fromkeys(HELD, "held")}
    assert all(one.is_done for one in cleaning.book.read_slices(cleaning.run))
    assert cleaning.world.tables.calls.count("scan_items") == TABLE_SEGMENTS
    assert not cleaning.gone


@pytest.mark.parametrize("seed", range(15))
def test_a_dry_run_whose_functions_are_killed_comes_to_the_same_end(seed: int) -> None:
    """Before the look, in it and after it; each object is shown once."""
    cleaning, dice, kills = Cleaning(yes=False), Random(seed), 0
    cleaning.ask()
    for _ in range(1_000):
        if kills < 4:
            cleaning.book.fail_nth(dice.randrange(30), KilledError(), when=dice.choice(["before", "after"]))
        try:
            cleaning.invoke(LOOKING)
        except KilledError:
            kills += 1
        cleaning.book.forget_faults()
        cleaning.clock.advance(3.0)
        if not cleaning.queues[LOOKING].bodies:
            break
    assert kills, f"seed {seed}"
    assert len(list(RunView(cleaning.book, cleaning.run).look())) == len(FREE | HELD), f"seed {seed}"
    assert {one for one, verdict in cleaning.removals().items() if verdict == "held"} == HELD, f"seed {seed}"


def test_a_dry_run_whose_look_fails_is_stopped() -> None:
    """What was not read may hold anything, so nothing is shown as free."""
    cleaning = Cleaning(yes=False)
    for _ in range(200):
        cleaning.world.tables.fail_next(AccessDeniedError("no permission to Scan"), call="scan_items")
    cleaning.ask()
    cleaning.work_off(LOOKING)
    run = present(cleaning.book.read_run(Work.CLEANUP_DRY.value))
    assert (run.state, "no permission to Scan" in run.why) == (RunState.CANCELLED, True)
    assert not cleaning.removals()


def test_without_a_look_functions_delete_nothing() -> None:
    """They wait, and their messages do not come to the dead-letter queue."""
    cleaning = Cleaning()
    cleaning.ask()
    for _ in range(120):
        cleaning.invoke(REMOVING)
        cleaning.clock.advance(25.0)
    assert not cleaning.gone
    assert not cleaning.queues[REMOVING].dead
    assert not any(one.failures for one in cleaning.book.read_slices(cleaning.run))
    cleaning.work_off(LOOKING, REMOVING)
    assert set(cleaning.gone) == FREE


def test_a_look_that_is_too_old_counts_no_more() -> None:
    """Where the functions that look have ended, those that delete stop ten minutes after the look's end."""
    cleaning = Cleaning()
    cleaning.ask()
    while (look := cleaning.newest()) is None or not look.is_whole:
        cleaning.invoke(LOOKING)
    cleaning.clock.advance(HOLDERS_SECONDS)
    for _ in range(100):
        cleaning.invoke(REMOVING)
        cleaning.clock.advance(5.0)
    assert not cleaning.gone


def test_a_reference_that_is_written_meanwhile_holds_its_object() -> None:
    """Every deletion follows on a look that ended less than ten minutes before."""
    cleaning = Cleaning()
    late = f"s3://line-1/{max(FREE)}"
    deleted: list[float] = []

    def slow() -> None:
        cleaning.clock.advance(100.0)
        if len(cleaning.gone) == 1 and not deleted:
            deleted.append(cleaning.clock.now())
            cleaning.world.put_job("9", uri={"S": late})

    cleaning.before = slow
    cleaning.ask()
    cleaning.work_off(LOOKING, REMOVING)
    (written_at,) = deleted
    after = {key: at for key, at in cleaning.gone.items() if at > written_at + HOLDERS_SECONDS + 700.0}
    assert late.removeprefix("s3://line-1/") not in after
    assert not HELD & set(cleaning.gone)
    assert cleaning.book.calls.count("write_run") > 2  # looked more than once


@pytest.mark.parametrize("seed", range(40))
def test_functions_killed_at_random_calls_come_to_the_same_end(seed: int) -> None:
    """In the middle of a look, between its parts, before and after it is noted, and while they delete."""
    cleaning, dice = Cleaning(), Random(seed)
    cleaning.ask()
    kills = 0

    def arm() -> None:
        fake: Any = cleaning.world.tables if dice.random() < 0.2 and not kills else cleaning.book
        most = 3 if fake is cleaning.world.tables else 25
        fake.fail_nth(dice.randrange(most), KilledError(), when=dice.choice(["before", "after"]))

    arm()
    for _ in range(2_500):
        for name in (LOOKING, REMOVING):
            try:
                cleaning.invoke(name)
            except KilledError:
                kills += 1
                if kills < 4:
                    arm()
        cleaning.clock.advance(3.0)
        if not any(queue.bodies for queue in cleaning.queues.values()):
            break
    assert kills, f"seed {seed}"
    assert set(cleaning.gone) == FREE, f"seed {seed}"
    assert {one for one, verdict in cleaning.removals().items() if verdict == "held"} == HELD, f"seed {seed}"


@pytest.mark.parametrize("error", [AccessDeniedError("no permission to Scan"), UnavailableError("no answer")])
def test_a_look_that_fails_in_part_stops_the_run(error: Exception) -> None:
    """What was not read may hold anything: nothing is deleted, and the run says why."""
    cleaning = Cleaning()
    for _ in range(200):
        cleaning.world.tables.fail_next(error, call="scan_items")
    cleaning.ask()
    cleaning.work_off(LOOKING, REMOVING)
    run = present(cleaning.book.read_run(Work.CLEANUP.value))
    assert run.state is RunState.CANCELLED
    assert "references and pins could not be read, so nothing is deleted" in run.why
    assert str(error) in run.why
    assert not cleaning.gone


def test_a_slice_that_was_lost_is_looked_for_again_when_it_is_tried_again() -> None:
    """Until then nothing is read."""
    cleaning = Cleaning()
    cleaning.ask()
    for number in range(3):
        lost = Slice(number, failures=5, why="no answer", revision=1)
        assert cleaning.book.write_slice(cleaning.run, lost, before=Slice(number))
    for _ in range(50):
        cleaning.invoke(LOOKING)
        cleaning.clock.advance(60.0)
    assert cleaning.newest() is None
    assert len(cleaning.queues[LOOKING].bodies) == 4


def test_a_run_that_is_over_is_not_looked_for() -> None:
    """The messages end."""
    cleaning = Cleaning()
    cleaning.ask()
    cleaning.work_off(LOOKING, REMOVING)
    scans = cleaning.world.tables.calls.count("scan_items")
    cleaning.run = cleaning.book.read_run(Work.CLEANUP.value) or cleaning.run
    cleaning.ask()
    cleaning.work_off(LOOKING, REMOVING)
    assert cleaning.world.tables.calls.count("scan_items") == scans


def test_processes_of_one_run_share_a_look() -> None:
    """Two commands read the tables once; a run that begins later looks again."""
    cleaning = Cleaning()
    for _ in range(2):
        holders = holders_of(cleaning.operation, cleaning.look(cleaning.run), looks_here=True)
        found = present(holders.holder_of(Location("line-1", NAMED)))
        assert found.hold is Hold.REFERENCE
        assert "table jobs id=1" in found.text
        pin = present(holders.holder_of(Location("line-1", PINNED)))
        assert "publish it again" in pin.text
        assert holders.holder_of(Location("line-1", "old//free-1")) is None
    scans = cleaning.world.tables.calls.count("scan_items")
    assert scans == 4  # one for each segment
    assert cleaning.book.read_run(Work.CLEANUP.value) is not None
    kept = KeptRun(cleaning.book, Work.CLEANUP.value, "s")
    look = look_at_holders(cleaning.operation, kept, cleaning.world.manifest, of_copies=False, segments=3)
    assert look.looks.newest() is None
    assert holders_of(cleaning.operation, look, looks_here=True).holder_of(Location("line-1", NAMED)) is not None
    assert cleaning.world.tables.calls.count("scan_items") == 2 * scans


def test_a_look_that_fails_is_not_repeated_for_each_object_that_waits() -> None:
    """Threads that waited for it fail with it; the next one looks again."""
    cleaning = Cleaning()
    holders = holders_of(cleaning.operation, cleaning.look(cleaning.run), looks_here=True)
    errors: list[Exception] = []

    def ask() -> None:
        try:
            holders.holder_of(Location("line-1", NAMED))
        except AccessDeniedError as error:
            errors.append(error)

    cleaning.world.tables.fail_next(AccessDeniedError("no"), call="scan_items")
    threads = [Thread(target=ask) for _ in range(8)]
    with holders._lock:
        for thread in threads:
            thread.start()
        while not all(one.is_alive() for one in threads):
            pass
    for thread in threads:
        thread.join()
    assert 1 <= len(errors) <= len(threads)
    assert holders.holder_of(Location("line-1", NAMED)) is not None


def test_an_index_finds_each_place_whatever_its_digest_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal digests only cost a read of the lines."""
    cleaning = Cleaning()
    looked(cleaning)
    look = present(cleaning.newest())
    for digest in (held_places._digest, lambda _: 7):
        monkeypatch.setattr(held_places, "_digest", digest)
        places = HeldPlaces(cleaning.book, look)
        assert {key for key in HELD | FREE if places.holder_of(Location("line-1", key))} == HELD


def test_more_places_than_a_process_can_keep_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the remedy; a process that ran out of memory would not say why."""
    cleaning = Cleaning()
    looked(cleaning)
    look = present(cleaning.newest())
    monkeypatch.setattr(held_places, "MOST_PLACES", 1)
    with pytest.raises(PermanentError, match="more than 1 places"):
        HeldPlaces(cleaning.book, look)


def _many(cursor: str) -> Iterator[tuple[Iterator[str], str | None]]:
    """A step with two pages of lines, and one with none."""
    if not cursor:
        line = line_of(Reference("table t", "uri", "", Location("line-1", "k")))
        yield (line for _ in range(2 * LINES_AT_ONCE)), "second"
    yield iter(()), None


def test_a_step_that_is_broken_off_begins_again_but_not_without_end() -> None:
    """What is kept twice does no harm; a part that no process gets through is an error."""
    scan = HolderScan([_many], [], now=lambda: 5.5)
    pages = list(scan.read_pages(0, ""))
    assert [len(page.tasks[0]().lines) for page in pages] == [LINES_AT_ONCE, LINES_AT_ONCE, 0, 0]
    assert [page.cursor for page in pages] == ['["", 1]', '["", 1]', '["second", 0]', None]
    assert scan.count_result(pages[-1].tasks[0]()) == {"places": 0, "read_at": 5}
    assert len(list(scan.read_pages(0, '["second", 0]'))) == 1
    again = next(scan.read_pages(0, '["", 1]'))
    assert again.cursor == '["", 2]'
    with pytest.raises(PermanentError, match="no process got through it"):
        next(scan.read_pages(0, f'["", {MOST_TRIES}]'))


def test_a_function_out_of_time_hands_its_part_of_a_look_on() -> None:
    """With the cursor."""
    cleaning = Cleaning()
    for number in range(10, 40):
        cleaning.world.put_job(str(number), uri={"S": f"s3://line-1/{NAMED}"})
    cleaning.ask()
    calls = cleaning.world.tables.calls
    reads = {"until": 0}  # the next page is read while the page before it is worked on
    cleaning.time_left = lambda: 300.0 if calls.count("scan_items") < reads["until"] else 0.0
    functions = 0
    while (look := cleaning.newest()) is None or not look.is_whole:
        reads["until"] = calls.count("scan_items") + 4
        cleaning.invoke(LOOKING)
        cleaning.clock.advance(1.0)
        functions += 1
        assert functions < 200
    assert functions > 2
    look = present(cleaning.newest())
    assert look.is_whole
    places = HeldPlaces(cleaning.book, look)
    assert {key for key in HELD | FREE if places.holder_of(Location("line-1", key))} == HELD


def test_nothing_is_known_before_a_look() -> None:
    """A function that does not look itself says so, and deletes nothing."""
    cleaning = Cleaning()
    holders = holders_of(cleaning.operation, cleaning.look(cleaning.run), looks_here=False)
    with pytest.raises(NotReadyError):
        holders.check()
    with pytest.raises(NotReadyError):
        holders.holder_of(Location("line-1", "old//free-1"))
