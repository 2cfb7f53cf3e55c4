"""Looks for what holds objects: one serves every process of a run, kept beside it, and is repeated while it goes on."""

from collections.abc import Callable
from dataclasses import dataclass

from domain.keys import Location
from domain.protocol.ports import Clock
from domain.runs.ports import RunBook
from domain.runs.run import Run
from domain.runs.slices import Slice
from domain.runs.works import look_for
from handlers.operations.holder_scan import READ_AT
from handlers.operations.holders import manifest_of
from handlers.operations.runs import KeptRun, RunView

HOLDERS_SECONDS = 600.0
"""Applications still write: a look is good for so many seconds after its end, and then the holders are read again."""
_OF = "of"


@dataclass(frozen=True, slots=True)
class Look:
    """One look, as far as it has come."""

    run: Run
    slices: tuple[Slice, ...]

    @property
    def is_whole(self) -> bool:
        """Whether everything was read: until then nothing is known of any object."""
        return all(one.is_done for one in self.slices)

    @property
    def lost(self) -> Slice | None:
        """A part that could not be read, with its reason; then the look never becomes whole."""
        return next((one for one in self.slices if one.is_lost), None)

    @property
    def read_at(self) -> int:
        """When the last part of a whole look was read, in whole seconds since 1970."""
        return max((one.counts.get(READ_AT, 0) for one in self.slices), default=0)


@dataclass(frozen=True, slots=True)
class HolderLooks:
    """The looks for one run; ``margin`` is by how many seconds the clocks of two processes may differ."""

    kept: KeptRun
    slices: int
    rules_digest: str
    by: str
    clock: Clock
    new_token: Callable[[], str]
    margin: float

    @property
    def book(self) -> RunBook:
        """Where the run is kept, and its looks."""
        return self.kept.book

    def newest(self) -> Look | None:
        """The newest look for this run; ``None``: none has begun."""
        run = self.book.read_run(look_for(self.kept.work))
        if run is None or not self._is_ours(run):
            return None
        return Look(run, tuple(self.book.read_slices(run)))

    def begin(self, before: Look | None) -> Look | None:
        """Begin another look after ``before``; returns the newest one, which another process may have begun."""
        name = look_for(self.kept.work)
        there = self.book.read_run(name)
        is_before = (there.run_id == before.run.run_id) if there is not None and before is not None else False
        if is_before or not self._is_ours(there):
            options, now = {_OF: self.kept.run_id}, self.clock.now()
            run = Run(name, self.new_token(), self.slices, options, self.rules_digest, self.by, now)
            self.book.write_run(run, before=there)
        return self.newest()

    def _is_ours(self, run: Run | None) -> bool:
        return run is not None and run.options.get(_OF) == self.kept.run_id and run.slices == self.slices

    def is_good(self, look: Look, *, seconds: float = HOLDERS_SECONDS) -> bool:
        """Whether the look is whole, and was so within these seconds, by the clock of each process."""
        age = self.clock.now() - look.read_at
        margin = min(self.margin, seconds / 2)
        return look.is_whole and -margin <= age < seconds - margin


def read_manifests(kept: KeptRun) -> frozenset[Location]:
    """The places of augmented manifests that the newest look for this run has read by their records."""
    run = kept.book.read_run(look_for(kept.work))
    lines = RunView(kept.book, run).look() if run is not None else iter(())
    return frozenset(place for place in map(manifest_of, lines) if place is not None)
