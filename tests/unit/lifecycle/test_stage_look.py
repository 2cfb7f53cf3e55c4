"""At a stage at which nothing may move, nothing moves, nothing is enqueued, and no message is lost."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

import pytest

from domain.errors import InputError, UnavailableError
from domain.keys import Location, probe_location
from domain.lifecycle.stages import Stage, StageEntry, feeding_fault, standstill
from domain.planning.total import FileProgress
from domain.protocol.record import State
from domain.steering.control import Control
from handlers.engine.batch import respond_to_batch
from handlers.engine.dependencies import BY_STAGE, CachedControl, Dependencies
from handlers.engine.give_back import RENEW_AT
from handlers.engine.worker import Worker
from handlers.inventory import Reports
from handlers.inventory import respond as respond_to_reports
from handlers.operations.control import resume_migration
from tests.fakes.lifecycle import InMemoryProbeBook, InMemoryStageBook
from tests.fakes.panel import InMemoryControlPanel
from tests.fakes.steering import InMemoryMappings
from tests.fakes.total import InMemoryTotalBook
from tests.worlds.batch_job import answered, asked
from tests.worlds.handlers import BUCKET, Bench, bench, created_entry, direct, sqs_event

STILL = [Stage.PREPARED, Stage.ROLLING_BACK, Stage.ROLLED_BACK]
MOVING = [Stage.LIVE, Stage.CUT_OVER, Stage.CLEANING, Stage.DONE]
SOURCE = Location(BUCKET, "old/a")


@dataclass
class Staged:
    """A bench whose stage is read with its control item."""

    made: Bench
    stages: InMemoryStageBook
    probes: InMemoryProbeBook

    def deliver(self, *bodies: str, receive_count: int = 1) -> list[str]:
        """The ids of the messages that stay in the queue."""
        event = sqs_event(*bodies, receive_count=receive_count)
        answer = respond_to_batch(event, self.made.dependencies, queue=self.made.live, seconds_left=lambda: 300.0)
        return [one["itemIdentifier"] for one in answer["batchItemFailures"]]

    def become(self, stage: Stage) -> None:
        """Another command's word."""
        self.stages.entry = replace(self.stages.entry, stage=stage, revision=self.stages.entry.revision + 1)


def staged(stage: Stage, *, seconds: float = 0.0) -> Staged:
    """A world at that stage, with one object at the source."""
    made, probes = bench(), InMemoryProbeBook()
    stages = InMemoryStageBook(StageEntry(stage=stage))
    control = CachedControl(made.panel, seconds=seconds, monotonic=made.world.clock.monotonic, stages=stages)
    made.dependencies = replace(made.dependencies, control=control, probes=probes)
    made.world.put(SOURCE.key, b"one")
    return Staged(made, stages, probes)


EVENT = direct(created_entry(SOURCE.key, b"one"))


@pytest.mark.parametrize("stage", STILL)
def test_an_event_waits_and_moves_nothing(stage: Stage) -> None:
    """It goes back, and at its second receive a copy of it takes its place, as in a pause."""
    world = staged(stage)
    assert world.deliver(EVENT) == ["m1"]
    assert world.deliver(EVENT, receive_count=RENEW_AT) == []
    assert [one.body for one in world.made.live.waiting] == [EVENT]
    assert (world.made.world.copies, world.made.world.records) == (0, {})


@pytest.mark.parametrize("stage", MOVING)
def test_an_event_moves_its_object(stage: Stage) -> None:
    """Also when the migration is done: an owner may write a legacy key late."""
    world = staged(stage)
    assert world.deliver(EVENT) == []
    assert world.made.world.records[SOURCE.record_id].state is State.COPIED


def test_what_waited_moves_once_the_migration_is_live() -> None:
    """Nothing of it is lost by coming early."""
    world = staged(Stage.PREPARED)
    world.deliver(EVENT, receive_count=RENEW_AT)
    world.become(Stage.LIVE)
    (again,) = world.made.live.waiting
    assert world.deliver(again.body) == []
    assert world.made.world.copies == 1


def test_a_probe_is_noted_before_anything_may_move() -> None:
    """Else keyshift start would wait for it in vain; other messages of its batch wait."""
    world = staged(Stage.PREPARED)
    probe = probe_location(BUCKET, "", "0" * 32)
    assert world.deliver(direct(created_entry(probe.key, b"")), EVENT) == ["m2"]
    assert world.probes.has_arrived(probe.key)


@pytest.mark.parametrize(
    "body", ["{", direct(created_entry(probe_location("other", "", "0" * 32).key, b"", bucket="other"))]
)
def test_what_is_no_probe_of_ours_waits(body: str) -> None:
    """A malformed message is judged when the migration moves, and so is one of another bucket."""
    assert staged(Stage.PREPARED).deliver(body) == ["m1"]


def test_a_probe_that_cannot_be_noted_comes_again() -> None:
    """The table was busy."""
    world = staged(Stage.PREPARED)
    world.probes.fail_next(UnavailableError("no answer"), call="note_arrival")
    probe = probe_location(BUCKET, "", "0" * 32)
    assert world.deliver(direct(created_entry(probe.key, b""))) == ["m1"]
    assert not world.probes.has_arrived(probe.key)


def test_an_object_in_the_middle_of_a_batch_sees_a_rollback_begin() -> None:
    """What was not begun goes back."""
    world = staged(Stage.LIVE)
    world.made.world.put("old/b", b"two")
    copy = world.made.world.store.copy_object

    def roll_back_then_copy(*arguments: object, **named: object) -> object:
        world.become(Stage.ROLLING_BACK)
        return copy(*arguments, **named)  # type: ignore[arg-type]

    world.made.world.store.copy_object = roll_back_then_copy  # type: ignore[method-assign, assignment]
    made = world.made
    made.dependencies = replace(made.dependencies, settings=made.dependencies.settings.model_copy(update=ONE_AT_ONCE))
    assert world.deliver(EVENT, direct(created_entry("old/b", b"two"))) == ["m2"]
    assert made.world.copies == 1


ONE_AT_ONCE = {"concurrency": 1}


@pytest.mark.parametrize("stage", STILL)
def test_a_task_of_batch_operations_is_temporary(stage: Stage) -> None:
    """The job says why, and moves nothing."""
    world = staged(stage)
    code, said = answered(world.made, asked(SOURCE.key))
    assert (code, world.made.world.copies) == ("TemporaryFailure", 0)
    assert stage.value in said


def test_a_worker_does_not_poll_before_the_start() -> None:
    """What it received would count a receive."""
    world = staged(Stage.PREPARED)
    world.made.live.send_messages([EVENT])
    worker = Worker(world.made.dependencies, lanes=1)
    worker.stop()
    assert worker._work() is False
    assert world.made.live.count_messages() == (1, 0)


def test_a_look_costs_two_reads_and_is_kept() -> None:
    """Objects cost none."""
    world = staged(Stage.LIVE, seconds=5.0)
    world.deliver(EVENT)
    world.deliver(direct(created_entry("old/a", b"one", "0055AED6DCD90291E5")))
    assert world.stages.calls.count("read_stage") == 1


def test_a_stage_holds_whatever_the_operator_says() -> None:
    """After a rollback a resume of the control item alone brings nothing back."""
    panel = InMemoryControlPanel(Control(concurrency=3, fence=7))
    control = CachedControl(
        panel, seconds=0, monotonic=lambda: 0.0, stages=InMemoryStageBook(StageEntry(stage=Stage.ROLLED_BACK))
    )
    held = control.current()
    assert (held.paused, held.paused_by, held.concurrency, held.fence) == (True, BY_STAGE, 3, 7)
    assert held.reason == standstill(Stage.ROLLED_BACK)
    assert control.operators_control() == panel.read_control()
    assert control.stage() is Stage.ROLLED_BACK


@pytest.mark.parametrize(("running", "moves"), [("proven", True), ("other", False)])
def test_rules_that_start_did_not_prove_move_and_feed_nothing(running: str, *, moves: bool) -> None:
    """A deployment of another rules file holds everything until ``start`` has proven it."""
    stages = InMemoryStageBook(StageEntry(stage=Stage.LIVE, rules_digest="proven"))
    control = CachedControl(
        InMemoryControlPanel(), seconds=0, monotonic=lambda: 0.0, stages=stages, rules_digest=running
    )
    assert control.current().paused is not moves
    fault = control.feeding_fault()
    assert (fault is None) is moves
    assert moves or "keyshift start --yes" in (fault or "")


def test_rules_without_a_proof_of_an_earlier_version_move() -> None:
    """A stage that an earlier version wrote names no digest."""
    stages = InMemoryStageBook(StageEntry(stage=Stage.LIVE))
    control = CachedControl(InMemoryControlPanel(), seconds=0, monotonic=lambda: 0.0, stages=stages, rules_digest="x")
    assert (control.current().paused, control.feeding_fault()) == (False, None)


def test_an_operators_pause_keeps_its_own_reason() -> None:
    """Whatever the stage is."""
    panel = InMemoryControlPanel(Control(paused=True, reason="lunch", paused_by="ann", fence=1))
    control = CachedControl(panel, seconds=0, monotonic=lambda: 0.0, stages=InMemoryStageBook())
    assert control.current() == panel.read_control()


def test_a_stage_that_cannot_be_read_lets_nothing_begin() -> None:
    """The batch comes back as a whole."""
    world = staged(Stage.LIVE)
    world.stages.fail_next(UnavailableError("no answer"), call="read_stage")
    with pytest.raises(UnavailableError):
        world.deliver(EVENT)
    assert world.made.world.copies == 0


@pytest.mark.parametrize("stage", list(Stage))
def test_feeding_is_for_the_time_from_live_to_cleaning(stage: Stage) -> None:
    """Elsewhere the sentence names the stage and the next command."""
    fault = feeding_fault(stage)
    assert (fault is None) == (stage in (Stage.LIVE, Stage.CUT_OVER, Stage.CLEANING))
    assert fault is None or f"the migration is {stage.value}" in fault
    assert stage is not Stage.PREPARED or "keyshift start" in str(fault)


@pytest.mark.parametrize("stage", [Stage.ROLLING_BACK, Stage.ROLLED_BACK])
def test_resume_refuses_once_a_rollback_has_begun(stage: Stage) -> None:
    """The pause stays, and the mappings stay off."""
    panel = InMemoryControlPanel(Control(paused=True, reason="rolling back", fence=1, mappings=("events",)))
    mappings, stages = InMemoryMappings(events=False), InMemoryStageBook(StageEntry(stage=stage))
    with pytest.raises(InputError, match=f"the migration is {stage.value}"):
        resume_migration(panel, mappings, by="me", now=lambda: 1.0, stages=stages)
    assert panel.read_control().paused
    assert list(mappings.list_enabled()) == []


@pytest.mark.parametrize("stage", [Stage.PREPARED, *MOVING])
def test_resume_is_free_elsewhere(stage: Stage) -> None:
    """A pause before the start is ended before the start."""
    panel = InMemoryControlPanel(Control(paused=True, reason="lunch", fence=1))
    stages = InMemoryStageBook(StageEntry(stage=stage))
    assert resume_migration(panel, InMemoryMappings(), by="me", now=lambda: 1.0, stages=stages).changed
    assert not panel.read_control().paused


class Journal:
    """A journal that nobody may ask."""

    def read_progress(self, files: Sequence[tuple[str, str]]) -> list[FileProgress]:
        """Never."""
        raise AssertionError(files)

    def write_progress(self, content_id: str, file_key: str, progress: FileProgress) -> None:
        """Never."""
        raise AssertionError(file_key, progress)

    def forget_progress(self, content_id: str, file_key: str) -> None:
        """Never."""
        raise AssertionError(file_key)


REPORT = direct(created_entry("inv/2026/manifest.checksum", b"x"))
TASK = '{"v": 1, "kind": "inventory-file", "manifest": "s3://b/manifest.json", "file": "data/1.csv.gz"}'


def never_opened(place: str, *, only: str | None = None) -> NoReturn:
    """No report of these is read."""
    raise AssertionError(place)


def reported(dependencies: Dependencies, made: Bench, body: str, receive_count: int) -> list[str]:
    """What the inventory function leaves in its queue."""
    event, reports = (
        sqs_event(body, receive_count=receive_count),
        Reports(made.live, Journal(), InMemoryTotalBook(), never_opened),
    )
    answer = respond_to_reports(event, dependencies, reports, seconds_left=lambda: 300.0)
    return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


@pytest.mark.parametrize("body", [REPORT, TASK])
def test_an_inventory_waits_for_the_start(body: str) -> None:
    """Given back first, so that Lambda's detection of loops counts nothing; then a copy of it takes its place."""
    world = staged(Stage.PREPARED)
    assert reported(world.made.dependencies, world.made, body, 1) == ["m1"]
    assert world.made.live.returned == [("m1", 20)]
    assert reported(world.made.dependencies, world.made, body, RENEW_AT) == []
    assert [one.body for one in world.made.live.waiting] == [body]
    assert "keyshift start" in world.made.lines("WARNING")[0]["why"]


@pytest.mark.parametrize("stage", [Stage.ROLLING_BACK, Stage.ROLLED_BACK, Stage.DONE])
@pytest.mark.parametrize("body", [REPORT, TASK])
def test_an_inventory_after_the_end_is_acknowledged(body: str, stage: Stage) -> None:
    """A bucket goes on making reports, and none of them will ever be fed; the log says so."""
    world = staged(stage)
    assert reported(world.made.dependencies, world.made, body, 1) == []
    assert world.made.live.waiting == []
    assert world.made.backfill.waiting == []
    assert stage.value in world.made.lines("WARNING")[0]["why"]


def test_a_message_that_cannot_be_given_back_stays() -> None:
    """SQS brings it back after its visibility time-out."""
    world = staged(Stage.PREPARED)

    def refuse(*_: object, **__: object) -> None:
        raise UnavailableError("no answer")

    world.made.live.return_messages = refuse  # type: ignore[method-assign]
    world.made.live.send_messages = refuse  # type: ignore[method-assign]
    for receive_count in (1, RENEW_AT):
        assert reported(world.made.dependencies, world.made, TASK, receive_count) == ["m1"]
