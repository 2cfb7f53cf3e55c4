"""The runs that have not ended, at one moment: how far each is, who began it, and whether a process works on it."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from domain.runs.ports import RunBook
from domain.runs.run import Run
from domain.runs.slices import Slice
from domain.runs.works import CHECKED, ITEMS, OBJECTS, Work
from handlers.operations.runs import LOOK_SECONDS_A_SLICE, RunView

RATE_SECONDS = 60.0
"""The window of a run's rate, in seconds."""


@dataclass(frozen=True, slots=True)
class RunUnderWay:
    """A run that has not ended; ``begun_at`` in seconds since 1970.

    ``objects`` are items of tables in a scan of references. ``claimed`` slices are worked on by a process at this
    moment, ``lost`` ones failed too often. The rate is that of the last minute. At the first look, and for the time
    that is left, it is the mean since the run began.
    """

    work: str
    by: str
    begun_at: float
    slices: int
    slices_done: int
    claimed: int
    lost: int
    objects: int
    objects_per_second: float | None = None
    seconds_left: float | None = None

    def as_json(self) -> Mapping[str, object]:
        """As JSON."""
        return asdict(self)


@dataclass(slots=True)
class _Course:
    """What was seen of one run: its slices at the last look, and how many objects were worked on at each."""

    slices: Sequence[Slice] = ()
    looked_at: float | None = None
    figures: deque[tuple[float, int]] = field(default_factory=deque)

    def rate(self, now: float, worked: int, begun_at: float) -> float | None:
        """Objects a second since the oldest look of the last minute."""
        first_at, first = self.figures[0] if self.figures else (begun_at, 0)
        self.figures.append((now, worked))
        while len(self.figures) > 2 and now - self.figures[0][0] > RATE_SECONDS:
            self.figures.popleft()
        return max(0, worked - first) / (now - first_at) if now > first_at else None


@dataclass(slots=True)
class RunsWatch:
    """Looks at the runs in the manifest table again and again."""

    book: RunBook
    now: Callable[[], float]
    _courses: dict[str, _Course] = field(default_factory=dict)

    def look(self) -> Sequence[RunUnderWay]:
        """Every run that has not ended; the slices of a large one are read less often, because a look reads each."""
        going = [run for run in self.book.read_runs([work.value for work in Work]) if run.goes_on]
        self._courses = {run.run_id: self._courses.get(run.run_id, _Course()) for run in going}
        return [self._looked_at(run, self._courses[run.run_id]) for run in going]

    def _looked_at(self, run: Run, course: _Course) -> RunUnderWay:
        now = self.now()
        if course.looked_at is None or now - course.looked_at >= LOOK_SECONDS_A_SLICE * run.slices:
            course.slices, course.looked_at = self.book.read_slices(run), now
        view = RunView(self.book, run, course.slices)
        counts, left = view.counts, run.slices - view.done
        elapsed = max(0.0, now - run.begun_at)
        objects = counts.get(OBJECTS, 0) + counts.get(ITEMS, 0)
        return RunUnderWay(
            run.work,
            run.by,
            run.begun_at,
            run.slices,
            view.done,
            sum(one.claim is not None and one.claim.deadline >= now and not one.is_done for one in course.slices),
            len(view.lost),
            objects,
            course.rate(now, objects + counts.get(CHECKED, 0), run.begun_at),
            elapsed / view.done * left if view.done else None,
        )
