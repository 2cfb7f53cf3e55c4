"""One task of an S3 Batch Operations job, and its result."""

from typing import Any

from handlers.batch_operations import respond
from tests.worlds.handlers import BUCKET, Bench


def asked(key: str, *, version: str = "2.0", bucket: str = BUCKET, **job: Any) -> dict[str, Any]:
    """An invocation as S3 makes it."""
    place = {"s3Bucket": bucket} if version == "2.0" else {"s3BucketArn": f"arn:aws:s3:::{bucket}"}
    task = {"taskId": "task", "s3Key": key, "s3VersionId": "older", **place}
    return {"invocationSchemaVersion": version, "invocationId": "id", "job": {"id": "job", **job}, "tasks": [task]}


def answered(made: Bench, event: dict[str, Any]) -> tuple[str, str]:
    """Code and text of the one result."""
    answer = respond(event, made.dependencies, seconds_left=lambda: 300.0)
    (result,) = answer["results"]
    assert (answer["invocationId"], result["taskId"]) == ("id", "task")
    assert answer["invocationSchemaVersion"] == event["invocationSchemaVersion"]
    return result["resultCode"], result["resultString"]
