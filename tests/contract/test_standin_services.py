"""The stand-in's queues and tables: what it repairs, and what the migrator relies on."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.servers import REGION, Server, new_name


@pytest.fixture
def queues(sqs: Any) -> tuple[str, str]:
    """A queue that gives up after one receive, and its dead-letter queue; URLs."""
    name = new_name("q")
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    policy = json.dumps({"deadLetterTargetArn": arn(f"{name}-dead"), "maxReceiveCount": 1})
    live = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "1"})
    return live["QueueUrl"], dead


def arn(name: str) -> str:
    """A queue's ARN, from its name or URL."""
    return f"arn:aws:sqs:{REGION}:000000000000:{name.rpartition('/')[2]}"


def receive(sqs: Any, url: str, **settings: Any) -> list[dict[str, Any]]:
    """Up to ten messages."""
    found: list[dict[str, Any]] = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **settings).get(
        "Messages", []
    )
    return found


def send(sqs: Any, url: str, count: int) -> None:
    """Send ``count`` messages, ``m0`` and on."""
    for start in range(0, count, 10):
        entries = [{"Id": str(n), "MessageBody": f"m{n}"} for n in range(start, min(start + 10, count))]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)


def depth(sqs: Any, url: str) -> tuple[int, int]:
    """Visible and in flight."""
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])


def test_a_received_message_is_hidden_until_its_timeout(sqs: Any, queues: tuple[str, str]) -> None:
    """In flight it is not received again; ChangeMessageVisibility to 0 shows it at once."""
    _, url = queues
    send(sqs, url, 1)
    (message,) = receive(sqs, url, VisibilityTimeout=60)
    assert depth(sqs, url) == (0, 1)
    assert receive(sqs, url) == []
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    (again,) = receive(sqs, url, AttributeNames=["ApproximateReceiveCount"])
    assert (again["MessageId"], again["Attributes"]["ApproximateReceiveCount"]) == (message["MessageId"], "2")


def test_a_batch_tells_its_unknown_handles(sqs: Any, queues: tuple[str, str]) -> None:
    """Of a batch, entries under a handle that the queue never gave out fail; the others are done."""
    _, url = queues
    send(sqs, url, 2)
    one, other = (message["ReceiptHandle"] for message in receive(sqs, url, VisibilityTimeout=60))
    unknown = {"Id": "b", "ReceiptHandle": "nobody's"}
    entries = [entry | {"VisibilityTimeout": 0} for entry in ({"Id": "a", "ReceiptHandle": one}, unknown)]
    shown = sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)
    assert depth(sqs, url) == (1, 1)
    assert len(receive(sqs, url, VisibilityTimeout=0)) == 1
    deleted = sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": "a", "ReceiptHandle": other}, unknown])
    assert depth(sqs, url) == (1, 0)
    for answer in (shown, deleted):
        assert [entry["Id"] for entry in answer["Successful"]] == ["a"]
        assert [(entry["Id"], entry["Code"]) for entry in answer["Failed"]] == [("b", "ReceiptHandleIsInvalid")]


def test_visibility_changes_only_in_flight(sqs: Any, queues: tuple[str, str]) -> None:
    """A message that is visible again, or deleted, is no longer its receiver's to hide or show."""
    _, url = queues
    send(sqs, url, 1)
    (message,) = receive(sqs, url, VisibilityTimeout=60)
    call = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
    sqs.change_message_visibility(**call, VisibilityTimeout=0)
    for _ in range(2):
        with pytest.raises(ClientError, match="InvalidParameterValue"):
            sqs.change_message_visibility(**call, VisibilityTimeout=60)
        sqs.delete_message(**call)
    assert depth(sqs, url) == (0, 0)


def test_a_stale_receipt_handle_deletes_nothing(sqs: Any, queues: tuple[str, str]) -> None:
    """Deleting under the handle of an earlier receive answers well and leaves the message."""
    _, url = queues
    send(sqs, url, 1)
    (first,) = receive(sqs, url, VisibilityTimeout=0)
    (second,) = receive(sqs, url, VisibilityTimeout=60)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    assert depth(sqs, url) == (0, 1)
    for _ in range(2):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=second["ReceiptHandle"])
    assert depth(sqs, url) == (0, 0)
    with pytest.raises(ClientError, match="ReceiptHandleIsInvalid"):
        sqs.delete_message(QueueUrl=url, ReceiptHandle="never given")


def test_a_delayed_message_shows_when_its_delay_is_over(sqs: Any, queues: tuple[str, str]) -> None:
    """DelaySeconds hides a new message."""
    _, url = queues
    sqs.send_message(QueueUrl=url, MessageBody="late", DelaySeconds=1)
    assert receive(sqs, url) == []
    assert [one["Body"] for one in receive(sqs, url, WaitTimeSeconds=5)] == ["late"]


def test_dead_letters_move_back_on_request(sqs: Any, queues: tuple[str, str]) -> None:
    """Received too often a message goes to the dead-letter queue; StartMessageMoveTask brings it back as new."""
    live, dead = queues
    send(sqs, live, 2)
    assert len(receive(sqs, live)) == 2
    time.sleep(1.1)
    assert receive(sqs, live) == []
    assert depth(sqs, dead) == (2, 0)
    assert sqs.start_message_move_task(SourceArn=arn(dead))["TaskHandle"]
    (task,) = sqs.list_message_move_tasks(SourceArn=arn(dead))["Results"]
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 2)
    assert depth(sqs, dead) == (0, 0)
    found = receive(sqs, live, AttributeNames=["ApproximateReceiveCount"])
    assert sorted(one["Body"] for one in found) == ["m0", "m1"]
    assert {one["Attributes"]["ApproximateReceiveCount"] for one in found} == {"1"}


def test_only_a_dead_letter_queue_can_be_moved(sqs: Any, queues: tuple[str, str]) -> None:
    """StartMessageMoveTask of another queue is refused."""
    live, _ = queues
    with pytest.raises(ClientError, match="Dead Letter Queue"):
        sqs.start_message_move_task(SourceArn=arn(live))


def test_every_message_of_a_deep_queue_is_received_once(sqs: Any, queues: tuple[str, str]) -> None:
    """Nothing is lost or doubled, with deletes in between."""
    _, url = queues
    send(sqs, url, 1000)
    seen: list[str] = []
    while found := receive(sqs, url, VisibilityTimeout=60):
        seen += [one["Body"] for one in found]
        entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(found)]
        sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    assert sorted(seen) == sorted(f"m{n}" for n in range(1000))


@pytest.fixture
def tables(standin: Server) -> Any:
    """A client of the tables."""
    return standin.client("dynamodb")


@pytest.fixture
def table(tables: Any) -> str:
    """A table with a stream of old and new images."""
    name = new_name()
    tables.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    return name


def test_a_failed_condition_brings_the_old_item(tables: Any, table: str) -> None:
    """UpdateItem and PutItem with ReturnValuesOnConditionCheckFailure tell what was there."""
    item = {"pk": {"S": "a"}, "n": {"N": "1"}}
    tables.put_item(TableName=table, Item=item)
    condition = {"ConditionExpression": "attribute_not_exists(pk)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    with pytest.raises(ClientError) as raised:
        tables.put_item(TableName=table, Item=item, **condition)
    assert dict[str, Any](raised.value.response)["Item"] == item
    with pytest.raises(ClientError) as raised:
        tables.update_item(TableName=table, Key={"pk": {"S": "a"}}, UpdateExpression="REMOVE n", **condition)
    assert raised.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert dict[str, Any](raised.value.response)["Item"] == item


def test_update_expressions_know_lists_defaults_and_sizes(tables: Any, table: str) -> None:
    """list_append, if_not_exists and size() work, in updates and in conditions."""
    call = {"TableName": table, "Key": {"pk": {"S": "a"}}, "ReturnValues": "ALL_NEW"}
    update = {
        "UpdateExpression": "SET l = list_append(if_not_exists(l, :none), :one), n = if_not_exists(n, :zero) + :step",
        "ConditionExpression": "attribute_not_exists(l) OR size(l) < :two",
    }
    values = {
        ":none": {"L": []},
        ":one": {"L": [{"S": "x"}]},
        ":zero": {"N": "0"},
        ":step": {"N": "1"},
        ":two": {"N": "2"},
    }
    for expected in ("1", "2"):
        answer = tables.update_item(**call, **update, ExpressionAttributeValues=values)
        assert (answer["Attributes"]["n"]["N"], str(len(answer["Attributes"]["l"]["L"]))) == (expected, expected)
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        tables.update_item(**call, **update, ExpressionAttributeValues=values)


def test_the_stream_tells_every_change_with_both_images(standin: Server, tables: Any, table: str) -> None:
    """DescribeStream, GetShardIterator and GetRecords give INSERT, MODIFY and REMOVE in order; a re-read too."""
    streams = standin.client("dynamodbstreams")
    stream_arn = tables.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    for value in ("1", "2"):
        tables.put_item(TableName=table, Item={"pk": {"S": "a"}, "n": {"N": value}})
    tables.delete_item(TableName=table, Key={"pk": {"S": "a"}})
    shards = streams.describe_stream(StreamArn=stream_arn)["StreamDescription"]["Shards"]
    found = []
    for shard in shards:
        iterator = streams.get_shard_iterator(
            StreamArn=stream_arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        found += streams.get_records(ShardIterator=iterator)["Records"]
    assert [record["eventName"] for record in found] == ["INSERT", "MODIFY", "REMOVE"]
    images = [(record["dynamodb"].get("OldImage"), record["dynamodb"].get("NewImage")) for record in found]
    one, two = ({"pk": {"S": "a"}, "n": {"N": value}} for value in ("1", "2"))
    assert images == [(None, one), (one, two), (two, None)]
    after = streams.get_shard_iterator(
        StreamArn=stream_arn,
        ShardId=shards[-1]["ShardId"],
        ShardIteratorType="AFTER_SEQUENCE_NUMBER",
        SequenceNumber=found[1]["dynamodb"]["SequenceNumber"],
    )["ShardIterator"]
    rest = streams.get_records(ShardIterator=after)
    assert [record["eventName"] for record in rest["Records"]] == ["REMOVE"]
    assert rest["NextShardIterator"]


def test_put_events_reaches_the_queue_of_its_rule(standin: Server, sqs: Any, queues: tuple[str, str]) -> None:
    """An audit event goes over its own bus to SQS, and a malformed one is a failed entry, not an exception."""
    events, bus, rule = standin.client("events"), new_name("bus"), new_name("rule")
    events.create_event_bus(Name=bus)
    events.put_rule(Name=rule, EventBusName=bus, EventPattern=json.dumps({"source": ["keyshift"]}))
    events.put_targets(Rule=rule, EventBusName=bus, Targets=[{"Id": "q", "Arn": arn(queues[1])}])
    entry = {"EventBusName": bus, "Source": "keyshift", "DetailType": "Migrated", "Detail": json.dumps({"id": "1"})}
    answer = events.put_events(Entries=[entry, entry | {"Detail": "no JSON"}])
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][1]["ErrorCode"] == "MalformedDetail"
    (message,) = receive(sqs, queues[1], WaitTimeSeconds=5)
    body = json.loads(message["Body"])
    assert (body["source"], body["detail-type"], body["detail"]) == ("keyshift", "Migrated", {"id": "1"})


def test_transactions_name_the_item_that_failed(tables: Any, table: str) -> None:
    """TransactWriteItems is all or nothing, with one reason for each action."""
    tables.put_item(TableName=table, Item={"pk": {"S": "a"}})
    puts = [
        {"Put": {"TableName": table, "Item": {"pk": {"S": key}}, "ConditionExpression": "attribute_not_exists(pk)"}}
        for key in ("b", "a")
    ]
    with pytest.raises(ClientError) as raised:
        tables.transact_write_items(TransactItems=puts)
    codes = [reason["Code"] for reason in raised.value.response["CancellationReasons"]]
    assert codes == ["None", "ConditionalCheckFailed"]
    assert "Item" not in tables.get_item(TableName=table, Key={"pk": {"S": "b"}})


def test_the_segments_of_a_scan_are_the_table_after_every_change(standin: Server) -> None:
    """Each item is in one segment, page by page; also what was put in the place of a deleted one."""
    dynamodb, name = standin.client("dynamodb"), new_name("table")
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )

    def scanned(total: int, **more: Any) -> list[str]:
        found: list[str] = []
        for segment in range(total):
            pages = dynamodb.get_paginator("scan").paginate(
                TableName=name, Segment=segment, TotalSegments=total, **more, PaginationConfig={"PageSize": 3}
            )
            found += [item["id"]["S"] for page in pages for item in page["Items"]]
        return found

    def put(item_id: str) -> None:
        dynamodb.put_item(TableName=name, Item={"id": {"S": item_id}, "even": {"BOOL": int(item_id) % 2 == 0}})

    assert scanned(3) == []
    for number in range(40):
        put(str(number))
    for total in (1, 3, 50):
        assert sorted(map(int, scanned(total))) == list(range(40))
    dynamodb.delete_item(TableName=name, Key={"id": {"S": "7"}})
    put("70")
    assert set(map(int, scanned(3))) == {*range(40), 70} - {7}
    dynamodb.batch_write_item(RequestItems={name: [{"DeleteRequest": {"Key": {"id": {"S": "9"}}}}]})
    put("90")
    dynamodb.transact_write_items(
        TransactItems=[
            {"Delete": {"TableName": name, "Key": {"id": {"S": "11"}}}},
            {"Put": {"TableName": name, "Item": {"id": {"S": "110"}, "even": {"BOOL": True}}}},
        ]
    )
    assert set(map(int, scanned(3))) == {*range(40), 70, 90, 110} - {7, 9, 11}
    even = {"FilterExpression": "even = :yes", "ExpressionAttributeValues": {":yes": {"BOOL": True}}}
    assert sorted(map(int, scanned(3, **even))) == [*range(0, 40, 2), 70, 90, 110]
    assert dynamodb.scan(TableName=name, Segment=0, TotalSegments=1)["Count"] == 40
    with pytest.raises(ClientError, match="ValidationException"):
        dynamodb.scan(TableName=name, Segment=3, TotalSegments=3)
