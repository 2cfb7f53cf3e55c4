"""Augmented manifests whose lines name moved objects: new content at the manifest's new key (protocol.md §8).

A rewriting is an attempt like any other: claim, intent, conditional write, commit. It begins from the content at the
target. It switches only lines whose objects are verified at their new keys, so it can be repeated until all are.
"""

import zlib
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from domain.errors import UnavailableError
from domain.objects import ObjectState, is_digest
from domain.protocol.annotating import put_annotations, read_annotations
from domain.protocol.attempt import Attempt, Lease, MigrationPolicy
from domain.protocol.copying import abort_upload, may_be_completed
from domain.protocol.held_record import HeldRecord, take_claim
from domain.protocol.intents import Action, Intent
from domain.protocol.known_target import is_known, wrote
from domain.protocol.parts import composed_etag, part_size_for
from domain.protocol.ports import MustMatch, Refused, TargetObject
from domain.protocol.record import Mode, Record, State, Upload
from domain.references.holders import Reference
from domain.references.manifest_lines import ManifestLine, lines_of, rewritten_lines
from domain.references.manifest_reading import ManifestPorts
from domain.references.reports import ReferenceOutcome, Reported, Wait, Waiting
from domain.rules.compiled import CompiledRules
from domain.rules.references import ManifestReferences

MAX_TOLD = 100
"""Lines of one manifest that are reported one by one; the rest are counted."""
REWRITE = Intent(Action.REWRITE)


def is_ours(record: Record, seen: ObjectState) -> bool:
    """Whether keyshift wrote the manifest at the new key, as far as the record shows."""
    return is_known(seen, record) or any(wrote(intent, seen) for intent in record.maybe)


def why_not(record: Record, now: float) -> Waiting | None:
    """Why this manifest must not be rewritten now; ``None`` when it may be."""
    if record.mode is not Mode.FORWARD:
        return Waiting(Wait.MANIFEST_ROLLED_BACK)
    if record.state not in (State.COPIED, State.CLEANED):
        return Waiting(Wait.MANIFEST_NOT_COPIED, record.state.value)
    if record.state is State.CLEANED and not record.keeps_original:
        return Waiting(Wait.MANIFEST_NOT_KEPT)
    if record.is_claimed_at(now):
        return Waiting(Wait.ATTEMPT_RUNS)
    if any(intent.action is not Action.REWRITE for intent in record.maybe) or (
        record.intent is not None and record.intent.action is not Action.REWRITE
    ):
        return Waiting(Wait.MANIFEST_UNSETTLED)
    return None


@dataclass(frozen=True, slots=True)
class ManifestRewriter:
    """Rewrites augmented manifests by these rules, one at a time."""

    rules: CompiledRules
    ports: ManifestPorts
    policy: MigrationPolicy

    def rewrite_manifest(
        self, record: Record, declared: Sequence[ManifestReferences], *, attempt: Attempt
    ) -> list[Reported]:
        """Switch every line whose object is verified; the manifest's record then names the new content.

        Raises TransientError when it is to be tried again; nothing is half done then.
        """
        migration = self.ports.migration
        lease = Lease.begin(attempt, self.policy, migration.clock)
        why = why_not(record, lease.started)
        held = take_claim(record, REWRITE, lease=lease, ports=migration) if why is None else None
        if held is None:
            reference = Reference(record.target.uri, "", record.source.uri, record.source)
            return [Reported.waiting(reference, why or Waiting(Wait.BUSY))]
        with held.returned_after_error():
            return _Rewriting(held, declared, self).run()


class _Rewriting:
    """One rewriting under its claim."""

    def __init__(self, held: HeldRecord, declared: Sequence[ManifestReferences], by: ManifestRewriter) -> None:
        self._held, self._declared = held, declared
        self._rules, self._ports, self._policy = by.rules, by.ports, by.policy
        self._holder = held.record.target.uri
        self._reports: list[Reported] = []
        self._switched = 0
        self._untold = 0
        self._crc = 0
        self._size = 0

    def run(self) -> list[Reported]:
        held, migration = self._held, self._ports.migration
        seen = migration.store.look_at_object(held.record.target, with_tags=True)
        if seen is None or not is_ours(held.at_claim, seen):
            abort_upload(held, migration.multipart)
            return self._stop(Wait.MANIFEST_REPLACED)
        if not any(line.after != line.before for line in self._lines(seen)):
            return self._settle(seen)
        if not held.has_time_for(self._policy.request_seconds / 2):
            return self._stop(Wait.NO_TIME)
        self._reports, self._untold, self._switched = [], 0, 0
        return self._write(seen)

    def _lines(self, seen: ObjectState) -> Iterator[ManifestLine]:
        place = self._held.record.target
        blocks = self._ports.contents.read_content(place, etag=seen.etag)
        if isinstance(blocks, Refused):
            raise UnavailableError(f"{place.uri} changed while it was read")
        lines = lines_of(blocks, name=place.uri)
        ports = self._ports.migration
        for line in rewritten_lines(lines, self._declared, holder=place.uri, rules=self._rules, ports=ports):
            for report in line.reports:
                self._tell(report)
            yield line

    def _tell(self, report: Reported) -> None:
        if report.outcome is ReferenceOutcome.READY:
            self._switched += 1
        elif len(self._reports) < MAX_TOLD:
            self._reports.append(report)
        else:
            self._untold += 1

    def _write(self, seen: ObjectState) -> list[Reported]:
        held, multipart = self._held, self._ports.migration.multipart
        abort_upload(held, multipart)
        described = replace(seen, checksums={"CRC32": ""}, full_checksums=True)
        goal = held.target(held.record.target, MustMatch(seen.etag), storage_class=seen.storage_class)
        upload_id = held.send(lambda: multipart.create_upload(goal, seen=described), is_last=False)
        part_size = part_size_for(2 * seen.size + 1, wanted=self._policy.part_size)
        # The upload names no source, so a copy that finds it does not resume it.
        upload = Upload(upload_id, goal.location, "", "", seen.last_modified, part_size, held.lease.not_before)
        # The content that is written now is newer than the copy, whose date must stay known.
        copied = held.record.source_modified
        held.rewrite(upload=upload, source_modified=copied if copied is not None else seen.last_modified)
        etags = self._upload(seen, goal, upload_id, part_size)
        if etags is None:
            abort_upload(held, multipart)
            return self._stop(Wait.BROKEN_OFF)
        foretold = composed_etag(etags) if all(is_digest(etag) for etag in etags.values()) else ""
        checksum = "CRC32=" + b64encode(self._crc.to_bytes(4, "big")).decode()
        annotations = self._ports.migration.annotations
        payloads = read_annotations(annotations, goal.location)
        held.declare_intent(Intent(Action.REWRITE, seen.etag, seen.version_id or "", foretold, checksum))
        held.lengthen_claim(self._policy.complete_seconds - self._policy.request_seconds)
        answer = held.send(lambda: multipart.complete_upload(goal, upload_id=upload_id, etags=etags, size=self._size))
        if isinstance(answer, Refused):
            return self._look_again(answer)
        if annotations is not None and payloads:
            # What another writer has put to the new content since stays.
            there = annotations.list_annotations(goal.location) or {}
            payloads = {name: payload for name, payload in payloads.items() if name not in there}
            put_annotations(held, annotations, goal.location, payloads, etag=answer.etag)
        self._commit_content(answer.etag, answer.version_id)
        return self._told()

    def _told(self) -> list[Reported]:
        record, why = self._held.record, f"{self._switched} references switched"
        return [Reported(self._whole(), ReferenceOutcome.REWRITTEN, why, record.target.uri), *self._rest()]

    def _look_again(self, refused: Refused) -> list[Reported]:
        """Read the target after S3 refused keyshift's content.

        Another writer's object may be there, or keyshift's own content, because a proxy sent the request twice.
        """
        held, migration = self._held, self._ports.migration
        if held.ask_if_done(lambda: may_be_completed(refused, held, migration.multipart)):
            seen, intent = migration.store.look_at_object(held.record.target), held.record.intent
            if seen is not None and intent is not None and wrote(intent, seen):
                self._commit_content(seen.etag, seen.version_id)
                return self._told()
        abort_upload(held, migration.multipart)
        return self._stop(Wait.MANIFEST_REPLACED)

    def _upload(self, seen: ObjectState, goal: TargetObject, upload_id: str, part_size: int) -> dict[int, str] | None:
        """The etag of every part; ``None`` when there is no time left, or the upload no longer exists."""
        etags: dict[int, str] = {}
        for number, body in enumerate(_parts((line.after for line in self._lines(seen)), part_size), start=1):
            if not self._held.has_time_for(self._policy.request_seconds / 2):
                return None
            self._crc = zlib.crc32(body, self._crc)
            self._size += len(body)
            send = partial(self._ports.contents.upload_part, goal, upload_id=upload_id, number=number, body=body)
            answer = self._held.send(send, is_last=False)
            if isinstance(answer, Refused):
                return None
            etags[number] = answer
        return etags

    def _settle(self, seen: ObjectState) -> list[Reported]:
        """Settle without a switch: if an earlier attempt's content is at the target, the record takes it over."""
        held = self._held
        abort_upload(held, self._ports.migration.multipart)
        if seen.etag == held.record.target_etag:
            held.commit(held.record.state)
        else:
            self._commit_content(seen.etag, seen.version_id)
        return self._rest()

    def _commit_content(self, etag: str, version_id: str | None) -> None:
        self._held.commit(
            self._held.record.state,
            target_etag=etag,
            target_version=version_id,
            copied_before=self._held.copied_before(),
            rewritten_etag=etag,
            verified_at=None,
            seen=None,
        )

    def _stop(self, why: Wait) -> list[Reported]:
        self._held.forget_intent()
        return [self._waiting(Waiting(why))]

    def _waiting(self, why: Waiting) -> Reported:
        return Reported.waiting(self._whole(), why, new_uri=self._held.record.target.uri)

    def _whole(self) -> Reference:
        """The manifest as a whole."""
        source = self._held.record.source
        return Reference(self._holder, "", source.uri, source)

    def _rest(self) -> list[Reported]:
        if not self._untold:
            return self._reports
        return [*self._reports, self._waiting(Waiting(Wait.MORE, str(self._untold)))]


def _parts(lines: Iterator[bytes], part_size: int) -> Iterator[bytes]:
    """The same bytes in parts of this size; the last part may be smaller."""
    pending = bytearray()
    for line in lines:
        pending += line
        while len(pending) >= part_size:
            yield bytes(pending[:part_size])
            del pending[:part_size]
    if pending:
        yield bytes(pending)
