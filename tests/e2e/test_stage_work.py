"""Runs that a command begins and others do: functions, as Lambda calls them, and workers."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from time import sleep
from typing import Any

import pytest

from adapters.demo.provisioning import create_queue
from adapters.dynamodb.runs import DynamoDbRunBook
from adapters.messaging.queue import SqsMessageQueue
from domain.runs.run import Run, RunState
from domain.runs.works import StageQueue, Work
from handlers.bootstrap import bootstrap, wire_command
from handlers.bootstrap.operations import operation_of
from handlers.bootstrap.process import Process
from handlers.bootstrap.runs import verify_work
from handlers.bootstrap.stage_tasks import stage_works
from handlers.cli.run_following import Following, work_and_follow
from handlers.cli.stage_runs import SHARED_FROM
from handlers.operations import stage_tasks
from handlers.operations.count_run import CountOptions
from handlers.operations.removal_run import CleanupOptions
from handlers.operations.rewrite_run import RewriteOptions
from handlers.operations.runs import begin_run
from handlers.operations.stage_tasks import Engine
from handlers.operations.verify_run import VerifyOptions
from handlers.stage_work import respond
from tests.e2e.command_line import assert_one_sentence, run_keyshift
from tests.e2e.workers import running_workers
from tests.servers import Server
from tests.worlds.desk import Desk, desk, desk_of, moved_at
from tests.worlds.site import SITE_RULES, lambda_event

__all__ = ["desk"]

pytestmark = pytest.mark.slow("runs verify and cleanup again and again, each as a process")


JOBS = "{bucket}-jobs"
REFERRING = SITE_RULES + f"references: [{{{{table: '{JOBS}', key: id, attributes: [uri]}}}}]\n"


def with_queues(desk: Desk) -> Desk:
    """The same with the queues of stage work."""
    for name in StageQueue:
        pair = create_queue(desk.site.clients, f"{desk.site.name}-{name}", visibility=30, max_receives=10)
        desk.more[f"KEYSHIFT_{name.upper()}_QUEUE_URL"] = pair.url
    return desk


@pytest.fixture
def site_of(desk: Desk) -> Desk:
    """The desk of a migration without references."""
    return with_queues(desk)


@pytest.fixture
def referred(credentials: Server, tmp_path: Path) -> Desk:
    """The desk of a migration to whose objects a table refers."""
    made = desk_of(credentials, tmp_path, rules=REFERRING)
    made.site.clients.dynamodb.create_table(
        TableName=JOBS.format(bucket=made.site.name),
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    return with_queues(made)


@contextmanager
def functions(desk: Desk, name: StageQueue) -> Iterator[list[int]]:
    """A function of this queue, invoked as its event source mapping does it; the number of messages of each call."""
    url = desk.more[f"KEYSHIFT_{name.upper()}_QUEUE_URL"]
    short = {"attempt_seconds": 4.0, "request_seconds": 2.0, "margin_seconds": 1.0}
    settings = desk.site.settings.model_copy(update={f"{name}_queue_url": url, **short})
    process = Process(settings, clients=desk.site.clients)
    dependencies = bootstrap(process, function="stage-work")
    (works,) = stage_works(process, dependencies)
    queue, stopped, calls = SqsMessageQueue(desk.site.clients, url), Event(), list[int]()

    def poll() -> None:
        while not stopped.is_set():
            messages = queue.receive_messages(at_most=1, wait=0)
            answer = respond(lambda_event(messages), dependencies, works, seconds_left=lambda: 60.0)
            failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
            queue.delete_messages([one for one in messages if one.message_id not in failed])
            calls.extend([len(messages)] if messages else [])
            stopped.wait(0.05)

    thread = Thread(target=poll)
    thread.start()
    try:
        yield calls
    finally:
        stopped.set()
        thread.join()


def job(uri: str, number: int = 1) -> dict[str, Any]:
    """An item of the application's table."""
    return {"id": {"S": str(number)}, "uri": {"S": uri}}


def held_uris(desk: Desk) -> list[str]:
    """What the application's table holds."""
    items = desk.site.clients.dynamodb.scan(TableName=JOBS.format(bucket=desk.site.name))["Items"]
    return sorted(item["uri"]["S"] for item in items)


def newest(desk: Desk, work: Work) -> Run:
    """The newest run of the work."""
    run = DynamoDbRunBook(desk.site.clients, desk.site.name).read_run(work)
    assert run is not None
    return run


def test_functions_verify_what_a_command_begins(site_of: Desk) -> None:
    """The same lines, summary and exit code as one command alone; key lists and references are the command's part."""
    moved_at(site_of, 6)
    alone = site_of.run("verify", code=1)
    with functions(site_of, StageQueue.LOOKING) as calls:
        engine = site_of.run("verify", "--engine", code=1)
    assert calls
    assert engine[-1] == alone[-1]
    assert sorted(map(str, engine)) == sorted(map(str, alone))
    assert newest(site_of, Work.VERIFY).state is RunState.ENDED


def test_workers_verify_too(site_of: Desk, tmp_path: Path) -> None:
    """``keyshift worker`` polls the queues of stage work beside its own."""
    moved_at(site_of, 4)
    with running_workers(1, more=site_of.more, folder=tmp_path):
        done = site_of.run("verify", "--engine", code=1)
    assert done[-1]["run"] == "ended"
    assert "Traceback" not in (tmp_path / "worker-0.log").read_text()


def test_functions_clean_up_roll_back_and_purge(site_of: Desk) -> None:
    """Each under its own queue; what the commands print is what they print of runs that they do alone."""
    short = {"ATTEMPT": 4, "REQUEST": 2, "MARGIN": 1}
    site_of.more |= {f"KEYSHIFT_{name}_SECONDS": str(seconds) for name, seconds in short.items()}
    site_of.run("start", "--yes", "--probes", "1", "--wait", "60")
    for number in range(5):
        site_of.site.put(f"old/{number}", b"x" * number)
    site_of.work()
    site_of.run("verify")
    site_of.run("cutover", "--yes")
    sleep(sum(short.values()) + 4 * short["REQUEST"])
    with functions(site_of, StageQueue.REMOVING) as calls:
        cleaned = site_of.run("cleanup", "--soak", "0s", "--yes", "--engine")
    assert calls
    assert cleaned[-1]["verdicts"] == {"cleaned": 5}
    assert not site_of.site.keys("old/")
    with functions(site_of, StageQueue.RESTORING) as calls:
        back = site_of.run("rollback", "--yes", "--engine")
    assert calls
    assert (back[-1]["states"], back[-1]["clean"]) == ({"ROLLED_BACK": 5}, True)
    assert len(site_of.site.keys("old/")) == 5
    sleep(sum(short.values()) + 4 * short["REQUEST"])
    with functions(site_of, StageQueue.REMOVING) as calls:
        purged = site_of.run("rollback", "--purge", "--yes", "--engine")
    assert calls
    assert {one["verdict"] for one in purged} == {"purged"}
    assert not site_of.site.keys("new/")


def test_a_command_that_is_stopped_leaves_the_run_to_functions(
    site_of: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says how to see the run again; a command that joins does what functions cannot do, and ends the run."""
    moved_at(site_of, 4)
    site = site_of.site
    operation = operation_of(site.process, wire_command(site.process, function="test", level="WARNING"))
    book, options = DynamoDbRunBook(site.clients, site.name), VerifyOptions(segments=2)
    queue = SqsMessageQueue(site.clients, site_of.more["KEYSHIFT_LOOKING_QUEUE_URL"])

    def stop(line: str) -> None:
        raise KeyboardInterrupt(line)

    with verify_work(site.process, operation, options) as work:
        digest = site.process.rules.digest
        run = Run(Work.VERIFY.value, "left", sum(work.phases), options.as_options(), rules_digest=digest, by="ana")
        assert begin_run(book, run) is None
        how = Following(1, stop, ("objects",), 4)
        with functions(site_of, StageQueue.LOOKING), pytest.raises(KeyboardInterrupt):
            work_and_follow(operation, book, run, work, is_local=False, how=how, engine=Engine(queue))
    assert "keyshift verify --join --engine shows it" in capsys.readouterr().err
    with functions(site_of, StageQueue.LOOKING):
        joined = site_of.run("verify", "--join", "--engine", code=1)
    assert (joined[-1]["run"], joined[-1]["objects"]) == ("ended", 4)


def test_functions_of_other_rules_stop_the_run(site_of: Desk) -> None:
    """The command says which rules differ, and the remedy."""
    moved_at(site_of, 3)
    rules = Path(site_of.more["KEYSHIFT_RULES_FILE"])
    other = rules.with_name("other.yaml")
    other.write_text(rules.read_text() + "keep: ['kept/{rest*}']\n")
    with functions(site_of, StageQueue.LOOKING):
        answer = run_keyshift("verify", "--engine", "--json", more={**site_of.more, "KEYSHIFT_RULES_FILE": str(other)})
    assert answer.returncode == 1
    assert "the functions have other rules" in answer.stderr
    assert newest(site_of, Work.VERIFY).state is RunState.CANCELLED


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("verify", "--engine", "--deep"), "--deep reads whole objects"),
        (("verify", "--engine", "--local"), "kept in the command's own process"),
        (("status", "--engine"), "give --exact too"),
        (("status", "--exact", "--watch", "--join"), "--watch counts the records in this process"),
        (("status", "--exact", "--engine", "--local"), "kept in the command's own process"),
        (("report", "--engine", "--local"), "kept in the command's own process"),
        (("report", "--quick", "--join"), "--quick counts no records"),
        (("report", "--csv", "--shared"), "--csv prints each object"),
        (("report", "--json", "--engine"), "or give --summary too"),
        (("report", "--join", "--shared"), "--shared is chosen when a run begins"),
        (("cleanup", "--engine", "--rate", "5"), "keyshift throttle limits the functions"),
        (("cleanup", "--engine", "--yes", "--rate", "5"), "keyshift throttle limits the functions"),
        (("references", "rewrite", "--engine"), "functions do not do keyshift references rewrite"),
    ],
)
def test_what_functions_cannot_do_is_refused(site_of: Desk, words: tuple[str, ...], says: str) -> None:
    """With the reason and the remedy."""
    assert_one_sentence(run_keyshift(*words, more=site_of.more), code=2, says=says)


SHORT = {"ATTEMPT": 4, "REQUEST": 2, "MARGIN": 1}
"""Seconds of an attempt, of a request, and of the clocks' margin."""


def cut_over(referred: Desk) -> None:
    """Five objects are moved, verified and cut over, with short attempts."""
    referred.more |= {f"KEYSHIFT_{name}_SECONDS": str(seconds) for name, seconds in SHORT.items()}
    referred.run("start", "--yes", "--probes", "1", "--wait", "60")
    for number in range(5):
        referred.site.put(f"old/{number}", b"x" * number)
    referred.work()
    referred.run("verify")
    referred.run("cutover", "--yes")


def name_object(referred: Desk, key: str) -> None:
    """An item of the application's table names the object; every request that began before it is over."""
    jobs = JOBS.format(bucket=referred.site.name)
    referred.site.clients.dynamodb.put_item(TableName=jobs, Item=job(f"s3://{referred.site.name}/{key}"))
    sleep(sum(SHORT.values()) + 4 * SHORT["REQUEST"])


def test_functions_keep_what_a_table_names(referred: Desk, tmp_path: Path) -> None:
    """What functions of one queue find serves those that delete; a purge after the rollback asks for copies."""
    jobs = JOBS.format(bucket=referred.site.name)
    cut_over(referred)
    name_object(referred, "old/3")
    with functions(referred, StageQueue.REMOVING), functions(referred, StageQueue.LOOKING) as looks:
        cleaned = referred.run("cleanup", "--soak", "0s", "--yes", "--engine")
    assert looks
    assert cleaned[-1]["verdicts"] == {"cleaned": 4, "held": 1}
    assert [one["why"] for one in cleaned if one.get("verdict") == "held"] == [f"a reference: table {jobs} id=1 uri"]
    assert referred.site.keys("old/") == ["old/3"]
    referred.run("rollback", "--yes")
    name_object(referred, "new/2")
    with running_workers(1, more=referred.more, folder=tmp_path):
        purged = referred.run("rollback", "--purge", "--yes", "--engine", code=1)
    assert Counter(str(one["verdict"]) for one in purged) == {"purged": 4, "held": 1}
    assert referred.site.keys("new/") == ["new/2"]


def test_functions_that_cannot_read_a_table_stop_the_run(referred: Desk) -> None:
    """The command says what could not be read, and no source is deleted."""
    jobs = JOBS.format(bucket=referred.site.name)
    referred.run("start", "--yes", "--probes", "1", "--wait", "60")
    referred.site.put("old/1", b"x")
    referred.work()
    referred.run("verify")
    referred.run("cutover", "--yes")
    referred.site.clients.dynamodb.delete_table(TableName=jobs)
    with functions(referred, StageQueue.REMOVING), functions(referred, StageQueue.LOOKING):
        answer = run_keyshift("cleanup", "--soak", "0s", "--yes", "--engine", "--json", more=referred.more)
    assert answer.returncode == 1
    assert "references and pins could not be read, so nothing is deleted" in answer.stderr
    assert f"Scan on {jobs}" in answer.stderr
    assert referred.site.keys("old/") == ["old/1"]


def test_functions_scan_references(referred: Desk) -> None:
    """The same lines, figures and exit code as one command alone; a scan that was stopped is joined."""
    jobs = JOBS.format(bucket=referred.site.name)
    moved_at(referred, 4)
    for number in range(9):
        item = {**job(f"s3://{referred.site.name}/old/{number}"), "id": {"S": f"{number}"}}
        referred.site.clients.dynamodb.put_item(TableName=jobs, Item=item)
    alone = referred.run("references", "scan", code=1)
    with functions(referred, StageQueue.LOOKING) as calls:
        engine = referred.run("references", "scan", "--engine", code=1)
    assert calls
    assert len(alone) == 10
    assert engine[-1] == alone[-1]
    assert sorted(map(str, engine)) == sorted(map(str, alone))
    assert newest(referred, Work.REFERENCES).state is RunState.ENDED


def test_a_scan_whose_table_cannot_be_read_is_told_with_its_cause(
    referred: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each slice is left after its failures, and lies in the dead-letter queue."""
    monkeypatch.setattr(stage_tasks, "FAILED_SECONDS", 1)
    referred.run("start", "--yes", "--probes", "1", "--wait", "60")
    referred.site.clients.dynamodb.delete_table(TableName=JOBS.format(bucket=referred.site.name))
    with functions(referred, StageQueue.LOOKING):
        answer = run_keyshift("references", "scan", "--engine", "--segments", "1", more=referred.more)
    assert answer.returncode == 1
    assert "slices could not be finished" in answer.stderr
    (letter,) = referred.run("dlq", "list", "--queue", "looking")[:1]
    assert "Scan on" in str(letter)


def test_functions_count_the_records(site_of: Desk) -> None:
    """During a pause too; the counters of the stream, which nothing adds up here, are not asked."""
    moved_at(site_of, 6)
    alone = site_of.run("status", "--exact")
    site_of.run("pause", "--reason", "a test")
    with functions(site_of, StageQueue.LOOKING) as calls:
        (engine,) = site_of.run("status", "--exact", "--engine")
    assert calls
    assert engine["records"] == alone[0]["records"] == {"COPIED": 6}
    assert engine["runs"] == []
    assert newest(site_of, Work.COUNT).state is RunState.ENDED


def test_a_count_is_joined_and_cancelled(site_of: Desk) -> None:
    """As every run: what no function takes, a command that joins does."""
    moved_at(site_of, 3)
    left_open(site_of, Work.COUNT, "first")
    refused = run_keyshift("status", "--exact", "--shared", more=site_of.more)
    assert (refused.returncode, "keyshift status --exact --join resumes it" in refused.stderr) == (1, True)
    (joined,) = site_of.run("status", "--exact", "--join")
    assert joined["records"] == {"COPIED": 3}
    left_open(site_of, Work.COUNT, "second")
    (cancelled,) = site_of.run("status", "--exact", "--cancel")
    assert cancelled["cancelled"] == "status --exact"
    assert newest(site_of, Work.COUNT).state is RunState.CANCELLED


def test_functions_count_the_records_of_a_report(site_of: Desk, tmp_path: Path) -> None:
    """During a pause too: figures and page are those of one process, which reads no record for them."""
    moved_at(site_of, 6)
    site_of.run("verify", code=1)
    *objects, alone = site_of.run("report")
    assert len(objects) == 6
    site_of.run("pause", "--reason", "a test")
    with functions(site_of, StageQueue.LOOKING) as calls:
        (engine,) = site_of.run("report", "--summary", "--engine")
        page = tmp_path / "report.html"
        said = site_of.said("report", "--engine", "--out", str(page))
    assert calls
    assert "the functions work on it" in said
    here, there = alone["summary"], engine["summary"]
    assert set(there) == set(here)
    for name in ("records_read", "verified", "outcomes", "kept", "changed", "lost", "not_looked_at", "audit"):
        assert there[name] == here[name], name
    assert (there["records_read"], there["runs"]) == (6, [])
    assert "6 objects, " in page.read_text("utf-8")
    assert newest(site_of, Work.REPORT).state is RunState.ENDED


def test_functions_keep_the_records_that_need_a_person(site_of: Desk, tmp_path: Path) -> None:
    """The page names them with their sentence; a count of the status goes on beside that of a report."""
    moved_at(site_of, 3)
    site_of.site.put("new/taken", b"another writer's")
    site_of.site.put("old/taken", b"the producer's")
    site_of.work()
    left_open(site_of, Work.COUNT, "of the status")
    page = tmp_path / "report.html"
    with functions(site_of, StageQueue.LOOKING):
        site_of.said("report", "--engine", "--out", str(page))
    html = page.read_text("utf-8")
    assert "Objects that need a person" in html
    assert "<code>old/taken</code>" in html
    local = tmp_path / "local.html"
    site_of.said("report", "--out", str(local))
    assert troubled_part(local) == troubled_part(page)
    assert newest(site_of, Work.COUNT).goes_on


def test_functions_count_a_large_report_without_the_audit(site_of: Desk, tmp_path: Path) -> None:
    """From 5,000 records on; with an audit chain a report compares it here, unless it is left."""
    moved_at(site_of, 3)
    bucket, page = f"{site_of.site.name}-audit", tmp_path / "report.html"
    site_of.site.clients.s3.create_bucket(Bucket=bucket)
    site_of.more["KEYSHIFT_AUDIT_BUCKET"] = bucket
    site_of.site.dependencies.progress.add_progress({"records.COPIED": SHARED_FROM}, batch_id="many")
    with functions(site_of, StageQueue.LOOKING) as calls:
        site_of.said("report", "--out", str(page))
    assert not calls
    html = page.read_text("utf-8")
    assert ("3 objects, " in html, "the audit is whole: 0 segments" in html) == (True, True)
    with functions(site_of, StageQueue.LOOKING) as calls:
        site_of.said("report", "--no-audit", "--out", str(page))
    assert calls
    html = page.read_text("utf-8")
    assert ("3 objects, " in html, "not read (--no-audit)" in html) == (True, True)
    with functions(site_of, StageQueue.LOOKING) as calls:
        said = site_of.said("report", "--engine", "--out", str(page))
    assert calls
    assert "the audit chain was not read" in said
    assert "not read, because a run counted the records" in page.read_text("utf-8")


def troubled_part(page: Path) -> str:
    """The table of the records that need a person."""
    return page.read_text("utf-8").partition("Objects that need a person")[2].partition("</table>")[0]


def left_open(desk: Desk, work: Work, run_id: str) -> None:
    """A count that another command began and left."""
    site = desk.site
    digest, options = site.process.rules.digest, CountOptions(4).as_options()
    run = Run(work.value, run_id, 4, options, rules_digest=digest, by="ana")
    assert begin_run(DynamoDbRunBook(site.clients, site.name), run) is None


def test_a_count_for_a_report_is_joined_and_cancelled(site_of: Desk, tmp_path: Path) -> None:
    """From another process; the page of the one that joins holds the whole run."""
    moved_at(site_of, 3)
    left_open(site_of, Work.REPORT, "first")
    refused = run_keyshift("report", "--shared", more=site_of.more)
    assert (refused.returncode, "keyshift report --join resumes it" in refused.stderr) == (1, True)
    page = tmp_path / "report.html"
    site_of.said("report", "--join", "--out", str(page))
    assert "3 objects, " in page.read_text("utf-8")
    assert newest(site_of, Work.REPORT).state is RunState.ENDED
    left_open(site_of, Work.REPORT, "second")
    (cancelled,) = site_of.run("report", "--summary", "--cancel")
    assert cancelled["cancelled"] == "report"
    assert newest(site_of, Work.REPORT).state is RunState.CANCELLED
    left_open(site_of, Work.REPORT, "third")
    gone = tmp_path / "gone.html"
    assert "cancelled: 0 of 4 slices" in site_of.said("report", "--cancel", "--out", str(gone))
    assert not gone.exists()


def test_functions_do_the_dry_runs(referred: Desk) -> None:
    """What a cleanup, a rollback and a purge would do, as commands alone say it; nothing is changed."""
    cut_over(referred)
    name_object(referred, "old/3")
    cleaned = _alike(referred, "cleanup", "--soak", "0s")
    assert cleaned[-1]["verdicts"] == {"would-go": 4, "held": 1}
    planned = _alike(referred, "rollback")
    assert planned[-1]["objects_to_fence"] == 5
    assert (len(referred.site.keys("old/")), len(referred.site.keys("new/"))) == (5, 5)
    referred.run("rollback", "--yes")
    name_object(referred, "new/2")
    purged = _alike(referred, "rollback", "--purge")
    assert Counter(str(one["verdict"]) for one in purged) == {"would-go": 4, "held": 1}
    assert len(referred.site.keys("new/")) == 5


def _alike(desk: Desk, *words: str) -> list[dict[str, Any]]:
    """What the command prints with functions, which is what it prints without."""
    alone = desk.run(*words, "--no-engine")
    with functions(desk, StageQueue.LOOKING) as calls:
        engine = desk.run(*words, "--engine")
    assert calls
    assert engine[-1] == alone[-1]
    assert sorted(map(str, engine)) == sorted(map(str, alone))
    return engine


def test_a_dry_run_deletes_nothing_whatever_its_options_say(site_of: Desk) -> None:
    """The work says what its functions may do; the run's item is one of the table like any other."""
    site, short = site_of.site, {"ATTEMPT": 4, "REQUEST": 2, "MARGIN": 1}
    site_of.more |= {f"KEYSHIFT_{name}_SECONDS": str(seconds) for name, seconds in short.items()}
    site_of.run("start", "--yes", "--probes", "1", "--wait", "60")
    site.put("old/1", b"x")
    site_of.work()
    site_of.run("verify")
    site_of.run("cutover", "--yes")
    sleep(sum(short.values()) + 4 * short["REQUEST"])
    options = CleanupOptions(4, yes=True, soak=0.0, tables=()).as_options()
    run = Run(Work.CLEANUP_DRY.value, "forged", 4, options, rules_digest=site.process.rules.digest, by="ana")
    book = DynamoDbRunBook(site.clients, site.name)
    assert begin_run(book, run) is None
    queue = SqsMessageQueue(site.clients, site_of.more["KEYSHIFT_LOOKING_QUEUE_URL"])
    Engine(queue).ask(run, migration=site.process.rules.migration, slices=book.read_slices(run))
    with functions(site_of, StageQueue.LOOKING):
        shown = site_of.run("cleanup", "--join", "--engine")
    assert shown[-1]["verdicts"] == {"would-go": 1}
    assert site.keys("old/") == ["old/1"]


def test_functions_need_those_that_look(site_of: Desk) -> None:
    """Where the rules file names pins, and the settings name no queue of the functions that look for them."""
    rules = Path(site_of.more["KEYSHIFT_RULES_FILE"])
    pinned = rules.with_name("pinned.yaml")
    pinned.write_text(rules.read_text() + "pins: [glue]\n")
    more = {**site_of.more, "KEYSHIFT_RULES_FILE": str(pinned)}
    more.pop("KEYSHIFT_LOOKING_QUEUE_URL")
    for words in (("cleanup",), ("rollback", "--purge")):
        answer = run_keyshift(*words, "--yes", "--engine", more=more)
        assert_one_sentence(answer, code=2, says="KEYSHIFT_LOOKING_QUEUE_URL is not set")


def test_functions_rewrite_references_and_put_them_back(referred: Desk, tmp_path: Path) -> None:
    """Under their own queue; the command shows what it shows of a run that it does alone."""
    moved_at(referred, 6)
    site = referred.site
    old = [f"s3://{site.name}/old/{number}" for number in (0, 1, 3, 4, 5)] * 3
    for number, uri in enumerate(old):
        site.clients.dynamodb.put_item(TableName=JOBS.format(bucket=site.name), Item=job(uri, number))
    with functions(referred, StageQueue.REWRITING) as calls:
        done = referred.run("references", "rewrite", "--yes", "--engine", "--segments", "3")
    assert calls
    assert (len(done), done[-1]) == (16, {"counts": {"rewritten": 15}})
    assert held_uris(referred) == sorted(uri.replace("/old/", "/new/") for uri in old)
    assert newest(referred, Work.REWRITE).state is RunState.ENDED
    alone = referred.run("references", "rewrite", "--yes")
    assert alone == [{"counts": {}}]
    with running_workers(1, more=referred.more, folder=tmp_path):
        undone = referred.run("references", "undo", "--yes", "--engine")
    assert (len(undone), undone[-1]) == (16, {"counts": {"restored": 15}})
    assert held_uris(referred) == sorted(old)
    assert newest(referred, Work.UNDO).state is RunState.ENDED


def test_a_rewriting_is_joined_cancelled_and_keeps_an_undo_out(referred: Desk) -> None:
    """A run that no process works on any more: another command does the rest, or ends it."""
    moved_at(referred, 3)
    site = referred.site
    site.clients.dynamodb.put_item(TableName=JOBS.format(bucket=site.name), Item=job(f"s3://{site.name}/old/1"))
    book, digest = DynamoDbRunBook(site.clients, site.name), site.process.rules.digest
    options = RewriteOptions(2, yes=True, read_units=500.0).as_options()
    run = Run(Work.REWRITE.value, "left", 3, options, rules_digest=digest, by="ana")
    assert begin_run(book, run) is None
    answer = run_keyshift("references", "undo", "--yes", more=referred.more)
    assert answer.returncode == 1
    assert "keyshift references rewrite --yes --join" in answer.stdout + answer.stderr
    assert referred.run("references", "rewrite", "--yes", "--join")[-1] == {"counts": {"rewritten": 1}}
    assert begin_run(book, replace(run, run_id="again")) is None
    referred.run("references", "rewrite", "--yes", "--cancel")
    assert referred.run("references", "undo", "--yes")[-1] == {"counts": {"restored": 1}}
