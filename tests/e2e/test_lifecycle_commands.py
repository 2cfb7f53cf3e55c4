"""The commands of the life cycle as an operator runs them: exit codes, dry runs, files, refusals."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from handlers.worker import Worker
from tests.e2e.command_line import assert_one_sentence, run_keyshift
from tests.integration.site import RULES, Site
from tests.servers import Server


class Desk:
    """A site and the operator's environment."""

    def __init__(self, site: Site, more: dict[str, str]) -> None:
        self.site = site
        self.more = more

    def run(self, *arguments: str | Path, code: int = 0) -> list[dict[str, Any]]:
        """A command with --json; its lines."""
        answer = run_keyshift(*arguments, "--json", more=self.more)
        assert answer.returncode == code, (answer.stdout, answer.stderr)
        assert "Traceback" not in answer.stderr
        return [json.loads(line) for line in answer.stdout.splitlines()]

    def said(self, *arguments: str, code: int = 0) -> str:
        """A command as people see it."""
        answer = run_keyshift(*arguments, more=self.more)
        assert answer.returncode == code, (answer.stdout, answer.stderr)
        return answer.stdout + answer.stderr

    def work(self) -> None:
        """Workers work the events off."""
        worker = Worker(self.site.dependencies, lanes=1)
        while worker.serve(self.site.dependencies.events_queue, at_most=10, wait=0):
            pass


@pytest.fixture
def desk(standin: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A migration of a bucket without versions and without live capture."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", standin.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", standin.secret_key)
    rules = RULES + "cleanup: {{unversioned_source: fenced}}\n"
    site = Site(standin, tmp_path, captured=False, rules_text=rules)
    keys = {"AWS_ACCESS_KEY_ID": standin.access_key, "AWS_SECRET_ACCESS_KEY": standin.secret_key}
    return Desk(site, {**keys, **site.environment()})


def test_start_and_verify_and_cutover(desk: Desk, tmp_path: Path) -> None:
    """Dry runs change nothing; the answer is in the exit code; findings are in a file of each kind."""
    (dry,) = desk.run("start")
    assert dry["changes"]
    assert desk.site.dependencies.progress.read_progress() == {}
    assert "cannot become cut-over" in desk.said("cutover", code=1)
    assert desk.run("start", "--yes", "--probes", "1", "--wait", "60")[-1]["stage"] == "live"
    for number in range(3):
        desk.site.put(f"old/{number}", b"x" * number)
    desk.site.put("nowhere", b"x")
    desk.work()
    desk.site.clients.s3.delete_object(Bucket=desk.site.name, Key="new/2")
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
    assert "postponed by" in desk.said("cutover", code=1)
    desk.run("cutover", "--postpone", "never")
    accepted = desk.run("cutover", "--yes", "--accept", "unverified", "--why", "known")[-1]
    assert accepted == {"cut_over": True, "open": True}


def test_cleanup_and_rollback_from_the_command_line(desk: Desk) -> None:
    """Held for its soak time; --finish wants the name typed; a rollback says beforehand what it will do."""
    desk.run("start", "--yes", "--probes", "1", "--wait", "60")
    desk.site.put("old/1", b"x")
    desk.work()
    desk.run("verify")
    assert "keyshift cutover first" in desk.said("cleanup", code=1)
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


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("cleanup", "--soak", "soon"), "write 90s, 15m, 24h or 7d"),
        (("cutover", "--accept", "parked"), "give --why"),
        (("cutover", "--postpone", "2001-01-01T00:00Z"), "is over"),
        (("verify", "--out", "findings.txt"), "must end in one of .csv"),
        (("verify", "--inventory", "no-such/manifest.json"), "cannot be read"),
    ],
)
def test_what_is_used_wrongly_is_one_sentence(desk: Desk, arguments: tuple[str, ...], says: str) -> None:
    """With exit code 2 and the remedy."""
    if arguments[0] == "cleanup":
        desk.run("start", "--yes", "--probes", "1", "--wait", "60")
        desk.run("cutover", "--yes")
    answer = run_keyshift(*arguments, more=desk.more)
    assert_one_sentence(answer, code=2, says=says)
