"""The works that runs do, and which of them must not go on beside each other."""

from collections.abc import Sequence
from enum import StrEnum


class Work(StrEnum):
    """What a run does, by the words of its command; without ``--yes`` it is a dry run."""

    VERIFY = "verify"
    REFERENCES = "references scan"
    REWRITE_DRY = "references rewrite"
    REWRITE = "references rewrite --yes"
    UNDO_DRY = "references undo"
    UNDO = "references undo --yes"
    CLEANUP_DRY = "cleanup"
    CLEANUP = "cleanup --yes"
    ROLLBACK_DRY = "rollback"
    ROLLBACK = "rollback --yes"
    PURGE_DRY = "rollback --purge"
    PURGE = "rollback --purge --yes"
    COUNT = "status --exact"
    REPORT = "report"


class StageQueue(StrEnum):
    """A queue of stage work, by what its function may do.

    It looks at objects, deletes them, restores them, or rewrites what refers to them.
    """

    LOOKING = "looking"
    REMOVING = "removing"
    RESTORING = "restoring"
    REWRITING = "rewriting"


_QUEUES = {
    Work.VERIFY: StageQueue.LOOKING,
    Work.REFERENCES: StageQueue.LOOKING,
    Work.CLEANUP_DRY: StageQueue.LOOKING,
    Work.ROLLBACK_DRY: StageQueue.LOOKING,
    Work.PURGE_DRY: StageQueue.LOOKING,
    Work.COUNT: StageQueue.LOOKING,
    Work.REPORT: StageQueue.LOOKING,
    Work.CLEANUP: StageQueue.REMOVING,
    Work.PURGE: StageQueue.REMOVING,
    Work.ROLLBACK: StageQueue.RESTORING,
    Work.REWRITE: StageQueue.REWRITING,
    Work.UNDO: StageQueue.REWRITING,
}
OBJECTS, CHECKED, ITEMS = "objects", "checked", "items"
"""The figures that count what was worked on: objects, objects that a rollback compares again, items of a table."""
_LOOK = "holders for "
_EXCLUSIVE: Sequence[frozenset[str]] = (
    frozenset({Work.CLEANUP, Work.ROLLBACK, Work.PURGE}),
    frozenset({Work.REWRITE, Work.UNDO}),
    frozenset({Work.REWRITE, Work.ROLLBACK}),
    frozenset({Work.REWRITE, Work.PURGE}),
    frozenset({Work.UNDO, Work.CLEANUP}),
)
"""Each of a group deletes what another one of it may need, or refers to it, or takes back what the other one does.

An undo may go on beside a rollback and a purge: both put the same references back.
"""


def queue_of(work: Work) -> StageQueue | None:
    """The queue of the functions that do this work; ``None``: commands alone do it."""
    return _QUEUES.get(work)


def waits_in_pause(work: Work) -> bool:
    """Whether functions leave the work alone during a pause.

    A rollback pauses the migration itself, and an operator who has paused it counts its records.
    """
    counts = (Work.COUNT, Work.REPORT)
    return work not in (Work.ROLLBACK_DRY, Work.ROLLBACK, Work.PURGE_DRY, Work.PURGE, Work.UNDO, *counts)


def needs_look(work: Work) -> bool:
    """Whether an object may be removed, or shown as one that would be, only where nothing holds it."""
    return work in (Work.CLEANUP_DRY, Work.CLEANUP, Work.PURGE_DRY, Work.PURGE)


def look_for(work: str) -> str:
    """The name of the runs that look for what holds the objects of this work's runs."""
    return _LOOK + work


def is_look(work: str) -> bool:
    """Whether runs of that name look for what holds objects."""
    return work.startswith(_LOOK)


def contrary_to(work: str) -> Sequence[Work]:
    """The works of which no other run must go on beside one of this work."""
    return [other for other in Work if any({work, other} <= group for group in _EXCLUSIVE)]
