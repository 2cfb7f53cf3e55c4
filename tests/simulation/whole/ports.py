"""S3 as one process sees it: each call is a request whose fate the scheduler decides."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

from domain.keys import Location
from domain.objects import ListedObject, Lock, ObjectState
from domain.protocol.parts import MIB, Part
from domain.protocol.ports import Deleted, Refused, SourceObject, StoredVersion, TargetObject, TopMarker, Written
from tests.fakes.buckets import Version
from tests.fakes.conditions import required_etag
from tests.simulation.whole.asking import Asking
from tests.simulation.whole.scheduler import Phases, Request

NEVER = float("inf")
SCALE = MIB
"""One stored byte stands for so many, so that a body of a dozen bytes is copied in parts."""
PAGE = 5
"""Keys of one page of a listing: what happens between two pages makes rows stale."""


class SimulatedStore(Asking):
    """ObjectStore, MultipartStore and ObjectListing; the conditions are evaluated by the in-memory store."""

    def look_at_object(
        self, location: Location, *, version_id: str | None = None, with_tags: bool = False
    ) -> ObjectState | None:
        """HEAD."""
        store, shown = self._site.store, list[Version | None]()
        is_lock_hidden = self._site.hides_locks_from(self._process)
        self._site.run_promises.asked(location, by=self._process.name)

        def effect() -> ObjectState | None:
            shown.append(store.buckets.version(location, version_id))
            if version_id is None:
                self._site.truth.doubts.shows(self.name_for(location), location, shown[-1])
            return store.look_at_object(location, version_id=version_id, with_tags=with_tags)

        needs = _needs(_state(store.buckets.version(location, version_id)))
        seen: ObjectState | None = self._ask_of(location, "look_at_object", location.key, effect, needs=needs)
        if seen is not None and is_lock_hidden:
            seen = replace(seen, lock=Lock())
        self._site.looks[self._process.name, location] = seen.etag if seen is not None else None
        if version_id is None:
            doubts = self._site.truth.doubts
            doubts.saw(self.name_for(location), location, shown[-1], is_lock_hidden=is_lock_hidden)
        if seen is not None and not self._site.plan.checksums:
            seen = replace(seen, checksums={}, full_checksums=False)
        return seen if seen is None else replace(seen, size=seen.size * SCALE)

    def copy_object(self, source: SourceObject, target: TargetObject, *, seen: ObjectState | None) -> Written | Refused:
        """CopyObject: S3 reads first and writes later."""
        done: list[Version | None] = []

        def copying() -> Phases:
            outcome = yield from cast("Generator[None, None, Written | Refused]", self._copying(source, target, seen))
            if isinstance(outcome, Written):
                done.append(self._site.store.buckets.current(target.location))
            elif outcome is Refused.PRECONDITION or done:  # done before: sent twice on the way
                self._site.truth.refused(target.location, was_done=bool(done))
            return outcome  # type: ignore[return-value]  # a generator's return value is the answer

        condition = _short(required_etag(target.condition))
        request = Request(
            "copy_object",
            f"{source.location.key} {source.etag[:6]} -> {target.location.key} if {condition}",
            copying,
            target.send_before,
            needs=_needs(_state(self._site.store.buckets.version(source.location, source.version_id)), setting=seen),
        )
        answer: Written | Refused = self._send_of(target.location, request)
        if isinstance(answer, Written):
            self._site.truth.doubts.saw(self.name_for(target.location), target.location, done[-1])
        return answer

    def _copying(self, source: SourceObject, target: TargetObject, seen: ObjectState | None) -> Phases:
        store, truth = self._site.store, self._site.truth
        if target.location.bucket in store.enforcing:
            return Refused.NOT_OFFERED  # type: ignore[return-value]  # a generator's return value is the answer
        read = store.read_for_copy(source, target)
        if isinstance(read, Refused):
            return read  # type: ignore[return-value]  # a generator's return value is the answer
        yield
        before = store.buckets.current(target.location)
        answer = store.write_copy(read, target, seen=seen)
        if isinstance(answer, Written):
            self._site.promises.moved(target.location, by=self._process.name)
            self._site.run_promises.changed(target.location, by=self._process.name)
            truth.written(target.location, read, before, by=self.name_for(target.location))
            self._site.claims.copied(target.location, source.etag)
            self._site.manifests.changed(target.location)
            self._site.service.object_written(target.location)
        return answer  # type: ignore[return-value]  # as above

    def delete_object(self, location: Location, *, if_match: str, send_before: float) -> Deleted | Refused:
        """DeleteObject."""

        def effect() -> Deleted | Refused:
            there = self._site.store.buckets.current(location)
            answer = self._site.store.delete_object(location, if_match=if_match, send_before=NEVER)
            if answer is Refused.SOURCE_ABSENT and self._site.plan.blunt:
                return Refused.PRECONDITION
            if isinstance(answer, Deleted) and there is not None:
                marker = self._site.store.buckets.top(location)
                self._site.promises.moved(location, by=self._process.name)
                self._site.run_promises.removed(location, by=self._process.name)
                self._site.truth.deleted(location, there, marker, by=self.name_for(location))
                self._site.claims.deleted(location)
                self._site.application.deleted(location, by=self._process)
                self._site.manifests.deleted(location, by=self._process)
                self._site.manifests.changed(location)
                self._site.service.object_deleted(location, by_us=True)
            return answer

        subject = f"{location.key} if {_short(if_match)}"
        answer: Deleted | Refused = self._ask_of(location, "delete_object", subject, effect, send_before)
        return answer

    def find_top_marker(self, location: Location) -> TopMarker | None:
        """ListObjectVersions."""
        answer: TopMarker | None = self._ask_of(
            location, "find_top_marker", location.key, lambda: self._site.store.find_top_marker(location)
        )
        return answer

    def list_versions(self, location: Location, *, since: str | None = None) -> Sequence[StoredVersion]:
        """ListObjectVersions."""
        answer: Sequence[StoredVersion] = self._ask_of(
            location, "list_versions", location.key, lambda: self._site.store.list_versions(location, since=since)
        )
        return answer

    def remove_delete_marker(self, location: Location, *, marker_id: str, send_before: float) -> None:
        """DeleteObject of a marker."""

        def effect() -> None:
            gone = self._site.store.buckets.find(location, marker_id)
            self._site.store.remove_delete_marker(location, marker_id=marker_id, send_before=NEVER)
            if gone is not None:
                self._site.run_promises.changed(location, by=self._process.name)
                self._site.truth.uncovered(self._site.truth.keys[location], gone)

        self._ask_of(location, "remove_delete_marker", location.key, effect, send_before)

    def remove_version(self, location: Location, *, version_id: str, send_before: float) -> None:
        """DeleteObject of a version, for good."""

        def effect() -> None:
            gone = self._site.store.buckets.version(location, version_id)
            self._site.store.remove_version(location, version_id=version_id, send_before=NEVER)
            if gone is not None:
                self._site.run_promises.removed(location, by=self._process.name)
                self._site.truth.forgotten(location, gone, by=self.name_for(location))

        self._ask_of(location, "remove_version", f"{location.key} {version_id}", effect, send_before)

    def create_upload(self, target: TargetObject, *, seen: ObjectState) -> str:
        """CreateMultipartUpload."""

        def effect() -> str:
            number = self._site.next_number()
            upload_id = self._site.store.create_upload(replace(target, send_before=NEVER), seen=seen)
            self._site.store.uploads[f"u{number}"] = self._site.store.uploads.pop(upload_id)
            return f"u{number}"

        key, needs = target.location.key, _needs(seen, setting=seen)
        return str(self._ask_of(target.location, "create_upload", key, effect, target.send_before, needs))

    def copy_parts(
        self, source: SourceObject, target: TargetObject, *, upload_id: str, parts: Sequence[Part]
    ) -> Mapping[int, str] | Refused:
        """UploadPartCopy, one part after the other, each a read of its own."""
        request = Request(
            "copy_parts",
            f"{source.location.key} {source.etag[:6]} -> {target.location.key} {upload_id} {[p.number for p in parts]}",
            lambda: self._copying_parts(source, target, upload_id, parts),
            target.send_before,
            needs=_needs(_state(self._site.store.buckets.version(source.location, source.version_id))),
        )
        answer: Mapping[int, str] | Refused = self._send_of(target.location, request)
        return answer

    def _copying_parts(
        self, source: SourceObject, target: TargetObject, upload_id: str, parts: Sequence[Part]
    ) -> Phases:
        copied: dict[int, str] = {}
        for part in parts:
            small = Part(part.number, part.first // SCALE, (part.last + 1) // SCALE - 1)
            goal = replace(target, send_before=NEVER)
            read = self._site.store.buckets.version(source.location, source.version_id)
            answer = self._site.store.copy_parts(source, goal, upload_id=upload_id, parts=[small])
            if isinstance(answer, Refused):
                return answer  # type: ignore[return-value]  # a generator's return value is the answer
            copied |= answer
            self._site.truth.part_read(upload_id, part.number, read)
            yield
        return copied  # type: ignore[return-value]  # as above

    def list_parts(self, target: Location, *, upload_id: str) -> Mapping[int, str] | None:
        """ListParts."""
        answer: Mapping[int, str] | None = self._ask_of(
            target, "list_parts", target.key, lambda: self._site.store.list_parts(target, upload_id=upload_id)
        )
        return answer

    def complete_upload(
        self, target: TargetObject, *, upload_id: str, etags: Mapping[int, str], size: int
    ) -> Written | Refused:
        """CompleteMultipartUpload."""
        done: list[Version | None] = []

        def effect() -> Written | Refused:
            store, upload = self._site.store, self._site.store.uploads.get(upload_id)
            before = store.buckets.current(target.location)
            is_copy = upload_id not in self._site.manifests.rewritings
            stored = size // SCALE if is_copy else size
            goal = replace(target, send_before=NEVER)
            answer = store.complete_upload(goal, upload_id=upload_id, etags=etags, size=stored)
            made = store.buckets.current(target.location)
            if isinstance(answer, Written) and made is not None and made.state is not None and upload is not None:
                done.append(made)
                self._site.promises.moved(target.location, by=self._process.name)
                self._site.run_promises.changed(target.location, by=self._process.name)
                if is_copy:
                    self._site.truth.completed(target.location, upload_id, before, by=self.name_for(target.location))
                    self._site.claims.copied(target.location, upload.state.etag)
                else:
                    self._site.manifests.rewritten(target.location, made, before, by=self._process.name)
                self._site.manifests.changed(target.location)
                self._site.service.object_written(target.location)
            return answer

        answer: Written | Refused = self._ask_of(
            target.location,
            "complete_upload",
            f"{target.location.key} {upload_id} if {_short(required_etag(target.condition))}",
            effect,
            target.send_before,
        )
        if isinstance(answer, Written) and done:
            self._site.truth.doubts.saw(self.name_for(target.location), target.location, done[-1])
        return answer

    def abort_upload(self, target: Location, *, upload_id: str) -> None:
        """AbortMultipartUpload."""
        abort = self._site.store.abort_upload
        self._ask_of(target, "abort_upload", f"{target.key} {upload_id}", lambda: abort(target, upload_id=upload_id))

    def list_objects(self, bucket: str, *, prefix: str = "", after: str = "") -> Iterator[ListedObject]:
        """ListObjectsV2, a page at a time."""
        last = after
        while True:
            page = self._ask("list_objects", f"{prefix} after {last}", partial(self._page, bucket, prefix, last))
            yield from page
            if len(page) < PAGE:
                return
            last = page[-1].key

    def _page(self, bucket: str, prefix: str, after: str) -> list[ListedObject]:
        rows = self._site.store.list_objects(bucket, prefix=prefix, after=after)
        page = [replace(row, size=(row.size or 0) * SCALE) for row, _ in zip(rows, range(PAGE), strict=False)]
        last = page[-1].key if len(page) == PAGE else ""
        self._site.promises.listed(self._process.name, bucket, after=after, last=last)
        return page


def _state(version: Version | None) -> ObjectState | None:
    return version.state if version is not None else None


def _needs(*states: ObjectState | None, setting: ObjectState | None = None) -> frozenset[str]:
    """What a request about these objects needs; ``setting``: what it names for the target."""
    named = {"kms"} if any(one is not None and one.encryption.is_kms for one in (*states, setting)) else set[str]()
    return frozenset(named | ({"lock"} if setting is not None and setting.lock != Lock() else set()))


def _short(etag: str | None) -> str:
    return "absent" if etag is None else etag[:6]
