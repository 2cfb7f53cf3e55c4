"""The audit chain from the stream to ``keyshift audit``, on the stand-in."""

import gzip
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from adapters.dynamodb.control import DynamoDbControlPanel
from adapters.dynamodb.stage import DynamoDbStageBook
from adapters.standin import StandIn
from domain.audit.chain import Link, link_of, seal_segment
from domain.audit.events import AuditEvent
from domain.keys import Location
from domain.lifecycle.stages import Stage, StageEntry
from domain.steering.control import Control
from handlers.engine.outbox import respond
from tests.audit_schema import validator
from tests.e2e.command_line import assert_one_sentence, run_keyshift
from tests.servers import Server, new_name, standin_server
from tests.worlds.site import SITE_RULES, Site, deliver, variables

pytestmark = pytest.mark.slow("builds an audited site for each way to tamper with it")

SHARD = "shardId-00000000000000000000-00000000"
"""The stand-in's streams have one shard, of this id."""


@pytest.fixture(scope="module")
def whole_site(standin_process: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site that no test changes."""
    return audited_site(standin_server(standin_process), tmp_path_factory.mktemp("audit"))


@pytest.fixture
def site(standin: Server, tmp_path: Path) -> Site:
    """A site to tamper with."""
    return audited_site(standin, tmp_path)


@pytest.fixture
def plain_site(standin: Server, tmp_path: Path) -> Site:
    """A site to tamper with whose audit bucket keeps no versions."""
    return audited_site(standin, tmp_path, lock=False)


def audited_site(server: Server, folder: Path, *, lock: bool = True) -> Site:
    """A migration of three objects whose audit chain has two segments."""
    bucket = new_name("audit")
    server.client("s3").create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=lock)
    made = Site(server, folder, audit_bucket=bucket, live=None)
    for keys in (["old/a", "old/b\n"], ["old/c"]):
        for key in keys:
            made.put(key, b"body")
        deliver(made)
        for event in made.changes():
            assert respond(event, made.dependencies) == {"batchItemFailures": []}
    return made


def verified(site: Site, standin: Server, *more: str) -> tuple[list[dict[str, Any]], dict[str, Any], int]:
    """The findings, the summary and the exit code of ``audit verify``."""
    answer = run_keyshift("audit", "verify", "--json", *more, more=variables(site, standin))
    assert "Traceback" not in answer.stderr
    lines = [json.loads(line) for line in answer.stdout.splitlines()]
    return [line["finding"] for line in lines[:-1]], lines[-1]["summary"], answer.returncode


def key_of(sequence: int) -> str:
    """Where a segment is."""
    return f"audit/site/shards/{SHARD}/{sequence:012d}.jsonl.gz"


def test_an_untouched_audit_is_whole(whole_site: Site, standin: Server) -> None:
    """Exit code 0, the link that was logged is confirmed, doctor knows the lock, and every line fits the schema."""
    findings, summary, code = verified(whole_site, standin)
    assert (findings, code) == ([], 0)
    assert (summary["segments"], summary["records"], summary["good"]) == (2, 3, True)
    assert summary["chains"] == 1
    (link,) = summary["ends"]
    assert link.startswith(f"{SHARD}/2:")
    assert verified(whole_site, standin, "--expect", link)[2] == 0
    assert verified(whole_site, standin, "--expect", f"{SHARD}/2:{'f' * 64}")[2] == 1
    assert verified(whole_site, standin, "--expect", f"2:{'f' * 64}")[2] == 1
    answer = run_keyshift("audit", "verify", more=variables(whole_site, standin))
    assert answer.stdout.startswith("the audit is whole: 2 segments, ")
    assert "which has object lock" in run_keyshift("doctor", more=variables(whole_site, standin)).stdout
    for number in (1, 2):
        body = whole_site.clients.s3.get_object(Bucket=whole_site.settings.audit_bucket, Key=key_of(number))[
            "Body"
        ].read()
        for line in gzip.decompress(body).splitlines():
            validator("audit-segment-1").validate(json.loads(line))


def test_events_on_the_bus_fit_the_schema(whole_site: Site) -> None:
    """As EventBridge delivers them."""
    seen, ends = list[Mapping[str, Any]](), time.monotonic() + 10
    while len(seen) < 6 and time.monotonic() < ends:
        seen += list(whole_site.audited())
    for event in seen:
        validator("audit-event-1").validate(event)
    assert {"Attempt Under Way", "Object Migrated"} == {event["detail-type"] for event in seen}


@pytest.mark.parametrize(
    ("choice", "types"),
    [
        ("", {"Object Changes"}),
        ("audit: {{events: packs}}\n", {"Object Changes"}),
        ("audit: {{events: single}}\n", {"Attempt Under Way", "Object Migrated"}),
    ],
)
def test_the_rules_file_chooses_packs_or_single_events(
    standin: Server, tmp_path: Path, choice: str, types: set[str]
) -> None:
    """Of one object copied; whichever it is, its deliveries fit the schema."""
    site = Site(standin, tmp_path, live=None, rules_text=SITE_RULES + choice)
    site.put("old/a", b"body")
    deliver(site)
    for event in site.changes():
        assert respond(event, site.dependencies) == {"batchItemFailures": []}
    seen, ends = list[dict[str, Any]](), time.monotonic() + 10
    while types - {one["detail-type"] for one in seen} and time.monotonic() < ends:
        seen += list(site.delivered())
    for one in seen:
        validator("audit-event-1").validate(one)
    assert {one["detail-type"] for one in seen} == types


def test_a_chain_written_again_over_the_locked_one_is_found(site: Site, standin: Server) -> None:
    """With what the stream function's own role may do: a PutObject over each locked segment, and a PutItem of the head.

    Lock keeps the versions under it; they are what is read, and each newer one is named.
    """
    s3, bucket, after = site.clients.s3, site.settings.audit_bucket, Link()
    for number in (1, 2):
        key = key_of(number)
        version = s3.head_object(Bucket=bucket, Key=key)["VersionId"]
        hold: Any = {"Status": "ON"}
        s3.put_object_legal_hold(Bucket=bucket, Key=key, VersionId=version, LegalHold=hold)
        lines = gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()).splitlines()
        told = [json.loads(line)["event"] for line in lines[1:]]
        events = [
            AuditEvent(one["event_id"], one["detail_type"], one["time"], {**one["detail"], "rule": "none"})
            for one in told
        ]
        segment = seal_segment(events, after=after, migration="site", shard=SHARD)
        s3.put_object(Bucket=bucket, Key=key, Body=segment.body)
        after = segment.link
    head: Any = {"pk": {"S": f"keyshift#chain#{SHARD}"}, "sequence": {"N": "2"}, "sha256": {"S": after.sha256}}
    site.clients.dynamodb.put_item(TableName=site.name, Item=head)
    findings, summary, code = verified(site, standin)
    assert (code, summary["events"]) == (1, 6)
    assert [(one["fault"], one["segment"]) for one in findings] == [
        ("segment-overwritten", 1),
        ("segment-overwritten", 2),
        ("head-replaced", 2),
    ]


def test_a_bucket_without_versions_is_whole_and_says_what_it_cannot_show(plain_site: Site, standin: Server) -> None:
    """The verdict names the remedy, a link that was noted elsewhere."""
    answer = run_keyshift("audit", "verify", more=variables(plain_site, standin))
    assert answer.returncode == 0
    assert answer.stdout.startswith("the audit is whole: 2 segments, ")
    assert "its bucket keeps no versions" in answer.stdout
    assert "--expect" in answer.stdout


def test_a_segment_that_another_program_added_is_told(site: Site, standin: Server) -> None:
    """It invents an event of a reference; the next honest batch goes on after it, and says that it had no anchor."""
    s3, bucket = site.clients.s3, site.settings.audit_bucket
    entry = "keyshift#reference#" + "a" * 64
    invented = AuditEvent(f"{entry}:1", "References Rewritten", 1.0, {"count": 1})
    end = link_of(2, s3.get_object(Bucket=bucket, Key=key_of(2))["Body"].read())
    s3.put_object(
        Bucket=bucket, Key=key_of(3), Body=seal_segment([invented], after=end, migration="site", shard=SHARD).body
    )
    site.put("old/d", b"body")
    deliver(site)
    for event in site.changes():
        assert respond(event, site.dependencies) == {"batchItemFailures": []}
    findings, summary, code = verified(site, standin)
    assert (code, summary["segments"]) == (1, 4)
    assert ("record-unknown", 3, entry) in [(one["fault"], one["segment"], one["subject"]) for one in findings]
    header = json.loads(gzip.decompress(s3.get_object(Bucket=bucket, Key=key_of(4))["Body"].read()).splitlines()[0])
    assert (header["head"], header["sequence"]) == (2, 4)


def test_an_overwritten_segment_is_located(plain_site: Site, standin: Server) -> None:
    """One event in other words, well packed, where no versions are kept: segment, line and record are named."""
    site = plain_site
    s3, bucket = site.clients.s3, site.settings.audit_bucket
    lines = gzip.decompress(s3.get_object(Bucket=bucket, Key=key_of(1))["Body"].read()).split(b"\n")
    lines[2] = lines[2].replace(b'"rule":"move"', b'"rule":"none"')
    s3.put_object(Bucket=bucket, Key=key_of(1), Body=gzip.compress(b"\n".join(lines)))
    findings, _, code = verified(site, standin)
    assert code == 1
    subject = json.loads(lines[2])["event"]["event_id"].partition(":")[0]
    assert ("line-altered", 1, 2, subject) in [
        (one["fault"], one["segment"], one["line"], one["subject"]) for one in findings
    ]


def test_the_history_of_one_object_survives_a_damaged_line(plain_site: Site, standin: Server) -> None:
    """What can be read is shown, and what cannot is named; no traceback where another program tampered."""
    site = plain_site
    s3, bucket = site.clients.s3, site.settings.audit_bucket
    lines = gzip.decompress(s3.get_object(Bucket=bucket, Key=key_of(1))["Body"].read()).split(b"\n")
    subject = json.loads(lines[1])["event"]["event_id"].partition(":")[0]
    uri = json.loads(lines[1])["event"]["detail"]["source"]
    ours = [number for number, line in enumerate(lines) if subject.encode() in line]
    lines[ours[0]] = b"{" + lines[ours[0]]
    s3.put_object(Bucket=bucket, Key=key_of(1), Body=gzip.compress(b"\n".join(lines)))
    answer = run_keyshift("audit", "show", uri, "--json", more=variables(site, standin))
    assert answer.returncode == 0, answer.stderr
    assert f"segment 1, line {ours[0]} of the chain {SHARD} cannot be read" in answer.stderr
    shown = [json.loads(line) for line in answer.stdout.splitlines()]
    assert shown
    assert {one["event_id"].partition(":")[0] for one in shown} == {subject}


def test_a_chain_that_is_removed_as_a_whole_is_found(plain_site: Site, standin: Server) -> None:
    """Of a second shard; its name in the head of heads is left, or only what the first shard's chain tells of it."""
    site, other = plain_site, "shardId-00000000000000000001-00000001"
    for number, shard in enumerate([other, *[SHARD] * 15]):
        site.put("old/a", b"body %d" % number)
        deliver(site)
        for event in site.changes():
            assert respond({**event, "shardId": shard}, site.dependencies) == {"batchItemFailures": []}
    assert verified(site, standin)[::2] == ([], 0)
    s3, bucket, folder = site.clients.s3, site.settings.audit_bucket, f"audit/site/shards/{other}/"
    for one in s3.list_objects_v2(Bucket=bucket, Prefix=folder)["Contents"]:
        s3.delete_object(Bucket=bucket, Key=one["Key"])
    findings, _, code = verified(site, standin)
    assert (code, {"chain-missing", "chain-truncated"} <= {one["fault"] for one in findings}) == (1, True)
    site.clients.dynamodb.delete_item(TableName=site.name, Key={"pk": {"S": f"keyshift#chain#{other}"}})
    site.clients.dynamodb.update_item(
        TableName=site.name,
        Key={"pk": {"S": "keyshift#chains"}},
        UpdateExpression="REMOVE #shard",
        ExpressionAttributeNames={"#shard": other},
    )
    findings, _, code = verified(site, standin)
    assert code == 1
    assert ("chain-missing", other) in [(one["fault"], one["shard"]) for one in findings]


def test_what_was_written_before_shards_had_chains_is_verified_and_shown(site: Site, standin: Server) -> None:
    """Without the shard's id the events are stored as they all were; then the shard's chain continues that chain."""
    again = "old/a"
    site.put(again, b"changed")
    deliver(site)
    for event in site.changes():
        unsharded = {name: told for name, told in event.items() if name != "shardId"}
        assert respond(unsharded, site.dependencies) == {"batchItemFailures": []}
    body = site.clients.s3.get_object(Bucket=site.settings.audit_bucket, Key="audit/site/000000000001.jsonl.gz")
    header = json.loads(gzip.decompress(body["Body"].read()).splitlines()[0])
    assert "shard" not in header
    findings, summary, code = verified(site, standin)
    assert (findings, code, summary["chains"]) == ([], 0, 2)
    shown = run_keyshift("audit", "show", again, "--json", more=variables(site, standin))
    assert {json.loads(line)["shard"] for line in shown.stdout.splitlines()} == {"", SHARD}


def test_a_removed_segment_is_located(site: Site, standin: Server) -> None:
    """In a bucket with versions a delete marker hides it, and its version is read; without that it is cut off."""
    s3, bucket = site.clients.s3, site.settings.audit_bucket
    version = s3.head_object(Bucket=bucket, Key=key_of(2))["VersionId"]
    s3.delete_object(Bucket=bucket, Key=key_of(2))
    findings, summary, code = verified(site, standin)
    assert (code, summary["segments"]) == (1, 2)
    assert [(one["fault"], one["segment"]) for one in findings] == [("segment-deleted", 2)]
    s3.delete_object(Bucket=bucket, Key=key_of(2), VersionId=version)
    findings, summary, code = verified(site, standin)
    assert (code, summary["segments"]) == (1, 1)
    assert ("chain-truncated", 2) in [(one["fault"], one["segment"]) for one in findings]


def test_the_operators_control_and_the_stage_are_in_the_chain(site: Site, standin: Server) -> None:
    """A change of either without its event is found, like one of a record."""
    panel, book = DynamoDbControlPanel(site.clients, site.name), DynamoDbStageBook(site.clients, site.name)
    long_ago = Control(paused=True, reason="lunch", fence=1, changed_at=1_790_000_000.0)
    assert panel.write_control(long_ago, before=Control())
    assert book.write_stage(StageEntry(Stage.LIVE, revision=1, changed_at=1_790_000_000.0), before=StageEntry())
    assert {"keyshift#control", "keyshift#stage"} == {one["subject"] for one in verified(site, standin)[0]}
    for event in site.changes():
        respond(event, site.dependencies)
    assert verified(site, standin)[::2] == ([], 0)


def test_a_record_changed_in_the_table_is_found(site: Site, standin: Server) -> None:
    """Somebody marks an object as verified in DynamoDB; a person reads which one."""
    record_id = Location(site.name, "old/a").record_id
    site.clients.dynamodb.update_item(
        TableName=site.name,
        Key={"pk": {"S": record_id}},
        UpdateExpression="SET verified_at = :now",
        ExpressionAttributeValues={":now": {"N": "1790000000"}},
    )
    for event in site.changes():  # the stream tells it too, under a number that was told already
        respond(event, site.dependencies)
    answer = run_keyshift("audit", "verify", more=variables(site, standin))
    assert answer.returncode == 1
    assert "revision-contradicted: " in answer.stdout
    assert f"record-altered: {SHARD}: s3://{site.name}/old/a: revision 2 in the manifest" in answer.stdout
    assert "THE AUDIT IS BROKEN: 2 findings" in answer.stdout


def test_show_prints_one_objects_history(whole_site: Site, standin: Server) -> None:
    """By key and by URI, odd keys too; of an unknown object nothing."""
    more = variables(whole_site, standin)
    lines = run_keyshift("audit", "show", "old/b\n", more=more).stdout.splitlines()
    said = ["about to copy", "Object Migrated", "now: revision 2, COPIED"]
    assert all(words in line for words, line in zip(said, lines, strict=True)), lines
    answer = run_keyshift("audit", "show", f"s3://{whole_site.name}/old/c", "--json", more=more)
    events = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [(one["shard"], one["segment"], one["line"], one["detail"]["revision"]) for one in events] == [
        (SHARD, 2, 1, 1),
        (SHARD, 2, 2, 2),
    ]
    assert_one_sentence(
        run_keyshift("audit", "show", "nothing", more=more), code=1, says="there is no event and no record of s3://"
    )


def test_without_an_audit_bucket_it_is_off(whole_site: Site, standin: Server) -> None:
    """Both the command and doctor say which variable to set."""
    more = {name: value for name, value in variables(whole_site, standin).items() if name != "KEYSHIFT_AUDIT_BUCKET"}
    assert_one_sentence(run_keyshift("audit", "verify", more=more), code=2, says="set KEYSHIFT_AUDIT_BUCKET")
    assert "off: without KEYSHIFT_AUDIT_BUCKET" in run_keyshift("doctor", more=more).stdout


def test_an_unusable_link_is_refused(whole_site: Site, standin: Server) -> None:
    """The form is named."""
    answer = run_keyshift("audit", "verify", "--expect", "2", more=variables(whole_site, standin))
    assert_one_sentence(answer, code=2, says="SHARD/SEQUENCE:SHA256")
