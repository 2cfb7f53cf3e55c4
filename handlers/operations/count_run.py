"""The records counted one by one, as a run: its slices are segments of the manifest table."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from domain.protocol.ports import RecordPages
from domain.protocol.record import Record
from domain.runs.works import OBJECTS
from handlers.operations.runs import decode_options, encode_options
from handlers.operations.segments import read_segment
from handlers.operations.slice_work import Page

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


class CountWork:
    """SliceWork of a count: a process has one page for each slice in memory, and keeps figures alone."""

    def __init__(self, pages: RecordPages, options: CountOptions, *, sleep: Callable[[float], object]) -> None:
        self._pages = pages
        self._options = options
        self._sleep = sleep

    @property
    def phases(self) -> Sequence[int]:
        """See the port; one."""
        return (self._options.segments,)

    def read_pages(self, number: int, cursor: str) -> Iterator[Page[Mapping[str, int]]]:
        """See the port."""
        for page in read_segment(self._pages, number, self._options.segments, cursor=cursor, sleep=self._sleep):
            yield Page([partial(_counted, page.records)], page.cursor, only_look=True)

    def is_portable(self, number: int) -> bool:  # noqa: ARG002  # the port's
        """See the port; each."""
        return True

    def count_result(self, result: Mapping[str, int]) -> Mapping[str, int]:
        """See the port."""
        return result

    def keep_result(self, result: Mapping[str, int]) -> str | None:  # noqa: ARG002  # the port's
        """See the port; nothing."""
        return None


def _counted(records: Sequence[Record]) -> Mapping[str, int]:
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
