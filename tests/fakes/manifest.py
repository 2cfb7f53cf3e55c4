"""The manifest as a dict, by the domain's own rules."""

from collections.abc import Iterator, Sequence

from domain.protocol.claims import ClaimRequest, claimed, refusal
from domain.protocol.ports import ClaimAnswer, RecordChange, RecordPage
from domain.protocol.record import Record
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

    def claim_new_records(self, requests: Sequence[ClaimRequest]) -> list[ClaimAnswer | None]:
        """See the port; what is refused, or fails, is to be asked for alone."""
        with self._faulty("claim_new_records"):
            return [self.claim_new(request) for request in requests]

    def claim_new(self, request: ClaimRequest) -> ClaimAnswer | None:
        """One of them: a claim of a source without a record is granted, and a record that refuses it is shown."""
        before = self.records.get(request.notice.source.record_id)
        if before is not None:
            return ClaimAnswer(granted=False, before=before) if refusal(before, request) is not None else None
        self._put(claimed(None, request))
        return ClaimAnswer(granted=True, before=None)

    def write_records(self, changes: Sequence[RecordChange]) -> list[bool | None]:
        """See the port."""
        with self._faulty("write_records"):
            return [self.write_one(change) for change in changes]

    def write_one(self, change: RecordChange) -> bool | None:
        """One of them."""
        now = self.records.get(change.record.record_id)
        if not _same_holder(now, change.before):
            return now == change.record
        self._put(change.record)
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

    def read_page(self, segment: int, segments: int, *, cursor: str, at_most: int) -> RecordPage:
        """See the port; the cursor is the id of the last record."""
        with self._faulty("read_page"):
            ids = sorted(one for one in self.records if int(one, 16) % segments == segment and one > cursor)
            page = [self.records[one] for one in ids[:at_most]]
        return RecordPage(page, page[-1].record_id if len(ids) > at_most else None)

    def _put(self, record: Record) -> None:
        self.changes.append((self.records.get(record.record_id), record))
        self.records[record.record_id] = record


def _same_holder(now: Record | None, before: Record | None) -> bool:
    if now is None or before is None:
        return now is before
    tokens = [one.claim.token if one.claim is not None else None for one in (now, before)]
    return now.revision == before.revision and now.mode is before.mode and tokens[0] == tokens[1]
