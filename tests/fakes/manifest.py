"""The manifest as a dict, by the domain's own rules."""

from collections.abc import Iterator, Sequence

from domain.protocol.ports import ClaimAnswer
from domain.protocol.record import ClaimRequest, Record, claimed, refusal
from tests.fakes.faults import ScriptedFaults


class InMemoryManifest(ScriptedFaults):
    """Manifest in memory; ``changes`` is its stream: every change as (before, after)."""

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, Record] = {}
        self.changes: list[tuple[Record | None, Record]] = []

    def claim_record(self, request: ClaimRequest) -> ClaimAnswer:
        """See the port."""
        with self._faulty("claim_record"):
            before = self.records.get(request.notice.source.record_id)
            if refusal(before, request) is not None:
                return ClaimAnswer(granted=False, before=before)
            self._put(claimed(before, request))
            return ClaimAnswer(granted=True, before=before)

    def write_record(self, record: Record, *, before: Record | None) -> bool:
        """See the port."""
        with self._faulty("write_record"):
            now = self.records.get(record.record_id)
            if not _same_holder(now, before):
                return now == record
            self._put(record)
            return True

    def read_record(self, record_id: str) -> Record | None:
        """See the port."""
        with self._faulty("read_record"):
            return self.records.get(record_id)

    def read_records(self, record_ids: Sequence[str]) -> dict[str, Record]:
        """See the port."""
        with self._faulty("read_records"):
            return {one: self.records[one] for one in record_ids if one in self.records}

    def scan_records(self, *, segment: int = 0, segments: int = 1) -> Iterator[Record]:
        """See the port."""
        with self._faulty("scan_records"):
            found = [one for one in self.records.values() if int(one.record_id, 16) % segments == segment]
        yield from found

    def _put(self, record: Record) -> None:
        self.changes.append((self.records.get(record.record_id), record))
        self.records[record.record_id] = record


def _same_holder(now: Record | None, before: Record | None) -> bool:
    if now is None or before is None:
        return now is before
    tokens = [one.claim.token if one.claim is not None else None for one in (now, before)]
    return now.revision == before.revision and now.mode is before.mode and tokens[0] == tokens[1]
