"""Run the real domain code up to its first call that has no answer yet."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from domain.errors import AccessDeniedError, KeyshiftError, ThrottledError, UnavailableError
from domain.keys import Location, Sequencer
from domain.objects import ObjectState
from domain.protocol.attempt import Attempt, MigrationPolicy, MigrationPorts, Verdict
from domain.protocol.claims import ClaimRequest
from domain.protocol.cleanup import clean_source
from domain.protocol.cleanup_versions import forget_version
from domain.protocol.conflicts import Conflict, take_source, why_not_taken
from domain.protocol.migration import migrate_object
from domain.protocol.notices import Destination, Notice, NoticeKind
from domain.protocol.parts import MIB, Part
from domain.protocol.ports import (
    ClaimAnswer,
    Deleted,
    Refused,
    SourceObject,
    StoredVersion,
    TargetObject,
    TopMarker,
    Written,
)
from domain.protocol.record import Record
from domain.protocol.rollback import purge_copy, roll_back_object
from handlers.intake.notifications import direct_notices
from tests.fakes.conditions import required_etag
from tests.simulation.histories import Stored, digest
from tests.simulation.world import NOW, OBJECT_BYTES, SOURCE, TARGET, Message, Scenario, as_seen

LOST = ("lost",)
"""The answer to a request never came."""


class Look(NamedTuple):
    """The answer to a look at one of the keys."""

    at_source: bool
    stored: Stored | None


class Marked(NamedTuple):
    """The answer to the question what hides the source."""

    top: TopMarker | None


class Listed(NamedTuple):
    """The answer to ListObjectVersions, oldest first."""

    versions: tuple[StoredVersion, ...]


THROTTLED, DENIED = ("throttled",), ("denied",)
"""S3 did not do what it was asked."""
FOREVER = 1e9
"""Seconds that a claim stands, by the clock: the world says when it ends."""
History = tuple[Any, ...]
"""What a worker was answered and when, after the moment at which it received its message."""
Call = tuple[Any, ...]


class NeedsAnswer(BaseException):  # no error: it passes through every except clause of the real code
    """The code has come to a call whose answer is not in the history."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.call = call


class ReplayedPorts:
    """All ports at once: each call is answered from the history, or stops the run."""

    def __init__(self, history: History, scenario: Scenario) -> None:
        (_, self._now), *answers = history
        self._answers = iter(answers)
        self._scenario = scenario

    def _ask(self, *call: Any) -> Any:
        try:
            answer, self._now = next(self._answers)
        except StopIteration:
            raise NeedsAnswer(call) from None
        if answer == LOST:
            raise UnavailableError(f"no answer to {call[0]}")
        if answer == THROTTLED:
            raise ThrottledError(f"SlowDown: {call[0]}")
        if answer == DENIED:
            raise AccessDeniedError(f"AccessDenied: {call[0]}")
        return answer

    def now(self) -> float:
        """When the last answer came; claims end when the world says so."""
        return float(self._now if self._scenario.pace else NOW)

    def monotonic(self) -> float:
        """It stands still too."""
        return 0.0

    def look_at_object(
        self, location: Location, *, version_id: str | None = None, with_tags: bool = False
    ) -> ObjectState | None:
        """HEAD."""
        answer: Look = self._ask("look", location == SOURCE, version_id)
        seen = as_seen(answer.stored, self._scenario)
        return seen if seen is None or with_tags else replace(seen, tags=None)

    def copy_object(self, source: SourceObject, target: TargetObject, *, seen: ObjectState | None) -> Any:
        """CopyObject."""
        forward = source.location == SOURCE
        return self._written(
            self._ask("copy", forward, source.etag, source.version_id, required_etag(target.condition))
        )

    def delete_object(self, location: Location, *, if_match: str, send_before: float) -> Deleted | Refused:
        """DeleteObject."""
        answer = self._ask("delete", location == SOURCE, if_match)
        return answer if isinstance(answer, Refused) else Deleted(answer or None)

    def find_top_marker(self, location: Location) -> TopMarker | None:
        """ListObjectVersions."""
        answer: Marked = self._ask("marker")
        return answer.top

    def list_versions(self, location: Location, *, since: str | None = None) -> Sequence[StoredVersion]:
        """ListObjectVersions of the source; what is newer than ``since`` is all that is asked for."""
        answer: Listed = self._ask("list")
        at = next((at for at, one in enumerate(answer.versions) if one.version_id == since), 0)
        return answer.versions[at:]

    def remove_delete_marker(self, location: Location, *, marker_id: str, send_before: float) -> None:
        """DeleteObject of our marker."""
        self._ask("undelete", marker_id)

    def remove_version(self, location: Location, *, version_id: str, send_before: float) -> None:
        """DeleteObject of a version, for good."""
        self._ask("forget", version_id)

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
        return self._written(self._ask("complete", upload_id, required_etag(target.condition)))

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
        etag, version_id, read = answer
        return Written(etag, version_id or None, (read or None) if self._scenario.tells_read_version else None)


def next_call(message: Message, slot: int, history: History, scenario: Scenario) -> Call:
    """What the real code does next: one of its port calls, or ``("ack",)`` or ``("nack",)``."""
    if message.kind == "d" and scenario.knows_itself:
        return ("ack",)
    replayed = ReplayedPorts(history, scenario)
    history_port = replayed if scenario.histories else None
    ports = MigrationPorts(replayed, replayed, replayed, replayed, history=history_port)
    policy = MigrationPolicy(
        mirror_deletes=scenario.mirror,
        multipart_above=1 if scenario.in_parts else 100 * MIB,
        part_size=5 * MIB,
        parts_at_once=1,
    )
    try:
        verdict = _run(message, Attempt(f"w{slot}", FOREVER), ports, policy)
    except NeedsAnswer as stopped:
        return stopped.call
    except KeyshiftError:
        return ("nack",)
    return ("ack",) if verdict is Verdict.DONE else ("nack",)


def _run(message: Message, attempt: Attempt, ports: MigrationPorts, policy: MigrationPolicy) -> Verdict:
    kind = message.kind
    if kind == "K":
        return clean_source(SOURCE.record_id, attempt=attempt, ports=ports, policy=policy, need_proof=False).verdict
    if kind == "R":
        return roll_back_object(SOURCE, TARGET, attempt=attempt, ports=ports, policy=policy).verdict
    if kind == "T":
        return _take_source(attempt, ports, policy)
    if kind == "F":
        versions: Any = ports.store
        return forget_version(SOURCE.record_id, attempt=attempt, ports=ports, versions=versions, policy=policy).verdict
    if kind == "P":
        return purge_copy(SOURCE.record_id, attempt=attempt, ports=ports, policy=policy).verdict
    notice = notice_of(message)
    return migrate_object(
        notice, destination=Destination(TARGET, "r"), attempt=attempt, ports=ports, policy=policy
    ).verdict


def notice_of(message: Message) -> Notice:
    """What the handler would make of this message."""
    kind, value, version_id = message.kind, message.value, message.version_id
    if kind == "I":
        return Notice(NoticeKind.LISTED, SOURCE, digest(value), size=OBJECT_BYTES, storage_class="STANDARD")
    if kind in ("D", "E", "d"):
        return _told(message)
    return Notice(
        NoticeKind.CREATED,
        SOURCE,
        digest(value),
        version_id=version_id or None,
        size=OBJECT_BYTES,
        sequencer=Sequencer(_sequencer(message)),
        storage_class="STANDARD",
    )


def _told(message: Message) -> Notice:
    """A removal as S3 tells it, read by the handler's own code."""
    told = {"key": SOURCE.key, "sequencer": _sequencer(message)}
    if message.version_id:
        told["versionId"] = message.version_id
    entry = {
        "eventVersion": "2.6",
        "eventName": "LifecycleExpiration:Delete" if message.kind == "E" else "ObjectRemoved:Delete",
        "s3": {"bucket": {"name": SOURCE.bucket}, "object": told},
    }
    (notice,) = direct_notices([entry], own_principals=())
    if not isinstance(notice, Notice):
        raise TypeError(notice)
    return notice


def _sequencer(message: Message) -> str:
    """Our own delete comes before the word whose number it would have had."""
    return f"{2 * message.number - (message.kind == 'd'):018x}"


def _take_source(attempt: Attempt, ports: MigrationPorts, policy: MigrationPolicy) -> Verdict:
    """The operator's command on whatever he finds, and the row that it sends, which comes again if its worker dies."""
    record = ports.manifest.read_record(SOURCE.record_id)
    if record is None:
        return Verdict.DONE
    look = ports.store.look_at_object
    conflict = Conflict(record, look(SOURCE, with_tags=True), look(TARGET, with_tags=True))
    replacing = conflict.target.etag if conflict.target is not None else None
    if why_not_taken(conflict, replacing=replacing) is None:
        ports.manifest.write_record(take_source(conflict, by="op", why="w", now=0.0), before=record)
    row = Notice(NoticeKind.LISTED, SOURCE)
    return migrate_object(
        row, destination=Destination(TARGET, "r"), attempt=attempt, ports=ports, policy=policy
    ).verdict
