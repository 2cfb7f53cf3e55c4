"""One bucket, one manifest and one object to migrate, and the notices of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import md5
from typing import Any

import pytest

from domain.errors import UnavailableError
from domain.keys import Location, Sequencer
from domain.protocol.attempt import Attempt, MigrationPolicy, MigrationPorts, Outcome
from domain.protocol.claims import ClaimRequest
from domain.protocol.migration import migrate_object
from domain.protocol.notices import Destination, Notice, NoticeKind
from domain.protocol.parts import MIB, MIN_PART_BYTES
from domain.protocol.ports import ClaimAnswer, MustMatch, TargetObject
from domain.protocol.record import Record, Upload
from tests.fakes.clock import FakeClock
from tests.fakes.faults import Moment
from tests.fakes.manifest import InMemoryManifest
from tests.fakes.object_store import InMemoryObjectStore
from tests.worlds.presence import present

SOURCE, TARGET = Location("line", "old//k"), Location("line", "new/k")
POLICY = MigrationPolicy(request_seconds=5.0, margin_seconds=1.0, part_size=5 * MIB, multipart_above=6 * MIB)
PROMISED = replace(POLICY, promised_storage_class="STANDARD", promised_plain=True)
SHORT = replace(POLICY, parts_at_once=1)
LARGE = bytes(11 * MIB)
NOW = 1_790_000_000.0
BARE_ROW = Notice(NoticeKind.LISTED, SOURCE)
"""A row of an inventory that has the key alone."""


class MigrationWorld:
    """One bucket and one manifest."""

    def __init__(self, *, versioned: bool = False, locks: bool = False) -> None:
        self.clock = FakeClock()
        self.store = InMemoryObjectStore(self.clock)
        self.store.create_bucket("line", versioned=versioned, locks=locks)
        self.manifest = InMemoryManifest()
        self.ports = MigrationPorts(self.store, self.store, self.manifest, self.clock, self.store)
        self.attempts = 0

    def attempt(self, limit: float = 60.0) -> Attempt:
        """A new token."""
        self.attempts += 1
        return Attempt(f"t{self.attempts}", limit)

    def migrate(
        self, notice: Notice, *, target: Location = TARGET, policy: MigrationPolicy = POLICY, limit: float = 60.0
    ) -> Outcome:
        """One try, which may send requests for ``limit`` seconds."""
        attempt = self.attempt(limit)
        return migrate_object(
            notice, destination=Destination(target, "r"), attempt=attempt, ports=self.ports, policy=policy
        )

    def change(self, location: Location, **properties: Any) -> None:
        """Its owner, or a lifecycle rule, changes properties of the current version, which stays the same version."""
        version = present(self.store.buckets.current(location))
        self.store.buckets.change(location, version, **properties)

    def edit(self, **changes: Any) -> None:
        """The one record as something else left it."""
        self.manifest.records[SOURCE.record_id] = replace(self.record, **changes)

    def leave_upload(self) -> None:
        """As an attempt that could not end leaves one: begun, and named by the record."""
        seen = present(self.store.look_at_object(TARGET, with_tags=True))
        upload_id = self.store.create_upload(TargetObject(TARGET, MustMatch(seen.etag), 9e9), seen=seen)
        self.edit(upload=Upload(upload_id, TARGET, seen.etag, "", seen.last_modified, MIN_PART_BYTES))

    @property
    def record(self) -> Record:
        """The one record."""
        return present(self.manifest.read_record(SOURCE.record_id))


def created(body: bytes, order: int = 1, **more: object) -> Notice:
    """S3's event of these bytes."""
    etag = md5(body, usedforsecurity=False).hexdigest()
    notice = Notice(NoticeKind.CREATED, SOURCE, etag, size=len(body), sequencer=Sequencer(f"{order:018x}"))
    return replace(notice, **more)  # type: ignore[arg-type]


def listed(body: bytes) -> Notice:
    """A row of an inventory whose columns say all."""
    return replace(created(body), kind=NoticeKind.LISTED, sequencer=None, storage_class="STANDARD", is_plain=True)


def holding_large(*, versioned: bool = False) -> MigrationWorld:
    """A world with an object of three parts."""
    world = MigrationWorld(versioned=versioned)
    world.store.put(SOURCE, LARGE, metadata={"a": "b"}, tags={"t": "1"}, storage_class="STANDARD_IA")
    return world


def calls(world: MigrationWorld, notice: Notice, **more: object) -> list[str]:
    """What the store is asked for one notice."""
    world.store.calls.clear()
    world.migrate(notice, **more)  # type: ignore[arg-type]
    return list(world.store.calls)


def holding(body: bytes = b"bytes", *, versioned: bool = False) -> MigrationWorld:
    """A world with one source."""
    world = MigrationWorld(versioned=versioned)
    world.store.put(SOURCE, body)
    return world


@contextmanager
def unanswered(world: MigrationWorld, call: str, *, when: Moment = "after") -> Iterator[None]:
    """The store's next call of this name has no answer; ``after`` says whether it has happened."""
    world.store.fail_next(UnavailableError("no answer"), when=when, call=call)
    with pytest.raises(UnavailableError):
        yield


def removed(order: int) -> Notice:
    """S3's event of a delete."""
    return Notice(NoticeKind.REMOVED, SOURCE, sequencer=Sequencer(f"{order:018x}"))


def mirrored() -> MigrationWorld:
    """A copy whose source its owner has deleted."""
    world = holding()
    world.migrate(created(b"bytes", 1), policy=PROMISED)
    world.store.remove(SOURCE)
    return world


def lose_claim_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each claim is asked for twice, as the adapter repeats one whose answer was lost."""
    real = InMemoryManifest.claim_record

    def claim_record(self: InMemoryManifest, request: ClaimRequest) -> ClaimAnswer:
        real(self, request)
        return real(self, request)

    monkeypatch.setattr(InMemoryManifest, "claim_record", claim_record)


def strangers() -> dict[str, str]:
    """A stranger's metadata on the same bytes, as a producer writes that writes both layouts."""
    return {"who": "stranger"}
