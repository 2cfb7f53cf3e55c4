"""A cleanup as a run: its slices are segments of the manifest table."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from domain.protocol.ports import RecordPages
from domain.protocol.record import Record
from handlers.operations.cleanup import Cleaner
from handlers.operations.removals import Removal, Removed
from handlers.operations.runs import decode_options, encode_options
from handlers.operations.segments import read_segment
from handlers.operations.slice_work import Page

WORK = {False: "cleanup", True: "cleanup --yes"}
"""The name of the run, by whether it deletes; a dry run and a cleanup do not stand in each other's way."""
OBJECTS, BYTES = "objects", "bytes"
_VERDICT, _REASON = "verdict.", "reason."


@dataclass(frozen=True, slots=True)
class CleanupOptions:
    """What every process of a cleanup does alike; ``soak`` in seconds."""

    segments: int
    yes: bool
    soak: float
    versions: bool = False

    def as_options(self) -> Mapping[str, str]:
        """As a run keeps them."""
        return encode_options(self)


def options_of(options: Mapping[str, str]) -> CleanupOptions:
    """As a run keeps them."""
    return decode_options(CleanupOptions, options)


class CleanupWork:
    """SliceWork of a cleanup. A source that was cleaned before is not looked at again."""

    def __init__(
        self,
        cleaner: Cleaner,
        pages: RecordPages,
        options: CleanupOptions,
        *,
        sleep: Callable[[float], object],
    ) -> None:
        self._cleaner = cleaner
        self._pages = pages
        self._options = options
        self._sleep = sleep

    @property
    def phases(self) -> Sequence[int]:
        """See the port; in one phase."""
        return (self._options.segments,)

    def read_pages(self, number: int, cursor: str) -> Iterator[Page[Removal]]:
        """See the port."""
        for page in read_segment(self._pages, number, self._options.segments, cursor=cursor, sleep=self._sleep):
            candidates = self._cleaner.find_candidates(page.records)
            yield Page([partial(self._clean, record) for record in candidates], page.cursor)

    def count_result(self, result: Removal) -> Mapping[str, int]:
        """See the port."""
        gone = result.size if result.verdict in (Removed.CLEANED, Removed.WOULD_GO) else 0
        reason = {_REASON + result.reason: 1} if result.reason else {}
        return {OBJECTS: 1, BYTES: gone, _VERDICT + result.verdict.value: 1, **reason}

    def keep_result(self, result: Removal) -> str | None:
        """See the port."""
        return json.dumps(asdict(result))

    def _clean(self, record: Record) -> Removal:
        return self._cleaner.clean_record(record, yes=self._options.yes)


def removal_of(line: str) -> Removal:
    """The result of a line."""
    read = json.loads(line)
    return Removal(**(read | {"verdict": Removed(read["verdict"])}))


@dataclass(frozen=True, slots=True)
class CleanupSummary:
    """The results counted: by verdict, by the code of what holds sources, and the bytes that are (or would be) gone."""

    verdicts: Mapping[str, int]
    reasons: Mapping[str, int]
    bytes_gone: int


def summary_of(counts: Mapping[str, int]) -> CleanupSummary:
    """The summary of figures that were added up."""

    def named(prefix: str) -> Mapping[str, int]:
        return {name.removeprefix(prefix): count for name, count in counts.items() if name.startswith(prefix)}

    return CleanupSummary(named(_VERDICT), named(_REASON), counts.get(BYTES, 0))
