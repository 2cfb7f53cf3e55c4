"""EventBridge in memory."""

from collections.abc import Sequence

from domain.audit.events import AuditEvent
from tests.fakes.faults import ScriptedFaults


class InMemoryEventBus(ScriptedFaults):
    """EventBus in memory; events whose ids are in ``refuse`` are not accepted."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[AuditEvent] = []
        self.refuse: set[str] = set()

    def publish_events(self, events: Sequence[AuditEvent]) -> Sequence[int]:
        """See the port."""
        with self._faulty("publish_events"):
            self.events += [event for event in events if event.event_id not in self.refuse]
            return [index for index, event in enumerate(events) if event.event_id in self.refuse]
