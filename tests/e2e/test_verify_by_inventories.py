"""``keyshift verify --by-inventories`` as an operator runs it."""

import csv
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.dynamodb.stage import DynamoDbStageBook
from domain.lifecycle.stages import Stage, advanced
from tests.e2e.command_line import run_keyshift
from tests.worlds.desk import Desk, desk
from tests.worlds.reports import Rows, report_of

__all__ = ["desk"]

DAY = 24 * 3600.0


def ten_days_ago(rows: Rows) -> Rows:
    """The rows of objects that were written then."""
    return [row | {"last_modified_date": row["last_modified_date"] - timedelta(days=10)} for row in rows]


def begun(desk: Desk, *keys: str) -> None:
    """A migration that has been live since 1970, and records that say that the objects were copied ten days ago."""
    stages = DynamoDbStageBook(desk.site.clients, desk.site.name)
    before = stages.read_stage()
    assert stages.write_stage(advanced(before, Stage.LIVE, by="t", why="t", now=1.0), before=before)
    for key in keys:
        desk.site.put(key, f"body of {key}".encode())
    desk.run("backfill", "--list")
    desk.work()
    manifest = desk.site.dependencies.ports.manifest
    for record in list(manifest.scan_records()):
        old = replace(record, changed_at=time.time() - 10 * DAY, revision=record.revision + 1)
        assert manifest.write_record(old, before=record)


@pytest.mark.slow("runs many commands as processes")
def test_the_summary_and_the_file_say_which_objects_were_not_looked_at(desk: Desk, tmp_path: Path) -> None:
    """In figures, for machines and for each object."""
    begun(desk, "old/a", "old/b c+%25é", "old/absent")

    def change(rows: Rows) -> Rows:
        return [row for row in ten_days_ago(rows) if row["key"] != "new/absent"]

    place = report_of(desk.site, tmp_path, began=time.time() - DAY, file_format="CSV", change=change)
    out = tmp_path / "found.csv"
    words = ("verify", "--by-inventories", "--inventory", place)
    told = desk.said(*words, "--no-mark")
    assert "proven by inventories" in told
    (summary,) = desk.run(*words, "--out", out)
    counted = {name: summary[name] for name in ("objects", "by_inventories", "looked_at", "verified", "clean")}
    assert counted == {"objects": 3, "by_inventories": 2, "looked_at": 1, "verified": 3, "clean": True}
    with out.open(newline="") as file:
        details = {row["source"].rpartition("/")[2]: row["detail"] for row in csv.DictReader(file)}
    said = "by inventories; not looked at: metadata, headers, tags, object lock, annotations"
    assert details == {"a": said, "b c+%25é": said, "absent": ""}
    assert desk.run("verify")[-1]["by_inventories"] == 0


@pytest.mark.slow("runs many commands as processes")
def test_what_contradicts_a_proof_by_inventories_is_refused(desk: Desk, tmp_path: Path) -> None:
    """Each with its remedy, before anything is looked at."""
    stages = DynamoDbStageBook(desk.site.clients, desk.site.name)
    before = stages.read_stage()
    assert stages.write_stage(advanced(before, Stage.LIVE, by="t", why="t", now=1.0), before=before)
    desk.site.put("old/a", b"x")
    place = report_of(desk.site, tmp_path, began=time.time() - DAY, change=ten_days_ago)
    named = ("--inventory", place)
    variables = desk.more | {"KEYSHIFT_LOOKING_QUEUE_URL": desk.site.backfill.url}
    for more, says in (
        (("--deep", *named), "--by-inventories and --deep exclude each other: omit one of them"),
        (("--sample", "3", *named), "--by-inventories and --sample exclude each other: omit one of them"),
        (("--engine", *named), "--by-inventories reads whole reports, and a function may end before"),
        (("--join",), "--by-inventories is chosen when a run begins: omit it"),
        ((), f"needs an inventory of bucket {desk.site.name} too: name its manifest.json with --inventory"),
    ):
        answer = run_keyshift("verify", "--by-inventories", *more, more=variables)
        assert answer.returncode == 2, answer.stderr
        assert says in answer.stderr
        assert "Traceback" not in answer.stderr
