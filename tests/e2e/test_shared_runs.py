"""A run that is kept in the manifest table: another command joins it, shows all of it, or cancels it."""

from dataclasses import replace
from pathlib import Path
from time import sleep, time
from typing import Any

import pytest

from adapters.dynamodb.runs import DynamoDbRunBook
from adapters.dynamodb.stage import DynamoDbStageBook
from domain.lifecycle.stages import Stage
from domain.runs.run import Run, RunState
from domain.runs.works import Work
from handlers.bootstrap import wire_command
from handlers.bootstrap.operations import operation_of
from handlers.bootstrap.runs import verify_work
from handlers.cli.run_following import Following, work_and_follow
from handlers.operations.removal_run import CleanupOptions
from handlers.operations.runs import begin_run
from handlers.operations.verify_run import VerifyOptions, options_of
from tests.e2e.command_line import assert_one_sentence, run_keyshift
from tests.fakes.clock import FakeClock
from tests.servers import new_name
from tests.worlds.desk import Desk, desk, moved_at
from tests.worlds.presence import present
from tests.worlds.runs import worker_of

__all__ = ["desk"]

pytestmark = pytest.mark.slow("runs verify and cleanup again and again, each as a process")


def left_run(desk: Desk, *, slices_done: int = 0) -> Run:
    """A shared verification whose process ended after so many slices."""
    site = desk.site
    operation = operation_of(site.process, wire_command(site.process, function="test", level="WARNING"))
    wanted = VerifyOptions(segments=2)
    book = DynamoDbRunBook(site.clients, site.name)
    with verify_work(site.process, operation, wanted) as work:
        digest = site.process.rules.digest
        run = Run(
            Work.VERIFY,
            new_name("run"),
            sum(work.phases),
            wanted.as_options(),
            rules_digest=digest,
            by="ana",
            begun_at=1.0,
        )
        assert begin_run(book, run) is None

        def stopping() -> bool:
            return sum(one.is_done for one in book.read_slices(run)) >= slices_done

        worker_of(book, run, work, FakeClock(time()), stopping=stopping).work_off()
    assert sum(one.is_done for one in book.read_slices(run)) == slices_done
    return run


def state_of(desk: Desk) -> RunState | None:
    """The newest verification's."""
    run = DynamoDbRunBook(desk.site.clients, desk.site.name).read_run(Work.VERIFY)
    return run.state if run is not None else None


def test_a_run_that_was_left_is_joined_and_shown_whole(desk: Desk, tmp_path: Path) -> None:
    """Findings of before and of now, the same summary as that of a command which did it all alone."""
    moved_at(desk, 6)
    alone = desk.run("verify", code=1)
    assert state_of(desk) is None, "a small verification leaves nothing in the table"
    left_run(desk, slices_done=2)
    assert "by ana" in desk.said("verify", "--shared", code=1)
    said = desk.said("verify", "--join", "--out", str(tmp_path / "all.csv"), code=2)
    assert "keeps only findings with a difference" in said
    joined = desk.run("verify", "--join", "--threads", "1", code=1)
    assert joined == alone
    assert joined[-1]["differences"] == {"missing": 1}
    assert joined[-1]["remarks"] == {"foreign": 1}
    assert joined[-1]["run"] == "ended"
    assert state_of(desk) is RunState.ENDED
    assert "the last one is ended" in desk.said("verify", "--join", code=1)


def test_what_is_wrong_is_found_before_a_run_begins(desk: Desk) -> None:
    """Otherwise a mistyped option would leave a run that stands in the way of the next one."""
    assert "must end in one of" in desk.said("verify", "--shared", "--out", "found.txt", code=2)
    assert "cannot be read" in desk.said("verify", "--shared", "--inventory", "no-such/manifest.json", code=2)
    assert state_of(desk) is None


@pytest.mark.parametrize("change", [{"options": {"unknown": "1"}}, {"slices": 99}])
def test_a_run_of_another_version_is_not_joined(desk: Desk, change: dict[str, Any]) -> None:
    """It may know other options, or cut the work in another way."""
    options = VerifyOptions(segments=2).as_options()
    run = Run(Work.VERIFY.value, new_name("run"), 4, options, rules_digest=desk.site.process.rules.digest, by="ana")
    book = DynamoDbRunBook(desk.site.clients, desk.site.name)
    assert begin_run(book, replace(run, **change)) is None
    assert "another version of keyshift" in desk.said("verify", "--join", code=2)
    assert "cancelled: 0 of" in desk.said("verify", "--cancel")


def test_a_whole_shared_run_says_the_same(desk: Desk, tmp_path: Path) -> None:
    """With every finding in the file, and again as often as wanted."""
    moved_at(desk, 4)
    alone = desk.run("verify", "--out", tmp_path / "alone.jsonl", code=1)
    for _ in range(2):
        shared = desk.run("verify", "--shared", "--out", tmp_path / "shared.jsonl", code=1)
        assert shared == alone
        both = [(tmp_path / name).read_text().splitlines() for name in ("alone.jsonl", "shared.jsonl")]
        assert sorted(both[0]) == sorted(both[1])


@pytest.mark.parametrize("is_local", [False, True])
def test_a_command_that_is_stopped_gives_its_slices_back(
    desk: Desk, is_local: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says how to resume a shared run; a run of its own process ends with it."""
    moved_at(desk, 4)
    run = left_run(desk)
    site = desk.site
    operation = operation_of(site.process, wire_command(site.process, function="test", level="WARNING"))
    book = DynamoDbRunBook(site.clients, site.name)

    def stop(line: str) -> None:
        raise KeyboardInterrupt(line)

    with (
        verify_work(site.process, operation, options_of(run.options)) as work,
        pytest.raises(KeyboardInterrupt),
    ):
        work_and_follow(operation, book, run, work, is_local=is_local, how=Following(1, stop, ("objects",), 4))
    assert ("keyshift verify --join resumes it" in capsys.readouterr().err) is not is_local
    assert all(one.claim is None for one in book.read_slices(run))


def test_a_run_is_cancelled(desk: Desk) -> None:
    """The command says what was done; another run may begin then."""
    moved_at(desk, 4)
    assert "no run of verify is to be" in desk.said("verify", "--cancel", code=1)
    assert desk.run("status")[0]["runs"] == []
    left_run(desk, slices_done=1)
    (going,) = desk.run("status", "--exact")[0]["runs"]
    figures = {name: going[name] for name in ("work", "by", "begun_at", "slices", "slices_done", "claimed")}
    assert figures == {"work": "verify", "by": "ana", "begun_at": 1.0, "slices": 4, "slices_done": 1, "claimed": 0}
    assert "keyshift verify --join resumes it" in " ".join(desk.said("status").split())
    assert "cancelled: 1 of 4 slices were done" in desk.said("verify", "--cancel")
    assert state_of(desk) is RunState.CANCELLED
    assert "the last one is cancelled" in desk.said("verify", "--join", code=1)
    left_run(desk, slices_done=0)
    (cancelled,) = desk.run("verify", "--cancel")
    assert (cancelled["done"], cancelled["slices"]) == (0, 4)


@pytest.mark.parametrize("option", [("--deep",), ("--sample", "3"), ("--no-keys",), ("--local",)])
@pytest.mark.parametrize("what", ["--join", "--cancel"])
def test_options_of_a_run_are_given_when_it_begins(desk: Desk, what: str, option: tuple[str, ...]) -> None:
    """One process cannot do it another way than the others."""
    assert_one_sentence(
        run_keyshift("verify", what, *option, more=desk.more), code=2, says="is chosen when a run begins"
    )


def test_a_cleanup_is_a_run_too(desk: Desk) -> None:
    """A dry run and a cleanup do not stand in each other's way; what joins one deletes by its options."""
    desk.run("start", "--yes", "--probes", "1", "--wait", "60")
    for number in range(4):
        desk.site.put(f"old/{number}", b"x" * number)
    desk.work()
    desk.run("verify")
    desk.run("cutover", "--yes")
    lines = [desk.run("cleanup", "--soak", "0s", *how) for how in ((), ("--shared",))]
    told = [sorted((one["source"], one["verdict"], one["reason"]) for one in each[:-1]) for each in lines]
    assert told[0] == told[1]
    assert lines[0][-1] == lines[1][-1]
    book = DynamoDbRunBook(desk.site.clients, desk.site.name)
    assert book.read_run("cleanup") is not None
    assert book.read_run("cleanup --yes") is None
    options = CleanupOptions(segments=3, yes=True, soak=0.0)
    run = Run("cleanup --yes", "left", 3, options.as_options(), rules_digest=desk.site.process.rules.digest, by="ana")
    assert begin_run(book, run) is None
    assert "keyshift cleanup --yes --join resumes it" in desk.said("cleanup", "--yes", "--shared", code=1)
    assert "no run of cleanup is to be joined" in desk.said("cleanup", "--join", code=1)
    assert "is chosen when a run begins" in desk.said("cleanup", "--yes", "--join", "--soak", "0s", code=2)
    joined = desk.run("cleanup", "--yes", "--join")
    held = {"quiet-time": 4}
    assert (joined[-1]["held_by"], joined[-1]["dry_run"]) == (held, False)
    assert DynamoDbStageBook(desk.site.clients, desk.site.name).read_stage().stage is Stage.CLEANING
    over = present(book.read_run("cleanup --yes"))
    assert over.state is RunState.ENDED


def test_a_rollback_and_a_purge_are_runs_too(desk: Desk) -> None:
    """What another process left is joined; neither begins beside a cleanup that has not ended."""
    short = {"ATTEMPT": 4, "REQUEST": 2, "MARGIN": 1}
    desk.more |= {f"KEYSHIFT_{name}_SECONDS": str(seconds) for name, seconds in short.items()}
    moved_at(desk, 4)
    stages = DynamoDbStageBook(desk.site.clients, desk.site.name)
    book, digest = DynamoDbRunBook(desk.site.clients, desk.site.name), desk.site.process.rules.digest
    cleaning = Run(Work.CLEANUP.value, "left", 3, {}, rules_digest=digest, by="ana")
    assert begin_run(book, cleaning) is None
    said = desk.said("rollback", "--yes", code=1)
    assert "keyshift cleanup --yes --cancel ends it at once" in said
    assert stages.read_stage().stage is Stage.LIVE, "a refused rollback has changed nothing"
    assert "cancelled: 0 of 3 slices" in desk.said("cleanup", "--yes", "--cancel")
    assert "no run of rollback --yes is to be joined" in desk.said("rollback", "--yes", "--join", code=1)
    (plan,) = desk.run("rollback", "--shared")
    assert plan["objects_to_fence"] == 4
    left = Run(Work.ROLLBACK.value, "left", 3 * 2 + 1, {"segments": "2"}, rules_digest=digest, by="ana")
    assert begin_run(book, left) is None
    for where in ("--shared", "--local"):
        assert "keyshift rollback --yes --cancel ends it" in desk.said("rollback", "--yes", where, code=1)
    assert stages.read_stage().stage is Stage.LIVE
    joined = desk.run("rollback", "--yes", "--join")
    assert (joined[-1]["states"], joined[-1]["clean"]) == ({"ROLLED_BACK": 4}, True)
    assert stages.read_stage().stage is Stage.ROLLED_BACK
    over = present(book.read_run(Work.ROLLBACK))
    assert over.state is RunState.ENDED
    # CompleteMultipartUpload may take as long as five other requests.
    sleep(short["ATTEMPT"] + 5 * short["REQUEST"] + short["MARGIN"])
    dry, real = (desk.run("rollback", "--purge", *yes, "--shared") for yes in ((), ("--yes",)))
    assert sorted((one["source"], one["verdict"]) for one in dry) == sorted((one["source"], "would-go") for one in real)
    assert {one["verdict"] for one in real} == {"purged"}
    assert desk.site.keys("new/") == ["new/a stranger's\n"]


def test_a_cancelled_rollback_is_not_over(desk: Desk) -> None:
    """The command says what was done; the stage stays, and another run ends it."""
    moved_at(desk, 3)
    desk.run("rollback", "--yes", "--shared")
    book, digest = DynamoDbRunBook(desk.site.clients, desk.site.name), desk.site.process.rules.digest
    left = Run(Work.ROLLBACK.value, "left", 3 * 2 + 1, {"segments": "2"}, rules_digest=digest, by="ana")
    assert begin_run(book, left) is None
    assert "keyshift rollback --yes --join" in desk.said("rollback", "--yes", code=1)
    (cancelled,) = desk.run("rollback", "--yes", "--cancel")
    assert (cancelled["cancelled"], cancelled["done"], cancelled["slices"]) == ("rollback --yes", 0, 7)
    assert_one_sentence(
        run_keyshift("rollback", "--yes", "--join", "--local", more=desk.more), code=2, says="when a run begins"
    )
