"""As many parts as S3 takes, through hand-overs and kills at random calls: the right bytes arrive, once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest

import domain.protocol.parts
from domain.protocol.attempt import Attempt, MigrationPolicy, MigrationPorts, Verdict
from domain.protocol.migration import migrate_object
from domain.protocol.notices import Destination, Notice, NoticeKind
from domain.protocol.parts import MAX_PARTS, Part
from domain.protocol.ports import MultipartStore, Refused, SourceObject, TargetObject
from domain.protocol.record import State
from tests.fakes.clock import FakeClock
from tests.fakes.manifest import InMemoryManifest
from tests.fakes.object_store import InMemoryObjectStore
from tests.worlds.migration import SOURCE, TARGET

INTERRUPTIONS = 30
AT_ONCE = 50
MOST_ATTEMPTS = 10 * INTERRUPTIONS
POLICY = MigrationPolicy(multipart_above=1, part_size=1, parts_at_once=AT_ONCE)


class Killed(BaseException):  # no Exception: the code must not catch it
    """The worker's process ends."""


@dataclass
class Interrupted:
    """A MultipartStore whose process is killed, or runs out of time, at chosen calls; it counts copied parts."""

    store: MultipartStore
    clock: FakeClock
    random: Random
    calls_left: int = 0
    copied: list[int] = field(default_factory=list)
    completed: int = 0

    def attempt(self) -> None:
        """Choose where the next interruption comes."""
        self.calls_left = self.random.randrange(1, MAX_PARTS // AT_ONCE // INTERRUPTIONS * 2)

    def copy_parts(
        self, source: SourceObject, target: TargetObject, *, upload_id: str, parts: Sequence[Part]
    ) -> Mapping[int, str] | Refused:
        """Copy them, or half of them and die, or all and be late."""
        self.calls_left -= 1
        if self.calls_left == 0 and self.random.random() < 0.5:
            some = parts[: self.random.randrange(len(parts) + 1)]
            self.copied += [part.number for part in some]
            self.store.copy_parts(source, target, upload_id=upload_id, parts=some)
            raise Killed
        self.copied += [part.number for part in parts]
        answer = self.store.copy_parts(source, target, upload_id=upload_id, parts=parts)
        if self.calls_left == 0:
            self.clock.advance(1_000)
        return answer

    def complete_upload(self, *given: Any, **named: Any) -> Any:
        """Complete it; the first time the process dies with the answer on its way."""
        answer = self.store.complete_upload(*given, **named)
        self.completed += not isinstance(answer, Refused)
        if self.completed == 1:
            self.completed += 1
            raise Killed
        return answer

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self.store, name)
        return method


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow("other seeds")) for seed in (1, 2))])
def test_as_many_parts_as_s3_takes_arrive_once(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Parts of one byte, thirty interruptions, and a death over the completion; no upload is left, no part is lost."""
    for name in ("MIN_PART_BYTES", "MIB"):
        monkeypatch.setattr(domain.protocol.parts, name, 1)
    random, clock = Random(seed), FakeClock()
    store = InMemoryObjectStore(clock, min_part=1)
    store.create_bucket(SOURCE.bucket, versioned=True)
    body = random.randbytes(MAX_PARTS)
    store.put(SOURCE, body)
    manifest, parts = InMemoryManifest(), Interrupted(store, clock, random)
    ports = MigrationPorts(store, parts, manifest, clock, store)
    attempts = 0
    ends: list[Verdict] = []
    while not ends or ends[-1] is not Verdict.DONE:
        attempts += 1
        assert attempts < MOST_ATTEMPTS, "the copy does not end"
        parts.attempt()
        try:
            ends.append(_attempt(attempts, ports))
        except Killed:
            record = manifest.records[SOURCE.record_id]
            assert record.claim is not None
            manifest.records[SOURCE.record_id] = replace(record, claim=replace(record.claim, deadline=0.0))
            clock.advance(1_000)
    assert store.body(TARGET) == body
    assert len(store.buckets.bucket(TARGET.bucket).versions[TARGET.key]) == 1
    assert manifest.records[SOURCE.record_id].state is State.COPIED
    assert (store.uploads, set(parts.copied)) == ({}, set(range(1, MAX_PARTS + 1)))
    # Only a batch that was cut off can be copied again.
    assert len(parts.copied) - MAX_PARTS <= AT_ONCE * attempts
    assert attempts > INTERRUPTIONS
    assert {Verdict.CONTINUE, Verdict.DONE} <= set(ends)


def _attempt(number: int, ports: MigrationPorts) -> Verdict:
    attempt = Attempt(f"t{number}", limit=500.0)
    notice = Notice(NoticeKind.LISTED, SOURCE)
    return migrate_object(
        notice, destination=Destination(TARGET, "r"), attempt=attempt, ports=ports, policy=POLICY
    ).verdict
