"""The stage of the whole migration; an operator's command leads from one to the next (docs/lifecycle.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class Stage(StrEnum):
    """The stage of a migration; it only goes forward, or to ROLLING_BACK."""

    PREPARED = "prepared"
    """Nothing moves yet; the stage of a migration without an entry."""
    LIVE = "live"
    """Live capture is effective; the backfill may run."""
    CUT_OVER = "cut-over"
    """Everything was verified; the resolver prefers the target."""
    CLEANING = "cleaning"
    """Sources are being deleted."""
    DONE = "done"
    """The operator finished the migration: nothing can be undone any more."""
    ROLLING_BACK = "rolling-back"
    ROLLED_BACK = "rolled-back"


CAPTURING = (Stage.PREPARED, Stage.LIVE, Stage.CUT_OVER, Stage.CLEANING)
"""Stages in which live capture may be switched on, also again after another program removed it."""

_NEXT: Mapping[Stage, tuple[Stage, ...]] = {
    Stage.PREPARED: (Stage.LIVE, Stage.ROLLING_BACK),
    Stage.LIVE: (Stage.CUT_OVER, Stage.ROLLING_BACK),
    Stage.CUT_OVER: (Stage.CLEANING, Stage.ROLLING_BACK),
    Stage.CLEANING: (Stage.DONE, Stage.ROLLING_BACK),
    Stage.DONE: (),
    Stage.ROLLING_BACK: (Stage.ROLLED_BACK,),
    Stage.ROLLED_BACK: (),
}
_REMEDIES: Mapping[Stage, str] = {
    Stage.PREPARED: "run keyshift start --yes first",
    Stage.LIVE: "run keyshift cutover --yes first",
    Stage.CUT_OVER: "run keyshift cleanup --yes first",
    Stage.CLEANING: "run keyshift cleanup --finish, or keyshift rollback",
    Stage.DONE: "it is over: nothing more can be changed",
    Stage.ROLLING_BACK: "run keyshift rollback until it has ended",
    Stage.ROLLED_BACK: "begin a new migration: another name in the rules file, another table",
}

_STILL = (Stage.PREPARED, Stage.ROLLING_BACK, Stage.ROLLED_BACK)
"""In these stages no object moves. In DONE objects still move: a producer may write a legacy key late."""


def stage_remedy(stage: Stage) -> str:
    """What an operator does at this stage, where a command needs another one."""
    return _REMEDIES[stage]


def standstill(stage: Stage) -> str | None:
    """Why no object may move at this stage, with the remedy, or ``None``."""
    return f"the migration is {stage.value}: {_REMEDIES[stage]}" if stage in _STILL else None


def feeding_fault(stage: Stage) -> str | None:
    """Why nothing may be enqueued at this stage, with the remedy, or ``None``: from live to cleaning it may."""
    if stage in (Stage.LIVE, Stage.CUT_OVER, Stage.CLEANING):
        return None
    return f"the migration is {stage.value}, so nothing may be enqueued: {_REMEDIES[stage]}"


@dataclass(frozen=True, slots=True)
class StageEntry:
    """The stage, since when (seconds since 1970), who or what set it and why.

    ``postponed_until`` is the time before which a cut-over is refused. ``cut_over_at`` is the time of the cut-over,
    which later stages need too. ``capture`` is the live capture before keyshift switched it on, as JSON text, so that
    rollback can restore it. ``rules_digest`` names the rules that were proven then. ``revision`` grows with every
    change, at ``changed_at`` (seconds since 1970). Live capture was proven first at ``live_at``.
    """

    stage: Stage = Stage.PREPARED
    since: float = 0.0
    by: str = ""
    why: str = ""
    postponed_until: float | None = None
    capture: str = ""
    revision: int = 0
    changed_at: float = 0.0
    cut_over_at: float = 0.0
    rules_digest: str = ""
    live_at: float = 0.0


def stage_fault(now: Stage, wanted: Stage) -> str | None:
    """Why the migration cannot go from ``now`` to ``wanted``, with the remedy, or ``None``."""
    if wanted is now or wanted in _NEXT[now]:
        return None
    return f"the migration is {now.value}, it cannot become {wanted.value}: {_REMEDIES[now]}"


def advanced(before: StageEntry, stage: Stage, *, by: str, why: str, now: float) -> StageEntry:
    """The entry after a step to ``stage``; a postponement outlasts the start, and ends with every other step.

    Raises ValueError for a forbidden step.
    """
    fault = stage_fault(before.stage, stage)
    if fault is not None:
        raise ValueError(fault)
    since = before.since if stage is before.stage else now
    cut_over_at = since if stage is Stage.CUT_OVER else before.cut_over_at
    live_at = since if stage is Stage.LIVE else before.live_at
    postponed_until = before.postponed_until if stage is Stage.LIVE else None
    entry = replace(before, stage=stage, since=since, by=by, why=why, postponed_until=postponed_until)
    entry = replace(entry, cut_over_at=cut_over_at, live_at=live_at)
    return replace(entry, revision=before.revision + 1, changed_at=now)


def postponed(before: StageEntry, until: float | None, *, by: str, why: str, now: float) -> StageEntry:
    """The entry with the cut-over put off until then (seconds since 1970), or allowed again."""
    return replace(before, postponed_until=until, by=by, why=why, revision=before.revision + 1, changed_at=now)


def captured(before: StageEntry, capture: str, *, rules_digest: str, by: str, now: float) -> StageEntry:
    """The entry that remembers how live capture was found and set up, and which rules were proven; or ``before``.

    Raises ValueError in a stage without live capture.
    """
    if before.stage not in CAPTURING:
        raise ValueError(f"the migration is {before.stage.value}: {_REMEDIES[before.stage]}")
    if (before.capture, before.rules_digest) == (capture, rules_digest):
        return before
    entry = replace(before, capture=capture, rules_digest=rules_digest, by=by, changed_at=now)
    return replace(entry, revision=before.revision + 1)


def moving_fault(entry: StageEntry, digest: str) -> str | None:
    """Why rules of this ``digest`` move no object now, with the remedy, or ``None``."""
    return standstill(entry.stage) or rules_fault(entry, digest)


def rules_fault(entry: StageEntry, digest: str) -> str | None:
    """Why rules of this ``digest`` must not run in the migration, or ``None``.

    ``start`` proves a rules file, and only that file may move objects. An entry of an earlier version names no file,
    and allows every file.
    """
    if entry.rules_digest in ("", digest):
        return None
    return (
        f"the rules file (digest {digest[:12]}) is not the one that keyshift start proved ({entry.rules_digest[:12]}):"
        " run keyshift start --yes with this file, or deploy the proven one again"
    )
