"""Creates what a migration needs where nobody deployed it: for the demo, for tests, for a quick start."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import ClientError

from adapters.aws_clients import AwsClients
from adapters.aws_errors import error_code, from_code, translated
from adapters.notification_filters import LIVE_EVENTS, entries_of, queue_entry
from adapters.record_item import PARTITION_KEY
from adapters.s3_requests import Owners
from domain.errors import UnavailableError
from domain.keys import Location
from domain.portal.records import PortalTables, UseCase

_DAY = 24 * 3600
_TRIES = 3
DEAD_LETTER_SECONDS = 14 * _DAY
"""A dead message keeps the time at which it was sent, so its queue must keep messages longer than the first."""


@dataclass(frozen=True, slots=True)
class QueuePair:
    """A queue and its dead-letter queue."""

    url: str
    arn: str
    dead_url: str
    dead_arn: str


def create_manifest_table(clients: AwsClients, table: str) -> None:
    """Create the table on demand with its stream, or leave the one that is there; returns when it is usable."""
    client = clients.dynamodb
    with translated("CreateTable", table):
        try:
            client.create_table(
                TableName=table,
                AttributeDefinitions=[{"AttributeName": PARTITION_KEY, "AttributeType": "S"}],
                KeySchema=[{"AttributeName": PARTITION_KEY, "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
                StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
            )
        except ClientError as error:
            if error_code(error) != "ResourceInUseException":
                raise
            client.get_waiter("table_exists").wait(TableName=table)
            return
        client.get_waiter("table_exists").wait(TableName=table)
        # Only counted batches' markers and backfills' checkpoints carry this attribute: records are kept for ever.
        client.update_time_to_live(
            TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"}
        )


def create_queue(clients: AwsClients, name: str, *, visibility: int = 60, max_receives: int = 10) -> QueuePair:
    """Create a standard queue and ``NAME-dead``, to which a message goes after ``max_receives``; repeatable."""
    retention = {"MessageRetentionPeriod": str(DEAD_LETTER_SECONDS)}
    dead_url, dead_arn = _queue(clients, f"{name}-dead", retention)
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": max_receives})
    attributes = {
        "VisibilityTimeout": str(visibility),
        "MessageRetentionPeriod": str(4 * _DAY),
        "ReceiveMessageWaitTimeSeconds": "20",
        "RedrivePolicy": redrive,
    }
    url, arn = _queue(clients, name, attributes)
    return QueuePair(url, arn, dead_url, dead_arn)


def create_bus(clients: AwsClients, name: str) -> None:
    """Create an event bus, or leave the one that is there."""
    with translated("CreateEventBus", name):
        try:
            clients.events.create_event_bus(Name=name)
        except ClientError as error:
            if error_code(error) != "ResourceAlreadyExistsException":
                raise


def create_bucket(clients: AwsClients, name: str, *, versioned: bool = False) -> None:
    """Create a bucket, or leave our own that is there."""
    client = clients.s3
    place: dict[str, Any] = {}
    if client.meta.region_name != "us-east-1":
        place = {"CreateBucketConfiguration": {"LocationConstraint": client.meta.region_name}}
    with translated("CreateBucket", f"s3://{name}"):
        try:
            client.create_bucket(Bucket=name, **place)
        except ClientError as error:
            if error_code(error) != "BucketAlreadyOwnedByYou":
                raise
        if versioned:
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def create_portal_tables(clients: AwsClients, tables: PortalTables) -> None:
    """Create the portal's tables on demand; not repeatable."""
    keys = (
        (tables.trainings, ("training_id",)),
        (tables.models, ("model_id",)),
        (tables.use_cases, ("usecase_id",)),
        (tables.user_roles, ("user_id", "usecase_id")),
    )
    kinds: tuple[Literal["HASH", "RANGE"], ...] = ("HASH", "RANGE")
    for name, names in keys:
        with translated("CreateTable", name):
            clients.dynamodb.create_table(
                TableName=name,
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in names],
                KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(names, kinds, strict=False)],
                BillingMode="PAY_PER_REQUEST",
            )
            clients.dynamodb.get_waiter("table_exists").wait(TableName=name)


def write_use_case(clients: AwsClients, tables: PortalTables, use_case: UseCase) -> None:
    """Enter a use case that is in our own account."""
    item = {
        "usecase_id": use_case.use_case_id,
        "s3_bucket": use_case.bucket,
        "sagemaker_execution_role_arn": use_case.execution_role_arn,
    }
    with translated("PutItem", f"{tables.use_cases} ({use_case.use_case_id})"):
        clients.dynamodb.put_item(TableName=tables.use_cases, Item={name: {"S": value} for name, value in item.items()})


def send_bucket_events(  # noqa: PLR0913  # what, where to, and which
    clients: AwsClients,
    bucket: str,
    queue: QueuePair,
    *,
    configuration_id: str = "keyshift",
    earlier_id: str = "",
    events: Sequence[str] = LIVE_EVENTS,
    prefix: str = "",
    owners: Owners | None = None,
) -> None:
    """Let the bucket tell the queue of its changes; every other notification of the bucket stays as it is.

    An entry of this queue under ``earlier_id`` is replaced.
    """
    _allow(clients, queue, "s3.amazonaws.com", f"arn:aws:s3:::{bucket}")
    wanted = queue_entry(configuration_id, queue.arn, events=events, prefix=prefix)
    (as_entry,) = entries_of({"QueueConfigurations": [wanted]})

    def add(configuration: dict[str, Any]) -> None:
        others = [one for one in configuration.get("QueueConfigurations", []) if not is_old(one)]
        configuration["QueueConfigurations"] = [*others, wanted]

    def is_old(one: Mapping[str, Any]) -> bool:
        return one.get("Id") == configuration_id or (one.get("Id"), one["QueueArn"]) == (earlier_id, queue.arn)

    def is_there(configuration: Mapping[str, Any]) -> bool:
        return as_entry in entries_of(configuration)

    change_notifications(clients, bucket, add, is_there, owners=owners)


def send_bucket_events_to_eventbridge(clients: AwsClients, bucket: str, *, owners: Owners | None = None) -> None:
    """Let the bucket send all its events to the default bus; its other notifications stay as they are."""

    def add(configuration: dict[str, Any]) -> None:
        configuration["EventBridgeConfiguration"] = {}

    change_notifications(
        clients, bucket, add, lambda configuration: "EventBridgeConfiguration" in configuration, owners=owners
    )


def route_events(
    clients: AwsClients, rule: str, pattern: Mapping[str, Any], queue: QueuePair, *, bus: str = "default"
) -> None:
    """Send the bus's events that match ``pattern`` to the queue; repeatable."""
    with translated("PutRule", f"{bus}/{rule}"):
        answer = clients.events.put_rule(Name=rule, EventBusName=bus, EventPattern=json.dumps(dict(pattern)))
        _allow(clients, queue, "events.amazonaws.com", answer["RuleArn"])
        put = clients.events.put_targets(Rule=rule, EventBusName=bus, Targets=[{"Id": "queue", "Arn": queue.arn}])
        for failed in put.get("FailedEntries", []):  # in a 200: several changes of one rule at the same time, say
            raise from_code(failed.get("ErrorCode", ""), failed.get("ErrorMessage", ""), "PutTargets", f"{bus}/{rule}")


def _queue(clients: AwsClients, name: str, attributes: Mapping[str, str]) -> tuple[str, str]:
    given: Any = dict(attributes)
    with translated("CreateQueue", name):
        try:
            url = clients.sqs.create_queue(QueueName=name, Attributes=given)["QueueUrl"]
        except ClientError as error:
            if error_code(error) not in ("QueueAlreadyExists", "QueueNameExists"):
                raise
            url = clients.sqs.get_queue_url(QueueName=name)["QueueUrl"]  # there, with other attributes
            clients.sqs.set_queue_attributes(QueueUrl=url, Attributes=given)
        answer = clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, answer["Attributes"]["QueueArn"]


def _allow(clients: AwsClients, queue: QueuePair, service: str, source_arn: str) -> None:
    """Add to the queue's policy, which may hold somebody else's statements."""
    statement: dict[str, Any] = {
        "Sid": f"keyshift-{service.split('.', maxsplit=1)[0]}-{source_arn.rsplit(':', maxsplit=1)[-1]}",
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sqs:SendMessage",
        "Resource": queue.arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": source_arn}},
    }
    if source_arn.startswith("arn:aws:s3:::"):
        # A bucket's ARN names no account, and the name may one day be somebody else's.
        statement["Condition"] |= {"StringEquals": {"aws:SourceAccount": queue.arn.split(":")[4]}}
    with translated("SetQueueAttributes", queue.url):
        answer = clients.sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["Policy"])
        text = answer.get("Attributes", {}).get("Policy")
        policy: dict[str, Any] = json.loads(text) if text else {"Version": "2012-10-17", "Statement": []}
        others = [one for one in policy["Statement"] if one.get("Sid") != statement["Sid"]]
        policy["Statement"] = [*others, statement]
        clients.sqs.set_queue_attributes(QueueUrl=queue.url, Attributes={"Policy": json.dumps(policy)})


def read_notifications(clients: AwsClients, bucket: str, *, owners: Owners | None = None) -> dict[str, Any]:
    """The bucket's whole notification configuration."""
    owner: Any = (owners or Owners()).of(Location(bucket, ""))
    with translated("GetBucketNotificationConfiguration", f"s3://{bucket}"):
        answer: Any = clients.s3.get_bucket_notification_configuration(Bucket=bucket, **owner)
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def change_notifications(
    clients: AwsClients,
    bucket: str,
    change: Callable[[dict[str, Any]], None],
    is_so: Callable[[Mapping[str, Any]], bool],
    *,
    owners: Owners | None = None,
) -> None:
    """Read, ``change``, write back, and read again until it ``is_so``; nothing is written where it is so already.

    S3 replaces the whole configuration and takes no condition (aws-facts.md §1.4): a program that writes between
    our read and our write is overwritten, and one that read before our write overwrites us. The second is seen, and
    tried again.
    """
    owner: Any = (owners or Owners()).of(Location(bucket, ""))
    for _ in range(_TRIES):
        configuration: Any = read_notifications(clients, bucket, owners=owners)
        if is_so(configuration):
            return
        change(configuration)
        with translated("PutBucketNotificationConfiguration", f"s3://{bucket}"):
            clients.s3.put_bucket_notification_configuration(
                Bucket=bucket, NotificationConfiguration=configuration, **owner
            )
        if is_so(read_notifications(clients, bucket, owners=owners)):
            return
    raise UnavailableError(
        f"s3://{bucket}: its notifications were written {_TRIES} times and each time another program wrote them too:"
        " find what writes them (Terraform, another migration), then run this again"
    )
