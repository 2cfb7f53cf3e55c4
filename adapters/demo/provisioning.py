"""Creates the resources of a migration without a deployment: for the demo, for tests, for a quick start."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import accepting, error_code, translated
from adapters.dynamodb.attributes import PARTITION_KEY
from adapters.s3.notifications import QueuePair
from domain.portal.records import PortalTables, UseCase

_DAY = 24 * 3600
DEAD_LETTER_SECONDS = 14 * _DAY
"""A dead message keeps the time at which it was sent, so its queue must keep messages longer than the first."""


def create_manifest_table(clients: AwsClients, table: str) -> None:
    """Create the table on demand with its stream, or leave the one that is there; returns when it is usable."""
    client = clients.dynamodb
    is_created = False
    with translated("CreateTable", table):
        with accepting("ResourceInUseException"):
            _create_table(
                clients,
                table,
                (PARTITION_KEY,),
                StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
            )
            is_created = True
        if not is_created:
            client.get_waiter("table_exists").wait(TableName=table)
            return
        # Only counted batches' markers and backfills' checkpoints carry this attribute: records are kept forever.
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
    with translated("CreateEventBus", name), accepting("ResourceAlreadyExistsException"):
        clients.events.create_event_bus(Name=name)


def create_bucket(clients: AwsClients, name: str, *, versioned: bool = False, locked: bool = False) -> None:
    """Create a bucket, or leave this account's existing one; ``locked``: with Object Lock, and so with versions."""
    client = clients.s3
    asked: dict[str, Any] = {"ObjectLockEnabledForBucket": True} if locked else {}
    if client.meta.region_name != "us-east-1":
        asked["CreateBucketConfiguration"] = {"LocationConstraint": client.meta.region_name}
    with translated("CreateBucket", f"s3://{name}"):
        with accepting("BucketAlreadyOwnedByYou"):
            client.create_bucket(Bucket=name, **asked)
        if versioned:
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def create_uri_table(clients: AwsClients, table: str, *, key: str, attribute: str, uris: Mapping[str, str]) -> None:
    """Create a table of an application that holds URIs, one in an item; ``uris`` maps keys to them. Not repeatable."""
    with translated("CreateTable", table):
        _create_table(clients, table, (key,))
    for name, uri in uris.items():
        with translated("PutItem", f"{table} ({name})"):
            clients.dynamodb.put_item(TableName=table, Item={key: {"S": name}, attribute: {"S": uri}})


def create_portal_tables(clients: AwsClients, tables: PortalTables) -> None:
    """Create the portal's tables on demand; not repeatable."""
    keys = (
        (tables.trainings, ("training_id",)),
        (tables.models, ("model_id",)),
        (tables.use_cases, ("usecase_id",)),
        (tables.user_roles, ("user_id", "usecase_id")),
    )
    for name, names in keys:
        with translated("CreateTable", name):
            _create_table(clients, name, names)


def write_use_case(clients: AwsClients, tables: PortalTables, use_case: UseCase) -> None:
    """Enter a use case in this account."""
    item = {
        "usecase_id": use_case.use_case_id,
        "s3_bucket": use_case.bucket,
        "sagemaker_execution_role_arn": use_case.execution_role_arn,
    }
    with translated("PutItem", f"{tables.use_cases} ({use_case.use_case_id})"):
        clients.dynamodb.put_item(TableName=tables.use_cases, Item={name: {"S": value} for name, value in item.items()})


def _create_table(clients: AwsClients, table: str, keys: Sequence[str], **more: Any) -> None:
    """Create a table on demand with these text attributes as its keys; returns when it is usable."""
    kinds: tuple[Literal["HASH", "RANGE"], ...] = ("HASH", "RANGE")
    clients.dynamodb.create_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, kinds, strict=False)],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )
    clients.dynamodb.get_waiter("table_exists").wait(TableName=table)


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
