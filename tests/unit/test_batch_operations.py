"""S3 Batch Operations: each task's result is what the job may do next."""

from dataclasses import replace
from typing import Any

import pytest

from domain.errors import InputError, TransientError, UnavailableError
from domain.keys import Location
from domain.protocol.attempt import MigrationPolicy
from domain.steering.control import Control
from domain.steering.learned import LearnedLimit
from domain.steering.places import Place, Service
from handlers.batch_operations import MOST_TURNS, RESULT_CHARACTERS, respond
from handlers.engine.rate_gate import HeldBack
from tests.fakes.engine import NothingLearned
from tests.worlds.batch_job import answered, asked
from tests.worlds.handlers import BUCKET, HANDLER_RULES, bench


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_an_object_is_moved(version: str) -> None:
    """Both schemas; the key is decoded once, so a percent sign of its own survives."""
    made = bench()
    made.world.put("old/a b%41+c", b"bytes")
    assert answered(made, asked("old/a%20b%2541%2Bc", version=version))[0] == "Succeeded"
    assert made.world.objects[Location(BUCKET, "new/a b%41+c")] == b"bytes"


def test_a_plus_sign_of_an_inventory_is_a_space() -> None:
    """An inventory may be a job's manifest: it writes a space as a plus sign, and a plus sign as %2B."""
    made = bench()
    made.world.put("old/a b+c", b"bytes")
    assert answered(made, asked("old/a+b%2Bc"))[0] == "Succeeded"
    assert made.world.objects[Location(BUCKET, "new/a b+c")] == b"bytes"


def test_an_absent_key_whose_other_reading_exists_is_no_success() -> None:
    """A manifest that leaves a plus sign as it is would otherwise be done with nothing moved."""
    made = bench()
    made.world.put("old/a+b", b"bytes")
    code, said = answered(made, asked("old/a+b"))
    assert (code, made.world.copies, made.world.records) == ("PermanentFailure", 0, {})
    assert "'old/a b'" in said
    assert "'old/a+b'" in said
    assert "%2B" in said


def test_of_two_keys_the_one_that_the_manifest_names_is_moved() -> None:
    """Where both readings exist the other one has a row of its own."""
    made = bench()
    made.world.put("old/a b", b"spaced")
    made.world.put("old/a+b", b"added")
    assert answered(made, asked("old/a+b"))[0] == "Succeeded"
    assert Location(BUCKET, "new/a b") in made.world.objects
    assert Location(BUCKET, "new/a+b") not in made.world.objects


def test_a_key_that_is_gone_under_both_readings_is_done() -> None:
    """Its owner deleted it since the manifest was written."""
    assert answered(bench(), asked("old/a+b"))[0] == "Succeeded"


def test_a_look_that_fails_is_temporary() -> None:
    """A failed look at one of the readings is never "absent"."""
    made = bench()
    made.world.put("old/a+b", b"bytes")

    def refuse(*_: Any, **__: Any) -> None:
        raise UnavailableError("no answer")

    made.world.store.look_at_object = refuse  # type: ignore[method-assign]
    assert answered(made, asked("old/a+b"))[0] == "TemporaryFailure"


def test_a_task_done_twice_is_done_once() -> None:
    """The job may repeat a task whose answer it lost."""
    made = bench()
    made.world.put("old/a", b"bytes")
    assert answered(made, asked("old/a"))[0] == answered(made, asked("old/a"))[0] == "Succeeded"
    assert made.world.copies == 1


@pytest.mark.parametrize(("turns", "code"), [(3, "Succeeded"), (1_000, "TemporaryFailure")])
def test_a_throttled_object_waits_for_its_turn_in_the_function(turns: int, code: str) -> None:
    """A task has no queue to go back to, and the job counts its failures."""
    made = bench()

    class Line(NothingLearned):
        unshared = (LearnedLimit(Place(Service.S3, BUCKET, "new/"), 1.0, 2.0, 0.0, 0.0, "SlowDown"),)
        asked = 0

        def admit(self, source: Location, target: Location) -> HeldBack | None:
            self.asked += 1
            return HeldBack("s3://line-1/new/ is throttled", 5.0, is_throttled=True) if self.asked <= turns else None

    made.dependencies = replace(made.dependencies, learned=Line())
    made.world.put("old/a", b"bytes")
    assert answered(made, asked("old/a"))[0] == code
    assert len(made.slept) <= MOST_TURNS


def test_what_may_pass_is_temporary() -> None:
    """An exception would be permanent, so none is raised."""
    made = bench()
    made.world.put("old/a", b"bytes")
    made.world.fail_claims(TransientError("the table is busy"))
    assert answered(made, asked("old/a"))[0] == "TemporaryFailure"
    assert answered(made, asked("old/a"))[0] == "Succeeded"


def test_a_paused_migration_is_temporary() -> None:
    """Nothing is copied, and the job says why."""
    made = bench()
    made.world.put("old/a", b"bytes")
    made.panel.control = Control(paused=True, reason="lunch")
    code, said = answered(made, asked("old/a"))
    assert (code, "lunch" in said, made.world.copies) == ("TemporaryFailure", True, 0)


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (asked("old/a", bucket="another"), "another"),
        (asked("old/a", userArguments={"migration": "theirs"}), "theirs"),
    ],
)
def test_a_job_for_somebody_else_is_refused(event: dict[str, Any], says: str) -> None:
    """For good: a repeat would say the same."""
    made = bench()
    made.world.put("old/a", b"bytes")
    code, said = answered(made, event)
    assert (code, says in said, made.world.copies) == ("PermanentFailure", True, 0)


def test_an_unmapped_key_fails_where_the_rules_say_so() -> None:
    """By default it is merely not moved."""
    assert answered(bench(), asked("other/a")) == ("Succeeded", "unmapped")
    strict = bench(rules=HANDLER_RULES.replace("unmapped: report", "unmapped: fail"))
    assert answered(strict, asked("other/a"))[0] == "PermanentFailure"


def test_a_conflict_is_in_the_jobs_report() -> None:
    """Somebody must look: the target holds what is not ours."""
    made = bench(policy=MigrationPolicy())
    made.world.put("old/a", b"ours")
    made.world.put("new/a", b"theirs")
    code, said = answered(made, asked("old/a"))
    assert (code, said.startswith("CONFLICT")) == ("PermanentFailure", True)
    assert len(said) <= RESULT_CHARACTERS


def test_another_event_is_no_invocation() -> None:
    """Whoever wires it to a queue learns it at once."""
    with pytest.raises(InputError, match="Batch Operations"):
        respond({"Records": []}, bench().dependencies, seconds_left=lambda: 300.0)
