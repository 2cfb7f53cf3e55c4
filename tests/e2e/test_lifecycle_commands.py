"""The commands of the life cycle as an operator runs them: exit codes, dry runs, files, refusals."""

import csv
import json
from pathlib import Path

import pyarrow.parquet
import pytest

from adapters.standin import Fault, StandIn
from tests.e2e.command_line import assert_one_sentence, run_keyshift
from tests.worlds.desk import Desk, desk

__all__ = ["desk"]


@pytest.mark.slow("runs many commands as processes")
def test_start_and_verify_and_cutover(desk: Desk, tmp_path: Path) -> None:
    """Dry runs change nothing; the answer is in the exit code; findings are in a file of each kind."""
    (dry,) = desk.run("start")
    assert dry["changes"]
    assert json.loads(dry["statement"])["Action"] == "sqs:SendMessage"
    assert desk.site.dependencies.progress.read_progress() == {}
    assert "cannot become cut-over" in desk.said("cutover", code=1)
    assert desk.run("start", "--yes", "--probes", "1", "--wait", "60")[-1]["stage"] == "live"
    for number in range(3):
        desk.site.put(f"old/{number}", b"x" * number)
    desk.site.put("nowhere", b"x")
    desk.work()
    desk.site.clients.s3.delete_object(Bucket=desk.site.name, Key="new/2")
    desk.work()
    outs = [tmp_path / f"found.{kind}" for kind in ("csv", "json", "parquet")]
    for out in outs:
        summary = desk.run("verify", "--out", out, code=1)[-1]
        assert summary["differences"] == {"missing": 1}
        assert summary["remarks"] == {"outside": 1}
    with outs[0].open(newline="") as file:
        rows = {row["source"].rpartition("/")[2]: row["differences"] for row in csv.DictReader(file)}
    assert rows == {"0": "", "1": "", "2": "missing", "": ""}
    lines = [json.loads(line) for line in outs[1].read_text().splitlines()]
    assert lines == pyarrow.parquet.read_table(outs[2]).to_pylist()
    assert "missing: " in desk.said("verify", code=1)
    shut = {one["gate"] for one in desk.run("cutover", "--yes", code=1) if one.get("open") is False and "gate" in one}
    assert shut == {"unverified"}
    told = desk.run("cutover", "--postpone", "2h", "--why", "freeze")[-1]
    assert told["why"] == "freeze"
    assert "postponed until" in desk.said("cutover", code=1)
    desk.run("cutover", "--postpone", "never")
    accepted = desk.run("cutover", "--yes", "--accept", "unverified", "--why", "known")[-1]
    assert accepted == {"cut_over": True, "open": True}


@pytest.mark.slow("runs many commands as processes")
def test_cleanup_and_rollback_from_the_command_line(desk: Desk) -> None:
    """Held for its soak time; --finish wants the name typed; a rollback says beforehand what it will do."""
    desk.run("start", "--yes", "--probes", "1", "--wait", "60")
    desk.site.put("old/1", b"x")
    desk.work()
    desk.run("verify")
    assert "keyshift cutover --yes first" in desk.said("cleanup", code=1)
    desk.run("cutover", "--yes")
    held, summary = desk.run("cleanup")
    assert held["why"].startswith("soak time")
    assert (summary["verdicts"], summary["dry_run"]) == ({"held": 1}, True)
    assert "--confirm site" in desk.said("cleanup", "--finish", code=2)
    assert "are not cleaned" in desk.run("cleanup", "--finish", "--confirm", "site", code=1)[0]["refused"]
    (plan,) = desk.run("rollback")
    assert (plan["objects_to_fence"], plan["sources_to_restore"]) == (1, 0)
    assert plan["notifications"].startswith("restored")
    assert "only after keyshift rollback has ended" in desk.said("rollback", "--purge", code=1)
    assert desk.run("rollback", "--yes")[-1]["clean"]
    assert "try again in" in desk.said("rollback", "--purge", "--yes", code=1)
    assert "cannot become" in desk.said("cutover", code=1)


@pytest.mark.slow("runs many commands as processes")
def test_conflicts_are_shown_and_decided(desk: Desk) -> None:
    """The runbook's way: look, remove what is in the way or give it up by its etag, and the source is copied."""
    desk.run("start", "--yes", "--probes", "1", "--wait", "60")
    s3, name = desk.site.clients.s3, desk.site.name
    for key in ("1", "2", "odd 'one"):
        s3.put_object(Bucket=name, Key=f"new/{key}", Body=b"a stranger's")
        desk.site.put(f"old/{key}", f"body {key}".encode(), Tagging="line=1")
    desk.work()
    desk.site.put("old/fine", b"x")
    desk.work()
    shown = {one["key"]: one for one in desk.run("conflicts", "list", code=1)}
    assert set(shown) == {"old/1", "old/2", "old/odd 'one"}
    etag = shown["old/1"]["target_holds"]["etag"]
    assert (shown["old/1"]["source_holds"]["size"], shown["old/1"]["may_be_taken"]) == (6, False)
    assert f"--replacing {etag}" in desk.said("conflicts", "list", code=1)

    (refused, counted) = desk.run("conflicts", "take-source", "old/1", code=1)
    assert (refused["outcome"], counted) == ("refused", {"decided": 0, "refused": 1, "dry_run": True})
    (dry, _) = desk.run("conflicts", "take-source", "old/1", "--replacing", etag)
    assert (dry["outcome"], dry["replaces"]) == ("would-take", etag)
    desk.work()
    assert desk.site.read("new/1") == b"a stranger's"

    s3.delete_object(Bucket=name, Key="new/2")
    s3.delete_object(Bucket=name, Key="new/odd 'one")
    desk.run("verify", "--requeue", code=1)
    desk.work()
    told = desk.said("conflicts", "list", code=1)
    assert """keyshift conflicts take-source 'old/odd '"'"'one' --why""" in told
    taken = desk.run("conflicts", "take-source", "--empty", "--why", "removed", "--yes")
    assert {one["key"] for one in taken[:-1]} == {"old/2", "old/odd 'one"}
    (one, _) = desk.run("conflicts", "take-source", "old/1", "--replacing", etag, "--why", "a test", "--yes")
    assert one["outcome"] == "taken"
    assert "decided; a worker will copy it" in desk.said("conflicts", "list", code=1)
    desk.work()
    assert [desk.site.read(f"new/{key}") for key in ("1", "2", "odd 'one")] == [b"body 1", b"body 2", b"body odd 'one"]
    assert desk.said("conflicts", "list").startswith("0 in conflict")
    assert desk.run("verify")[-1]["clean"]
    assert "its copy is where it belongs" in desk.said("conflicts", "take-source", "old/1", code=1)


@pytest.mark.slow("runs many commands as processes")
def test_a_conflict_that_cannot_be_seen_is_not_decided(desk: Desk, standin_process: StandIn) -> None:
    """A denied look is never an empty target; what is decided while the queue is missing is carried out later."""
    desk.run("start", "--yes", "--probes", "1", "--wait", "60")
    desk.site.clients.s3.put_object(Bucket=desk.site.name, Key="new/1", Body=b"a stranger's")
    desk.site.put("old/1", b"body")
    desk.work()
    denied = Fault("HeadObject", status=403, code="AccessDenied", message="no", count=100, bucket=desk.site.name)
    standin_process.inject(denied)
    for arguments in (("conflicts", "list"), ("conflicts", "take-source", "--empty", "--why", "w", "--yes")):
        answer = run_keyshift(*arguments, more=desk.more)
        assert "give the role s3:GetObject" in assert_one_sentence(answer, code=1, says=f"s3://{desk.site.name}/old/1")
    standin_process.clear_faults()
    desk.site.clients.s3.delete_object(Bucket=desk.site.name, Key="new/1")
    gone = {"KEYSHIFT_BACKFILL_QUEUE_URL": f"{desk.site.settings.backfill_queue_url}-gone"}
    taking = ("conflicts", "take-source", "--empty", "--why", "w", "--yes")
    answer = run_keyshift(*taking, more={**desk.more, **gone})
    assert (answer.returncode, answer.stdout.split()[0]) == (1, "taken")
    assert "-gone: " in answer.stderr
    desk.run("verify", "--requeue", code=1)
    desk.work()
    assert desk.site.read("new/1") == b"body"


@pytest.mark.slow("runs many commands as processes")
def test_a_copy_that_was_taken_away_is_copied_again_on_an_operators_control(desk: Desk) -> None:
    """Verify names it, and its owner need not write again; after a rollback nothing is decided any more."""
    desk.run("start", "--yes", "--probes", "1", "--wait", "60")
    desk.site.put("old/1", b"x")
    desk.work()
    desk.site.clients.s3.delete_object(Bucket=desk.site.name, Key="new/1")
    assert desk.run("verify", "--requeue", code=1)[-1]["differences"] == {"missing": 1}
    desk.work()
    assert "missing" in desk.said("verify", code=1)
    desk.run("conflicts", "take-source", "old/1", "--why", "by mistake", "--yes")
    desk.work()
    assert desk.run("verify")[-1]["clean"]
    desk.run("rollback", "--yes")
    assert "is rolled-back: nothing is copied" in desk.said("conflicts", "take-source", "old/1", code=1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("cleanup", "--soak", "soon"), "write 90s, 15m, 24h or 7d"),
        (("cutover", "--accept", "parked"), "give --why"),
        (("cutover", "--postpone", "2001-01-01T00:00Z"), "is in the past: give a later time"),
        (("verify", "--out", "findings.txt"), "must end in one of .csv"),
        (("conflicts", "take-source"), "choose the conflicts: source keys"),
        (("conflicts", "take-source", "old/1", "--empty"), "choose the conflicts: source keys"),
        (("conflicts", "take-source", "old/1", "old/2", "--replacing", "e"), "give its source key alone"),
        (("conflicts", "take-source", "--empty", "--replacing", "e"), "give its source key alone"),
        (("conflicts", "take-source", "old/1", "--yes"), "give --why"),
        (("conflicts", "take-source", "old/unknown"), "no record knows s3://"),
        (("verify", "--inventory", "no-such/manifest.json"), "cannot be read"),
    ],
)
def test_what_is_used_wrongly_is_one_sentence(desk: Desk, arguments: tuple[str, ...], says: str) -> None:
    """With exit code 2 and the remedy."""
    if arguments[0] == "cleanup":
        desk.run("start", "--yes", "--probes", "1", "--wait", "60")
        desk.work()
        desk.run("cutover", "--yes")
    answer = run_keyshift(*arguments, more=desk.more)
    assert_one_sentence(answer, code=2, says=says)
