"""Slices of a run: a process may be killed at any moment, and each result is kept once."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from domain.errors import AccessDeniedError, UnavailableError
from domain.runs.run import Run, RunState, ended
from domain.runs.slices import MOST_FAILURES, Slice, SliceClaim, claimed
from domain.runs.works import Work
from handlers.operations import slices
from handlers.operations.operator import Shut
from handlers.operations.parallel import TRIES
from handlers.operations.runs import Crew, RunView, begin_run, cancel_run, join_run
from handlers.operations.slice_work import PART_CHARACTERS, Page, Surroundings, packed
from handlers.operations.slices import CLAIM_SECONDS, RENEW_SECONDS, SliceWorker
from tests.fakes.clock import FakeClock
from tests.fakes.runs import InMemoryRunBook
from tests.worlds.runs import InlineExecutor, worker_of

SLICES, PAGES, THINGS = 3, 3, 4
EVERYTHING = [
    f"{number}/{page}/{thing}" for number in range(SLICES) for page in range(PAGES) for thing in range(THINGS)
]
RUN = Run("verify", "r", SLICES, rules_digest="d", by="ana")


class KilledError(Exception):
    """The process ends here."""


class Names:
    """SliceWork whose results are names; slice 1 cannot continue, so it begins again."""

    def __init__(self, clock: FakeClock, *, seconds: float = 0.0) -> None:
        self.done: Counter[str] = Counter()
        self.phases: Sequence[int] = (SLICES,)
        self.fails: Mapping[str, Exception] = {}
        self.mark = ""
        """What the names of slice 1 end with: work that begins again may have other results."""
        self._clock = clock
        self._seconds = seconds

    def read_pages(self, number: int, cursor: str) -> Iterator[Page[str]]:
        """Three pages, the second one empty."""
        for page in range(int(cursor or 0), PAGES):
            names = [f"{number}/{page}/{thing}{self.mark if number == 1 else ''}" for thing in range(THINGS)]
            after = "" if number == 1 else str(page + 1)
            yield Page([partial(self._do, name) for name in names], None if page == PAGES - 1 and number else after)
        if number == 0:
            yield Page([], None)

    def _do(self, name: str) -> str:
        if name in self.fails:
            raise self.fails[name]
        self._clock.advance(self._seconds)
        self.done[name] += 1
        return name

    def is_portable(self, number: int) -> bool:
        """Slice 1 begins again."""
        return number != 1

    def count_result(self, result: str) -> Mapping[str, int]:
        """Each, and each slice's."""
        return {"names": 1, f"of-{result[0]}": 1}

    def keep_result(self, result: str) -> str | None:
        """Each."""
        return result


class Scene:
    """A book, a clock and the work; each worker is a process of its own."""

    def __init__(self, *, seconds: float = 0.0) -> None:
        self.clock = FakeClock()
        self.book = InMemoryRunBook()
        self.work = Names(self.clock, seconds=seconds)
        assert begin_run(self.book, RUN) is None

    def process(self, **more: Any) -> None:
        """A process works until it has nothing to do."""
        worker_of(self.book, RUN, self.work, self.clock, **more).work_off()

    def kept(self) -> list[str]:
        """What a command that joins now would show."""
        return list(RunView(self.book, RUN).look())

    def assert_whole(self) -> None:
        """Everything once."""
        view = RunView(self.book, RUN)
        assert sorted(view.look()) == EVERYTHING
        assert view.counts == {"names": 36, "of-0": 12, "of-1": 12, "of-2": 12}
        assert view.done == SLICES


def calls_of_a_whole_run() -> int:
    """How many calls of the book one process makes."""
    scene = Scene()
    before = len(scene.book.calls)
    scene.process()
    return len(scene.book.calls) - before


CALLS = calls_of_a_whole_run()


def test_one_process_does_everything_once() -> None:
    """Every thing of every page, counted and kept."""
    scene = Scene()
    scene.process()
    scene.assert_whole()
    assert set(scene.work.done.values()) == {1}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("nth", range(CALLS))
def test_a_process_killed_at_any_call_is_followed_by_another(nth: int, when: Any) -> None:
    """Before its write landed or after it: results are kept once, and only one page of work is done again."""
    scene = Scene()
    scene.book.fail_nth(nth, KilledError(), when=when)
    with pytest.raises(KilledError):
        scene.process()
    killed_at = scene.clock.now()
    scene.process()
    scene.assert_whole()
    assert max(scene.work.done.values()) <= 2
    again = sum(count - 1 for count in scene.work.done.values())
    assert again <= PAGES * THINGS, "of a slice that cannot continue; of the others one page"
    waited = scene.clock.now() - killed_at
    assert waited <= CLAIM_SECONDS + 2


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("nth", range(CALLS))
def test_a_call_without_an_answer_is_repeated(nth: int, when: Any) -> None:
    """A write that took effect although its answer was lost is recognised: nothing is done again."""
    scene = Scene()
    scene.book.fail_nth(nth, UnavailableError("no answer"), when=when)
    scene.process()
    scene.assert_whole()
    assert set(scene.work.done.values()) == {1}


def test_a_slice_is_worked_on_by_one_process_while_its_claim_lasts() -> None:
    """Another process waits for the lapse, and then continues from the cursor."""
    scene = Scene()
    held = claimed(Slice(0), SliceClaim("other", scene.clock.now() + 30))
    assert scene.book.write_slice(RUN, held, before=Slice(0))
    begun = scene.clock.now()
    scene.process()
    scene.assert_whole()
    assert 30 < scene.clock.now() - begun < 32


@pytest.mark.parametrize("nth", range(CALLS))
def test_a_later_phase_begins_when_every_slice_of_the_earlier_ones_is_done(nth: int) -> None:
    """Whichever process was killed, and whatever another one may claim meanwhile."""
    scene = Scene()
    scene.work.phases = (2, 1)
    scene.book.fail_nth(nth, KilledError(), when="after")
    do = scene.work._do

    def looking(name: str) -> str:
        if name.startswith("2"):
            assert all(one.is_done for one in scene.book.read_slices(RUN)[:2])
        return do(name)

    scene.work._do = looking  # type: ignore[method-assign]  # to see what was done before
    with pytest.raises(KilledError):
        scene.process()
    scene.process()
    scene.assert_whole()


def test_a_lost_slice_keeps_the_later_phases_back() -> None:
    """References must not be put back while sources are missing; an operator who joins has it tried again."""
    scene = Scene()
    scene.work.phases = (1, 2)
    scene.work.fails = {"0/1/0": UnavailableError("no answer of the bucket")}
    scene.process()
    first, *later = scene.book.read_slices(RUN)
    assert first.is_lost
    assert {one.revision for one in later} == {0}
    scene.work.fails = {}
    join_run(scene.book, "verify", rules_digest="d")
    scene.process()
    scene.assert_whole()


def test_a_process_that_was_overtaken_keeps_nothing_more() -> None:
    """It stood still for longer than its claim: what the other one kept stays as it is."""
    scene = Scene()
    other = worker_of(scene.book, RUN, scene.work, scene.clock)
    do = scene.work._do
    overtaken: list[str] = []

    def stand_still(name: str) -> str:
        if name == "0/1/2" and not overtaken:
            overtaken.append(name)
            scene.clock.advance(CLAIM_SECONDS + 1)
            other.work_off()
            scene.assert_whole()
        return do(name)

    scene.work._do = stand_still  # type: ignore[method-assign]  # this process is slow
    scene.process()
    assert overtaken
    scene.assert_whole()
    assert {name for name, count in scene.work.done.items() if count > 1} == {f"0/1/{thing}" for thing in range(THINGS)}


def test_a_claim_is_renewed_while_a_page_takes_long() -> None:
    """A page may take five minutes: the claim is renewed, so no other process takes the slice over."""
    scene = Scene(seconds=RENEW_SECONDS + 1)
    deadlines = set()
    write = scene.book.write_slice

    def noting(run: Run, one: Slice, **more: Any) -> bool:
        deadlines.add(one.claim.deadline if one.claim is not None else 0.0)
        return write(run, one, **more)

    scene.book.write_slice = noting  # type: ignore[method-assign]  # to see each deadline
    scene.process()
    scene.assert_whole()
    assert len(deadlines) > SLICES * PAGES


def test_a_stopped_process_leaves_its_slice_to_others_at_once() -> None:
    """The claim is given back, and the page is not counted."""
    scene = Scene()
    scene.process(stopping=lambda: scene.work.done["0/1/1"] > 0)
    kept = scene.kept()
    assert kept == [f"0/0/{thing}" for thing in range(THINGS)]
    now = scene.clock.now()
    scene.process()
    assert scene.clock.now() == now
    scene.assert_whole()


def test_a_cancelled_run_ends_after_the_page() -> None:
    """What was done stays to be seen; what was not is not done."""
    scene = Scene()
    do = scene.work._do

    def cancelling(name: str) -> str:
        if name == "0/1/1":
            cancelled = cancel_run(scene.book, "verify", by="bea", now=5.0)
            assert isinstance(cancelled, Run)
        return do(name)

    scene.work._do = cancelling  # type: ignore[method-assign]  # an operator's other command
    scene.process()
    assert len(scene.kept()) == 2 * THINGS
    view = RunView(scene.book, RUN)
    list(view.look())
    assert view.end(by="ana", now=6.0) is RunState.CANCELLED
    assert all(one.claim is None for one in scene.book.read_slices(RUN))
    refused = cancel_run(scene.book, "verify", by="bea", now=7.0)
    assert isinstance(refused, Shut)


def test_a_slice_that_fails_again_and_again_is_lost_and_the_others_are_done() -> None:
    """It says why; a person who joins lets it be tried again."""
    scene = Scene()
    scene.work.fails = {"2/1/0": UnavailableError("no answer of the bucket")}
    scene.process()
    (lost,) = [one for one in scene.book.read_slices(RUN) if not one.is_done]
    assert lost.is_lost
    assert (lost.failures, lost.why, lost.cursor) == (MOST_FAILURES, "unavailable: no answer of the bucket", "1")
    view = RunView(scene.book, RUN)
    list(view.look())
    assert view.end(by="ana", now=1.0) is RunState.RUNNING
    scene.work.fails = {}
    assert join_run(scene.book, "verify", rules_digest="d") == RUN
    scene.process()
    scene.assert_whole()
    list(view.look())
    assert view.end(by="ana", now=1.0) is RunState.ENDED


def test_what_needs_a_person_ends_the_process() -> None:
    """A missing permission ends the process at the first slice. The slice says why, and stays for others."""
    scene = Scene()
    scene.work.fails = {"0/1/0": AccessDeniedError("no permission")}
    with pytest.raises(AccessDeniedError):
        scene.process()
    first = scene.book.read_slices(RUN)[0]
    assert (first.why, first.failures, first.claim) == ("access-denied: no permission", 1, None)
    scene.work.fails = {}
    scene.process()
    scene.assert_whole()


def test_a_book_that_never_answers_ends_the_process() -> None:
    """After some patience."""
    scene = Scene()
    for _ in range(TRIES):
        scene.book.fail_next(UnavailableError("no answer"), call="read_slices")
    with pytest.raises(UnavailableError):
        scene.process()


def test_results_are_shown_once_as_they_are_kept() -> None:
    """What begins again is shown only at its end, when it does not change any more."""
    scene = Scene()
    view = RunView(scene.book, RUN)
    shown: list[str] = []
    do = scene.work._do

    def looking(name: str) -> str:
        shown.extend(view.look())
        return do(name)

    scene.work._do = looking  # type: ignore[method-assign]  # a command looks all the time
    scene.process()
    assert shown
    assert not any(name.startswith("2/2") for name in shown)
    shown.extend(view.look())
    assert sorted(shown) == EVERYTHING


def test_what_begins_again_is_shown_once() -> None:
    """Pages of a slice without a cursor are not shown while another process may do them again."""
    scene = Scene()
    scene.work.fails = {"1/2/0": KilledError()}
    with pytest.raises(KilledError):
        scene.process()
    view = RunView(scene.book, RUN)
    shown = list(view.look())
    assert scene.book.read_slices(RUN)[1].parts == 2
    scene.work.fails, scene.work.mark = {}, " again"
    scene.process()
    shown.extend(view.look())
    assert sorted(shown) == [f"{name} again" if name.startswith("1") else name for name in EVERYTHING]


def test_a_second_run_of_the_same_work_is_refused() -> None:
    """The refusal says who began the first one, and how to join or end it."""
    book = InMemoryRunBook()
    assert begin_run(book, RUN) is None
    shut = begin_run(book, replace(RUN, run_id="s"))
    assert isinstance(shut, Shut)
    for said in ("by ana", "0 of 3 slices", "verify --join", "verify --cancel"):
        assert said in shut.why
    assert begin_run(book, replace(RUN, work="purge", run_id="p")) is None
    assert isinstance(cancel_run(book, "verify", by="bea", now=2.0), Run)
    assert begin_run(book, replace(RUN, run_id="s")) is None


EXCLUSIVE = {
    frozenset({Work.CLEANUP, Work.ROLLBACK}),
    frozenset({Work.CLEANUP, Work.PURGE}),
    frozenset({Work.ROLLBACK, Work.PURGE}),
    frozenset({Work.REWRITE, Work.UNDO}),
    frozenset({Work.REWRITE, Work.ROLLBACK}),
    frozenset({Work.REWRITE, Work.PURGE}),
    frozenset({Work.UNDO, Work.CLEANUP}),
}


@pytest.mark.parametrize("first", Work)
@pytest.mark.parametrize("second", Work)
def test_runs_that_delete_or_take_back_what_another_one_needs_exclude_each_other(first: Work, second: Work) -> None:
    """Dry runs and verifications stand in no way; the refusal names both ways out, and an ended run forbids nothing.

    An undo goes on beside a rollback and a purge, which put the same references back, and a rewriting beside a cleanup.
    """
    book = InMemoryRunBook()
    assert begin_run(book, replace(RUN, work=first.value)) is None
    if first is second:
        return
    shut = begin_run(book, replace(RUN, work=second.value, run_id="s"))
    assert isinstance(shut, Shut) == ({first, second} in EXCLUSIVE)
    if shut is None:
        return
    for said in (f"a run of {first} by ana", f"keyshift {first} --join", f"keyshift {first} --cancel"):
        assert said in shut.why
    assert book.read_run(second) is None
    assert isinstance(cancel_run(book, first, by="bea", now=2.0), Run)
    assert begin_run(book, replace(RUN, work=second.value, run_id="s")) is None


@pytest.mark.parametrize("is_local", [False, True])
def test_of_two_contrary_runs_that_begin_at_once_one_at_least_is_refused(is_local: bool) -> None:
    """Each command looks again after its write, also where its own run is kept in its process."""
    shared = InMemoryRunBook()
    book = InMemoryRunBook() if is_local else shared
    write, cleaning = book.write_run, replace(RUN, work=Work.CLEANUP.value, run_id="c")

    def late(run: Run, *, before: Run | None) -> bool:
        book.write_run = write  # type: ignore[method-assign]  # once
        assert shared.write_run(cleaning, before=None)
        return book.write_run(run, before=before)

    book.write_run = late  # type: ignore[method-assign]  # another command begins meanwhile
    shut = begin_run(book, replace(RUN, work=Work.ROLLBACK.value), shared=shared)
    assert isinstance(shut, Shut)
    assert f"keyshift {Work.CLEANUP} --cancel" in shut.why
    own = book.read_run(Work.ROLLBACK)
    assert own is not None
    assert own.state is RunState.CANCELLED
    assert shared.read_run(Work.CLEANUP) == cleaning


def test_of_two_commands_that_begin_at_once_one_begins() -> None:
    """The other one is told to join."""
    book = InMemoryRunBook()
    other = replace(RUN, run_id="s")
    read = book.read_run

    def late(work: str) -> Run | None:
        seen = read(work)
        assert book.write_run(other, before=None)
        return seen

    book.read_run = late  # type: ignore[method-assign]  # another command begins meanwhile
    shut = begin_run(book, RUN)
    assert isinstance(shut, Shut)
    assert "verify --join" in shut.why
    assert book.runs["verify"] == other


def test_a_run_of_other_rules_is_not_joined() -> None:
    """Its slices would be worked on by two rules files."""
    book = InMemoryRunBook()
    none = join_run(book, "verify", rules_digest="d")
    assert isinstance(none, Shut)
    assert "there is none" in none.why
    assert begin_run(book, RUN) is None
    other = join_run(book, "verify", rules_digest="e")
    assert isinstance(other, Shut)
    assert "other rules" in other.why
    over = ended(RUN, RunState.ENDED, by="ana", now=1.0)
    assert book.write_run(over, before=RUN)
    late = join_run(book, "verify", rules_digest="d")
    assert isinstance(late, Shut)
    assert "the last one is ended" in late.why


def test_parts_fit_into_items() -> None:
    """Every line once, in its order; a line that is too long for a part stands alone in one."""
    lines = ["a" * 40_000, "b" * 40_000, "c" * 40_000, "d" * PART_CHARACTERS, "e"]
    parts = list(packed(iter(lines)))
    assert [line for part in parts for line in part.splitlines()] == lines
    assert [len(part.splitlines()) for part in parts] == [2, 1, 1, 1]
    assert list(packed(iter([]))) == []


def test_a_crew_ends_when_its_threads_do_and_says_what_failed() -> None:
    """One that fails stops the others."""

    def work_off(stopped: Any) -> None:
        if not crews:
            return
        if crews.pop():
            raise AccessDeniedError("no permission")
        assert stopped.wait(30)

    crews: list[bool] = []
    with Crew(work_off, lanes=2) as crew:
        assert crew.wait(30)
        crew.check()
    crews = [False, True]
    with Crew(work_off, lanes=2) as crew:
        assert crew.wait(30)
        with pytest.raises(AccessDeniedError):
            crew.check()


def test_what_waits_for_its_turn_is_not_begun_once_the_process_stops() -> None:
    """A rate of one in a second must not delete on for as many seconds as there are threads."""
    begun: list[int] = []
    stops: list[bool] = []
    clock = FakeClock()

    def wait_turn(stopping: Callable[[], bool]) -> None:
        if len(begun) == 2:
            stops.append(True)

    around = Surroundings(InlineExecutor(), clock, lambda: "token", clock.advance, lambda: bool(stops), wait_turn)
    work: Any = None
    worker: SliceWorker[None] = SliceWorker(InMemoryRunBook(), Run("work", "run", 1), work, around)
    worker._renewed_at = clock.monotonic()
    assert worker._results(Page([partial(begun.append, number) for number in range(5)], None)) == []
    assert begun == [0, 1]


def test_what_only_looks_does_not_wait_for_a_turn() -> None:
    """The rate of a rollback is one of changes."""
    turns: list[bool] = []
    clock, work = FakeClock(), Names(FakeClock())
    around = Surroundings(
        InlineExecutor(), clock, lambda: "t", clock.advance, lambda: False, lambda _: turns.append(True)
    )
    worker = SliceWorker(InMemoryRunBook(), RUN, work, around)
    worker._renewed_at = clock.monotonic()
    tasks = [partial(work._do, "0"), partial(work._do, "1")]
    assert worker._results(Page(tasks, None, only_look=True)) == ["0", "1"]
    assert turns == []
    assert worker._results(Page(tasks, None)) == ["0", "1"]
    assert turns == [True, True]


def test_a_cancel_ends_a_page_that_waits_for_its_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """At one object in a second a page lasts for minutes, and an operator who cancels a cleanup means now."""
    monkeypatch.setattr(slices, "RENEW_SECONDS", 0.01)
    begun: list[int] = []
    was_ignored: list[bool] = []
    book, clock, run, pause = InMemoryRunBook(), FakeClock(), replace(RUN, slices=1), threading.Event()

    def wait_turn(stopping: Callable[[], bool]) -> None:
        if len(begun) < 2 or was_ignored:
            return
        cancel_run(book, "verify", by="bea", now=5.0)
        for _ in range(1_000):
            if stopping():
                return
            clock.advance(1.0)
            pause.wait(0.01)
        was_ignored.append(True)

    class Hundred(Names):
        """One page of a hundred results."""

        def read_pages(self, number: int, cursor: str) -> Iterator[Page[str]]:
            """See the port."""
            yield Page([partial(self._begin, thing) for thing in range(100)], None)

        def _begin(self, thing: int) -> str:
            begun.append(thing)
            return f"{thing}"

    assert begin_run(book, run) is None
    with ThreadPoolExecutor(2) as pool:
        around = Surroundings(pool, clock, lambda: "token", pause.wait, lambda: False, wait_turn)
        SliceWorker(book, run, Hundred(clock), around).work_off()
    assert len(begun) < 5
    (left,) = book.read_slices(run)
    assert (left.is_done, left.claim) == (False, None)
