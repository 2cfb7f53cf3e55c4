"""The figures of a count of all records, by state and by cause."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from domain.protocol.record import Record
from domain.runs.works import OBJECTS
from handlers.operations.runs import decode_options, encode_options

_STATE, _CAUSE = "state.", "cause."


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
    """The figures of these records together."""
    counts: Counter[str] = Counter({OBJECTS: len(records)})
    for record in records:
        counts.update(figures_of(record))
    return counts


def figures_of(record: Record) -> Iterable[str]:
    """The figures that one record adds to."""
    yield _STATE + record.state.value
    if record.cause:
        yield _CAUSE + record.cause.value


@dataclass(frozen=True, slots=True)
class Counted:
    """Records by state, and by the cause of a failure."""

    records: Mapping[str, int]
    causes: Mapping[str, int]


def counted_of(counts: Mapping[str, int]) -> Counted:
    """The records of figures that were added up."""

    def named(prefix: str) -> Mapping[str, int]:
        found = {name.removeprefix(prefix): count for name, count in counts.items() if name.startswith(prefix)}
        return {name: count for name, count in sorted(found.items()) if count}

    return Counted(named(_STATE), named(_CAUSE))
