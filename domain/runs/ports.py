"""The port that keeps runs and their slices."""

from collections.abc import Sequence
from typing import Protocol

from domain.runs.run import Run
from domain.runs.slices import Slice


class RunBook(Protocol):
    """The newest run of each work, its slices, and the results that they keep."""

    def read_run(self, work: str) -> Run | None:
        """The newest run of that work, strongly consistent; ``None`` where there never was one."""

    def read_runs(self, works: Sequence[str]) -> Sequence[Run]:
        """The newest run of each of these works that ever had one, strongly consistent, in their order."""

    def write_run(self, run: Run, *, before: Run | None) -> bool:
        """Replace ``before`` (``None``: there is none), if its id and revision are unchanged.

        ``True`` also when this very run is already there; ``False`` when another process changed it.
        """

    def read_slices(self, run: Run) -> Sequence[Slice]:
        """Every slice of the run in the order of their numbers, strongly consistent; an untouched one is new."""

    def write_slice(self, run: Run, one: Slice, *, before: Slice, parts: Sequence[str] = ()) -> bool:
        """Replace ``before``, if its revision is unchanged, and keep ``parts`` with it: all of that, or nothing.

        The parts are numbered from ``before.parts``. ``True`` also when this very slice is already there, ``False``
        when another process changed it.
        """

    def read_part(self, run: Run, number: int, part: int) -> str:
        """A part that slice ``number`` keeps; raises MissingResourceError where it does not exist any more."""
