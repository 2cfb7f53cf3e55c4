"""What provisioning creates, and what of others it leaves alone."""

import json

import pytest

from adapters.aws.clients import AwsClients
from adapters.demo.provisioning import create_bucket, create_bus, create_manifest_table, create_queue
from adapters.messaging.queue import SqsMessageQueue
from adapters.s3.notifications import send_bucket_events, send_bucket_events_to_eventbridge
from domain.errors import KeyshiftError
from tests.servers import Server, new_name
from tests.worlds.objects import clients_for


@pytest.fixture
def clients(standin: Server) -> AwsClients:
    """Clients of the stand-in."""
    return clients_for(standin)


def test_everything_may_be_created_twice(clients: AwsClients) -> None:
    """A second run leaves what is there."""
    table, queue, bus, bucket = new_name("m"), new_name("q"), new_name("b"), new_name("bucket")
    for _ in range(2):
        create_manifest_table(clients, table)
        pair = create_queue(clients, queue)
        create_bus(clients, bus)
        create_bucket(clients, bucket, versioned=True)
        send_bucket_events(clients, bucket, pair)
    described = clients.dynamodb.describe_table(TableName=table)["Table"]
    assert described["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    configured = clients.s3.get_bucket_notification_configuration(Bucket=bucket)
    assert len(configured["QueueConfigurations"]) == 1


def test_other_notifications_of_the_bucket_stay(clients: AwsClients) -> None:
    """The call replaces the whole configuration, so it is read first."""
    bucket = new_name("bucket")
    create_bucket(clients, bucket)
    theirs, ours = create_queue(clients, new_name("theirs")), create_queue(clients, new_name("ours"))
    send_bucket_events(clients, bucket, theirs, configuration_id="theirs", events=["s3:ObjectTagging:*"])
    send_bucket_events_to_eventbridge(clients, bucket)
    send_bucket_events(clients, bucket, ours, prefix="old/")
    configured = clients.s3.get_bucket_notification_configuration(Bucket=bucket)
    assert sorted(one["Id"] for one in configured["QueueConfigurations"]) == ["keyshift", "theirs"]
    assert "EventBridgeConfiguration" in configured


def test_a_bucket_tells_its_queue(clients: AwsClients) -> None:
    """A write arrives as a notification."""
    bucket, queue = new_name("bucket"), create_queue(clients, new_name("events"))
    create_bucket(clients, bucket)
    send_bucket_events(clients, bucket, queue)
    clients.s3.put_object(Bucket=bucket, Key="a b", Body=b"x")
    bodies = [
        json.loads(message.body)
        for _ in range(3)
        for message in SqsMessageQueue(clients, queue.url).receive_messages(at_most=10, wait=1)
    ]
    names = [record["eventName"] for body in bodies for record in body.get("Records", [])]
    assert names == ["ObjectCreated:Put"]


@pytest.mark.slow("starts another server, which has accounts")
def test_a_bucket_of_somebody_else_is_an_error(clients: AwsClients) -> None:
    """A name that S3 cannot give is said, not passed over."""
    with pytest.raises(KeyshiftError, match="s3://"):
        create_bucket(clients, "A_")
