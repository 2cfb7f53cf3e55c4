"""The counters of a migration."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from domain.reporting.progress import Span

NO_HISTORY: Mapping[Span, Mapping[str, int]] = MappingProxyType({})


class ProgressCounters(Protocol):
    """Figures of one migration, kept beside the records."""

    def add_progress(
        self, deltas: Mapping[str, int], *, batch_id: str, history: Mapping[Span, Mapping[str, int]] = NO_HISTORY
    ) -> None:
        """Add to the named counters, and to those of each span of ``history``, all or nothing.

        The same ``batch_id`` counts once within a day.
        """

    def read_progress(self) -> Mapping[str, int]:
        """The counters now."""

    def read_history(self, seconds: int) -> Mapping[Span, Mapping[str, int]]:
        """Every span of that length that has counters, in order; minutes are forgotten after a week."""
