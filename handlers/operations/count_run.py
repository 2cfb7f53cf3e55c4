"""The counts of all records as runs: the figures of ``status --exact``, and those of a report.

They are two works with one mechanism. A run's work is the command that its refusals name, and a report's slices are
larger: they keep some forty figures each, and lines.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

from domain.protocol.causes import Cause
from domain.protocol.record import Record, State
from domain.reporting.progress import CAUSE
from domain.reporting.tallied import (
    SHOWN,
    STATE,
    Troubled,
    named,
    report_figures,
    state_figures,
    troubled_of,
)
from domain.runs.works import OBJECTS
from handlers.operations.runs import decode_options, encode_options

MOST_LINES = 40 * SHOWN
"""Lines that all slices of a report keep together; the command reads each, and shows SHOWN of them.

Slices have about equally many records by chance. So a report whose records that need a person are at most SHOWN keeps
each of them, unless one slice has more than forty times its share.
"""
_LEAST_LINES = 4


@dataclass(frozen=True, slots=True)
class CountOptions:
    """What every process of a count does alike."""

    segments: int

    def as_options(self) -> Mapping[str, str]:
        """As a run keeps them."""
        return encode_options(self)


def options_of(options: Mapping[str, str]) -> CountOptions:
    """As a run keeps them."""
    return decode_options(CountOptions, options)


def count_records(records: Sequence[Record]) -> Mapping[str, int]:
    """The figures of ``status --exact`` of these records together."""
    counts: Counter[str] = Counter({OBJECTS: len(records)})
    for record in records:
        counts.update(state_figures(record))
    return counts


def tally_records(records: Sequence[Record]) -> Mapping[str, int]:
    """The figures of a report of these records together."""
    counts: Counter[str] = Counter({OBJECTS: len(records)})
    for record in records:
        counts.update(report_figures(record))
    return counts


def lines_of_slice(segments: int) -> int:
    """How many lines a slice of a report keeps at most, of so many slices."""
    return min(SHOWN, max(_LEAST_LINES, MOST_LINES // segments))


def show_troubled(record: Record) -> str | None:
    """The line that a report keeps of a record; ``None``: it does not need a person."""
    one = troubled_of(record)
    return None if one is None else json.dumps(astuple(one))


def troubled_from(line: str) -> Troubled:
    """The record of such a line."""
    bucket, key, state, cause, detail = json.loads(line)
    return Troubled(bucket, key, State(state), Cause(cause) if cause is not None else None, detail)


@dataclass(frozen=True, slots=True)
class Counted:
    """Records by state, and by the cause of a failure."""

    records: Mapping[str, int]
    causes: Mapping[str, int]


def counted_of(counts: Mapping[str, int]) -> Counted:
    """The records of figures that were added up."""
    return Counted(named(counts, STATE), named(counts, CAUSE))
