"""The figures of the portal's part."""

import threading
from collections import Counter
from dataclasses import dataclass, field

from handlers.demo.portal.comparison import ITEM, REFERENCE, UNREADABLE, Fault

WORKFLOW, COMMAND, PINS, LEFT, GONE = (
    "workflow_failures",
    "command_failures",
    "pins_wrong",
    "sources_left",
    "pinned_lost",
)
MUST_BE_ZERO = (WORKFLOW, UNREADABLE, REFERENCE, ITEM, COMMAND, PINS, LEFT, GONE)
COUNTED = (
    *("trained", "compiled", "packaged", "published", "republished", "api_reads", "old_uris_read"),
    *("job_events", "events_repeated", "references_rewritten", "pins", "sources_cleaned"),
)


@dataclass(slots=True)
class PortalResult:
    """Counts of what was done, and every fault."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, number: int = 1) -> None:
        """Count; several threads do."""
        with self._lock:
            self.counts[name] += number

    def fail(self, kind: str, what: str) -> None:
        """Note a fault."""
        with self._lock:
            self.faults.append(Fault(kind, what))

    @property
    def is_good(self) -> bool:
        """Everything was done, and nothing is wrong."""
        return not self.faults and all(self.counts[name] for name in COUNTED)

    def figures(self) -> dict[str, int]:
        """For machines."""
        wrong = Counter(fault.kind for fault in self.faults)
        return {**{name: self.counts[name] for name in COUNTED}, **{name: wrong[name] for name in MUST_BE_ZERO}}
