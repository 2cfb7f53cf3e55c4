"""One slice of a run: how far it has come, and which process works on it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

MOST_FAILURES = 5
"""Failures in a row after which no process tries the slice again by itself."""
LAPSED = "lapsed: the process that had the slice ended, or stood still, before it was done with a page"


@dataclass(frozen=True, slots=True)
class SliceClaim:
    """The process that works on a slice, by a token, and the time (seconds since 1970) at which its claim lapses."""

    token: str
    deadline: float


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice; ``cursor`` is what its work continues from, empty at the beginning.

    ``counts`` are the work's own figures of what lies before the cursor, and ``parts`` is how many parts of results
    are kept of it. ``failures`` counts failures since the cursor last moved, and ``why`` says the last one.
    """

    number: int
    cursor: str = ""
    is_done: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    parts: int = 0
    claim: SliceClaim | None = None
    failures: int = 0
    why: str = ""
    revision: int = 0

    @property
    def is_lost(self) -> bool:
        """Whether it failed so often that a person has to look at it."""
        return not self.is_done and self.failures >= MOST_FAILURES

    @property
    def is_readable(self) -> bool:
        """Whether its kept results stay: work that cannot continue begins again, and keeps its results again."""
        return self.is_done or bool(self.cursor)

    def is_claimable_at(self, now: float) -> bool:
        """Whether a process may work on it (``now`` in seconds since 1970)."""
        if self.is_done or self.is_lost:
            return False
        return self.claim is None or self.claim.deadline < now


def claimed(before: Slice, claim: SliceClaim) -> Slice:
    """The slice with this claim; without a cursor its work begins again, so its figures do too.

    A claim that lapsed is a failure: otherwise a page that ends each process would be tried without end. One lapse too
    many makes the slice lost, and then no process has it.
    """
    after = failed(before, LAPSED) if before.claim is not None else before
    if after.is_lost:
        return after
    fresh = after if after.cursor else replace(after, counts={}, parts=0)
    return replace(fresh, claim=claim, revision=before.revision + 1)


def renewed(before: Slice, deadline: float) -> Slice:
    """The slice with its claim until then; raises ValueError without a claim."""
    if before.claim is None:
        raise ValueError(f"slice {before.number} is not claimed")
    return replace(before, claim=replace(before.claim, deadline=deadline), revision=before.revision + 1)


def moved(before: Slice, cursor: str | None, *, counts: Mapping[str, int], parts: int) -> Slice:
    """The slice after a page of its work: its figures are added, ``cursor`` is the next one, ``None``: it is done."""
    summed = dict(Counter(before.counts) + Counter(counts))
    after = replace(before, counts=summed, parts=before.parts + parts, failures=0, why="", revision=before.revision + 1)
    return replace(after, is_done=True, claim=None) if cursor is None else replace(after, cursor=cursor)


def failed(before: Slice, why: str) -> Slice:
    """The slice after a failure; another process may try it from its cursor."""
    return replace(before, claim=None, failures=before.failures + 1, why=why, revision=before.revision + 1)


def released(before: Slice) -> Slice:
    """The slice without its claim, so that another process may continue at once."""
    return replace(before, claim=None, revision=before.revision + 1)


def reopened(before: Slice) -> Slice:
    """A lost slice that a person lets be tried again."""
    return replace(before, claim=None, failures=0, revision=before.revision + 1)
