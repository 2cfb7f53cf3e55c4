"""What runs of stage work promise, judged from what operators began and stopped, and from what S3 was asked and did.

docs/lifecycle.md says it. No record is read, no slice, and no figure but those that a command prints.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from domain.keys import Location
from tests.simulation.whole.truth import Truth

VERIFY, CLEANUP, PURGE, ROLLBACK = "verify", "cleanup --yes", "rollback --purge --yes", "rollback --yes"
ENDING = 500.0
"""Seconds in which a function ends that began before its run was stopped: a page, an attempt, S3's last answer."""
BY_FUNCTION = " by "
"""In the name of a process that does a function's part of a run."""


@dataclass(slots=True)
class _Run:
    work: str
    began: float
    copied: frozenset[Location]
    """The sources that keyshift had copied by then: each has a record."""
    stopped: float | None = None
    said: Mapping[str, int] | None = None
    """The figures that a command printed at its end."""


@dataclass(slots=True)
class RunPromises:
    """Watches the runs of one migration; what is broken is a fault of the same judge."""

    truth: Truth
    now: Callable[[], float]
    _runs: dict[str, _Run] = field(default_factory=dict)
    _asked: dict[Location, float] = field(default_factory=dict)
    """When a function last asked S3 for the object at a place."""
    _cleaned: int = 0
    """How many sources, and versions of them, keyshift has deleted."""
    _told: int = 0
    """How many its commands say that they have."""

    # Facts
    def began(self, work: str, run_id: str) -> None:
        """An operator begins a run."""
        copied = frozenset(place for place, key in self.truth.keys.items() if self.truth.was_copied(key))
        self._runs[run_id] = _Run(work, self.now(), copied)

    def stopped(self, work: str, run_id: str) -> None:
        """A run goes on no more: it has ended, or was cancelled."""
        run = self._runs.get(run_id)
        if run is not None and run.work == work:
            run.stopped = self.now()

    def asked(self, location: Location, *, by: str) -> None:
        """A process asks for an object."""
        if BY_FUNCTION in by:
            self._asked[location] = self.now()

    def removed(self, location: Location, *, by: str) -> None:
        """A process of keyshift's has deleted an object, or a version of it."""
        self._cleaned += location in self.truth.keys
        self.changed(location, by=by)

    def changed(self, location: Location, *, by: str) -> None:
        """A process of keyshift's has changed an object."""
        key = self.truth.of(location)
        if key is None or BY_FUNCTION not in by or self._may_change(by):
            return
        self.truth.fault(key, f"R3 {by} changes {location.key}, and no run of that work goes on")

    def _may_change(self, by: str) -> bool:
        named = {CLEANUP: "cleanup", PURGE: "purge", ROLLBACK: "rollback"}
        return any(
            by.startswith(named.get(run.work, "-")) and (run.stopped is None or self.now() - run.stopped < ENDING)
            for run in self._runs.values()
        )

    def has_begun_since(self, work: str, since: float) -> bool:
        """Whether the newest run of that work began then: one that is joined may have passed an object before."""
        return max((run.began for run in self._runs.values() if run.work == work), default=-1.0) >= since

    # Judgement
    def ended(self, run_id: str, counts: Mapping[str, int]) -> None:
        """A command says that every slice of the run is done, with these figures."""
        run = self._runs[run_id]
        if run.said is not None:  # two commands followed it
            if run.said != counts:
                self._fault(f"R2 two commands say different things of one run of {run.work}: {run.said} and {counts}")
            return
        run.said = dict(counts)
        if run.work == VERIFY:
            self._check_looks(run)
            without = sum(counts.get(f"difference.{name}", 0) for name in ("not-migrated", "rejected", "unmapped"))
            self._check_number(run, counts.get("objects", 0), beside=without)
        elif run.work == ROLLBACK:
            self._check_number(run, counts.get("checked", 0), beside=0)
        elif run.work == PURGE:  # what others had deleted by then counts too
            self._check_most(run, counts.get("verdict.purged", 0))
        else:
            told = self._told = self._told + counts.get("verdict.cleaned", 0)
            if told > self._cleaned:
                self._fault(f"R2 the runs of {run.work} say that they cleaned {told} sources, of {self._cleaned}")

    def left(self, work: str, source: str) -> None:
        """A process that knows no slices removes what a run had left, and said that nothing is left."""
        self._fault(f"R1 a run of {work} says that nothing is left, and {source} is")

    def _check_looks(self, run: _Run) -> None:
        for place in sorted(run.copied, key=str):
            if self._asked.get(place, -1.0) < run.began:
                text = f"R1 the run of {run.work} of {run.began:.0f} s has ended, and no function has asked for it"
                self.truth.fault(self.truth.keys[place], text)

    def _check_number(self, run: _Run, number: int, *, beside: int) -> None:
        if number < len(run.copied):
            self._fault(f"R1 the run of {run.work} counts {number} objects, and {len(run.copied)} were copied before")
        self._check_most(run, number - beside)

    def _check_most(self, run: _Run, number: int) -> None:
        if number > len(self.truth.keys):
            self._fault(f"R2 the run of {run.work} counts {number} objects, and there are {len(self.truth.keys)}")

    def _fault(self, text: str) -> None:
        self.truth.broken.append(("", text))
