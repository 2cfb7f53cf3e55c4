"""What arrives in the queues: rows of a backfill as keyshift makes them, and events as S3 notifies the queue."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from bench.site import BODY_BYTES, BUCKET, REGION, Sources
from handlers.intake.messages import BackfillRow, encode_backfill
from handlers.operations.backfill import ROWS_PER_MESSAGE

MIGRATION = "bench"


def rows(sources: Sources) -> Iterator[str]:
    """Backfill messages as ``keyshift backfill`` makes them of an inventory with all columns."""
    return packed(
        BackfillRow(key=key, etag=sources.etag, size=BODY_BYTES, storage_class="STANDARD", is_plain=True)
        for key in sources.keys
    )


def packed(listed: Iterable[BackfillRow]) -> Iterator[str]:
    """As many rows in a message as a feeder puts there."""
    return encode_backfill(listed, migration=MIGRATION, bucket=BUCKET, at_most_rows=ROWS_PER_MESSAGE)


def created_events(sources: Sources, *, moment: int = 1) -> Iterator[str]:
    """A message for each object; a later ``moment`` is a later write."""
    for number, key in enumerate(sources.keys):
        yield _event("ObjectCreated:Put", key, number, moment, {"size": BODY_BYTES, "eTag": sources.etag})


def removed_events(sources: Sources, *, moment: int) -> Iterator[str]:
    """A message for each object that its owner deleted."""
    for number, key in enumerate(sources.keys):
        yield _event("ObjectRemoved:Delete", key, number, moment, {})


def _event(name: str, key: str, number: int, moment: int, more: dict[str, Any]) -> str:
    bucket = {"name": BUCKET, "ownerIdentity": {"principalId": "A3NL1KOZZKExample"}, "arn": f"arn:aws:s3:::{BUCKET}"}
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventTime": "2026-11-29T12:00:00.000Z",
        "eventName": name,
        "userIdentity": {"principalId": "AWS:AIDAJDPLRKLG7UEXAMPLE:line-1"},
        "requestParameters": {"sourceIPAddress": "192.0.2.10"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "keyshift-live",
            "bucket": bucket,
            "object": {"key": key, "sequencer": f"{moment:08X}{number:010X}", **more},
        },
    }
    return json.dumps({"Records": [record]})
