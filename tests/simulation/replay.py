"""Run the real domain code up to its first call that has no answer yet."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from domain.attempt import Attempt, MigrationPolicy, MigrationPorts, Verdict
from domain.cleanup import clean_source
from domain.conflicts import Conflict, take_source, why_not_taken
from domain.errors import KeyshiftError, UnavailableError
from domain.keys import Location
from domain.migration import migrate_object
from domain.notices import Notice, NoticeKind
from domain.objects import ObjectState
from domain.parts import MIB, Part
from domain.ports import ClaimAnswer, Deleted, Refused, SourceObject, TargetObject, TopMarker, Written
from domain.record import ClaimRequest, Record
from domain.rollback import purge_copy, roll_back_object
from tests.simulation.world import NOW, SOURCE, TARGET, Message, Scenario, as_seen, notice_of

LOST = ("lost",)
"""The answer to a request never came."""
History = tuple[Any, ...]
Call = tuple[Any, ...]


class NeedsAnswer(BaseException):  # no error: it passes through every except clause of the real code
    """The code has come to a call whose answer is not in the history."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.call = call


class ReplayedPorts:
    """All ports at once: each call is answered from the history, or stops the run."""

    def __init__(self, history: History, scenario: Scenario) -> None:
        self._answers = iter(history)
        self._scenario = scenario

    def _ask(self, *call: Any) -> Any:
        try:
            answer = next(self._answers)
        except StopIteration:
            raise NeedsAnswer(call) from None
        if answer == LOST:
            raise UnavailableError(f"no answer to {call[0]}")
        return answer

    def now(self) -> float:
        """Time stands still: claims end when the world says so."""
        return NOW

    def monotonic(self) -> float:
        """It stands still too."""
        return 0.0

    def look_at_object(
        self, location: Location, *, version_id: str | None = None, with_tags: bool = False
    ) -> ObjectState | None:
        """HEAD."""
        at_source = location == SOURCE
        seen = as_seen(self._ask("look", at_source, version_id), self._scenario, at_source=at_source)
        return seen if seen is None or with_tags else replace(seen, tags=None)

    def copy_object(self, source: SourceObject, target: TargetObject, *, seen: ObjectState | None) -> Any:
        """CopyObject."""
        forward = source.location == SOURCE
        return self._written(self._ask("copy", forward, source.etag, source.version_id, target.if_match))

    def delete_object(self, location: Location, *, if_match: str, send_before: float) -> Deleted | Refused:
        """DeleteObject."""
        answer = self._ask("delete", location == SOURCE, if_match)
        return answer if isinstance(answer, Refused) else Deleted("marker" if self._scenario.versioned else None)

    def find_top_marker(self, location: Location) -> TopMarker | None:
        """ListObjectVersions."""
        answer: TopMarker | None = self._ask("hidden")
        return answer

    def remove_delete_marker(self, location: Location, *, marker_id: str, send_before: float) -> None:
        """DeleteObject of our marker."""
        self._ask("undelete", marker_id)

    def create_upload(self, target: TargetObject, *, seen: ObjectState) -> str:
        """CreateMultipartUpload."""
        return str(self._ask("create", target.location == TARGET))

    def copy_parts(
        self, source: SourceObject, target: TargetObject, *, upload_id: str, parts: Sequence[Part]
    ) -> Mapping[int, str] | Refused:
        """UploadPartCopy, one part at a time."""
        copied: dict[int, str] = {}
        for part in parts:
            answer = self._ask("part", upload_id, part.number, source.etag, source.version_id)
            if isinstance(answer, Refused):
                return answer
            copied[part.number] = answer
        return copied

    def list_parts(self, target: Location, *, upload_id: str) -> Mapping[int, str] | None:
        """ListParts."""
        answer = self._ask("parts", upload_id)
        return None if answer is None else dict(answer)

    def complete_upload(
        self, target: TargetObject, *, upload_id: str, etags: Mapping[int, str], size: int
    ) -> Written | Refused:
        """CompleteMultipartUpload."""
        return self._written(self._ask("complete", upload_id, target.if_match))

    def abort_upload(self, target: Location, *, upload_id: str) -> None:
        """AbortMultipartUpload."""
        self._ask("abort", upload_id)

    def claim_record(self, request: ClaimRequest) -> ClaimAnswer:
        """The conditional UpdateItem."""
        answer: ClaimAnswer = self._ask("claim", request)
        return answer

    def write_record(self, record: Record, *, before: Record | None) -> bool:
        """The conditional PutItem."""
        return bool(self._ask("write", record, before))

    def read_record(self, record_id: str) -> Record | None:
        """GetItem."""
        answer: Record | None = self._ask("read")
        return answer

    def read_records(self, record_ids: Sequence[str]) -> dict[str, Record]:
        """Not used by the protocol."""
        raise AssertionError(record_ids)

    def scan_records(self, *, segment: int = 0, segments: int = 1) -> Iterator[Record]:
        """Not used by the protocol."""
        raise AssertionError((segment, segments))

    def _written(self, answer: Any) -> Written | Refused:
        if isinstance(answer, Refused):
            return answer
        etag, version = answer
        return Written(etag, None, str(version) if self._scenario.versioned else None)


def next_call(message: Message, slot: int, history: History, scenario: Scenario) -> Call:
    """What the real code does next: one of its port calls, or ``("ack",)`` or ``("nack",)``."""
    if message[0] == "d" and scenario.knows_itself:
        return ("ack",)
    replayed = ReplayedPorts(history, scenario)
    ports = MigrationPorts(store=replayed, multipart=replayed, manifest=replayed, clock=replayed)
    policy = MigrationPolicy(
        mirror_deletes=scenario.mirror,
        multipart_above=1 if scenario.in_parts else 100 * MIB,
        part_size=5 * MIB,
        parts_at_once=1,
    )
    try:
        verdict = _run(message, Attempt(f"w{slot}", 10.0), ports, policy)
    except NeedsAnswer as stopped:
        return stopped.call
    except KeyshiftError:
        return ("nack",)
    return ("ack",) if verdict is Verdict.DONE else ("nack",)


def _run(message: Message, attempt: Attempt, ports: MigrationPorts, policy: MigrationPolicy) -> Verdict:
    kind = message[0]
    if kind == "K":
        return clean_source(SOURCE.record_id, attempt=attempt, ports=ports, policy=policy, need_proof=False).verdict
    if kind == "R":
        return roll_back_object(SOURCE, TARGET, attempt=attempt, ports=ports, policy=policy).verdict
    if kind == "T":
        return _take_source(attempt, ports, policy)
    if kind == "P":
        return purge_copy(SOURCE.record_id, attempt=attempt, ports=ports, policy=policy).verdict
    notice = notice_of(message)
    return migrate_object(notice, target=TARGET, rule="r", attempt=attempt, ports=ports, policy=policy).verdict


def _take_source(attempt: Attempt, ports: MigrationPorts, policy: MigrationPolicy) -> Verdict:
    """The operator's command on whatever he finds, and the row that it sends, which comes again if its worker dies."""
    record = ports.manifest.read_record(SOURCE.record_id)
    if record is None:
        return Verdict.DONE
    look = ports.store.look_at_object
    conflict = Conflict(record, look(SOURCE, with_tags=True), look(TARGET, with_tags=True))
    replacing = conflict.target.etag if conflict.target is not None else None
    if not why_not_taken(conflict, replacing=replacing):
        ports.manifest.write_record(take_source(conflict, by="op", why="w", now=0.0), before=record)
    row = Notice(NoticeKind.LISTED, SOURCE)
    return migrate_object(row, target=TARGET, rule="r", attempt=attempt, ports=ports, policy=policy).verdict
