"""A batch under the circuit breaker, under a pause that comes in its middle, and under a rate."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from domain.errors import AccessDeniedError, KeyshiftError, MissingResourceError, ThrottledError, UnavailableError
from domain.keys import Location
from domain.protocol.attempt import MigrationPolicy
from domain.protocol.parts import MIB, Part
from domain.protocol.ports import SourceObject, TargetObject
from domain.protocol.record import State
from domain.steering.breaker import BreakerPolicy
from domain.steering.control import BREAKER, Control, resumed
from domain.steering.pulse import Tally
from handlers.engine.batch import respond_to_batch
from handlers.engine.circuit_breaker import CircuitBreaker
from handlers.engine.dependencies import EngineDependencies
from handlers.engine.give_back import RENEW_AT
from handlers.engine.rate_gate import RateGate
from tests.fakes.engine import OpenGate
from tests.fakes.steering import InMemoryPulseBook, InMemoryRateLedger
from tests.worlds.handlers import BUCKET, Bench, bench, created_entry, direct, etag_of, sqs_event

DENIED = AccessDeniedError("CopyObject: AccessDenied; give the role s3:PutObject")


class Line:
    """A bench with a breaker and a gate; ``broken`` is what every copy of these keys raises."""

    def __init__(self, *, objects: int = 40, **settings: Any) -> None:
        self.made: Bench = bench(**({"concurrency": 1} | settings))
        self.pulse, self.ledger = InMemoryPulseBook(), InMemoryRateLedger()
        self.broken: KeyshiftError | None = None
        self.only: str = ""
        self.keys = [f"old/{number:03}" for number in range(objects)]
        for key in self.keys:
            self.made.world.put(key, b"one")
        self._copy = self.made.world.store.copy_object
        self.made.world.store.copy_object = self.copy  # type: ignore[method-assign]
        self.dependencies = self._wired()

    def _wired(self) -> EngineDependencies:
        made, control = self.made, self.made.dependencies.control
        breaker = CircuitBreaker(
            BreakerPolicy(),
            panel=made.panel,
            pulse=self.pulse,
            current=control.current,
            refresh=control.refresh,
            now=made.world.clock.now,
            observer=made.dependencies.observer,
        )
        gate = RateGate(
            self.ledger,
            current=control.current,
            refresh=control.refresh,
            now=made.world.clock.now,
            sleep=self.pass_time,
        )
        return replace(made.dependencies, breaker=breaker, gate=gate)

    def pass_time(self, seconds: float) -> None:
        """The world's clock goes on."""
        self.made.world.clock.advance(seconds)

    def copy(self, source: SourceObject, target: TargetObject, *, seen: Any) -> Any:
        """As the world does, or broken."""
        if self.broken is not None and source.location.key.startswith(self.only):
            raise self.broken
        return self._copy(source, target, seen=seen)

    def pause_at_a_copy(self) -> None:
        """The operator pauses while the next copy is made."""

        def pause_then_copy(source: SourceObject, target: TargetObject, *, seen: Any) -> Any:
            self.made.panel.control = Control(paused=True, fence=1)
            return self.copy(source, target, seen=seen)

        self.made.world.store.copy_object = pause_then_copy  # type: ignore[method-assign]

    def handle(self, keys: list[str], *, receive_count: int = 1, seconds: float = 300.0) -> list[str]:
        """One message for each key; the ids of those that stay."""
        event = sqs_event(*(direct(created_entry(key, b"one")) for key in keys), receive_count=receive_count)
        ends = self.made.world.clock.now() + seconds
        left = respond_to_batch(
            event, self.dependencies, queue=self.made.live, seconds_left=lambda: ends - self.made.world.clock.now()
        )
        return [one["itemIdentifier"] for one in left["batchItemFailures"]]

    def states(self) -> dict[State, int]:
        """How many records are in which state."""
        found: dict[State, int] = {}
        for record in self.made.world.records.values():
            found[record.state] = found.get(record.state, 0) + 1
        return found


def test_broken_permissions_pause_at_once() -> None:
    """Half-way through, after much went well: five objects are parked, the others untouched, the reason is there."""
    line = Line()
    assert line.handle(line.keys[:20]) == []
    line.broken = DENIED
    assert len(line.handle(line.keys[20:])) == 20
    assert line.states() == {State.COPIED: 20, State.PARKED: 5}
    control = line.made.panel.control
    assert (control.paused, control.paused_by) == (True, BREAKER)
    assert "access-denied: 5 objects one after the other" in control.reason
    assert "give the role s3:PutObject" in control.reason
    assert [one["reason"] for one in line.made.lines("ERROR")] == [control.reason]


def test_everything_goes_on_after_a_resume() -> None:
    """What was parked and what waited are copied; what was counted before does not trip it again."""
    line = Line(objects=20)
    line.broken = DENIED
    line.handle(line.keys)
    line.broken = None
    line.made.panel.control = resumed(line.made.panel.control, by="me", now=0.0)
    assert line.handle(line.keys) == []
    assert line.states() == {State.COPIED: 20}
    assert not line.made.panel.control.paused


def test_after_a_resume_the_row_begins_anew() -> None:
    """Four denied before and one after are not five in a row."""
    line = Line()
    line.broken = DENIED
    line.handle(line.keys[:4])
    line.made.panel.control = Control(fence=7)
    line.handle(line.keys[4:5])
    assert not line.made.panel.control.paused


def test_one_object_that_is_denied_for_ever_stops_nobody() -> None:
    """A poison object is parked again and again while the others go by."""
    line = Line()
    line.broken, line.only = DENIED, line.keys[0]
    for _ in range(30):
        line.handle(line.keys[:1])
    assert line.handle(line.keys[1:]) == []
    assert not line.made.panel.control.paused


def test_many_failures_of_any_kind_trip_it() -> None:
    """Half of twenty, also when each is transient."""
    line = Line()
    line.handle(line.keys[:10])
    line.broken = UnavailableError("503")
    for key in line.keys[10:]:
        line.pass_time(0.5)
        line.handle([key])
    assert line.made.panel.control.paused
    assert line.made.panel.control.reason.startswith("unavailable: ")


def test_being_slowed_down_is_no_failure() -> None:
    """SlowDown is answered by going slower, not by a pause."""
    line = Line(objects=30)
    line.broken = ThrottledError("slow down")
    line.handle(line.keys)
    assert not line.made.panel.control.paused
    assert line.pulse.newest is None


def test_a_row_of_denials_needs_no_shared_figures() -> None:
    """The figures cannot be written: the row of this process is enough."""
    line = Line()
    line.broken = DENIED
    for _ in range(40):
        line.pulse.fail_next(UnavailableError("table"))
    line.handle(line.keys)
    assert line.made.panel.control.paused
    assert line.states()[State.PARKED] == 5


def test_denials_spread_over_processes_trip_it_too() -> None:
    """Each saw one or two: the common window has five."""
    lines = [Line() for _ in range(5)]
    panel = lines[0].made.panel
    for line in lines:
        line.pulse, line.made = lines[0].pulse, line.made
        line.made.dependencies.control._panel = panel
        line.broken = DENIED
        line.made.panel = panel
        line.dependencies = line._wired()
    for number, line in enumerate(lines):
        assert not panel.control.paused
        line.handle([line.keys[number]])
    assert panel.control.paused


def test_a_table_that_refuses_us_pauses_where_it_can() -> None:
    """The batch fails as a whole, and whoever can still read the control item stops."""
    line = Line()
    line.made.world.fail_claims(*[MissingResourceError("the backfill queue does not exist")] * 3)
    with pytest.raises(MissingResourceError):
        line.handle(line.keys[:3])
    assert line.made.panel.control.reason.startswith("missing-resource: ")


def test_a_pause_in_the_middle_of_a_batch_holds() -> None:
    """The object that was begun is done, no other begins, nothing counts as failed."""
    line = Line()
    copy = line.copy

    def pause_then_copy(source: SourceObject, target: TargetObject, *, seen: Any) -> Any:
        line.made.panel.control = Control(paused=True, reason="lunch", fence=1)
        return copy(source, target, seen=seen)

    line.made.world.store.copy_object = pause_then_copy  # type: ignore[method-assign]
    assert line.handle(line.keys[:10]) == [f"m{number}" for number in range(2, 11)]
    assert line.states() == {State.COPIED: 1}
    assert {delay for _, delay in line.made.live.returned} == {30}


def test_what_only_waited_is_sent_again_as_new() -> None:
    """At its second receive: a pause of days brings no message to the dead-letter queue."""
    line = Line()
    line.made.panel.control = Control(paused=True, fence=1)
    assert line.handle(line.keys[:2], receive_count=RENEW_AT - 1) == ["m1", "m2"]
    assert line.handle(line.keys[:2], receive_count=RENEW_AT) == []
    assert [message.body for message in line.made.live.waiting] == [
        direct(created_entry(key, b"one")) for key in line.keys[:2]
    ]


def test_what_failed_is_never_made_new() -> None:
    """A poison message comes nearer to the dead-letter queue with each receive, as it should."""
    line = Line()
    line.broken, line.only = DENIED, line.keys[0]
    assert line.handle(line.keys[:2], receive_count=5) == ["m1"]
    assert line.made.live.waiting == []


def test_a_rate_spreads_a_batch_over_time() -> None:
    """Ten objects at two a second take the time of about eight."""
    line = Line()
    line.made.panel.control = Control(objects_per_second=2.0, fence=1)
    begun = line.made.world.clock.now()
    assert line.handle(line.keys[:10]) == []
    assert line.made.world.clock.now() - begun == pytest.approx(4.0, abs=1.0)


def test_what_finds_no_time_within_the_rate_waits_in_its_queue() -> None:
    """It goes back uncounted."""
    line = Line()
    line.made.panel.control = Control(objects_per_second=0.1, fence=1)
    assert len(line.handle(line.keys[:5], seconds=20.0)) == 3
    assert line.states() == {State.COPIED: 2}
    assert line.handle(line.keys[2:5], seconds=6.0, receive_count=RENEW_AT) == []
    assert len(line.made.live.waiting) == 3


def test_keys_that_stay_cost_no_rate() -> None:
    """Only what moves is counted."""
    line = Line()
    line.made.panel.control = Control(objects_per_second=0.001, fence=1)
    assert line.handle(["kept/a", "elsewhere/b", "new/c"]) == []
    assert line.ledger.calls == []


def test_concurrency_is_capped_while_a_batch_runs() -> None:
    """The operator's number is the most, whatever the settings say."""
    line = Line(concurrency=4)
    line.made.panel.control = Control(concurrency=1, fence=1)
    assert line.handle(line.keys[:4]) == []
    assert line.dependencies.pace.limit == 1


def test_the_lag_is_the_age_at_which_messages_are_done() -> None:
    """Of live events here; the event says when it was sent."""
    line = Line()
    line.made.world.clock.advance(1_700_000_042.0 - line.made.world.clock.now())
    line.handle(line.keys[:1])
    line.made.world.clock.advance(5)
    line.handle(line.keys[1:2])
    line.made.world.clock.advance(5)
    line.handle(line.keys[2:3])
    assert line.pulse.newest is not None
    assert line.pulse.newest[1].oldest_event == 47.0


def test_an_age_counts_in_the_window_in_which_it_was_measured() -> None:
    """What was shared once is not shared again."""
    line = Line()
    breaker = line.dependencies.breaker
    breaker.note_age(9.0, is_event=False)
    breaker.note_age(7.0, is_event=True)
    breaker.note_age(3.0, is_event=True)
    breaker.share(at_once=True)
    assert line.pulse.newest is not None
    assert line.pulse.newest[1] == Tally(oldest_event=7.0, oldest_row=9.0)
    line.made.world.clock.advance(120)
    breaker.note_success("a")
    assert line.pulse.newest[1] == Tally(ended=1)


def test_two_breakers_trip_once() -> None:
    """The second finds it paused and keeps the first one's word."""
    line, other = Line(), Line()
    other.made.dependencies.control._panel = line.made.panel
    other.made.panel = line.made.panel
    other.dependencies = other._wired()
    line.broken = other.broken = DENIED
    line.handle(line.keys[:10])
    fence = line.made.panel.control.fence
    other.handle(other.keys[:10])
    assert line.made.panel.control.fence == fence
    assert Location(BUCKET, "old/000").record_id not in other.made.world.records


def test_a_large_copy_stops_between_two_batches_of_parts() -> None:
    """Its upload stays in the record, nothing is in doubt, and the message does not count the receive."""
    policy = MigrationPolicy(
        multipart_above=1, part_size=5 * MIB, parts_at_once=1, promised_storage_class="STANDARD", promised_plain=True
    )
    line = Line(objects=0)
    line.dependencies = replace(line.dependencies, policy=policy)
    body, copied = bytes(12 * MIB), list[int]()
    line.made.world.put("old/huge", body)

    def pause_then_copy(
        source: SourceObject, target: TargetObject, *, upload_id: str, parts: Sequence[Part]
    ) -> dict[int, str]:
        line.made.panel.control = Control(paused=True, reason="lunch", fence=1)
        copied.extend(part.number for part in parts)
        return {part.number: etag_of(b"part") for part in parts}

    line.made.world.store.copy_parts = pause_then_copy  # type: ignore[method-assign]
    event = sqs_event(direct(created_entry("old/huge", body)), receive_count=RENEW_AT)
    answer = respond_to_batch(event, line.dependencies, queue=line.made.live, seconds_left=lambda: 300.0)
    assert answer == {"batchItemFailures": []}
    assert len(line.made.live.waiting) == 1
    assert copied == [1]
    record = line.made.world.records[Location(BUCKET, "old/huge").record_id]
    assert record.claim is None
    assert record.upload is not None


def test_a_message_of_which_one_object_failed_is_not_made_new() -> None:
    """The other object only waited; the failure counts."""
    line = Line()
    line.broken, line.only = DENIED, line.keys[0]
    line.pause_at_a_copy()
    event = sqs_event(direct(*(created_entry(key, b"one") for key in line.keys[:2])), receive_count=RENEW_AT)
    answer = respond_to_batch(event, line.dependencies, queue=line.made.live, seconds_left=lambda: 300.0)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
    assert line.made.live.waiting == []
    assert line.states() == {State.PARKED: 1}


def test_a_pause_holds_without_a_gate_too() -> None:
    """Each object asks again before it begins."""
    line = Line()
    line.dependencies = replace(line.dependencies, gate=OpenGate())
    line.pause_at_a_copy()
    assert len(line.handle(line.keys[:5])) == 4
    assert line.states() == {State.COPIED: 1}


def test_the_breaker_never_speaks_over_an_operators_pause() -> None:
    """It knew only an older word when it tripped: the operator's reason stays."""
    line = Line()
    theirs = Control(paused=True, reason="lunch", paused_by="ann", fence=9)
    line.made.panel.control = theirs
    breaker = CircuitBreaker(
        BreakerPolicy(),
        panel=line.made.panel,
        pulse=line.pulse,
        current=Control,
        refresh=Control,
        now=line.made.world.clock.now,
        observer=line.made.dependencies.observer,
    )
    for number in range(9):
        breaker.note_failure(str(number), cause="access-denied", said="no")
    assert line.made.panel.control == theirs
