"""The control item and the counters in memory."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from domain.reporting.ports import NO_HISTORY
from domain.reporting.progress import Span
from domain.steering.control import Control
from domain.steering.learned import Learned
from tests.fakes.faults import ScriptedFaults


class InMemoryControlPanel(ScriptedFaults):
    """ControlPanel in memory."""

    def __init__(self, control: Control | None = None) -> None:
        super().__init__()
        self.control = control or Control()

    def read_control(self) -> Control:
        """See the port."""
        with self._faulty("read_control"):
            return self.control

    def write_control(self, control: Control, *, before: Control) -> bool:
        """See the port."""
        with self._faulty("write_control"):
            if self.control.fence != before.fence:
                return self.control == control
            self.control = replace(control, learned=self.control.learned)
            return True

    def write_learned(self, learned: Learned, *, before: Learned) -> bool:
        """See the port."""
        with self._faulty("write_learned"):
            if self.control.learned.revision != before.revision:
                return self.control.learned == learned
            self.control = replace(self.control, learned=learned)
            return True


class InMemoryProgressCounters(ScriptedFaults):
    """ProgressCounters in memory; batch ids are remembered for ever."""

    def __init__(self) -> None:
        super().__init__()
        self._counters: Counter[str] = Counter()
        self._batches: set[str] = set()
        self._history: dict[Span, Counter[str]] = {}

    def add_progress(
        self, deltas: Mapping[str, int], *, batch_id: str, history: Mapping[Span, Mapping[str, int]] = NO_HISTORY
    ) -> None:
        """See the port."""
        with self._faulty("add_progress"):
            if batch_id not in self._batches:
                self._batches.add(batch_id)
                self._counters.update(deltas)
                for span, added in history.items():
                    self._history.setdefault(span, Counter()).update(added)

    def read_progress(self) -> Mapping[str, int]:
        """See the port."""
        with self._faulty("read_progress"):
            return dict(self._counters)

    def read_history(self, seconds: int) -> Mapping[Span, Mapping[str, int]]:
        """See the port."""
        with self._faulty("read_history"):
            return {span: dict(self._history[span]) for span in sorted(self._history) if span.seconds == seconds}
