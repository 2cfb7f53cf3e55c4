"""What the changes of records add to the figures of a migration, in total and over time."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from domain.protocol.record import Record, State

RECORDS = "records."
OBJECTS_COPIED = "objects_copied"
BYTES_COPIED = "bytes_copied"
RULE = "rule."
RULE_BYTES = "rule_bytes."
CAUSE = "cause."
CHANGES = "changes"
FAILED = "failed"
COPY_MILLISECONDS = "copy_milliseconds"
FAILURES = frozenset({State.PARKED, State.CONFLICT, State.ROLLBACK_CONFLICT})

MINUTE, HOUR = 60, 3_600
MOST_MINUTES = 40
"""One batch is counted in one transaction (at most 100 items); a batch over more minutes counts in hours only."""
_OVER_TIME = frozenset({OBJECTS_COPIED, BYTES_COPIED, CHANGES, FAILED, COPY_MILLISECONDS})


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of time that begins ``start`` seconds after 1970 and lasts ``seconds``: MINUTE or HOUR."""

    start: int
    seconds: int

    @classmethod
    def around(cls, moment: float, seconds: int) -> "Span":
        """The span that holds the moment."""
        return cls(int(moment // seconds) * seconds, seconds)


def progress_of(before: Record | None, after: Record | None) -> Mapping[str, int]:
    """Counters to add for the change from ``before`` to ``after``; ``None``: there is no such record.

    ``records.STATE`` counts records in that state and ``cause.CODE`` those of them that failed, ``objects_copied``,
    ``bytes_copied`` and ``copy_milliseconds`` (from claim to commit) every finished copy (an object that was
    overwritten counts again), ``rule.NAME`` and ``rule_bytes.NAME`` those of one rule, ``changes`` every revision,
    ``failed`` every change into a state that needs a person.
    """
    deltas: Counter[str] = Counter()
    if before is not None:
        deltas[RECORDS + before.state.value] -= 1
        deltas[CAUSE + cause_word(before)] -= before.state in FAILURES
    if after is not None:
        deltas[CHANGES] = 1
        deltas[RECORDS + after.state.value] += 1
        deltas[CAUSE + cause_word(after)] += after.state in FAILURES
        deltas[FAILED] += after.state in FAILURES and (before is None or before.state is not after.state)
        if before is not None and _finishes_a_copy(before, after):
            size = after.size or 0
            deltas.update({OBJECTS_COPIED: 1, BYTES_COPIED: size, RULE + after.rule: 1, RULE_BYTES + after.rule: size})
            deltas[COPY_MILLISECONDS] = max(0, round(1_000 * (after.changed_at - before.changed_at)))
    return {name: delta for name, delta in deltas.items() if delta}


def cause_word(record: Record) -> str:
    """The code under which causes are counted."""
    return record.cause.value if record.cause is not None else "unknown"


def history_of(changes: Iterable[tuple[float, Mapping[str, int]]]) -> Mapping[Span, Mapping[str, int]]:
    """What changes at these moments (seconds since 1970) add to the hour and to the minute of each."""
    sums: dict[Span, Counter[str]] = {}
    for moment, deltas in changes:
        kept = {name: delta for name, delta in deltas.items() if name in _OVER_TIME}
        if kept:
            for seconds in (HOUR, MINUTE):
                sums.setdefault(Span.around(moment, seconds), Counter()).update(kept)
    minutes = sum(span.seconds == MINUTE for span in sums)
    return {span: dict(added) for span, added in sums.items() if span.seconds == HOUR or minutes <= MOST_MINUTES}


def _finishes_a_copy(before: Record, after: Record) -> bool:
    ended = before.claim is not None and after.claim is None
    return ended and after.state is State.COPIED
