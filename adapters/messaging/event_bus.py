"""Audit events on EventBridge."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from adapters.aws.clients import AwsClients
from adapters.aws.errors import from_code, translated
from adapters.messaging.queue import batches_of
from domain.audit.events import SOURCE, AuditEvent
from domain.audit.packs import Entry, entries_of
from domain.errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

MAX_BATCH_BYTES = 256 * 1024
"""Of all entries together (botocore model, PutEvents; AWS's blog of January 2026 says 1 MB)."""
_TRIES = 5


class EventBridgeBus:
    """EventBus on EventBridge; ``bus`` is a name or an ARN.

    ``in_packs`` says whether routine events go in packs (domain/audit/packs.py).
    """

    def __init__(self, clients: AwsClients, bus: str = "default", *, in_packs: bool) -> None:
        self._client = clients.events
        self._bus = bus
        self._in_packs = in_packs

    def publish_events(self, events: Sequence[AuditEvent]) -> Sequence[int]:
        """See the port."""
        entries = entries_of(events, in_packs=self._in_packs)
        refused = [index for index, entry in enumerate(entries) if entry.size > MAX_BATCH_BYTES]
        others = [index for index, entry in enumerate(entries) if entry.size <= MAX_BATCH_BYTES]
        for batch in batches_of(others, lambda index: entries[index].size, most_bytes=MAX_BATCH_BYTES):
            refused += self._publish(entries, batch)
        return sorted(place for index in refused for place in entries[index].places)

    def _publish(self, entries: Sequence[Entry], batch: list[int]) -> list[int]:
        """The indexes of entries that are refused or fail in each try: PutEvents answers 200 with failures."""
        waiting, refused = list(batch), list[int]()

        def put() -> bool:
            nonlocal waiting
            with translated("PutEvents", self._bus):
                answer = self._client.put_events(Entries=[self._request(entries[index]) for index in waiting])
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

    def _request(self, entry: Entry) -> "PutEventsRequestEntryTypeDef":
        return {
            "EventBusName": self._bus,
            "Source": SOURCE,
            "DetailType": entry.detail_type,
            "Time": datetime.fromtimestamp(entry.time, UTC),
            "Detail": entry.detail,
        }


def _give_up(_state: RetryCallState) -> bool:
    return True
