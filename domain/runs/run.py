"""One run of a stage's work: who began it, with which options, and whether it goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from domain.runs.slices import Slice
from domain.runs.works import contrary_to


class RunState(StrEnum):
    """Whether slices of the run may be worked on."""

    RUNNING = "RUNNING"
    CANCELLED = "CANCELLED"
    ENDED = "ENDED"


@dataclass(frozen=True, slots=True)
class Run:
    """One run; ``work`` names what it does (``verify``), and only one run of each work goes on at a time.

    ``options`` are the work's own, as the command was given them: every process that joins works by them.
    ``rules_digest`` names the rules; times are seconds since 1970. ``why`` says what ended it before it was done, where
    no operator did. ``revision`` grows with every change.
    """

    work: str
    run_id: str
    slices: int
    options: Mapping[str, str] = field(default_factory=dict)
    rules_digest: str = ""
    by: str = ""
    begun_at: float = 0.0
    state: RunState = RunState.RUNNING
    ended_by: str = ""
    ended_at: float = 0.0
    why: str = ""
    revision: int = 1

    @property
    def goes_on(self) -> bool:
        """Whether its slices may be worked on."""
        return self.state is RunState.RUNNING


def ended(run: Run, state: RunState, *, by: str, now: float, why: str = "") -> Run:
    """The run after its end; raises ValueError if it had ended before."""
    if not run.goes_on:
        raise ValueError(f"the run is {run.state.value} already")
    return replace(run, state=state, ended_by=by, ended_at=now, why=why, revision=run.revision + 1)


def contrary_fault(work: str, others: Sequence[Run]) -> str | None:
    """Why no run of the work may go on beside ``others``, with the remedy, or ``None``."""
    for other in others:
        if other.goes_on and other.work in contrary_to(work):
            return (
                f"a run of {other.work} by {other.by}, begun at {moment_of(other.begun_at)}, is not ended, and keyshift"
                f" {work} must not go on beside it: keyshift {other.work} --join ends it by doing the rest, keyshift"
                f" {other.work} --cancel ends it at once"
            )
    return None


def moment_of(seconds: float) -> str:
    """The minute of a time in seconds since 1970, UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}Z"


def beginning_fault(before: Run | None, slices: Sequence[Slice]) -> str | None:
    """Why no run may begin while ``before`` is the newest one of its work, with the remedy, or ``None``."""
    if before is None or not before.goes_on:
        return None
    done = sum(one.is_done for one in slices)
    return (
        f"a run of {before.work} by {before.by}, begun at {moment_of(before.begun_at)}, is not ended"
        f" ({done} of {before.slices} slices are done): keyshift {before.work} --join resumes it,"
        f" keyshift {before.work} --cancel ends it"
    )


def joining_fault(run: Run | None, *, work: str, rules_digest: str) -> str | None:
    """Why a process with these rules cannot work on the run, with the remedy, or ``None``."""
    if run is None or not run.goes_on:
        how = "there is none" if run is None else f"the last one is {run.state.value.lower()}"
        return f"no run of {work} is to be joined ({how}): keyshift {work} begins one"
    if run.rules_digest != rules_digest:
        return (
            f"the run of {work} was begun with other rules (digest {run.rules_digest[:12]}, here {rules_digest[:12]}):"
            f" use that rules file, or keyshift {work} --cancel"
        )
    return None
