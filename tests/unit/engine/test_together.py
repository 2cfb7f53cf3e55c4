"""Many plain copies with few requests to the manifest; what an answer for many leaves open is asked for alone."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from hashlib import md5
from typing import Any

import pytest

from domain.errors import AccessDeniedError, KeyshiftError, ThrottledError, UnavailableError
from domain.keys import Location
from domain.objects import ObjectState
from domain.protocol.attempt import MigrationPolicy
from domain.protocol.claims import ClaimRequest
from domain.protocol.notices import Notice, NoticeKind
from domain.protocol.ports import ClaimAnswer, Refused, SourceObject, TargetObject, Written
from domain.protocol.record import Claim, State
from domain.rules.routing import Moved, Route, route_of
from domain.steering.control import Control
from handlers.engine.batch import respond_to_batch
from handlers.engine.dependencies import EngineDependencies
from handlers.engine.together import MOST_TOGETHER, can_go_together, groups_of
from handlers.intake.messages import BackfillRow, encode_backfill
from tests.fakes.engine import NoBreaker
from tests.fakes.manifest import InMemoryManifest
from tests.fakes.object_store import InMemoryObjectStore
from tests.worlds.handlers import BUCKET, Bench, bench, sqs_event
from tests.worlds.migration import MigrationWorld

PROMISED = MigrationPolicy(promised_storage_class="STANDARD", promised_plain=True)
SINGLE = {"claim_record", "write_record"}


@dataclass
class Group:
    """Rows of small objects in one message, with the fakes behind them."""

    count: int = 30
    world: MigrationWorld = field(default_factory=MigrationWorld)
    made: Bench = field(default_factory=bench)

    def __post_init__(self) -> None:
        self.world.store.create_bucket(BUCKET)
        for key in self.keys:
            self.world.store.put(Location(BUCKET, key), key.encode())

    @property
    def keys(self) -> list[str]:
        """The keys of the sources."""
        return [f"old/{number:03}" for number in range(self.count)]

    @property
    def dependencies(self) -> EngineDependencies:
        """The engine on this world's ports."""
        return replace(self.made.dependencies, ports=self.world.ports, batches=self.world.manifest, policy=PROMISED)

    def handle(self, **changes: Any) -> list[str]:
        """The ids of the messages that stay in the queue."""
        rows = [
            BackfillRow(key=key, etag=md5(key.encode(), usedforsecurity=False).hexdigest(), size=len(key))
            for key in self.keys
        ]
        (body,) = encode_backfill(rows, migration="unit", bucket=BUCKET)
        dependencies = replace(self.dependencies, **changes)
        answer = respond_to_batch(sqs_event(body), dependencies, queue=self.made.live, seconds_left=lambda: 300.0)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def states(self) -> dict[State, int]:
        """How many records have which state."""
        found = [record.state for record in self.world.manifest.records.values()]
        return {state: found.count(state) for state in found}

    def asked(self, call: str) -> int:
        """How often the manifest was asked so."""
        return self.world.manifest.calls.count(call)

    @property
    def is_all_free(self) -> bool:
        """Whether no claim and nothing unsettled is left."""
        return not any(record.is_unfinished for record in self.world.manifest.records.values())


def test_thirty_rows_cost_two_requests_for_their_claims_and_none_of_their_own() -> None:
    """DynamoDB takes 25 in one; all of them are copied and committed."""
    group = Group()
    assert group.handle() == []
    assert group.states() == {State.COPIED: 30}
    assert group.is_all_free
    assert group.asked("claim_new_records") == 2
    assert not SINGLE & set(group.world.manifest.calls)


@pytest.mark.parametrize("call", ["claim_new_records", "write_records"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_answer_for_many_that_is_lost_is_asked_for_one_by_one(
    monkeypatch: pytest.MonkeyPatch, call: str, when: str
) -> None:
    """Whether they were written or not: each attempt finds its own token, and nothing is copied twice."""
    group, real = Group(), getattr(InMemoryManifest, call)

    def lost(self: InMemoryManifest, many: list[Any]) -> list[None]:
        if when == "after":
            real(self, many)
        return [None for _ in many]

    monkeypatch.setattr(InMemoryManifest, call, lost)
    assert group.handle() == []
    assert group.states() == {State.COPIED: 30}
    assert group.is_all_free
    assert group.world.store.calls.count("copy_object") == 30
    assert group.asked("claim_record" if call == "claim_new_records" else "write_record") == 30


def test_statements_done_in_part_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every second claim and every third commit has no answer; some of those were written."""
    group = Group()
    claims, writes = InMemoryManifest.claim_new, InMemoryManifest.write_one
    calls = {"claims": 0, "writes": 0}

    def claim_new(self: InMemoryManifest, request: ClaimRequest) -> ClaimAnswer | None:
        calls["claims"] += 1
        answer = claims(self, request) if calls["claims"] % 4 else None
        return answer if calls["claims"] % 2 else None

    def write_one(self: InMemoryManifest, change: Any) -> bool | None:
        calls["writes"] += 1
        answer = writes(self, change) if calls["writes"] % 6 else None
        return answer if calls["writes"] % 3 else None

    monkeypatch.setattr(InMemoryManifest, "claim_new", claim_new)
    monkeypatch.setattr(InMemoryManifest, "write_one", write_one)
    assert group.handle() == []
    assert group.states() == {State.COPIED: 30}
    assert group.is_all_free
    assert (group.asked("claim_record"), group.asked("write_record")) == (15, 10)


def test_a_record_that_another_worker_took_over_is_not_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message goes back, and the other worker's claim stands."""
    group = Group(count=3)
    key = Location(BUCKET, "old/001").record_id

    def taken(self: InMemoryManifest, changes: list[Any]) -> list[bool | None]:
        held = self.records[key]
        self.records[key] = replace(held, claim=Claim("other", 9e12), revision=held.revision + 1)
        return [self.write_one(change) for change in changes]

    monkeypatch.setattr(InMemoryManifest, "write_records", taken)
    assert group.handle() == ["m1"]
    assert group.states() == {State.COPIED: 2, State.NEW: 1}
    claim = group.world.manifest.records[key].claim
    assert claim is not None
    assert claim.token == "other"  # a fencing token


def test_rows_that_were_copied_before_cost_no_request_of_their_own() -> None:
    """DynamoDB shows the record that refused the INSERT."""
    group = Group()
    group.handle()
    group.world.manifest.calls.clear()
    group.world.store.calls.clear()
    assert group.handle() == []
    assert set(group.world.manifest.calls) == {"claim_new_records"}
    assert group.world.store.calls == []


class Paused:
    """A pause that comes while the claims are written."""

    def __init__(self, group: Group) -> None:
        self._group = group

    def claim_new_records(self, requests: list[ClaimRequest]) -> list[ClaimAnswer | None]:
        """See the port."""
        answers = self._group.world.manifest.claim_new_records(requests)
        self._group.made.panel.control = Control(paused=True, reason="stop")
        return answers

    def write_records(self, changes: list[Any]) -> list[bool | None]:
        """See the port."""
        raise AssertionError(f"nothing is copied: {changes}")


def test_a_pause_between_claim_and_copy_gives_the_claims_back() -> None:
    """Nothing was sent under them, so another worker need not wait for their end."""
    group = Group()
    assert group.handle(batches=Paused(group)) == ["m1"]
    assert group.states() == {State.NEW: 25}
    assert group.is_all_free
    assert group.world.store.calls == []


@pytest.mark.parametrize("call", ["claim_new_records", "write_records"])
def test_a_missing_permission_stops_the_batch(call: str) -> None:
    """It concerns every write alike; the error goes up, and the messages come back."""
    group = Group()
    group.world.manifest.fail_next(AccessDeniedError("give the role dynamodb:PartiQLInsert"), call=call)
    with pytest.raises(AccessDeniedError, match="PartiQLInsert"):
        group.handle()


def test_what_was_copied_is_committed_when_the_claim_of_another_object_is_denied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else a copy that is there would be in doubt until its claim has ended, like an object put over it meanwhile."""
    group, real = Group(count=10), InMemoryManifest.claim_new
    group.world.manifest.fail_next(AccessDeniedError("give the role dynamodb:UpdateItem"), call="claim_record")

    def claim_new(self: InMemoryManifest, request: ClaimRequest) -> ClaimAnswer | None:
        return None if request.notice.source.key == "old/004" else real(self, request)

    monkeypatch.setattr(InMemoryManifest, "claim_new", claim_new)
    with pytest.raises(AccessDeniedError, match="UpdateItem"):
        group.handle()
    copied = group.world.store.calls.count("copy_object")
    assert copied >= 4
    assert group.states().get(State.COPIED) == copied
    assert group.is_all_free


def test_a_denied_commit_of_one_object_does_not_keep_the_others_from_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The statements of all are throttled; of those that are then written alone, the first is denied."""
    group = Group(count=10)
    group.world.manifest.fail_next(AccessDeniedError("give the role dynamodb:PutItem"), call="write_record")

    def throttled(self: InMemoryManifest, changes: list[Any]) -> list[None]:
        return [None for _ in changes]

    monkeypatch.setattr(InMemoryManifest, "write_records", throttled)
    with pytest.raises(AccessDeniedError, match="PutItem"):
        group.handle()
    copied = group.world.store.calls.count("copy_object")
    assert copied >= 1
    assert group.states().get(State.COPIED, 0) == copied - 1


@pytest.mark.parametrize("error", [ThrottledError("slow down"), UnavailableError("no answer")])
def test_a_copy_that_fails_does_not_take_the_others_along(error: KeyshiftError) -> None:
    """A throttled one is copied after a pause, one without an answer comes back with its message."""
    group = Group(count=10)
    group.world.store.fail_next(error, call="copy_object")
    is_throttled = isinstance(error, ThrottledError)
    assert group.handle() == ([] if is_throttled else ["m1"])
    assert group.states() == ({State.COPIED: 10} if is_throttled else {State.COPIED: 9, State.NEW: 1})
    assert bool(group.made.slept) is is_throttled


class SlowStore:
    """One copy lasts until the others are committed."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._store = group.world.store
        self.others_committed = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def copy_object(self, source: SourceObject, target: TargetObject, *, seen: ObjectState | None) -> Written | Refused:
        """See the port."""
        if source.location.key == "old/000":
            while self._group.states().get(State.COPIED, 0) < self._group.count - 1:
                if self.others_committed.wait(0.01):
                    break
        return self._store.copy_object(source, target, seen=seen)


def test_a_slow_copy_does_not_hold_back_the_commits_beside_it() -> None:
    """It would wait for ever if they waited for it."""
    group = Group(count=8)
    slow: Any = SlowStore(group)
    watchdog = threading.Timer(30.0, slow.others_committed.set)
    watchdog.start()
    assert group.handle(ports=replace(group.world.ports, store=slow)) == []
    watchdog.cancel()
    assert not slow.others_committed.is_set()
    assert group.states() == {State.COPIED: 8}


def test_objects_whose_turn_comes_late_go_back_and_are_no_failures() -> None:
    """On a slow server a group's time runs out before its last copy; the circuit breaker must not pause for that."""
    group, failures = Group(count=25), list[str]()

    class Breaker(NoBreaker):
        """Remembers failures."""

        def note_failure(self, record_id: str, *, cause: str, said: str) -> None:
            """See the protocol."""
            failures.append(said)

    class Sluggish(InMemoryObjectStore):
        """Each copy lasts ten seconds."""

        def copy_object(
            self, source: SourceObject, target: TargetObject, *, seen: ObjectState | None
        ) -> Written | Refused:
            """See the port."""
            copied = super().copy_object(source, target, seen=seen)
            group.world.clock.advance(10.0)
            return copied

    group.world.store.__class__ = Sluggish
    assert group.handle(breaker=Breaker(), pool=ThreadPoolExecutor(1)) == ["m1"]
    copied = group.states()[State.COPIED]
    assert 1 < copied < 25
    assert failures == []
    assert group.is_all_free
    assert group.world.store.calls.count("copy_object") == copied


@dataclass(frozen=True, slots=True)
class Planned:
    """A notice with its route."""

    notice: Notice
    route: Route


def planned(size: int | None = 10, **changes: Any) -> Planned:
    """A small object that moves."""
    notice = Notice(NoticeKind.LISTED, Location(BUCKET, "old/a"), etag="e" * 32, size=size)
    return Planned(replace(notice, **changes), Moved("rule", Location(BUCKET, "new/a")))


def test_only_what_one_request_copies_goes_together() -> None:
    """A delete has no claim of a copy; a large object, or one of unknown size, is not waited for by others."""
    dependencies = bench().dependencies
    rules, elsewhere = dependencies.rules, Location(BUCKET, "elsewhere/a")
    assert can_go_together(planned(), dependencies)
    assert not can_go_together(planned(kind=NoticeKind.REMOVED), dependencies)
    assert not can_go_together(planned(etag=None), dependencies)
    assert not can_go_together(planned(size=None), dependencies)
    assert not can_go_together(planned(size=PROMISED.multipart_above + 1), dependencies)
    assert not can_go_together(Planned(planned().notice, route_of(rules, elsewhere)), dependencies)


@pytest.mark.parametrize(
    ("control", "sizes"),
    [
        (Control(), [25, 25, 10]),
        (Control(objects_per_second=1_000.0), [25, 25, 10]),
        (Control(objects_per_second=40.0), [10] * 6),
        (Control(objects_per_second=2.0), [1] * 60),
        (Control(bytes_per_second=200.0), [5] * 12),
        (Control(bytes_per_second=1.0), [1] * 60),
    ],
)
def test_a_group_is_at_most_what_the_rates_let_through_at_once(control: Control, sizes: list[int]) -> None:
    """Else a low rate would let 25 objects through in one burst."""
    many = [planned()] * 60
    assert [len(group) for group in groups_of(many, control)] == sizes
    assert max(sizes) <= MOST_TOGETHER


def test_claims_under_which_nothing_was_sent_are_given_back_after_an_error() -> None:
    """Else their intents would count as copies that may have been made."""
    group = Group(count=30)

    class Failing:
        """The control cannot be read any more once the claims are written."""

        def current(self) -> Control:
            """See CachedControl."""
            if group.asked("claim_new_records"):
                raise ThrottledError("slow down")
            return Control()

    with pytest.raises(ThrottledError):
        group.handle(control=Failing())
    assert group.world.store.calls == []
    assert group.states() == {State.NEW: 25}
    assert group.is_all_free
