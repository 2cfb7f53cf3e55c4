"""``keyshift report`` on the stand-in: the page, and every object as CSV and JSON."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from adapters.standin import StandIn
from handlers.engine.outbox import respond
from tests.e2e.command_line import assert_one_sentence, run_keyshift
from tests.servers import Server, new_name, standin_server
from tests.worlds.site import Site, deliver, variables

pytestmark = pytest.mark.slow("runs a migration and several reports of it as processes")

KEYS = ["old/<script>alert(1)</script>", "old/=1+1", 'old/red flower, two\n"lines"', "old/\u00e9"]


@pytest.fixture(scope="module")
def site(standin_process: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Four objects moved, with odd keys; everything is audited and counted."""
    server = standin_server(standin_process)
    bucket = new_name("audit")
    server.client("s3").create_bucket(Bucket=bucket)
    made = Site(server, tmp_path_factory.mktemp("report"), audit_bucket=bucket, live=None)
    for key in KEYS:
        made.put(key, b"four")
    deliver(made)
    for event in made.changes():
        respond(event, made.dependencies)
    return made


def test_the_page_tells_of_the_run(site: Site, standin: Server, tmp_path: Path) -> None:
    """With the audit's verdict and the plan beside it; an owner's key is text."""
    more = variables(site, standin)
    plan = tmp_path / "plan.parquet"
    command = ("plan", site.settings.rules_file, "--list", "--endpoint-url", standin.endpoint_url)
    said = run_keyshift(*command, "--out", plan, "--json", more=more)
    (tmp_path / "plan.json").write_text(said.stdout)
    for name in ("plan.parquet", "plan.json"):
        out = tmp_path / f"{name}.html"
        answer = run_keyshift("report", "--plan", tmp_path / name, "--out", out, more=more)
        assert (answer.returncode, answer.stdout) == (0, ""), answer.stderr
        page = out.read_text(encoding="utf-8")
        assert "4 of 4 planned" in page
        assert "the audit is whole: 1 segments, " in page
        assert "Copies each minute" in page
        assert "<script" not in page


def test_every_object_is_a_line(site: Site, standin: Server) -> None:
    """CSV without formulas, JSON with the figures last; both know the keys as they are."""
    more = variables(site, standin)
    rows = list(csv.DictReader(io.StringIO(run_keyshift("report", "--csv", more=more).stdout)))
    assert sorted(KEYS) == sorted(row["source_key"] for row in rows)
    assert {"moved"} == {row["outcome"] for row in rows}
    lines = [json.loads(line) for line in run_keyshift("report", "--json", more=more).stdout.splitlines()]
    summary = lines.pop()["summary"]
    assert sorted(KEYS) == sorted(line["source_key"] for line in lines)
    assert (summary["records_read"], summary["outcomes"], summary["audit"]["good"]) == (4, {"moved": 4}, True)
    assert sum(span["objects_copied"] for span in summary["history"]) == 4
    assert summary["cost"]["dollars"] > 0


def test_a_broken_audit_is_told(site: Site, standin: Server, tmp_path: Path) -> None:
    """Exit code 1, and the page says what was found."""
    s3, bucket = site.clients.s3, site.settings.audit_bucket
    (key,) = (one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"] if "/000000000001." in one["Key"])
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    s3.put_object(Bucket=bucket, Key=key, Body=body[:-1])
    answer = run_keyshift("report", "--out", tmp_path / "r.html", more=variables(site, standin))
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    assert answer.returncode == 1
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "THE AUDIT IS BROKEN" in page
    assert f"segment-altered: {key.split('/')[-2]}: segment 1 is damaged" in page


def summary_of(said: str) -> dict[str, Any]:
    """The only line, which has the figures."""
    (line,) = said.splitlines()
    found: dict[str, Any] = json.loads(line)["summary"]
    return found


def test_the_summary_alone_has_the_same_figures(site: Site, standin: Server) -> None:
    """Without a run by functions the audit chain is compared, in the pass that counts."""
    more = variables(site, standin)
    whole = json.loads(run_keyshift("report", "--json", more=more).stdout.splitlines()[-1])["summary"]
    alone = summary_of(run_keyshift("report", "--json", "--summary", more=more).stdout)
    assert alone["audit"]["good"] is True
    assert list(alone) == list(whole)
    timed = ("recent", "live_lag_seconds", "backfill_lag_seconds", "objects_per_second", "bytes_per_second")
    assert {k: v for k, v in alone.items() if k not in timed} == {k: v for k, v in whole.items() if k not in timed}
    refused = run_keyshift("report", "--summary", more=more)
    assert_one_sentence(refused, code=2, says="give --json too")


def test_the_audit_is_compared_where_it_is_asked_for(site: Site, standin: Server, tmp_path: Path) -> None:
    """Left by --no-audit, and beside a shared run by default; the page says so, with the command that does it."""
    more, page = variables(site, standin), tmp_path / "r.html"
    said = run_keyshift("report", "--no-audit", "--out", page, more=more)
    assert (said.returncode, "4 objects, " in page.read_text("utf-8")) == (0, True)
    assert "not read (--no-audit): keyshift audit verify compares" in page.read_text("utf-8")
    said = run_keyshift("report", "--shared", "--out", page, more=more)
    assert "the audit chain was not read" in said.stderr
    assert "not read, because a run counted the records: keyshift audit verify" in page.read_text("utf-8")
    both = summary_of(run_keyshift("report", "--json", "--summary", "--shared", "--audit", more=more).stdout)
    assert (both["records_read"], both["audit"]["good"]) == (4, True)
    lines = run_keyshift("report", "--json", "--no-audit", more=more).stdout.splitlines()
    assert (len(lines), json.loads(lines[-1])["summary"]["audit"]["good"]) == (5, None)


def test_an_audit_that_does_not_exist_is_refused(site: Site, standin: Server) -> None:
    """By its setting; without --audit the report says that there is no chain."""
    more = {**variables(site, standin), "KEYSHIFT_AUDIT_BUCKET": ""}
    assert_one_sentence(run_keyshift("report", "--audit", more=more), code=2, says="KEYSHIFT_AUDIT_BUCKET is not set")
    found = summary_of(run_keyshift("report", "--json", "--summary", more=more).stdout)
    assert (found["records_read"], found["audit"]["verdict"][:4]) == (4, "off:")


def test_a_quick_report_reads_counters_only(site: Site, standin: Server, tmp_path: Path) -> None:
    """It says what it did not read, and has no rows to give."""
    more = variables(site, standin)
    assert run_keyshift("report", "--quick", "--out", tmp_path / "q.html", more=more).returncode == 0
    assert "The records were not read" in (tmp_path / "q.html").read_text(encoding="utf-8")
    assert_one_sentence(run_keyshift("report", "--quick", "--csv", more=more), code=2, says="--quick")
    assert_one_sentence(run_keyshift("report", "--json", "--csv", more=more), code=2, says="choose one")
    assert_one_sentence(run_keyshift("report", "--quick", "--audit", more=more), code=2, says="does not read the audit")
    answer = run_keyshift("report", "--quick", "--out", tmp_path / "no" / "r.html", more=more)
    assert_one_sentence(answer, code=2, says="another --out")
