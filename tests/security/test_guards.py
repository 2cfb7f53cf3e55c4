"""What an attacker, or an accident, may put into keys, messages, files and policies, and what stops it."""

import io
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.aws.clients import AwsClients
from adapters.demo.provisioning import create_bucket, create_queue
from adapters.s3.listing import S3ObjectListing
from adapters.s3.multipart_store import S3MultipartStore
from adapters.s3.notifications import send_bucket_events
from adapters.s3.object_store import S3ObjectStore
from adapters.s3.requests import Owners
from domain.errors import InputError, MalformedMessageError
from domain.keys import Location
from domain.protocol.parts import Part
from domain.protocol.ports import MustBeAbsent, SourceObject, TargetObject
from domain.queues import Message
from handlers.config.rules_file import read_rules
from handlers.engine.batch import respond_to_batch
from handlers.engine.observability import Observer
from handlers.intake.messages import decode_message
from tests.e2e.command_line import run_keyshift
from tests.inventories import write_inventory
from tests.security.audit_dependencies import read_answer
from tests.servers import REGION, Server, new_name
from tests.worlds.site import Site, lambda_event

pytestmark = pytest.mark.slow("runs commands in hundreds of processes")

HOSTILE = "old/\x1b[2J\x1b]0;owned\x07\nlevel=ERROR <script>alert(1)</script>"
ACCOUNT = "000000000000"


@pytest.fixture
def clients(standin: Server) -> AwsClients:
    """Clients of the stand-in."""
    return AwsClients(
        endpoint_url=standin.endpoint_url, region=REGION, access_key_id="k", secret_access_key="not-for-logs"
    )


def _watched(clients: AwsClients) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    seen: list[tuple[str, dict[str, Any]]] = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        seen.append((model.name, dict(params)))

    for client in (clients.s3, clients.s3_once):
        client.meta.events.register("before-parameter-build.s3", note)
    yield seen


def test_every_s3_call_names_the_expected_owner(clients: AwsClients) -> None:
    """A bucket that was deleted and made anew by somebody else gets nothing and gives nothing."""
    bucket = new_name()
    create_bucket(clients, bucket)
    clients.s3.put_object(Bucket=bucket, Key="a", Body=b"body")
    owners = Owners({bucket: ACCOUNT})
    store, parts = S3ObjectStore(clients, owners=owners), S3MultipartStore(clients, owners=owners, part_workers=2)
    source, later = Location(bucket, "a"), 1e12
    (seen,) = _watched(clients)
    state = store.look_at_object(source, with_tags=True)
    assert state is not None
    store.copy_object(
        SourceObject(source, state.etag), TargetObject(Location(bucket, "b"), MustBeAbsent(), later), seen=state
    )
    target = TargetObject(Location(bucket, "c"), MustBeAbsent(), later)
    upload = parts.create_upload(target, seen=state)
    etags = parts.copy_parts(
        SourceObject(source, state.etag), target, upload_id=upload, parts=[Part(number=1, first=0, last=3)]
    )
    assert isinstance(etags, dict)
    parts.list_parts(target.location, upload_id=upload)
    parts.complete_upload(target, upload_id=upload, etags=etags, size=4)
    parts.abort_upload(target.location, upload_id="none")
    store.find_top_marker(source)
    list(S3ObjectListing(clients, owners=owners).list_objects(bucket))
    store.delete_object(source, if_match=state.etag, send_before=later)
    assert {"HeadObject", "CopyObject", "UploadPartCopy", "DeleteObject", "ListObjectsV2"} <= {name for name, _ in seen}
    assert [name for name, params in seen if params.get("ExpectedBucketOwner") != ACCOUNT] == []
    copies = [params for name, params in seen if "Copy" in name]
    assert [params for params in copies if params.get("ExpectedSourceBucketOwner") != ACCOUNT] == []


def test_a_queue_takes_events_of_our_bucket_and_account_only(clients: AwsClients) -> None:
    """Another account's bucket of the same name cannot fill the queue (confused deputy)."""
    bucket = new_name()
    create_bucket(clients, bucket)
    queue = create_queue(clients, new_name())
    send_bucket_events(clients, bucket, queue)
    answer = clients.sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["Policy"])
    (statement,) = json.loads(answer["Attributes"]["Policy"])["Statement"]
    assert statement["Condition"]["ArnEquals"] == {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": queue.arn.split(":")[4]}


@pytest.mark.parametrize(
    "text",
    [
        "rules: !!python/object/apply:os.system ['touch /tmp/owned']",
        "!!python/name:os.system",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n" + "".join(f"d{n}: [*c, *c]\n" for n in range(9)),
    ],
)
def test_yaml_makes_no_objects(text: str) -> None:
    """A rules file is data; tags and aliases that multiply are refused."""
    with pytest.raises(InputError):
        read_rules(text)


def test_a_key_cannot_write_log_lines() -> None:
    """Whatever a key holds, a log entry is one line of JSON and carries no control character."""
    stream = io.StringIO()
    observer = Observer(migration="m", function="f", stream=stream)
    observer.warn("needs a person", source=Location("b", HOSTILE), why=HOSTILE)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    assert "\x1b" not in lines[0]
    assert HOSTILE in json.dumps(json.loads(lines[0]), ensure_ascii=False).encode().decode("unicode_escape")


def test_a_message_of_another_bucket_moves_nothing(standin: Server, tmp_path: Path) -> None:
    """A forged message naming a bucket that the rules do not move is refused, its object untouched."""
    site = Site(standin, tmp_path)
    other = new_name("other")
    create_bucket(site.clients, other)
    site.clients.s3.put_object(Bucket=other, Key="old/a", Body=b"x")
    body = {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": other}, "object": {"key": "old/a", "size": 1, "etag": "e"}},
    }
    message = Message("1", "no-receipt", json.dumps(body))
    answer = respond_to_batch(
        lambda_event([message]),
        site.dependencies,
        queue=site.dependencies.events_queue,
        seconds_left=lambda: 300.0,
    )
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert [one["Key"] for one in site.clients.s3.list_objects_v2(Bucket=other)["Contents"]] == ["old/a"]


def test_a_message_with_a_lone_surrogate_is_refused() -> None:
    """No request could carry such a key."""
    event = {"source": "aws.s3", "detail-type": "Object Created"}
    body = json.dumps(event | {"detail": {"bucket": {"name": "b"}, "object": {"key": "\ud800"}}})
    with pytest.raises(MalformedMessageError):
        decode_message(body)


def test_no_credential_is_ever_logged(standin: Server, tmp_path: Path) -> None:
    """Neither with success nor with an error does a secret or a session token reach output or log."""
    site = Site(standin, tmp_path)
    secrets = {"AWS_SECRET_ACCESS_KEY": "very-secret-key", "AWS_SESSION_TOKEN": "very-secret-token"}
    environment = site.environment() | secrets | {"AWS_ACCESS_KEY_ID": "k", "POWERTOOLS_LOG_LEVEL": "DEBUG"}
    for more in ({}, {"KEYSHIFT_TABLE": "nothing-here"}):
        for command in (["status", "--json"], ["doctor"], ["backfill", "--list"]):
            done = run_keyshift(*command, more=environment | more)
            assert "very-secret" not in done.stdout + done.stderr


def test_a_full_disk_stops_a_plan_with_one_sentence(tmp_path: Path) -> None:
    """Where nothing more can be written, no half plan is left that looks whole."""
    manifest = write_inventory(tmp_path, file_format="Parquet", rows=200_000)
    out = tmp_path / "plan.parquet"
    rules = Path(__file__).parents[2] / "migrations" / "edge-cv-portal.yaml"

    def little_space() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, 256 * 1024))

    command = [sys.executable, "-m", "handlers.cli", "plan", str(rules), "--inventory", str(manifest)]
    done = subprocess.run(  # noqa: S603  # ourselves
        [*command, "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=little_space,
        env={**os.environ, "PYTHONPATH": str(rules.parents[1])},
        timeout=120,
    )
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3
    assert not out.exists()


def test_the_dependency_audit_tells_what_it_knows() -> None:
    """A vulnerability counts, and a package that nobody could look up is no clean one."""
    answer: list[dict[str, object]] = [
        {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]},
        {"name": "b", "version": "1", "vulns": []},
        {"name": "c", "version": "1", "skip_reason": "not found"},
    ]
    assert read_answer(answer) == (["a 1: PYSEC-1, fixed in 2"], 2, 1)


def test_no_key_reaches_a_terminal_as_it_is(standin: Server, tmp_path: Path) -> None:
    """Commands that name objects show a hostile key's control characters escaped, in tables and JSON alike."""
    site = Site(standin, tmp_path)
    key = "old/\x1b[2Jx\ny\u202e\x07.bin"
    site.put(key, b"x")
    queue = site.dependencies.events_queue
    (dead,) = (site.queue(replace(site.events, url=site.events.dead_url)),)
    bus = {"source": "aws.s3", "detail-type": "Object Created"}
    dead.send_messages([json.dumps(bus | {"detail": {"bucket": {"name": site.name}, "object": {"key": key}}})])
    queue.send_messages([json.dumps({"source": "x", "detail-type": key})])
    more = site.environment() | standin.keys
    rules = str(site.settings.rules_file)
    commands: list[tuple[str, ...]] = [
        ("rules", "map", rules, key),
        ("plan", rules, "--list"),
        ("backfill", "--list"),
        ("dlq", "list"),
        ("dlq", "list", "--key", key),
        ("verify",),
        ("verify", "--json"),
        ("resolve", f"s3://{site.name}/{key}"),
        ("audit", "show", key),
        ("cleanup",),
        ("report", "--out", str(tmp_path / "r.html")),
        ("status",),
        ("uploads",),
    ]
    listed = run_keyshift("dlq", "list", "--each", "--json", more=more).stdout.splitlines()
    commands += [("dlq", "show", json.loads(listed[0])["message_id"]), ("dlq", "list", "--each")]
    raw = set()
    for command in commands:
        done = run_keyshift(*command, more=more)
        said = done.stdout + done.stderr
        assert "Traceback" not in said, command
        raw |= {command[:2] for hostile in ("\x1b[2J", "\x07", "\u202e") if hostile in said}
    assert raw == set()
