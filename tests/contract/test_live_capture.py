"""LiveCapture: switching on and restoring leave everybody else's notifications alone."""

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from adapters.provisioning import create_bucket, create_queue, route_events, send_bucket_events
from adapters.s3_live_capture import S3LiveCapture
from domain.errors import KeyshiftError, UnavailableError
from domain.keys import Location
from domain.ports import LiveCapture
from tests.contract.object_worlds import clients_for
from tests.fakes.lifecycle import InMemoryLiveCapture
from tests.servers import Server, new_name


@pytest.fixture(params=["fake", "standin"])
def capture(request: pytest.FixtureRequest) -> LiveCapture:
    """The capture of a new bucket whose notifications somebody else uses too."""
    bucket = new_name("captured")
    if request.param == "fake":
        return InMemoryLiveCapture(bucket, {"theirs": "tagging"})
    clients = clients_for(request.getfixturevalue("standin"))
    create_bucket(clients, bucket)
    theirs, ours = create_queue(clients, new_name("theirs")), create_queue(clients, new_name("ours"))
    send_bucket_events(clients, bucket, theirs, configuration_id="theirs", events=["s3:ObjectTagging:*"])
    return S3LiveCapture(clients, bucket=bucket, prefix="old/", queue_url=ours.url, migration="m")


def test_planning_changes_nothing_and_switching_on_adds(capture: LiveCapture) -> None:
    """What was there stays; twice is once."""
    before = capture.read_configuration()
    planned = capture.plan_capture(through="queue")
    assert planned.before == before == capture.read_configuration()
    assert planned.after != before
    for _ in range(2):
        capture.switch_on(planned)
    assert "theirs" in capture.read_configuration()
    assert capture.read_configuration() != before


def test_a_capture_that_is_there_has_no_fault_and_one_that_was_taken_away_has(capture: LiveCapture) -> None:
    """Before it is on it is not there; another program that replaces the configuration takes it away again."""
    planned = capture.plan_capture(through="queue")
    assert isinstance(capture.find_fault(planned), str)
    capture.switch_on(planned)
    assert capture.find_fault(planned) is None
    capture.restore(planned)
    fault = capture.find_fault(planned)
    assert fault is not None
    assert planned.bucket in fault


def test_a_notification_that_was_narrowed_is_a_fault(standin: Server) -> None:
    """Events of a part of the sources, or of writes without deletes, are not live capture; nor is a lost bridge."""
    clients = clients_for(standin)
    bucket = new_name("captured")
    create_bucket(clients, bucket)
    ours = create_queue(clients, new_name("ours"))
    capture = S3LiveCapture(clients, bucket=bucket, prefix="old/", queue_url=ours.url, migration=new_name("m"))
    planned = capture.plan_capture(through="queue")
    capture.switch_on(planned)
    narrowed: tuple[dict[str, Any], ...] = (
        {"prefix": "old/deep/"},
        {"prefix": "old/", "events": ["s3:ObjectCreated:*"]},
    )
    for narrower in narrowed:
        assert capture.find_fault(planned) is None
        clients.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
        send_bucket_events(clients, bucket, ours, configuration_id="theirs", **narrower)
        assert "all its writes and deletes" in (capture.find_fault(planned) or "")
        clients.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
        capture.switch_on(planned)
    bridged = capture.plan_capture(through="eventbridge")
    assert "EventBridge" in (capture.find_fault(bridged) or "")
    capture.switch_on(bridged)
    assert capture.find_fault(bridged) is None


def test_restoring_gives_exactly_what_was_before(capture: LiveCapture) -> None:
    """The same text; restoring twice, or what was never switched on, changes nothing."""
    before = capture.read_configuration()
    planned = capture.plan_capture(through="queue")
    assert capture.restore(planned) == before
    capture.switch_on(planned)
    for _ in range(2):
        assert capture.restore(planned) == before
    assert capture.read_configuration() == before


def test_a_probe_may_be_removed_twice(capture: LiveCapture) -> None:
    """It is written under a key that nobody has, and gone afterwards."""
    bucket = capture.plan_capture(through="queue").bucket
    probe = Location(bucket, "old/.keyshift/probe-1")
    capture.write_probe(probe)
    capture.remove_probe(probe)
    capture.remove_probe(probe)


def test_what_others_changed_meanwhile_stays(standin: Server) -> None:
    """Restoring takes away our entry only; an entry of an earlier migration under our name comes back."""
    clients = clients_for(standin)
    bucket = new_name("captured")
    create_bucket(clients, bucket)
    earlier, ours = create_queue(clients, new_name("earlier")), create_queue(clients, new_name("ours"))
    send_bucket_events(clients, bucket, earlier, configuration_id="keyshift", prefix="elsewhere/")
    capture = S3LiveCapture(clients, bucket=bucket, prefix="old/", queue_url=ours.url, migration="m")
    before = capture.read_configuration()
    planned = capture.plan_capture(through="queue")
    capture.switch_on(planned)
    changed: Any = json.loads(capture.read_configuration())
    changed["EventBridgeConfiguration"] = {}
    clients.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=changed)
    left = json.loads(capture.restore(planned))
    assert left.pop("EventBridgeConfiguration") == {}
    assert left == json.loads(before)


def test_a_queue_that_is_told_already_needs_no_change(standin: Server) -> None:
    """A deployment that set the notification up is found; a narrower prefix or other events are not enough."""
    clients = clients_for(standin)
    bucket = new_name("captured")
    create_bucket(clients, bucket)
    ours = create_queue(clients, new_name("ours"))
    capture = S3LiveCapture(clients, bucket=bucket, prefix="old/", queue_url=ours.url, migration="m")
    send_bucket_events(clients, bucket, ours, configuration_id="deployed", prefix="old/deep/")
    narrow = capture.plan_capture(through="queue")
    assert narrow.before != narrow.after
    send_bucket_events(clients, bucket, ours, configuration_id="deployed", prefix="old/")
    wide = capture.plan_capture(through="queue")
    assert wide.before == wide.after


def test_a_version_of_a_probe_leaves_nothing_behind(standin: Server) -> None:
    """In a bucket with versions neither the probe's version nor a marker stays."""
    clients = clients_for(standin)
    bucket = new_name("captured")
    create_bucket(clients, bucket, versioned=True)
    queue = create_queue(clients, new_name("ours"))
    capture = S3LiveCapture(clients, bucket=bucket, prefix="", queue_url=queue.url, migration="m")
    probe = Location(bucket, ".keyshift/probe-1")
    capture.write_probe(probe)
    with pytest.raises(KeyshiftError, match="PreconditionFailed"):
        capture.write_probe(probe)
    capture.remove_probe(probe)
    listed = clients.s3.list_object_versions(Bucket=bucket)
    assert "Versions" not in listed
    assert "DeleteMarkers" not in listed


def test_a_rule_whose_target_was_not_taken_is_no_success(standin: Server) -> None:
    """PutTargets answers 200 and names what failed: no event would ever arrive."""
    clients = clients_for(standin)
    queue = create_queue(clients, new_name("ours"))
    events = clients.__dict__["events"] = boto3.client(
        "events", aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
    )
    failed = {"TargetId": "queue", "ErrorCode": "ConcurrentModificationException", "ErrorMessage": "again"}
    with Stubber(events) as stubber:
        stubber.add_response("put_rule", {"RuleArn": "arn:aws:events:us-east-1:000000000000:rule/r"})
        stubber.add_response("put_targets", {"FailedEntryCount": 1, "FailedEntries": [failed]})
        with pytest.raises(UnavailableError, match="ConcurrentModificationException"):
            route_events(clients, "r", {"source": ["aws.s3"]}, queue)
