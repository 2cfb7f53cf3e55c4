"""Events exactly as they are documented are understood; the bodies are data with sources (tests/events/documented)."""

import json
from pathlib import Path
from typing import Any

import pytest

from domain.keys import Location, Sequencer
from domain.protocol.notices import Notice, NoticeKind
from handlers.batch_operations import respond
from handlers.intake.messages import decode_message
from tests.worlds.handlers import bench

EVENTS = Path(__file__).parents[2] / "events" / "documented"


def documented(name: str) -> dict[str, Any]:
    """One sample."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return event


@pytest.mark.parametrize("event_name", ["LifecycleExpiration:Delete", "LifecycleExpiration:DeleteMarkerCreated"])
def test_a_lifecycle_expiration_is_a_delete_of_the_owner(event_name: str) -> None:
    """S3 itself deletes, by the owner's rule; the sequencer is that of the object's creation and orders nothing."""
    body = documented("lifecycle_expiration_delete")
    body["Records"][0]["eventName"] = event_name
    (notice,) = decode_message(json.dumps(body)).notices
    assert notice.source == Location("amzn-s3-demo-bucket", "expiration/delete")
    assert (notice.kind, notice.sequencer, notice.size, notice.etag) == (NoticeKind.REMOVED, None, None, None)


def test_an_object_that_eventbridge_tells_of_is_created() -> None:
    """Every field that says which object it was is kept."""
    expected = Notice(
        NoticeKind.CREATED,
        Location("amzn-s3-demo-bucket1", "example-key"),
        etag="b1946ac92492d2347c6235b4d2611184",
        version_id="IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
        size=5,
        sequencer=Sequencer("617f08299329d189"),
    )
    assert decode_message(json.dumps(documented("eventbridge_object_created"))).notices == (expected,)


@pytest.mark.parametrize("version", ["1_0", "2_0"])
def test_a_task_of_batch_operations_is_answered_in_its_schema(version: str) -> None:
    """Its bucket is read from an ARN that names region and account too; these rules do not move it, and say so."""
    event = documented(f"batch_operations_{version}")
    answer = respond(event, bench().dependencies, seconds_left=lambda: 300.0)
    (result,) = answer["results"]
    assert (answer["invocationSchemaVersion"], answer["invocationId"]) == (
        event["invocationSchemaVersion"],
        event["invocationId"],
    )
    assert (result["taskId"], result["resultCode"]) == (event["tasks"][0]["taskId"], "PermanentFailure")
    bucket = {"1_0": "awsexamplebucket1", "2_0": "powertools-dataset"}[version]
    assert bucket in result["resultString"]
