"""The figures of all records: what each record adds, in one place, and a report's figures read back from the sums."""

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from domain.protocol.causes import Cause, told
from domain.protocol.record import Record, State
from domain.reporting.fidelity import fidelity_of
from domain.reporting.progress import CAUSE, FAILURES, cause_word

SHOWN = 100
"""Records that need a person and are shown; all of them are counted."""
STATE = "state."
_SIZE, _RUNNING, _VERIFIED = "size", "running", "verified"
_OUTCOME, _KEPT, _CHANGED, _LOST, _UNSEEN = "outcome.", "kept.", "changed.", "lost.", "unseen."


@dataclass(frozen=True, slots=True, order=True)
class Troubled:
    """A record that needs a person; ``cause`` is ``None`` where it is unknown."""

    bucket: str
    key: str
    state: State
    cause: Cause | None = field(default=None, compare=False)
    cause_detail: str = field(default="", compare=False)

    @property
    def why(self) -> str:
        """The cause as a sentence; empty where it is unknown."""
        return told(self.cause, self.cause_detail) if self.cause is not None else ""


@dataclass(frozen=True, slots=True)
class Tallied:
    """What a read of every record has found; sizes in bytes. ``troubled`` are the first records that need a person."""

    records: int
    size: int
    running: int
    verified: int
    outcomes: Mapping[str, int]
    causes: Mapping[str, int]
    kept: Mapping[str, int]
    changed: Mapping[str, int]
    lost: Mapping[str, int]
    unseen: Mapping[str, int]
    troubled: Sequence[Troubled] = ()


def state_figures(record: Record) -> Counter[str]:
    """What the record adds by its state, and by the cause of its failure."""
    counts = Counter((STATE + record.state.value,))
    if record.state in FAILURES:
        counts[CAUSE + cause_word(record)] = 1
    return counts


def report_figures(record: Record) -> Counter[str]:
    """What the record adds to a report: all of ``state_figures``, and more."""
    counts, fidelity = state_figures(record), fidelity_of(record)
    counts[_SIZE] = record.size or 0
    counts[_RUNNING] = int(record.claim is not None)
    counts[_VERIFIED] = int(record.verified_at is not None)
    counts[_OUTCOME + fidelity.outcome] = 1
    for prefix, notes in (
        (_KEPT, fidelity.kept),
        (_CHANGED, fidelity.changed),
        (_LOST, fidelity.lost),
        (_UNSEEN, fidelity.unseen),
    ):
        counts.update(prefix + note.what for note in notes)
    return counts


def troubled_of(record: Record) -> Troubled | None:
    """The record as a report shows it to a person; ``None``: it needs none."""
    if record.state not in FAILURES:
        return None
    return Troubled(record.source.bucket, record.source.key, record.state, record.cause, record.cause_detail)


def named(counts: Mapping[str, int], prefix: str) -> Mapping[str, int]:
    """The figures above 0 whose names begin so, in the order of their names, without the prefix."""
    found = {name.removeprefix(prefix): count for name, count in counts.items() if name.startswith(prefix)}
    return {name: count for name, count in sorted(found.items()) if count}


class FirstTroubled:
    """The first SHOWN of the records that need a person, by bucket and key, in whichever order they come."""

    def __init__(self) -> None:
        self._first: list[Troubled] = []

    def add(self, one: Troubled) -> None:
        """Keep it, if it is one of the first until now."""
        if len(self._first) < SHOWN or one < self._first[-1]:
            insort(self._first, one)
            del self._first[SHOWN:]

    @property
    def in_order(self) -> Sequence[Troubled]:
        """Those that were kept."""
        return tuple(self._first)


class RecordTally:
    """Adds up the figures of records that one process reads, in bounded memory."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._troubled = FirstTroubled()

    def watch(self, records: Iterable[Record]) -> Iterator[Record]:
        """Hand the records on, and count each."""
        for record in records:
            self.count(record)
            yield record

    def count(self, record: Record) -> None:
        """Count one record."""
        self._counts.update(report_figures(record))
        troubled = troubled_of(record)
        if troubled is not None:
            self._troubled.add(troubled)

    @property
    def tallied(self) -> Tallied:
        """What was counted until now."""
        return tallied_of(self._counts, self._troubled.in_order)


def tallied_of(counts: Mapping[str, int], troubled: Sequence[Troubled]) -> Tallied:
    """The figures that ``report_figures`` gave, added up by any number of processes."""
    outcomes = named(counts, _OUTCOME)
    return Tallied(
        records=sum(outcomes.values()),
        size=counts.get(_SIZE, 0),
        running=counts.get(_RUNNING, 0),
        verified=counts.get(_VERIFIED, 0),
        outcomes=outcomes,
        causes=named(counts, CAUSE),
        kept=named(counts, _KEPT),
        changed=named(counts, _CHANGED),
        lost=named(counts, _LOST),
        unseen=named(counts, _UNSEEN),
        troubled=troubled,
    )
