"""The same migration over the fakes and over the real adapters on the stand-in: both must do the same."""

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from adapters.dynamodb.manifest import DynamoDbManifest
from domain.errors import KeyshiftError
from domain.keys import Location, Sequencer
from domain.protocol.attempt import Attempt, MigrationPolicy, MigrationPorts, Outcome
from domain.protocol.cleanup import clean_source
from domain.protocol.migration import migrate_object
from domain.protocol.notices import Destination, Notice, NoticeKind
from domain.protocol.parts import MIN_PART_BYTES
from domain.protocol.record import Record
from domain.protocol.rollback import purge_copy, roll_back_object
from tests.fakes.manifest import InMemoryManifest
from tests.servers import Server
from tests.worlds.objects import FakeWorld, ObjectWorld, ServerWorld
from tests.worlds.tables import new_table

LARGE = b"x" * MIN_PART_BYTES + b"y"
POLICY = MigrationPolicy(multipart_above=1_000_000, part_size=MIN_PART_BYTES, request_seconds=5.0, margin_seconds=1.0)
bodies = st.sampled_from([b"a", b"b", b"c", LARGE])
words = st.sampled_from(["m1", "m2"])


class Killed(BaseException):  # no error: it passes through every except clause of the real code
    """The process dies at this call."""


class SteppedClock:
    """The host's clock, which can be moved forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.ahead

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic() + self.ahead


class Mortal:
    """Every method of a port, until one call too many."""

    def __init__(self, port: Any, side: "Side") -> None:
        self._port = port
        self._side = side

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def call(*given: Any, **named: Any) -> Any:
            self._side.spend()
            return method(*given, **named)

        return call


class Side:
    """One of the two worlds."""

    def __init__(self, world: ObjectWorld, manifest: Any, clock: SteppedClock, *, versioned: bool) -> None:
        self.world = world
        self.manifest = manifest
        self.clock = clock
        self.bucket = world.bucket(versioned=versioned)
        self.left = 0
        store: Any = Mortal(world.store, self)
        parts: Any = Mortal(world.multipart, self)
        ledger: Any = Mortal(manifest, self)
        self.ports = MigrationPorts(store, parts, ledger, clock)

    def at(self, key: str) -> Location:
        """A key of this side's bucket."""
        return Location(self.bucket, key)

    def spend(self) -> None:
        """One call less to live."""
        self.left -= 1
        if self.left < 0:
            raise Killed

    def told(self, key: str) -> dict[str, object]:
        """What can be seen of one key; etags and versions are each server's own."""
        record: Record | None = self.manifest.read_record(self.at(f"old/{key}").record_id)
        source, target = (self.world.body(self.at(f"{side}/{key}")) for side in ("old", "new"))
        known = {} if record is None else _comparable(record)
        return {"source": source and source[:1], "target": target and target[:1], **known}


def _comparable(record: Record) -> dict[str, object]:
    return {
        "state": record.state,
        "mode": record.mode,
        "revision": record.revision,
        "sequencer": record.sequencer,
        "source_etag": record.source_etag,
        "target_etag": record.target_etag,
        "held": record.claim is not None,
        "maybe": sorted(intent.action for intent in record.maybe),
        "intent": record.intent and record.intent.action,
        "cause": record.cause,
        "origin": record.origin,
        "size": record.size,
        "upload": record.upload is not None,
    }


class Agreement(RuleBasedStateMachine):
    """Owners, strangers, events, operators and crashes, on both sides at once."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server
        self._number = 0
        self._etags: list[str] = []

    @initialize(versioned=st.booleans())
    def begin(self, versioned: bool) -> None:
        """Two empty worlds."""
        clock, table = SteppedClock(), new_table(self._server)
        self.clock = clock
        fake = FakeWorld()
        self.sides = (
            Side(fake, InMemoryManifest(), clock, versioned=versioned),
            Side(
                ServerWorld(self._server),
                DynamoDbManifest(table.clients, table.table),
                clock,
                versioned=versioned,
            ),
        )

    def _both(self, what: Any) -> None:
        answers = [what(side) for side in self.sides]
        assert answers[0] == answers[1]
        told = [side.told("k") for side in self.sides]
        assert told[0] == told[1]

    def _played(self, run: Any, calls: int) -> None:
        self._number += 1
        attempt = Attempt(f"t{self._number}", 60.0)

        def once(side: Side) -> object:
            side.left = calls
            try:
                outcome: Outcome = run(side, attempt)
            except Killed:
                return "killed"
            except KeyshiftError as error:
                return type(error).__name__
            return outcome.verdict, outcome.state, outcome.reason.replace(side.bucket, "")

        self._both(once)

    @rule(side=st.sampled_from(["old", "new"]), body=bodies, word=words)
    def put(self, side: str, body: bytes, word: str) -> None:
        """An owner or a stranger writes."""
        for one in self.sides:
            one.world.put(one.at(f"{side}/k"), body, metadata={"word": word})
        state = self.sides[0].world.store.look_at_object(self.sides[0].at(f"{side}/k"))
        assert state is not None
        self._etags.append(state.etag)

    @rule(side=st.sampled_from(["old", "new"]))
    def remove(self, side: str) -> None:
        """An owner or a stranger deletes."""
        for one in self.sides:
            one.world.remove(one.at(f"{side}/k"))

    @rule(
        kind=st.sampled_from(NoticeKind),
        etag=st.integers(0, 5),
        order=st.integers(1, 9),
        calls=st.sampled_from([1, 2, 3, 4, 5, 99, 99, 99]),
    )
    def notice(self, kind: NoticeKind, etag: int, order: int, calls: int) -> None:
        """An event or a row, right or stale; the worker may die on the way."""
        named = self._etags[-1 - etag] if etag < len(self._etags) else None
        sequencer = None if kind is NoticeKind.LISTED else Sequencer(f"{order:018x}")

        def run(side: Side, attempt: Attempt) -> Outcome:
            source = side.at("old/k")
            sized = Notice(kind, source, named, size=1, sequencer=sequencer, storage_class="STANDARD")
            return migrate_object(
                sized, destination=Destination(side.at("new/k"), "r"), attempt=attempt, ports=side.ports, policy=POLICY
            )

        self._played(run, calls)

    @rule(calls=st.sampled_from([2, 3, 4, 5, 99, 99]))
    def clean(self, calls: int) -> None:
        """The source is cleaned up."""
        self._played(
            lambda side, attempt: clean_source(
                side.at("old/k").record_id, attempt=attempt, ports=side.ports, policy=POLICY, need_proof=False
            ),
            calls,
        )

    @rule(calls=st.sampled_from([2, 3, 4, 5, 99]))
    def roll_back(self, calls: int) -> None:
        """The key is rolled back."""
        self._played(
            lambda side, attempt: roll_back_object(
                side.at("old/k"), side.at("new/k"), attempt=attempt, ports=side.ports, policy=POLICY
            ),
            calls,
        )

    @rule(calls=st.sampled_from([2, 3, 4, 99]))
    def purge(self, calls: int) -> None:
        """The copy is purged."""
        self._played(
            lambda side, attempt: purge_copy(
                side.at("old/k").record_id, attempt=attempt, ports=side.ports, policy=POLICY
            ),
            calls,
        )

    @rule()
    def wait(self) -> None:
        """Every claim ends."""
        self.clock.ahead += 100.0


@pytest.fixture
def machine(standin: Server) -> Any:
    """The machine on this run's stand-in."""
    return lambda: Agreement(standin)


def test_fakes_and_adapters_agree(machine: Any) -> None:
    """After every step both worlds gave the same answer and hold the same objects and records."""
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=12, stateful_step_count=15, suppress_health_check=list(HealthCheck)),
    )
