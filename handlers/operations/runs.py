"""Begins, joins, cancels and follows runs; a crew of threads works on one."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar

from domain.errors import InputError, UnavailableError
from domain.runs.ports import RunBook
from domain.runs.run import Run, RunState, beginning_fault, contrary_fault, ended, joining_fault
from domain.runs.slices import Slice, reopened
from domain.runs.works import contrary_to
from handlers.operations.operator import Shut

MOST_LANES = 4
"""Slices at once in one process: while one reads its next page, the objects of the others are worked on."""
ANOTHER_VERSION = "the run was begun by another version of keyshift: join it with that version, or give --cancel"
Options = TypeVar("Options")
LOOK_SECONDS, LOOK_SECONDS_A_SLICE = 1.0, 0.02
"""Pause between two looks at a run's slices; a look reads each of them, so many slices are looked at less often."""


@dataclass(frozen=True, slots=True)
class KeptRun:
    """The book that keeps a run, the run's work and its id: what is kept beside it is found by these."""

    book: RunBook
    work: str
    run_id: str


def encode_options(options: Any) -> Mapping[str, str]:
    """The fields of a dataclass as a run keeps them."""
    return {name: json.dumps(value) for name, value in asdict(options).items()}


class KeptOptions:
    """Base of the dataclasses that say what every process of a run does alike."""

    __slots__ = ()

    def as_options(self) -> Mapping[str, str]:
        """As a run keeps them."""
        return encode_options(self)


def decode_options(kind: Callable[..., Options], options: Mapping[str, str]) -> Options:
    """The dataclass of them; raises InputError for fields of another version."""
    try:
        return kind(**{name: json.loads(value) for name, value in options.items()})
    except (TypeError, ValueError) as error:
        raise InputError(ANOTHER_VERSION) from error


def find_obstacle(book: RunBook, work: str, *, shared: RunBook, run_id: str = "") -> Shut | None:
    """The run, other than ``run_id``, that forbids a new one of this work in ``book``, or ``None``.

    ``shared`` is the manifest table's book, in which other processes keep theirs.
    """
    before = book.read_run(work)
    fault = None
    if before is not None and before.run_id != run_id:
        fault = beginning_fault(before, book.read_slices(before))
    others = [other for other in shared.read_runs(contrary_to(work)) if other.run_id != run_id]
    fault = fault or contrary_fault(work, others)
    return Shut(fault) if fault is not None else None


def begin_run(book: RunBook, run: Run, *, shared: RunBook | None = None) -> Shut | None:
    """Begin the run; returns why it may not begin, or ``None``.

    ``shared`` is the manifest table's book, if another one keeps this run.
    """
    before = book.read_run(run.work)
    shut = find_obstacle(book, run.work, shared=shared or book)
    if shut is not None:
        return shut
    if not book.write_run(run, before=before):
        again = f"keyshift {run.work} --join works on it"
        return Shut(f"another command began a run of {run.work} at the same moment: {again}")
    # Two commands may begin contrary runs at the same moment: each looks after its write, so one at least is seen.
    shut = find_obstacle(book, run.work, shared=shared or book, run_id=run.run_id)
    if shut is not None:
        book.write_run(ended(run, RunState.CANCELLED, by=run.by, now=run.begun_at), before=run)
    return shut


def join_run(book: RunBook, work: str, *, rules_digest: str) -> Run | Shut:
    """The run that goes on, to be worked on; its lost slices are tried again."""
    run = book.read_run(work)
    fault = joining_fault(run, work=work, rules_digest=rules_digest)
    if fault is not None or run is None:
        return Shut(fault or "")
    for one in book.read_slices(run):
        if one.is_lost:
            book.write_slice(run, reopened(one), before=one)
    return run


def cancel_run(book: RunBook, work: str, *, by: str, now: float) -> Run | Shut:
    """Cancel the run that goes on; its processes begin no object any more within half a minute."""
    run = book.read_run(work)
    if run is None or not run.goes_on:
        return Shut(f"no run of {work} is to be cancelled")
    cancelled = ended(run, RunState.CANCELLED, by=by, now=now)
    if not book.write_run(cancelled, before=run):
        raise UnavailableError(f"another command changed the run of {work} at the same moment")
    return cancelled


@dataclass(slots=True)
class RunView:
    """A run as its commands show it: its slices at the last look, and the results that were not shown yet."""

    book: RunBook
    run: Run
    slices: Sequence[Slice] = ()
    why: str = ""
    """What stopped the run, seen at its end."""
    _shown: Counter[int] = field(default_factory=Counter)

    def look(self) -> Iterator[str]:
        """Look again; returns the lines that slices have kept since the last look."""
        self.slices = self.book.read_slices(self.run)
        for one in self.slices:
            if not one.is_readable:
                continue
            for part in range(self._shown[one.number], one.parts):
                yield from self.book.read_part(self.run, one.number, part).splitlines()
                self._shown[one.number] = part + 1

    @property
    def counts(self) -> Mapping[str, int]:
        """The figures of all slices."""
        summed: Counter[str] = Counter()
        for one in self.slices:
            summed.update(one.counts)
        return summed

    @property
    def done(self) -> int:
        """How many slices are done."""
        return sum(one.is_done for one in self.slices)

    @property
    def is_whole(self) -> bool:
        """Whether every slice is done."""
        return self.done == self.run.slices

    @property
    def pause(self) -> float:
        """Seconds until the next look."""
        return max(LOOK_SECONDS, LOOK_SECONDS_A_SLICE * self.run.slices)

    @property
    def lost(self) -> Sequence[Slice]:
        """The slices that no process tries again by itself."""
        return [one for one in self.slices if one.is_lost]

    def end(self, *, by: str, now: float) -> RunState:
        """Note the end of the run if every slice is done; returns its state, which another command may have set."""
        state = self._state()
        if state is RunState.RUNNING and self.is_whole:
            self.book.write_run(ended(self.run, RunState.ENDED, by=by, now=now), before=self.run)
            return self._state()
        return state

    def _state(self) -> RunState:
        now = self.book.read_run(self.run.work)
        if now is None or now.run_id != self.run.run_id:
            return RunState.CANCELLED
        self.why = now.why
        return now.state


class Crew:
    """The threads of one process that work on a run; when one fails, the others stop after their running objects."""

    def __init__(self, work_off: Callable[[threading.Event], None], *, lanes: int) -> None:
        self._stopped = threading.Event()
        self._ended = threading.Event()
        self._left = lanes
        self._lock = threading.Lock()
        self._failure: BaseException | None = None
        self._work_off = work_off
        self._threads = [threading.Thread(target=self._lane, name=f"slice-{number}") for number in range(lanes)]

    def __enter__(self) -> Self:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and wait for the running objects."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def wait(self, seconds: float) -> bool:
        """Whether every thread has ended, after at most so many seconds."""
        return self._ended.wait(seconds)

    def check(self) -> None:
        """Raise what a thread failed with."""
        if self._failure is not None:
            raise self._failure

    def _lane(self) -> None:
        try:
            self._work_off(self._stopped)
        except BaseException as error:  # noqa: BLE001  # it is raised in the thread that waits
            self._failure = self._failure or error
            self._stopped.set()
        with self._lock:
            self._left -= 1
            if not self._left:
                self._ended.set()
