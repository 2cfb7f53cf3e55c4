"""Copy one object under a claim: in one request or in parts, always recognisable afterwards (protocol.md §4, §7)."""

from dataclasses import dataclass, replace

from domain.errors import ArchivedError, RefusedRequestError
from domain.keys import Location
from domain.objects import ObjectState, is_digest
from domain.protocol.annotating import carry_annotations
from domain.protocol.attempt import MigrationPolicy, MigrationPorts, copy_intent
from domain.protocol.held_record import HeldRecord
from domain.protocol.intents import Action, Intent
from domain.protocol.parts import (
    MAX_OBJECT_BYTES,
    Part,
    composed_etag,
    cut_into_parts,
    full_checksum,
    part_size_for,
)
from domain.protocol.ports import MultipartStore, Refused, SourceObject, TargetCondition, Written
from domain.protocol.record import Upload


@dataclass(frozen=True, slots=True)
class HandedOn:
    """The attempt's time is over; the record says where the next attempt goes on. ``left`` are parts, or versions."""

    left: int


@dataclass(frozen=True, slots=True)
class SeenCopy:
    """A copy of the source that ``seen`` describes, with the encryption that the copy shall have.

    With a ``version_id`` that version is copied, current or not. ``intent`` is what is declared; by default it is a
    copy that its etag or checksum identifies.
    """

    source: Location
    target: Location
    seen: ObjectState
    condition: TargetCondition
    version_id: str | None = None
    intent: Intent | None = None


UPLOAD = Intent(Action.UPLOAD)
CopyAnswer = Written | Refused | HandedOn


def copy_seen(held: HeldRecord, copy: SeenCopy, *, ports: MigrationPorts, policy: MigrationPolicy) -> CopyAnswer:
    """Copy the source as it was read.

    Raises ArchivedError for a source that must be restored first, RefusedRequestError for a source that is too large
    for S3.
    """
    source, seen = copy.source, copy.seen
    if seen.is_archived:
        raise ArchivedError(f"{source.uri} is archived ({seen.archive_status or seen.storage_class}): restore it first")
    if seen.size > MAX_OBJECT_BYTES:
        raise RefusedRequestError(f"{source.uri} has {seen.size} bytes, more than one S3 object can be made of")
    checksum = full_checksum(seen.checksums) if seen.full_checksums else ""
    is_encrypted = is_digest(seen.etag) and not seen.etag_is_digest
    intent = copy.intent or copy_intent(
        seen.etag, seen.version_id, policy, checksum=checksum, is_encrypted=is_encrypted
    )
    recognisable = bool(intent.target_etag or intent.checksum) or intent.action is not Action.COPY
    if policy.is_cut(seen.size, copy.target.bucket) or (seen.size and not recognisable):
        return _copy_in_parts(held, copy, intent, ports=ports, policy=policy)
    abort_upload(held, ports.multipart)
    held.declare_intent(intent)
    origin = SourceObject(source, seen.etag, copy.version_id)
    goal = held.target(copy.target, copy.condition, storage_class=seen.storage_class)
    answer = held.send_copy(lambda: ports.store.copy_object(origin, goal, seen=seen))
    policy.in_parts_only.learn(copy.target.bucket, answer)
    if answer is Refused.NOT_OFFERED:
        return _copy_in_parts(held, copy, intent, ports=ports, policy=policy)
    return answer


def _copy_in_parts(
    held: HeldRecord, copy: SeenCopy, intent: Intent, *, ports: MigrationPorts, policy: MigrationPolicy
) -> CopyAnswer:
    source, seen = copy.source, copy.seen
    with_tags = _with_tags(source, seen, ports)
    if with_tags is None:
        return Refused.PRECONDITION
    answer = _PartsCopy(held, replace(copy, seen=with_tags), ports, policy).run(intent)
    if not isinstance(answer, Written):
        return answer
    # S3 copies annotations only in one request. The completed object exists without them until they are put.
    origin = SourceObject(source, seen.etag, seen.version_id)
    is_whole = carry_annotations(held, ports.annotations, origin, copy.target, etag=answer.etag)
    return answer if is_whole else Refused.PRECONDITION


def _with_tags(source: Location, seen: ObjectState, ports: MigrationPorts) -> ObjectState | None:
    """The same object with its tags, which a multipart copy needs; ``None`` when it has changed meanwhile."""
    if seen.tags is not None:
        return seen
    again = ports.store.look_at_object(source, version_id=seen.version_id, with_tags=True)
    if again is None or again.etag != seen.etag:
        return None
    return replace(again, encryption=seen.encryption)


class _PartsCopy:
    """One multipart copy, resumable from the record."""

    def __init__(self, held: HeldRecord, copy: SeenCopy, ports: MigrationPorts, policy: MigrationPolicy) -> None:
        seen = copy.seen
        self._held = held
        # Each part is a separate read, so each is pinned to the version that HEAD returned, and to its etag.
        self._source = SourceObject(copy.source, seen.etag, seen.version_id)
        self._target = held.target(copy.target, copy.condition, storage_class=seen.storage_class)
        self._seen = seen
        self._multipart = ports.multipart
        self._policy = policy
        self._part_size = part_size_for(seen.size, wanted=policy.part_size)

    def run(self, intent: Intent) -> CopyAnswer:
        """Start or resume the upload, copy the missing parts, complete it."""
        upload_id, etags = self._resume(intent) or self._start(intent)
        missing = [part for part in self._parts() if part.number not in etags]
        while missing:
            batch, missing = missing[: self._policy.parts_at_once], missing[self._policy.parts_at_once :]
            copied = self._copy(upload_id, batch)
            if isinstance(copied, Refused):
                abort_upload(self._held, self._multipart)
                return copied
            etags |= copied
            # The time is checked after a batch and not before, so every attempt makes some progress.
            if missing and not self._held.has_time_for(self._policy.request_seconds / 2):
                return HandedOn(len(missing))
        return self._complete(intent, upload_id, etags)

    def _parts(self) -> list[Part]:
        return cut_into_parts(self._seen.size, part_size=self._part_size)

    def _upload(self, upload_id: str) -> Upload:
        seen = self._seen
        return Upload(
            upload_id,
            self._target.location,
            seen.etag,
            seen.version_id or "",
            seen.last_modified,
            self._part_size,
            self._held.lease.not_before,
        )

    def _resume(self, intent: Intent) -> tuple[str, dict[int, str]] | None:
        upload = self._held.record.upload
        if upload is None:
            return None
        # last_modified shows that a source was written again with the same bytes but other metadata. An upload that
        # began earlier would not carry that metadata.
        if upload == replace(self._upload(upload.upload_id), not_before=upload.not_before):
            etags = self._multipart.list_parts(self._target.location, upload_id=upload.upload_id)
            if etags is not None:
                self._declare_parts(intent)
                return upload.upload_id, dict(etags)
        abort_upload(self._held, self._multipart)
        return None

    def _declare_parts(self, intent: Intent) -> None:
        # The target is unchanged until the upload is completed. Declared as a copy, another writer's equal object would
        # be taken for keyshift's.
        self._held.declare_intent(UPLOAD if intent.action is Action.COPY else intent)

    def _start(self, intent: Intent) -> tuple[str, dict[int, str]]:
        self._declare_parts(intent)
        upload_id = self._held.send(lambda: self._multipart.create_upload(self._target, seen=self._seen), is_last=False)
        self._held.rewrite(upload=self._upload(upload_id))
        return upload_id, {}

    def _copy(self, upload_id: str, batch: list[Part]) -> dict[int, str] | Refused:
        # A part is not an object at the target: an attempt that ends here may have written nothing.
        copied = self._held.send(
            lambda: self._multipart.copy_parts(self._source, self._target, upload_id=upload_id, parts=batch),
            is_last=False,
        )
        return copied if isinstance(copied, Refused) else dict(copied)

    def _complete(self, intent: Intent, upload_id: str, etags: dict[int, str]) -> Written | Refused:
        if intent.action is Action.COPY:
            # Under a KMS key the parts' etags have the form of digests, but are not digests of the bytes.
            is_encrypted = self._seen.encryption.is_kms or self._policy.encrypts_targets()
            is_foretold = all(is_digest(etag) for etag in etags.values()) and not is_encrypted
            foretold = composed_etag(etags) if is_foretold else ""
            upload = self._held.record.upload
            begun = upload.not_before if upload is not None else 0
            self._held.declare_intent(replace(intent, target_etag=foretold, not_before=begun))
        # Left to the next attempt for lack of time, the upload might never be completed: S3 may take longer than a
        # worker's attempt.
        self._held.lengthen_claim(self._policy.complete_seconds - self._policy.request_seconds)
        answer = self._held.send(
            lambda: self._multipart.complete_upload(
                self._target, upload_id=upload_id, etags=etags, size=self._seen.size
            )
        )
        if isinstance(answer, Refused):
            refused = answer
            self._held.ask_if_done(lambda: may_be_completed(refused, self._held, self._multipart))
        if answer is Refused.CONCURRENT:  # after a 409, S3 requires a new CreateMultipartUpload
            abort_upload(self._held, self._multipart)
        if isinstance(answer, Written):
            return Written(answer.etag, answer.version_id, self._seen.version_id)
        return answer


def may_be_completed(refused: Refused, held: HeldRecord, multipart: MultipartStore) -> bool:
    """Whether a refused CompleteMultipartUpload may have taken effect, because a proxy sent it twice.

    No other writer completes this upload. It certainly had no effect only if S3 refused a condition and the upload
    still exists.
    """
    upload = held.record.upload
    if refused is not Refused.PRECONDITION or upload is None:
        return True
    return multipart.list_parts(upload.location, upload_id=upload.upload_id) is None


def abort_upload(held: HeldRecord, multipart: MultipartStore) -> None:
    """Delete the upload that the record names, if there is one, and its parts, which S3 would bill forever."""
    upload = held.record.upload
    if upload is not None:
        multipart.abort_upload(upload.location, upload_id=upload.upload_id)
        held.rewrite(upload=None)
