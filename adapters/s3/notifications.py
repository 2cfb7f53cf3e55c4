"""Notifications of a bucket, and rules of EventBridge, to a queue."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.aws.errors import from_code, translated
from adapters.s3.notification_filters import LIVE_EVENTS, entries_of, queue_entry
from adapters.s3.requests import Owners
from domain.errors import UnavailableError

_TRIES = 3
_NOT_OF_A_SID = re.compile(r"[^A-Za-z0-9-]")
"""IAM allows A to Z and digits in a Sid; the examples of SQS have dashes too, and none has a slash or a dot."""


@dataclass(frozen=True, slots=True)
class QueuePair:
    """A queue and its dead-letter queue."""

    url: str
    arn: str
    dead_url: str
    dead_arn: str


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
    """Send the bucket's events to the queue; every other notification of the bucket stays as it is.

    An entry of this queue under ``earlier_id`` is replaced.
    """
    _allow(clients, queue, bucket_statement(bucket, queue.arn, owners))
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
    """Send all the bucket's events to the default bus; its other notifications stay as they are."""

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
        clients.events.put_rule(Name=rule, EventBusName=bus, EventPattern=json.dumps(dict(pattern)))
        _allow(clients, queue, rule_statement(rule, queue.arn, bus=bus))
        put = clients.events.put_targets(Rule=rule, EventBusName=bus, Targets=[{"Id": "queue", "Arn": queue.arn}])
        for failed in put.get("FailedEntries", []):  # in a 200, for example after parallel changes
            raise from_code(failed.get("ErrorCode", ""), failed.get("ErrorMessage", ""), "PutTargets", f"{bus}/{rule}")


def bucket_statement(bucket: str, queue_arn: str, owners: Owners | None) -> dict[str, Any]:
    """What lets the bucket send to the queue, as a statement of the queue's policy."""
    statement = _statement("s3.amazonaws.com", f"arn:aws:s3:::{bucket}", queue_arn)
    # A bucket's ARN names no account, and another account may own the name one day.
    account = (owners or Owners()).accounts.get(bucket) or queue_arn.split(":")[4]
    statement["Condition"] |= {"StringEquals": {"aws:SourceAccount": account}}
    return statement


def rule_statement(rule: str, queue_arn: str, *, bus: str = "default") -> dict[str, Any]:
    """What lets a rule of the queue's account and region send to it, as a statement of the queue's policy."""
    _, partition, _, region, account, _ = queue_arn.split(":", maxsplit=5)
    name = rule if bus == "default" else f"{bus}/{rule}"
    return _statement("events.amazonaws.com", f"arn:{partition}:events:{region}:{account}:rule/{name}", queue_arn)


def _statement(service: str, source_arn: str, queue_arn: str) -> dict[str, Any]:
    name = f"keyshift-{service.split('.', maxsplit=1)[0]}-{source_arn.rsplit(':', maxsplit=1)[-1]}"
    return {
        "Sid": _NOT_OF_A_SID.sub("-", name),
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": source_arn}},
    }


def _allow(clients: AwsClients, queue: QueuePair, statement: Mapping[str, Any]) -> None:
    """Add to the queue's policy, which may hold another program's statements."""
    with translated("SetQueueAttributes", queue.url):
        answer = clients.sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["Policy"])
        text = answer.get("Attributes", {}).get("Policy")
        policy: dict[str, Any] = json.loads(text) if text else {"Version": "2012-10-17", "Statement": []}
        others = [one for one in policy["Statement"] if one.get("Sid") != statement["Sid"]]
        policy["Statement"] = [*others, statement]
        clients.sqs.set_queue_attributes(QueueUrl=queue.url, Attributes={"Policy": json.dumps(policy)})


def read_notifications(clients: AwsClients, bucket: str, *, owners: Owners | None = None) -> dict[str, Any]:
    """The bucket's whole notification configuration."""
    owner: Any = (owners or Owners()).of_settings(bucket)
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

    S3 replaces the whole configuration and takes no condition (aws-facts.md §1.4). A program that writes between
    keyshift's read and write is overwritten. A program that read before keyshift's write overwrites keyshift's entry.
    Only the second case is seen, and the change is tried again.
    """
    owner: Any = (owners or Owners()).of_settings(bucket)
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
        " find what writes them (Terraform, another migration)"
    )
