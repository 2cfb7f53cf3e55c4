"""A function's, or a worker's, part of a run: slice after slice, as long as there is time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from domain.errors import InputError, MalformedMessageError
from domain.runs.run import Run, RunState, ended
from domain.runs.slices import Slice, reopened
from domain.runs.works import StageQueue, Work, needs_look, queue_of, waits_in_pause
from handlers.engine.dependencies import BY_STAGE, EngineDependencies
from handlers.intake.stage_tasks import StageTask, encode_stage_task, stage_task_of
from handlers.operations.look_at_holders import LookAtHolders, begin_due_look
from handlers.operations.slice_work import NotReadyError, SliceWork, Surroundings
from handlers.operations.slices import SliceWorker
from handlers.operations.stage_works import StageWorks, TaskEnd, Time

LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class StagePart:
    """What one message asks for; ``do_part`` raises InputError for a message that cannot be worked on."""

    works: StageWorks
    dependencies: EngineDependencies
    time: Time

    def do_part(self, body: str) -> TaskEnd:
        """Work on slices until none is left for this process, or its time is over."""
        task = self._read(body)
        book, observer = self.works.book, self.dependencies.observer
        run = book.read_run(task.work)
        if run is None:
            raise InputError(f"no run of {task.work} was ever begun here: the message is of another migration")
        if run.run_id != task.run_id or not run.goes_on:
            observer.info("the run is over", work=task.work, run=task.run_id)
            return TaskEnd.DONE
        if self._is_paused(task.work):
            observer.info("paused, stage work waits", work=task.work, run=task.run_id)
            return TaskEnd.LATER
        is_look = queue_of(task.work) is not self.works.name
        try:
            fault = self._rules_fault(run) or (None if is_look else self._fault(run, task.work))
            if is_look and fault is None:
                return self._look(task, run, self.works.open_look(run))
            opened = self.works.open_work(run, self.time.seconds_left)
        except InputError as error:  # options of another version
            return self._stop(run, str(error))
        if fault is not None:
            return self._stop(run, fault)
        self._reopen(run, task.lost_slice)
        with opened as work:
            if sum(work.phases) > run.slices:
                return self._stop(run, "the functions cut the work in another way: they are of another version")
            return self._work_off(task, run, work)

    def _read(self, body: str) -> StageTask:
        task, rules = stage_task_of(body), self.dependencies.rules
        if task is None:
            raise MalformedMessageError("this is not a message of stage work")
        if task.migration != rules.migration:
            raise InputError(f"the message is of migration {task.migration!r}, this is {rules.migration!r}")
        if queue_of(task.work) is not self.works.name and not self._looks_for(task.work):
            raise InputError(f"functions of the queue '{self.works.name}' do not work on a run of {task.work}")
        return task

    def _looks_for(self, work: Work) -> bool:
        """Whether these functions look at what holds the objects of runs that others do."""
        return self.works.name is StageQueue.LOOKING and queue_of(work) is StageQueue.REMOVING

    def _is_over(self, work: Work) -> bool:
        """Whether no object may be begun: one that is changed needs the time of a request, which nothing cuts off."""
        only_looks = queue_of(work) is StageQueue.LOOKING
        return self.time.is_over(reserve=0.0 if only_looks else self.dependencies.settings.request_seconds)

    def _is_paused(self, work: Work) -> bool:
        control = self.dependencies.control.current()
        return waits_in_pause(work) and control.paused and control.paused_by != BY_STAGE

    def _rules_fault(self, run: Run) -> str | None:
        """Why the run cannot go on with this deployment."""
        digest = self.dependencies.rules.digest
        if run.rules_digest != digest:
            return (
                f"the functions have other rules (digest {digest[:12]}) than the run (digest {run.rules_digest[:12]}):"
                f" deploy the rules file that you use, then begin again, or give --no-engine"
            )
        return None

    def _fault(self, run: Run, work: Work) -> str | None:
        """Why the run cannot go on at this stage."""
        shut = self.works.refuse(work, run.options)
        return shut.why if shut is not None else None

    def _stop(self, run: Run, why: str) -> TaskEnd:
        """End the run for all its processes."""
        now, by = self.dependencies.ports.clock.now(), self.dependencies.observer.function
        self.works.book.write_run(ended(run, RunState.CANCELLED, by=by, now=now, why=why), before=run)
        self.dependencies.observer.count("StageWorkFailures")
        self.dependencies.observer.fail("the run was stopped", work=run.work, run=run.run_id, why=why)
        return TaskEnd.DONE

    def _reopen(self, run: Run, number: int | None) -> None:
        """A message that comes back from the dead-letter queue has its lost slice tried again."""
        if number is None or not 0 <= number < run.slices:
            return
        one = self.works.book.read_slices(run)[number]
        if one.is_lost:
            self.works.book.write_slice(run, reopened(one), before=one)

    def _work_off(self, task: StageTask, run: Run, work: SliceWork[Any]) -> TaskEnd:
        try:
            with self._surroundings(task.work) as around:
                worker = SliceWorker(self.works.book, run, work, around, takes=work.is_portable)
                self._take_slices(task, worker)
        except NotReadyError as error:
            self.dependencies.observer.info("stage work waits", work=task.work, run=task.run_id, why=str(error))
            return self._look_first(task, run)
        if self._is_over(task.work):
            return TaskEnd.AGAIN
        if self._is_paused(task.work):
            return TaskEnd.LATER
        slices = self.works.book.read_slices(run)
        return TaskEnd.LATER if worker.is_left() and _has_portable(work, slices) else TaskEnd.DONE

    def _look_first(self, task: StageTask, run: Run) -> TaskEnd:
        """Make the look that the run waits for, where these functions look; all others wait for them."""
        if self.works.name is not StageQueue.LOOKING or not needs_look(task.work):
            return TaskEnd.LATER
        look = self.works.open_look(run)
        end = self._look(task, run, look)
        newest = look.looks.newest()
        is_ready = end is TaskEnd.LATER and newest is not None and look.looks.is_good(newest)
        return TaskEnd.AGAIN if is_ready else end

    @contextmanager
    def _surroundings(self, work: Work) -> Iterator[Surroundings]:
        dependencies = self.dependencies
        control = dependencies.control.current()
        threads = min(dependencies.settings.concurrency, control.concurrency or dependencies.settings.concurrency)
        with dependencies.objects_at_once(threads) as pool:
            yield Surroundings(
                pool,
                dependencies.ports.clock,
                dependencies.new_token,
                dependencies.sleep,
                lambda: self._is_over(work) or self._is_paused(work),
                self._wait_turn,
            )

    def _look(self, task: StageTask, run: Run, look: LookAtHolders) -> TaskEnd:
        """Look at what holds the objects of the run, again and again until it has been done."""
        left = [one for one in self.works.book.read_slices(run) if not one.is_done]
        if not left or not look.is_needed:
            return TaskEnd.DONE
        if all(one.is_lost for one in left):
            return TaskEnd.MUCH_LATER  # an operator may have them tried again
        newest = begin_due_look(look.looks)
        if newest is None or newest.is_whole:
            return TaskEnd.LATER
        with self._surroundings(task.work) as around:
            worker = SliceWorker(self.works.book, newest.run, look.scan, around)
            while newest.lost is None and worker.is_left() and worker.work_on_next():
                pass
        return self._after_look(task, run, look)

    def _after_look(self, task: StageTask, run: Run, look: LookAtHolders) -> TaskEnd:
        newest = look.looks.newest()
        lost = newest.lost if newest is not None else None
        if lost is not None:  # what was not read may hold anything
            return self._stop(run, f"references and pins could not be read, so nothing is deleted: {lost.why}")
        return TaskEnd.AGAIN if self._is_over(task.work) else TaskEnd.LATER

    def _take_slices(self, task: StageTask, worker: SliceWorker[Any]) -> None:
        while worker.is_left():
            before = worker.last
            try:
                if not worker.work_on_next():
                    return
            finally:
                if worker.last.is_lost and worker.last is not before:
                    self._send_lost(task, worker.last)

    def _send_lost(self, task: StageTask, one: Slice) -> None:
        """Tell of a lost slice, with its cause and its cursor, in the dead-letter queue."""
        self.dependencies.observer.count("StageWorkFailures")
        self.dependencies.observer.fail(
            "slice lost", work=task.work, run=task.run_id, slice=one.number, cursor=one.cursor, why=one.why
        )
        dead = self.works.dead()
        if dead is not None:
            letter = replace(task, lost_slice=one.number, cursor=one.cursor, why=one.why)
            dead.send_messages([encode_stage_task(letter)])

    def _wait_turn(self, stopping: Callable[[], bool]) -> None:
        """Wait for the rate of ``keyshift throttle``, which all processes share."""
        gate, seconds_left = self.dependencies.gate, self.time.seconds_left
        while not stopping():
            held = gate.admit(objects=1, size=0, seconds_left=seconds_left, stopping=stopping)
            if held is None or self.dependencies.control.current().paused:
                return
            self.dependencies.sleep(LOOK_SECONDS)


def _has_portable(work: SliceWork[Any], slices: Sequence[Slice]) -> bool:
    return any(work.is_portable(one.number) for one in slices if not one.is_done and not one.is_lost)
