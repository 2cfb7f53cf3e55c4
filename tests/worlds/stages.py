"""What is known of a migration before its cut-over."""

from typing import Any

from domain.keys import Location
from domain.lifecycle.census import Compared
from domain.lifecycle.gates import GateLimits, Readiness
from domain.lifecycle.record_census import RecordCensus
from domain.lifecycle.stages import Stage, StageEntry
from domain.protocol.record import Record, State

GATE_LIMITS = GateLimits(most_waiting=2)
RECORD = Record(Location("b", "old/k"), Location("b", "new/k"), State.COPIED, verified_at=1.0)


def readiness(*records: Record, **changes: Any) -> Readiness:
    """Everything open but what is said."""
    census = RecordCensus()
    for record in records or (RECORD,):
        census.add(record)
    given: dict[str, Any] = {
        "entry": StageEntry(Stage.LIVE),
        "census": census,
        "queues": {"events": (0, 0, 0), "backfill": (0, 0, 0)},
        "lag": 1.0,
        "paused": None,
        "capture": None,
        "compared": Compared(),
        "references": 0,
        "reference_example": "",
        "now": 10.0,
    }
    return Readiness(**(given | changes))
