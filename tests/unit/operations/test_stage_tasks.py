"""A function's part of a run: nothing is missing or kept twice, and each message ends where it must."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Any

import pytest

from domain.errors import AccessDeniedError, InputError, MalformedMessageError, UnavailableError
from domain.runs.run import Run, RunState
from domain.runs.slices import MOST_FAILURES, Slice, SliceClaim, claimed
from domain.runs.works import StageQueue, Work, queue_of
from handlers.intake.stage_tasks import StageTask, encode_stage_task, stage_task_of
from handlers.operations.look_at_holders import LookAtHolders
from handlers.operations.operator import Shut
from handlers.operations.removal_run import CleanupOptions, cleanup_options_of
from handlers.operations.runs import RunView, begin_run, cancel_run
from handlers.operations.slice_work import Page
from handlers.operations.slices import CLAIM_SECONDS
from handlers.operations.stage_tasks import FAILED_SECONDS, LATER_SECONDS, MOST_TASKS, send_tasks, serve_task
from handlers.operations.stage_works import StageWorks, Time
from tests.fakes.queue import InMemoryQueue
from tests.fakes.runs import InMemoryRunBook
from tests.worlds.handlers import Bench, bench
from tests.worlds.presence import present

SLICES, PAGES = 4, 3
ANY = [f"{number}/{page}" for number in range(1, SLICES) for page in range(PAGES)]
"""What functions do: slice 0 is left to the command."""
MOST_RECEIVES = 5


class KilledError(Exception):
    """The function ends here."""


@dataclass
class Names:
    """SliceWork whose results are names; the first slice is the command's."""

    done: Counter[str] = field(default_factory=Counter)
    fails: dict[str, Exception] = field(default_factory=dict)
    phases: Sequence[int] = (SLICES,)

    def read_pages(self, number: int, cursor: str) -> Iterator[Page[str]]:
        """One name each."""
        for page in range(int(cursor or 0), PAGES):
            yield Page([partial(self._do, f"{number}/{page}")], str(page + 1) if page < PAGES - 1 else None)

    def _do(self, name: str) -> str:
        if name in self.fails:
            raise self.fails[name]
        self.done[name] += 1
        return name

    def is_portable(self, number: int) -> bool:
        """All but the first."""
        return number != 0

    def count_result(self, result: str) -> Mapping[str, int]:  # the port's
        """Each."""
        return {"names": 1}

    def keep_result(self, result: str) -> str | None:
        """Each."""
        return result


class Line:
    """A run, its queue with its dead-letter queue, and functions that are invoked with each message."""

    def __init__(self, *, work: Work = Work.VERIFY, name: StageQueue = StageQueue.LOOKING) -> None:
        self.made: Bench = bench()
        self.clock = self.made.world.clock
        self.queue = InMemoryQueue(self.clock, visibility=90, max_receives=MOST_RECEIVES)
        self.dead, self.book, self.work = InMemoryQueue(self.clock), InMemoryRunBook(), Names()
        self.shut: Shut | None = None
        self.works = StageWorks(
            name, self.queue, lambda: self.dead, self.book, self._open, lambda *_: self.shut, self._open_look
        )
        digest = self.made.dependencies.rules.digest
        self.run = Run(work.value, "r", SLICES, {"version": "1"}, rules_digest=digest, by="ana")
        assert begin_run(self.book, self.run) is None

    def _open(self, run: Run, seconds_left: Callable[[], float]) -> AbstractContextManager[Names]:
        assert (run.work, seconds_left() > 0) == (self.run.work, True)
        if run.options != {"version": "1"}:
            raise InputError("another version")
        return nullcontext(self.work)

    def _open_look(self, run: Run) -> LookAtHolders:
        raise AssertionError(f"{run.work} needs no look")

    def ask(self) -> int:
        """What the command sends."""
        return send_tasks(self.queue, self.run, migration="unit", slices=self.book.read_slices(self.run))

    def invoke(self, *, left: Callable[[], float] = lambda: 300.0) -> bool:
        """A function gets the next message; whether there was one."""
        messages = self.queue.receive_messages(at_most=1, wait=0)
        for message in messages:
            if serve_task(message, self.works, self.made.dependencies, time=Time(left)):
                self.queue.delete_messages([message])
        return bool(messages)

    def work_off(self, **more: Any) -> None:
        """Functions work until no message is left, however long that takes."""
        for _ in range(1_000):
            if not self.invoke(**more) and not self.queue.bodies:
                return
            self.clock.advance(1.0)
        raise AssertionError(f"messages are left: {self.queue.bodies}")

    def kept(self) -> list[str]:
        """What a command would show."""
        return sorted(RunView(self.book, self.run).look())

    def failures(self) -> list[str]:
        """The reasons in the log."""
        return [str(line.get("why")) for line in self.made.lines("ERROR")]


def test_functions_do_all_slices_but_the_commands() -> None:
    """Each once; the messages are gone afterwards."""
    line = Line()
    assert line.ask() == SLICES
    line.work_off()
    assert line.kept() == ANY
    assert set(line.work.done.values()) == {1}
    assert not line.dead.bodies


def test_a_message_asks_for_a_part_whatever_the_number_of_slices_is() -> None:
    """At most so many functions work on a run at once."""
    line = Line()
    many = [Slice(number) for number in range(1_000)]
    assert send_tasks(line.queue, line.run, migration="unit", slices=many) == MOST_TASKS
    done = [replace(one, is_done=True) for one in many]
    assert send_tasks(line.queue, line.run, migration="unit", slices=done) == 0


def test_a_function_that_has_no_time_left_hands_its_slice_on() -> None:
    """At once, with the cursor; however often it is handed on, it does not come to the dead-letter queue."""
    line = Line()
    send_tasks(line.queue, line.run, migration="unit", slices=[Slice(1)])
    for _ in range(60):
        enough = sum(line.work.done.values()) + 2  # the second one is begun, and is done again
        if not line.invoke(left=lambda enough=enough: float(sum(line.work.done.values()) < enough)):  # type: ignore[misc]
            break
    assert line.kept() == ANY
    assert max(line.work.done.values()) == 2
    assert not line.queue.bodies
    assert not line.queue.dead
    assert {delay for _, delay in line.queue.returned} == {0}


def test_a_message_waits_while_another_process_has_what_is_left() -> None:
    """It is received again later, and takes the slice over when the claim lapses."""
    line = Line()
    for number in (1, 2, 3):
        held = claimed(Slice(number), SliceClaim("other", line.clock.now() + CLAIM_SECONDS))
        assert line.book.write_slice(line.run, held, before=Slice(number))
    send_tasks(line.queue, line.run, migration="unit", slices=[Slice(1)])
    assert line.invoke()
    assert line.queue.returned[-1][1] == LATER_SECONDS
    assert not line.work.done
    line.work_off()
    assert line.kept() == ANY


@pytest.mark.parametrize("seed", range(25))
def test_functions_killed_at_random_calls_miss_nothing_and_keep_nothing_twice(seed: int) -> None:
    """Before a write landed or after it: the message comes back when its visibility ends."""
    line, dice = Line(), Random(seed)
    line.ask()
    kills = 0

    def arm() -> None:
        line.book.fail_nth(dice.randrange(12), KilledError(), when=dice.choice(["before", "after"]))

    arm()
    for _ in range(1_000):
        try:
            line.invoke()
        except KilledError:
            kills += 1
            if kills < 4:
                arm()
        line.clock.advance(5.0)
    assert kills == 4, f"seed {seed}"
    assert not line.queue.bodies, f"seed {seed}"
    assert line.kept() == ANY, f"seed {seed}"
    assert RunView(line.book, line.run, line.book.read_slices(line.run)).counts == {"names": len(ANY)}, f"seed {seed}"


def test_a_slice_that_fails_lies_in_the_dead_letter_queue_with_cause_and_cursor() -> None:
    """The others are done; sent back, its message has it tried again."""
    line = Line()
    line.work.fails = {"2/1": UnavailableError("no answer of the bucket")}
    line.ask()
    line.work_off()
    (body,) = line.dead.bodies
    letter = present(stage_task_of(body))
    assert (letter.lost_slice, letter.cursor, letter.why) == (2, "1", "unavailable: no answer of the bucket")
    assert [one.number for one in line.book.read_slices(line.run) if one.is_lost] == [2]
    assert line.kept() == [name for name in ANY if name not in ("2/1", "2/2")]
    line.work.fails = {}
    line.queue.send_messages([body])
    line.work_off()
    assert line.kept() == ANY


def test_a_lost_slice_is_told_once() -> None:
    """Also while the functions wait for another process."""
    line = Line()
    held = claimed(Slice(1), SliceClaim("other", line.clock.now() + CLAIM_SECONDS))
    assert line.book.write_slice(line.run, held, before=Slice(1))
    line.work.fails = {"3/0": UnavailableError("no answer")}
    line.ask()
    line.work_off()
    assert len(line.dead.bodies) == 1


def test_what_needs_a_person_is_tried_as_often_and_then_told() -> None:
    """A missing permission: each slice is lost, the messages end, and the log says why."""
    line = Line()
    line.work.fails = {f"{number}/0": AccessDeniedError("no permission") for number in range(1, SLICES)}
    line.ask()
    for _ in range(200):
        line.invoke()
        line.clock.advance(FAILED_SECONDS)
    assert all(one.failures == MOST_FAILURES for one in line.book.read_slices(line.run)[1:])
    assert len(line.dead.bodies) == SLICES - 1
    assert "no permission" in line.failures()
    assert not line.queue.bodies


def test_a_slice_that_ends_each_of_its_processes_is_lost() -> None:
    """Otherwise it would be tried forever, and paid for."""
    line = Line()
    line.work.fails = {"1/1": KilledError()}
    for _ in range(MOST_FAILURES + 2):
        send_tasks(line.queue, line.run, migration="unit", slices=[Slice(1)])
        try:
            while line.invoke():
                pass
        except KilledError:
            line.clock.advance(CLAIM_SECONDS + 1)
    one = line.book.read_slices(line.run)[1]
    assert one.is_lost
    assert "lapsed" in one.why
    assert [letter.cursor for letter in map(stage_task_of, line.dead.bodies) if letter is not None] == ["1"]


@pytest.mark.parametrize(
    ("work", "waits"),
    [
        (Work.VERIFY, True),
        (Work.REFERENCES, True),
        (Work.REWRITE, True),
        (Work.CLEANUP_DRY, True),
        (Work.ROLLBACK_DRY, False),
        (Work.PURGE_DRY, False),
        (Work.COUNT, False),
        (Work.REPORT, False),
        (Work.ROLLBACK, False),
        (Work.UNDO, False),
    ],
)
def test_a_pause_holds_functions_back(work: Work, waits: bool) -> None:
    """All but those that go back: a rollback pauses the migration itself. None comes to the dead-letter queue."""
    name = present(queue_of(work))
    line = Line(work=work, name=name)
    line.ask()
    line.made.panel.control = replace(line.made.panel.control, paused=True, reason="a test")
    for _ in range(300):
        line.invoke()
        line.clock.advance(1.0)
    assert bool(line.work.done) is not waits
    line.made.panel.control = replace(line.made.panel.control, paused=False)
    line.work_off()
    assert line.kept() == ANY
    assert not line.queue.dead


@pytest.mark.parametrize(("work", "begins"), [(Work.REFERENCES, True), (Work.ROLLBACK, False)])
def test_what_only_looks_needs_no_time_for_a_request(work: Work, begins: bool) -> None:
    """An object that is changed needs the time of a request; a look may be cut off."""
    line = Line(work=work, name=StageQueue.LOOKING if begins else StageQueue.RESTORING)
    line.ask()
    assert line.invoke(left=lambda: line.made.dependencies.settings.request_seconds / 2)
    assert bool(line.work.done) is begins


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rules_digest": "other"}, "the functions have other rules"),
        ({"options": {"version": "2"}}, "another version"),
        ({"slices": SLICES - 1}, "another version"),
    ],
)
def test_a_run_of_another_deployment_stops(change: dict[str, Any], says: str) -> None:
    """For all its processes, with the cause; nothing is done."""
    line = Line()
    line.book.runs["verify"] = line.run = replace(line.run, **change)
    line.ask()
    line.work_off()
    over = present(line.book.read_run("verify"))
    assert over.state is RunState.CANCELLED
    assert says in over.why
    assert not line.work.done


def test_a_stage_that_forbids_the_work_stops_the_run() -> None:
    """As it refuses the command."""
    line = Line()
    line.shut = Shut("the migration is rolled-back")
    line.ask()
    line.work_off()
    over = present(line.book.read_run("verify"))
    assert over.why == "the migration is rolled-back"


def test_messages_of_a_run_that_is_over_are_gone() -> None:
    """After a cancel, and after another run has begun."""
    line = Line()
    line.ask()
    assert isinstance(cancel_run(line.book, "verify", by="ana", now=1.0), Run)
    line.work_off()
    assert begin_run(line.book, replace(line.run, run_id="s")) is None
    line.ask()
    line.work_off()
    assert not line.work.done
    assert not line.made.lines("ERROR")


OK = StageTask("unit", Work.VERIFY, "r")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"kind": "backfill"}', "not a message of stage work"),
        (encode_stage_task(replace(OK, migration="other")), "of migration 'other'"),
        (encode_stage_task(replace(OK, work=Work.ROLLBACK)), "do not work on a run of rollback --yes"),
        (json.dumps({**json.loads(encode_stage_task(OK)), "work": "dance"}), "'dance' is not a valid work"),
        (json.dumps({**json.loads(encode_stage_task(OK)), "v": 2}), "version 2"),
        (json.dumps({**json.loads(encode_stage_task(OK)), "run": 1}), "needs the text 'run'"),
        (json.dumps({**json.loads(encode_stage_task(OK)), "slice": "1"}), "whole numbers"),
    ],
)
def test_a_bad_message_ends_in_the_dead_letter_queue_with_a_clear_log(body: str, says: str) -> None:
    """Within minutes, and it harms no other one."""
    line = Line()
    line.queue.send_messages([body])
    line.ask()
    line.work_off()
    assert [message.body for message in line.queue.dead] == [body]
    assert any(says in why for why in line.failures()), line.failures()
    assert line.kept() == ANY


def test_a_run_that_never_began_is_told() -> None:
    """Its message is of another table."""
    line = Line()
    del line.book.runs["verify"]
    line.queue.send_messages([encode_stage_task(OK)])
    line.work_off()
    assert len(line.queue.dead) == 1
    assert "no run of verify was ever begun here" in line.failures()[0]


@pytest.mark.parametrize(
    "task", [OK, replace(OK, part=7), replace(OK, lost_slice=3, cursor="k\u00e9\n", why="a 'reason'")]
)
def test_a_message_is_read_as_it_was_written(task: StageTask) -> None:
    """With whatever a cursor holds."""
    assert stage_task_of(encode_stage_task(task)) == task


def test_another_message_is_not_stage_work() -> None:
    """It is for other decoders."""
    assert stage_task_of('{"kind": "inventory-file"}') is None
    with pytest.raises(MalformedMessageError):
        stage_task_of('{"kind": "stage-work", "v": 1}')


@pytest.mark.parametrize("tables", [None, (), (("lake/a/", "Delta Lake"), ("", "Iceberg"))])
def test_a_cleanup_keeps_the_tables_that_one_process_found(tables: tuple[tuple[str, str], ...] | None) -> None:
    """As a run keeps them, in the manifest table."""
    options = CleanupOptions(4, yes=True, soak=1.0, tables=tables)
    assert cleanup_options_of(options.as_options()) == options
