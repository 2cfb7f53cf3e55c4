"""A migration's whole life by command, each command under the role that needs no more: what operators do."""

import json
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.standin import Fault
from domain.protocol.parts import MIB
from domain.runs.works import Work
from handlers.intake.stage_tasks import StageTask, encode_stage_task
from tests.deployment.operated import (
    ACTING,
    JOBS,
    OPERATOR,
    SOURCE,
    STACK,
    TARGET,
    OperatedSite,
    write_inventory,
)
from tests.deployment.site import awaited

LONGEST_CLAIM = 15.0
"""Seconds: an attempt, a request and the margin of OperatedSite's settings, and a little."""
MOVED = ("a", "b", "big", "disputed", "locked", "set.manifest")


@dataclass(frozen=True, slots=True)
class Refused:
    """What the operator was told who tried it all the same, and what was there afterwards."""

    cleanup: str
    rewrite: str
    rewrite_manifest: str
    abort: str
    sources: frozenset[str]
    uri: str


def operate(site: OperatedSite) -> Refused:
    """From the plan to the purge after a rollback."""
    with tempfile.TemporaryDirectory() as folder:
        _prepare(site, Path(folder))
        _watch(site, Path(folder))
    _decide(site)
    _restore(site)
    _mend(site)
    refused = _refused(site)
    _act(site)
    return refused


def _prepare(site: OperatedSite, folder: Path) -> None:
    """Look before anything moves, switch capture on, feed what is there."""
    rules = str(site.rules)
    site.put("old/a", b"a", Tagging="line=1")
    line = json.dumps({"source-ref": f"s3://{SOURCE}/legacy/old/a"})
    site.put("old/set.manifest", f"{line}\n".encode(), Tagging="kind=manifest")
    site.annotate("old/set.manifest")
    inventory = write_inventory(site, ["old/a"])
    site.run(OPERATOR, "plan", rules, "--list", "--out", str(folder / "plan.parquet"))
    site.run(OPERATOR, "plan", rules, "--inventory", inventory)
    site.run(OPERATOR, "start")
    # While the stack's rule is switched off, start makes one of its own; afterwards it takes the stack's.
    events, rule = site.client("events"), f"{STACK}-source"
    events.disable_rule(Name=rule)
    site.run(OPERATOR, "start", "--through", "eventbridge", "--probes", "1", "--wait", "60", "--yes")
    events.enable_rule(Name=rule)
    site.run(OPERATOR, "start", "--probes", "1", "--wait", "60", "--yes")
    site.run(OPERATOR, "doctor", "--stack", STACK)
    site.run(OPERATOR, "doctor", "--probe")
    site.run(OPERATOR, "backfill", "--list")
    site.run(OPERATOR, "backfill", "--inventory", inventory)
    site.put("old/b", b"bb")
    site.put("old/big", bytes(6 * MIB))
    site.put("old/locked", b"locked")
    site.client("s3").put_object(Bucket=TARGET, Key="layout/new/disputed", Body=b"a stranger's")
    site.put("old/disputed", b"the owner's")
    _await_copies(site, *MOVED)
    site.client("s3").create_multipart_upload(Bucket=TARGET, Key="layout/new/left-behind")


def _watch(site: OperatedSite, folder: Path) -> None:
    """What changes nothing of the owners', and steering."""
    site.run(OPERATOR, "status")
    site.run(OPERATOR, "status", "--exact")
    site.run(OPERATOR, "throttle", "--objects-per-second", "100")
    site.run(OPERATOR, "throttle", "--off")
    site.run(OPERATOR, "pause", "--reason", "a test")
    site.run(OPERATOR, "resume")
    site.run(OPERATOR, "resolve", f"s3://{SOURCE}/legacy/old/a", f"s3://{SOURCE}/legacy/old/unknown", code=1)
    site.run(OPERATOR, "pins")
    site.run(OPERATOR, "uploads", "--older-than", "0")
    site.run(OPERATOR, "audit", "show", "legacy/old/a")
    site.run(OPERATOR, "audit", "verify")
    site.run(OPERATOR, "report", "--out", str(folder / "report.html"))
    site.run(OPERATOR, "references", "scan", code=1)
    site.run(OPERATOR, "references", "rewrite", code=1)


def _decide(site: OperatedSite) -> None:
    """A conflict is shown, and decided."""
    listed = awaited(lambda: site.run(OPERATOR, "conflicts", "list", "--json", code=None).out or None)
    (shown,) = [json.loads(line) for line in (listed or "").splitlines()]
    etag = shown["target_holds"]["etag"]
    site.run(ACTING, "conflicts", "take-source", shown["key"], "--replacing", etag, "--why", "a test", "--yes")
    if not awaited(lambda: site.run(OPERATOR, "conflicts", "list", code=None).code == 0 or None):
        raise LookupError(f"{shown['key']} is in conflict still")


def _restore(site: OperatedSite) -> None:
    """An archived source is restored and copied; its producer deletes it, and the copy goes along."""
    site.put("old/cold", b"cold", StorageClass="GLACIER")
    if not awaited(lambda: site.run(OPERATOR, "archived", code=None).code == 1 or None):
        raise LookupError("the archived source is not parked")
    site.run(ACTING, "archived", "--restore", "--yes", "--wait", "--every", "1")
    _await_copies(site, "cold")
    site.client("s3").delete_object(Bucket=SOURCE, Key="legacy/old/cold")
    if not awaited(lambda: "layout/new/cold" not in site.keys(TARGET) or None):
        raise LookupError("the producer's delete did not go along")


def _mend(site: OperatedSite) -> None:
    """Dead letters, and differences."""
    bodies = {one: _event(one) for one in ("legacy/elsewhere/replayed", "legacy/elsewhere/moved")}
    for body in (*bodies.values(), "nobody reads this"):
        site.dead(body)
    listed = site.run(OPERATOR, "dlq", "list", "--each", "--json").out
    letters = [json.loads(line) for line in listed.splitlines()]
    unreadable = next(one["message_id"] for one in letters if one["cause"] == "malformed-message")
    replayed = next(one["message_id"] for one in letters if "elsewhere/replayed" in json.dumps(one))
    site.run(OPERATOR, "dlq", "show", unreadable)
    site.run(OPERATOR, "dlq", "replay", replayed, "--yes")
    site.run(ACTING, "dlq", "purge", unreadable, "--count", "1")
    site.run(OPERATOR, "dlq", "replay", "--all", "--yes")
    _mend_stage_work(site)
    site.run(OPERATOR, "pause", "--reason", "so that something is missing")
    site.put("old/late", b"late")
    site.run(OPERATOR, "verify", "--requeue", code=1)
    site.run(OPERATOR, "resume")
    _await_copies(site, *MOVED, "late")
    site.run(OPERATOR, "verify", "--deep", code=1)  # it marks what was copied since
    # An event that was given back during the pause comes half a minute later and changes the record: seen, cleanup
    # then held the object for its quiet time.
    if not awaited(site.is_quiet, seconds=180):
        raise LookupError(f"messages are left: {site.messages()}")


def _mend_stage_work(site: OperatedSite) -> None:
    """Slices that deletes, restores or rewritings lost are the acting operator's to send back, or to drop."""
    task = StageTask("operated", Work.CLEANUP, "long-over", lost_slice=1, why="no answer")
    for queue in ("removing", "restoring", "rewriting"):
        site.dead(encode_stage_task(task), queue=queue)
        site.dead(encode_stage_task(replace(task, part=1)), queue=queue)
    listed = site.run(ACTING, "dlq", "list", "--each", "--json").out
    letters = [json.loads(line) for line in listed.splitlines()]
    ids = [one["message_id"] for one in letters if one["cause"] == "stage-work"]
    site.run(ACTING, "dlq", "replay", ids[0], "--yes")
    site.run(ACTING, "dlq", "purge", ids[1], "--count", "1")
    site.run(ACTING, "dlq", "replay", "--all", "--yes")


def _left_behind(site: OperatedSite) -> str:
    """The id of the upload that no record names."""
    (row,) = site.run(OPERATOR, "uploads", "--older-than", "0", "--json").out.splitlines()
    upload_id: str = json.loads(row)["upload_id"]
    return upload_id


def _refused(site: OperatedSite) -> Refused:
    """What the operator may look at, and not do."""
    # A copy that no verification has marked is compared by the cut-over itself.
    site.put("old/young", b"young")
    _await_copies(site, *MOVED, "late", "young")
    site.run(OPERATOR, "cutover", code=1)
    site.run(OPERATOR, "references", "undo")
    site.run(OPERATOR, "rollback")
    rewrite_manifest = site.tried(OPERATOR, "references", "rewrite", "--yes")
    # Written after the copies, as an application does that knows nothing: no function sees it, only a scan, and tables
    # come before manifests.
    uri = {"S": f"s3://{SOURCE}/legacy/old/b"}
    site.client("dynamodb").put_item(TableName=JOBS, Item={"id": {"S": "1"}, "uri": uri})
    rewrite = site.tried(OPERATOR, "references", "rewrite", "--yes")
    held = site.job()
    time.sleep(LONGEST_CLAIM)
    site.run(ACTING, "references", "rewrite", "--yes")
    abort = site.tried(OPERATOR, "uploads", "--abort", _left_behind(site), "--older-than", "0", "--yes")
    site.run(ACTING, "references", "undo", "--yes", "--engine")
    site.run(ACTING, "references", "rewrite", "--yes", "--engine")
    site.run(ACTING, "references", "undo", "--yes")
    site.run(ACTING, "references", "rewrite", "--yes")
    site.run(OPERATOR, "verify", "--engine")
    site.run(ACTING, "cutover", "--yes")
    time.sleep(LONGEST_CLAIM)
    site.run(OPERATOR, "cleanup", "--soak", "0s", "--shared")
    cleanup = site.tried(OPERATOR, "cleanup", "--soak", "0s", "--yes")
    return Refused(cleanup, rewrite, rewrite_manifest, abort, frozenset(site.keys(SOURCE, "legacy/old/")), held)


def _act(site: OperatedSite) -> None:
    """What deletes and restores, in small and in parts, also of what was locked meanwhile."""
    time.sleep(LONGEST_CLAIM)
    site.run(ACTING, "uploads", "--abort", _left_behind(site), "--older-than", "0", "--yes")
    cleaned = site.run(ACTING, "cleanup", "--soak", "0s", "--yes")
    site.run(ACTING, "cleanup", "--soak", "0s", "--versions", "--shared", "--yes")
    if left := site.keys(SOURCE, "legacy/old/"):
        raise LookupError(f"cleanup left {sorted(left)}: {cleaned.out}{cleaned.err}")
    s3, locked = site.client("s3"), {"Bucket": TARGET, "Key": "layout/new/locked"}
    s3.put_object_legal_hold(**locked, LegalHold={"Status": "ON"})
    until = datetime.now(UTC) + timedelta(days=1)
    s3.put_object_retention(**locked, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until})
    # S3 wants another upload after this answer: what was begun is aborted, and looked for.
    conflict = Fault("CompleteMultipartUpload", status=409, code="ConditionalRequestConflict", bucket=SOURCE)
    site.standin.inject(conflict)
    site.run(ACTING, "rollback", "--yes")
    site.run(ACTING, "rollback", "--yes", "--engine")  # functions look for what a late worker wrote
    if site.keys(SOURCE, "legacy/old/") != {f"legacy/old/{key}" for key in (*MOVED, "late", "young")}:
        raise LookupError(f"rollback restored {sorted(site.keys(SOURCE))}")
    time.sleep(LONGEST_CLAIM)
    site.run(ACTING, "rollback", "--purge", "--yes")


def _await_copies(site: OperatedSite, *keys: str) -> None:
    wanted = {f"layout/new/{key}" for key in keys}
    if not awaited(lambda: wanted <= site.keys(TARGET) or None):
        raise LookupError(f"only {sorted(site.keys(TARGET))} arrived")


def _event(key: str) -> str:
    """An event of S3's about an object of no rule."""
    subject = {"key": key, "etag": "e", "size": 1, "sequencer": "1"}
    detail = {"bucket": {"name": SOURCE}, "object": subject, "reason": "PutObject"}
    return json.dumps({"source": "aws.s3", "detail-type": "Object Created", "detail": detail})
