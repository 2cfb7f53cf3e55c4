"""EventBridge as the place where audit events go."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from adapters.aws.clients import AwsClients
from adapters.aws.errors import from_code, translated
from domain.audit.events import SOURCE, AuditEvent
from domain.errors import TransientError

_BATCH = 10
MAX_BATCH_BYTES = 256 * 1024
"""Of all entries together (botocore model, PutEvents; AWS's blog of January 2026 says 1 MB)."""
_TIME_BYTES = 14
_TRIES = 5


class EventBridgeBus:
    """EventBus on EventBridge; ``bus`` is a name or an ARN."""

    def __init__(self, clients: AwsClients, bus: str = "default") -> None:
        self._client = clients.events
        self._bus = bus

    def publish_events(self, events: Sequence[AuditEvent]) -> Sequence[int]:
        """See the port."""
        entries = [self._entry(event) for event in events]
        refused: list[int] = []
        for batch in _batches(entries):
            refused += self._publish(entries, batch)
        too_large = [index for index, entry in enumerate(entries) if _size(entry) > MAX_BATCH_BYTES]
        return sorted(refused + too_large)

    def _publish(self, entries: list[dict[str, Any]], batch: list[int]) -> list[int]:
        """The indexes that are refused for good, or still after the last try: PutEvents answers 200 with failures."""
        waiting, refused = list(batch), list[int]()

        def put() -> bool:
            nonlocal waiting
            with translated("PutEvents", self._bus):
                answer = self._client.put_events(Entries=[entries[index] for index in waiting])  # type: ignore[misc]  # built by name
            again: list[int] = []
            for index, result in zip(waiting, answer["Entries"], strict=True):
                code = result.get("ErrorCode")
                if code:
                    error = from_code(code, result.get("ErrorMessage", ""), "PutEvents", self._bus)
                    (again if isinstance(error, TransientError) else refused).append(index)
            waiting = again
            return bool(again)

        Retrying(
            retry=retry_if_result(bool),
            stop=stop_after_attempt(_TRIES),
            wait=wait_random_exponential(multiplier=0.1, max=3),
            retry_error_callback=_give_up,
        )(put)
        return refused + waiting

    def _entry(self, event: AuditEvent) -> dict[str, Any]:
        return {
            "EventBusName": self._bus,
            "Source": SOURCE,
            "DetailType": event.detail_type,
            "Time": datetime.fromtimestamp(event.time, UTC),
            "Detail": json.dumps(dict(event.detail), separators=(",", ":")),
        }


def _give_up(_state: RetryCallState) -> bool:
    return True


def _size(entry: dict[str, Any]) -> int:
    """As EventBridge counts (eb-putevent-size)."""
    return _TIME_BYTES + sum(len(entry[name].encode()) for name in ("Source", "DetailType", "Detail"))


def _batches(entries: list[dict[str, Any]]) -> Iterator[list[int]]:
    batch: list[int] = []
    total = 0
    for index, entry in enumerate(entries):
        size = _size(entry)
        if size > MAX_BATCH_BYTES:
            continue
        if batch and (len(batch) == _BATCH or total + size > MAX_BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(index)
        total += size
    if batch:
        yield batch
