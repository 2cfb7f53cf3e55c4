"""The manifest and what is kept beside its records."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from domain.control import Control
from domain.progress import Span
from domain.record import ClaimRequest, Record

NO_HISTORY: Mapping[Span, Mapping[str, int]] = MappingProxyType({})


class Clock(Protocol):
    """Time as a port, so that a simulation owns it."""

    def now(self) -> float:
        """Seconds since 1970, UTC."""

    def monotonic(self) -> float:
        """Seconds of a clock that never steps back and counts while the process is stopped."""


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """Whether the claim was granted, and the record as it was before (``None``: there was none)."""

    granted: bool
    before: Record | None


class Manifest(Protocol):
    """The ledger: one record for each source object, strongly consistent for one record."""

    def claim_record(self, request: ClaimRequest) -> ClaimAnswer:
        """Claim in one conditional write, by the rule of ``domain.record.refusal``."""

    def write_record(self, record: Record, *, before: Record | None) -> bool:
        """Replace ``before`` (revision, token and mode unchanged since; ``None``: absent) by ``record``.

        ``True`` also when this very record is already there: an earlier try of ours had landed. ``False`` when
        somebody else changed it.
        """

    def read_record(self, record_id: str) -> Record | None:
        """The record now."""

    def read_records(self, record_ids: Sequence[str]) -> Mapping[str, Record]:
        """The records now, by their ids, each consistent for itself; ids without a record are left out."""

    def scan_records(self, *, segment: int = 0, segments: int = 1) -> Iterator[Record]:
        """Every record, in no order; what changes meanwhile may be seen or missed."""


class ProgressCounters(Protocol):
    """Figures of one migration, kept beside the records."""

    def add_progress(
        self, deltas: Mapping[str, int], *, batch_id: str, history: Mapping[Span, Mapping[str, int]] = NO_HISTORY
    ) -> None:
        """Add to the named counters, and to those of each span of ``history``, all or nothing.

        Once, however often the same ``batch_id`` comes within a day.
        """

    def read_progress(self) -> Mapping[str, int]:
        """The counters now."""

    def read_history(self, seconds: int) -> Mapping[Span, Mapping[str, int]]:
        """Every span of that length that has counters, in order; minutes are forgotten after a week."""


class ControlPanel(Protocol):
    """The operator's word to everything that runs."""

    def read_control(self) -> Control:
        """The control item now; running at full speed where there is none."""

    def write_control(self, control: Control, *, before: Control) -> bool:
        """Replace ``before`` (its fence unchanged since), or the absence of an item where that fence is 0.

        ``True`` also when this very control is already there; ``False`` when somebody else changed it.
        """


class BackfillJournal(Protocol):
    """How far each data file of an inventory has been enqueued.

    ``content_id`` names the file's bytes and the rules that its rows were mapped by: another content of the same name,
    or the same one under other rules, is a file of which nothing is known.
    """

    def read_rows_done(self, content_id: str, file_key: str) -> int:
        """How many of the file's rows, from its first, are enqueued or need no move; 0 where nothing is known."""

    def write_rows_done(self, content_id: str, file_key: str, rows: int) -> None:
        """Remember it; a smaller number than the one known is ignored, since two runs may overlap."""

    def forget_rows_done(self, content_id: str, file_key: str) -> None:
        """Nothing is known any more: the next run begins at the first row. Repeatable."""
