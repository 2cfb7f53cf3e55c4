"""Decoders of the functions and tools around the engine: batch jobs, dead letters, the API, archives, the chain."""

import gzip
import io
import tarfile
from functools import cache
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from domain.audit.chain import Link, seal_segment
from domain.audit.events import AuditEvent
from domain.audit.reading import ChainReader
from domain.protocol.parts import MIB
from domain.queues import DeadLetter, Message
from domain.references.json_strings import strings_of, with_strings
from domain.references.uris import ObjectUri, read_uri, write_uri
from handlers import batch_operations
from handlers.operations.dead_letters import letter_json, read_letter
from handlers.portal import job_events, training
from handlers.portal.archives import ArchiveLimits, read_members
from handlers.portal.http import respond as respond_to_api
from tests.fuzz.growing import Dice, damaged, damaged_bytes, grown, grown_text
from tests.worlds.handlers import BUCKET, bench
from tests.worlds.portal import PortalMemoryWorld

_BATCH_JOBS = (
    {
        "invocationSchemaVersion": "1.0",
        "invocationId": "i",
        "job": {"id": "j"},
        "tasks": [
            {"taskId": "t1", "s3Key": "old/a%20b%2Bc", "s3VersionId": None, "s3BucketArn": f"arn:aws:s3:::{BUCKET}"},
            {"taskId": "t2", "s3Key": "kept/x", "s3VersionId": "v", "s3BucketArn": f"arn:aws:s3:::{BUCKET}"},
        ],
    },
    {
        "invocationSchemaVersion": "2.0",
        "invocationId": "i",
        "job": {"id": "j", "userArguments": {"migration": "unit"}},
        "tasks": [{"taskId": "t1", "s3Key": "old/1", "s3VersionId": None, "s3Bucket": BUCKET}],
    },
)
_REQUEST: dict[str, Any] = {
    "httpMethod": "POST",
    "path": "/api/v1/training",
    "headers": {"Idempotency-Key": "k"},
    "queryStringParameters": None,
    "requestContext": {
        "authorizer": {"claims": {"sub": "ada", "email": "ada@example.org", "custom:role": "PortalAdmin"}},
        "stage": "prod",
        "path": "/training",
    },
    "isBase64Encoded": False,
}
_TRAINING: dict[str, Any] = {
    "usecase_id": "line-1",
    "model_name": "cookie",
    "model_version": "1.0.0",
    "model_type": "classification",
    "dataset_manifest_s3": "s3://manufacturing-line-1/datasets/manifests/a.manifest",
}
_JOB_EVENT: dict[str, Any] = {
    "source": "aws.sagemaker",
    "detail-type": "SageMaker Training Job State Change",
    "account": "123456789012",
    "region": "us-east-1",
    "detail": {
        "TrainingJobName": "cookie-1",
        "TrainingJobStatus": "Completed",
        "ModelArtifacts": {
            "S3ModelArtifacts": "s3://manufacturing-line-1/models/training/cookie-1/output/model.tar.gz"
        },
    },
}
_URIS = (
    "s3://bucket/old/a b+c%2F",
    "https://bucket.s3.eu-west-1.amazonaws.com/old/a%20b%2Bc",
    "https://s3.dualstack.us-east-1.amazonaws.com/bucket/old//x?versionId=1",
    "https://bucket.s3.amazonaws.com/k?X-Amz-Signature=abc",
    " s3a://bucket/old//a b?x#y",
    "arn:aws:s3:::bucket/old/a b",
    "http://bucket.s3-website.eu-central-1.amazonaws.com/old/a",
    "https://bucket.bucket.vpce-1a2b-5e6f.s3.us-east-1.vpce.amazonaws.com/old/a%20b",
)
_LINE = '{"source-ref": "s3://bucket/old/1.jpg", "n": [1, {"x": "\\u00e9\\"\\\\"}], "t": null}'
_LIMITS = ArchiveLimits(members=50, member_bytes=MIB, total_bytes=2 * MIB, ratio=100, ratio_free=MIB)


def feed_batch_job(dice: Dice) -> None:
    """An invocation by S3 Batch Operations: every task has an answer."""
    event = grown(_BATCH_JOBS[dice.below(len(_BATCH_JOBS))], dice)
    if isinstance(event, dict):
        world = bench(concurrency=1)
        answer = batch_operations.respond(event, world.dependencies, seconds_left=lambda: 300.0)
        named = [str(one["s3Key"]).encode(errors="replace") for one in event["tasks"]]
        asked = {quote(one.source.key, safe="") for one in world.world.records.values()}
        assert asked <= {quote(unquote_to_bytes(one), safe="") for one in named}
        assert len(answer["results"]) == len(event["tasks"])


def feed_dead_letter(dice: Dice) -> None:
    """A body of a dead-letter queue: whatever it is, it can be shown."""
    from tests.fuzz.decoders import recorded

    bodies = recorded()
    body = grown_text(bodies[dice.below(len(bodies))], dice)
    letter = read_letter(DeadLetter(Message("1", "r", body)), "events", bench().dependencies)
    assert letter_json(letter, whole=True)


def feed_request(dice: Dice) -> None:
    """A request through API Gateway: an answer with a status, never a 500."""
    event = dict(_REQUEST)
    event["body"] = grown_text(_TRAINING, dice)
    if dice.below(3) == 0:
        event = event | {"requestContext": grown(_REQUEST["requestContext"], dice)}
    if dice.below(3) == 0:
        event = event | {"headers": grown(_REQUEST["headers"], dice)}
    if not isinstance(event["requestContext"], dict) or not isinstance(event["headers"], dict | None):
        return  # API Gateway's own part of the event is always an object
    answer = respond_to_api(event, PortalMemoryWorld().portal, training.ROUTES)
    assert 200 <= answer["statusCode"] < 600
    assert answer["statusCode"] != 500


def feed_job_event(dice: Dice) -> None:
    """An event of SageMaker."""
    event = grown(_JOB_EVENT, dice)
    if isinstance(event, dict):
        job_events.take_event(event, PortalMemoryWorld().portal)


@cache
def _archive() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in ("model/a.bin", "model/deep/é.json", "x"):
            info = tarfile.TarInfo(name)
            info.size = 700
            archive.addfile(info, io.BytesIO(b"x" * 700))
    return out.getvalue()


def feed_archive(dice: Dice) -> None:
    """A tar.gz with a damaged header or stream: names stay inside, sizes within the limits."""
    tar = damaged_bytes(_archive(), dice) if dice.below(4) else _archive()
    packed = gzip.compress(tar, mtime=0)
    packed = damaged_bytes(packed, dice) if dice.below(3) == 0 else packed
    total = 0
    try:
        for member, body in read_members(io.BytesIO(packed), _LIMITS):
            assert not member.name.startswith("/")
            assert ".." not in member.name.split("/")
            while chunk := body.read(65_536):
                total += len(chunk)
    finally:
        assert total <= _LIMITS.total_bytes


def feed_segment(dice: Dice) -> None:
    """A segment of the audit chain that somebody touched: findings, no crash."""
    events = [
        AuditEvent(f"{number:064x}:1", "Object Migrated", 1.0, {"event_id": f"{number:064x}:1"}) for number in (1, 2)
    ]
    link = {"shard": "s", "sequence": 1, "sha256": "0" * 64}
    ties = {"others": [link], "after": link} if dice.below(2) else None
    body = seal_segment(events, after=Link(), migration="m", shard="s", ties=ties).body
    if dice.below(2):
        body = gzip.compress(damaged(gzip.decompress(body).decode(), dice).encode(errors="surrogatepass"), mtime=0)
    else:
        body = damaged_bytes(body, dice)
    list(ChainReader("m", shard="s").read(1 + dice.below(3), body))


def feed_uri(dice: Dice) -> None:
    """A URI out of somebody's record: what is read can be written back to the same place."""
    text = damaged(_URIS[dice.below(len(_URIS))], dice)
    read = read_uri(text)
    if isinstance(read, ObjectUri):
        written = write_uri(read, read.location)
        assert isinstance(written, str)
        again = read_uri(written)
        assert isinstance(again, ObjectUri)
        assert again.location == read.location


def feed_json_line(dice: Dice) -> None:
    """A line of a labelling manifest: only the string that is to change, changes."""
    text = damaged(_LINE, dice)
    try:
        found = strings_of(text)
    except ValueError:
        return  # no JSON: the line stays as it is
    assert with_strings(text, {}) == text
    if found:
        number = dice.below(len(found))
        changed = strings_of(with_strings(text, {found[number].start: "s3://b/new"}))
        assert changed[number].value == "s3://b/new"
        assert [one.value for one in changed[:number]] == [one.value for one in found[:number]]
        assert [one.value for one in changed[number + 1 :]] == [one.value for one in found[number + 1 :]]
