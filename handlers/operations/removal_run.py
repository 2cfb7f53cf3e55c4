"""A cleanup or a purge as a run: its slices are segments of the manifest table."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Protocol

from domain.protocol.ports import RecordPages
from domain.protocol.record import Record
from domain.runs.works import OBJECTS
from handlers.operations.removals import Removal, Removed
from handlers.operations.runs import KeptOptions, decode_options
from handlers.operations.segments import read_segment
from handlers.operations.slice_work import Page
from handlers.operations.watched_holders import Holders

BYTES = "bytes"
_VERDICT, _REASON = "verdict.", "reason."


@dataclass(frozen=True, slots=True)
class CleanupOptions(KeptOptions):
    """What every process of a cleanup does alike; ``soak`` in seconds.

    ``tables`` are the data-lake tables of the source, by root and format; ``None``: each process looks for them.
    """

    segments: int
    yes: bool
    soak: float
    versions: bool = False
    tables: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True, slots=True)
class PurgeOptions(KeptOptions):
    """What every process of a purge does alike."""

    segments: int
    yes: bool


def cleanup_options_of(options: Mapping[str, str]) -> CleanupOptions:
    """As a run keeps them."""
    read = decode_options(CleanupOptions, options)
    if read.tables is None:
        return read
    return replace(read, tables=tuple((str(root), str(kind)) for root, kind in read.tables))


def purge_options_of(options: Mapping[str, str]) -> PurgeOptions:
    """As a run keeps them."""
    return decode_options(PurgeOptions, options)


class Remover(Protocol):
    """Deletes one object of a record, its source or its copy, where nothing holds it."""

    @property
    def holders(self) -> Holders:
        """What holds objects: nothing is deleted before a look at it is good."""

    def find_candidates(self, records: Iterable[Record]) -> Iterator[Record]:
        """Those whose object may still be there."""

    def remove_object(self, record: Record, *, yes: bool) -> Removal:
        """Delete it, or without ``yes`` report what would be done; a failure is a result too."""


class RemovalWork:
    """SliceWork of a cleanup or a purge. What was deleted before is not looked at again."""

    def __init__(
        self,
        remover: Remover,
        pages: RecordPages,
        options: CleanupOptions | PurgeOptions,
        *,
        sleep: Callable[[float], object],
    ) -> None:
        self._remover = remover
        self._pages = pages
        self._options = options
        self._sleep = sleep

    @property
    def phases(self) -> Sequence[int]:
        """See the port; one."""
        return (self._options.segments,)

    def read_pages(self, number: int, cursor: str) -> Iterator[Page[Removal]]:
        """See the port."""
        holders = self._remover.holders
        holders.check()
        for page in read_segment(self._pages, number, self._options.segments, cursor=cursor, sleep=self._sleep):
            candidates = self._remover.find_candidates(page.records)
            tasks = [partial(self._remove, record) for record in candidates]
            yield Page(tasks, page.cursor, await_ready=holders.await_look)

    def is_portable(self, number: int) -> bool:  # noqa: ARG002  # the port's
        """See the port; each."""
        return True

    def count_result(self, result: Removal) -> Mapping[str, int]:
        """See the port."""
        is_gone = result.verdict in (Removed.CLEANED, Removed.PURGED, Removed.WOULD_GO)
        reason = {_REASON + result.reason: 1} if result.reason else {}
        return {OBJECTS: 1, BYTES: result.size if is_gone else 0, _VERDICT + result.verdict.value: 1, **reason}

    def keep_result(self, result: Removal) -> str | None:
        """See the port."""
        return json.dumps(asdict(result))

    def _remove(self, record: Record) -> Removal:
        return self._remover.remove_object(record, yes=self._options.yes)


def removal_of(line: str) -> Removal:
    """The result of a line."""
    read = json.loads(line)
    return Removal(**(read | {"verdict": Removed(read["verdict"])}))


@dataclass(frozen=True, slots=True)
class RemovalSummary:
    """The results counted: by verdict, by the code of what holds objects, and the bytes that are (or would be) gone."""

    verdicts: Mapping[str, int]
    reasons: Mapping[str, int]
    bytes_gone: int


def summary_of(counts: Mapping[str, int]) -> RemovalSummary:
    """The summary of figures that were added up."""

    def named(prefix: str) -> Mapping[str, int]:
        return {name.removeprefix(prefix): count for name, count in counts.items() if name.startswith(prefix)}

    return RemovalSummary(named(_VERDICT), named(_REASON), counts.get(BYTES, 0))
