"""Switches the source bucket's events on, and puts its notification configuration back."""

import json
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws_clients import AwsClients
from adapters.aws_errors import error_code, translated
from adapters.provisioning import QueuePair, route_events, send_bucket_events, send_bucket_events_to_eventbridge
from adapters.s3_requests import Owners, place
from domain.errors import InputError, RefusedRequestError
from domain.keys import Location
from domain.ports import Capture

CONFIGURATION_ID = "keyshift"
_QUEUES, _BRIDGE = "QueueConfigurations", "EventBridgeConfiguration"


class S3LiveCapture:
    """LiveCapture on S3, SQS and EventBridge; ``prefix`` limits the events of the direct way to our sources."""

    def __init__(  # noqa: PLR0913  # what is captured, where to, and under which name
        self,
        clients: AwsClients,
        *,
        bucket: str,
        prefix: str,
        queue_url: str,
        migration: str,
        owners: Owners | None = None,
    ) -> None:
        self._clients = clients
        self._bucket = bucket
        self._prefix = prefix
        self._queue_url = queue_url
        self._rule = f"keyshift-{migration}"
        self._owners = owners or Owners()

    def read_configuration(self) -> str:
        """See the port."""
        return _text(self._read())

    def plan_capture(self, *, through: str) -> Capture:
        """See the port; where the queue is already told of the bucket's writes, nothing changes."""
        before = self._read()
        if through == "queue":
            if any(self._serves_us(one) for one in before.get(_QUEUES, [])):
                return Capture(self._bucket, _text(before), _text(before))
            others = [one for one in before.get(_QUEUES, []) if one.get("Id") != CONFIGURATION_ID]
            planned: dict[str, Any] = {"Id": CONFIGURATION_ID, "QueueArn": self._queue_arn()}
            return Capture(self._bucket, _text(before), _text(before | {_QUEUES: [*others, planned]}))
        if through != "eventbridge":
            raise InputError(f"events come through 'queue' or 'eventbridge', not {through!r}")
        return Capture(self._bucket, _text(before), _text(before | {_BRIDGE: {}}), self._rule)

    def find_fault(self, capture: Capture) -> str | None:
        """See the port; a notification straight to the queue must tell of writes and of deletes under our prefix."""
        now, after = self._read(), json.loads(capture.after)
        arn = self._queue_arn()
        straight = not capture.rule and any(one.get("QueueArn") == arn for one in after.get(_QUEUES, []))
        if straight and not any(self._serves_us(one) for one in now.get(_QUEUES, [])):
            return f"bucket {self._bucket} does not tell queue {arn} of all its writes and deletes any more"
        if not straight and _BRIDGE not in now:
            return f"bucket {self._bucket} does not send its events to EventBridge any more"
        return None

    def switch_on(self, capture: Capture) -> None:
        """See the port."""
        queue = QueuePair(self._queue_url, self._queue_arn(), "", "")
        if capture.rule:
            pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [self._bucket]}}}
            route_events(self._clients, capture.rule, pattern, queue)
            send_bucket_events_to_eventbridge(self._clients, self._bucket)
            return
        if capture.before == capture.after:
            return
        try:
            send_bucket_events(
                self._clients, self._bucket, queue, configuration_id=CONFIGURATION_ID, prefix=self._prefix
            )
        except RefusedRequestError as error:
            raise RefusedRequestError(
                f"{error}. S3 sends one event to one place only where filters do not overlap:"
                " use --through eventbridge, which every other notification can live beside"
            ) from error

    def restore(self, capture: Capture) -> str:
        """See the port; what we added is told from what others added by comparing with before and after."""
        before = json.loads(capture.before)
        now = self._read()
        restored = dict(now)
        if capture.before != capture.after or capture.rule:
            known = {_text(one) for one in before.get(_QUEUES, [])}
            kept = [one for one in now.get(_QUEUES, []) if _text(one) in known or one.get("Id") != CONFIGURATION_ID]
            # An entry of an earlier migration under our name, which ours had replaced.
            kept += [one for one in before.get(_QUEUES, []) if one.get("Id") == CONFIGURATION_ID and one not in kept]
            restored.pop(_QUEUES, None)
            restored |= {_QUEUES: kept} if kept else {}
            if capture.rule and _BRIDGE not in before:
                restored.pop(_BRIDGE, None)
        if _text(restored) != _text(now):
            with translated("PutBucketNotificationConfiguration", f"s3://{self._bucket}"):
                wanted: Any = restored
                self._clients.s3.put_bucket_notification_configuration(
                    Bucket=self._bucket, NotificationConfiguration=wanted, **self._owner()
                )
        if capture.rule:
            self._remove_rule(capture.rule)
        return self.read_configuration()

    def write_probe(self, location: Location) -> None:
        """See the port."""
        wanted: Any = place(location) | self._owner()
        with translated("PutObject", location.uri):
            self._clients.s3_once.put_object(**wanted, Body=b"keyshift probe", IfNoneMatch="*")

    def remove_probe(self, location: Location) -> None:
        """See the port."""
        wanted: Any = place(location) | self._owner()
        with translated("DeleteObject", location.uri):
            self._clients.s3.delete_object(**wanted)
        with translated("ListObjectVersions", location.uri):
            answer = self._clients.s3.list_object_versions(Bucket=location.bucket, Prefix=location.key, **self._owner())
        left = [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]
        for one in left:
            if one["Key"] == location.key and one.get("VersionId", "null") != "null":
                with translated("DeleteObject", location.uri):
                    self._clients.s3.delete_object(**wanted, VersionId=one["VersionId"])

    def _serves_us(self, configuration: Any) -> bool:
        created = "s3:ObjectCreated:*" in configuration.get("Events", [])
        removed = "s3:ObjectRemoved:*" in configuration.get("Events", [])
        rules = configuration.get("Filter", {}).get("Key", {}).get("FilterRules", [])
        wide = all(
            rule["Name"].lower() == "prefix" and self._prefix.startswith(rule.get("Value", "")) for rule in rules
        )
        return configuration["QueueArn"] == self._queue_arn() and created and removed and wide

    def _queue_arn(self) -> str:
        with translated("GetQueueAttributes", self._queue_url):
            answer = self._clients.sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=["QueueArn"])
        return answer["Attributes"]["QueueArn"]

    def _read(self) -> dict[str, Any]:
        with translated("GetBucketNotificationConfiguration", f"s3://{self._bucket}"):
            answer: Any = self._clients.s3.get_bucket_notification_configuration(Bucket=self._bucket, **self._owner())
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    def _remove_rule(self, rule: str) -> None:
        with translated("RemoveTargets", rule):
            try:
                self._clients.events.remove_targets(Rule=rule, Ids=["queue"])
                self._clients.events.delete_rule(Name=rule)
            except ClientError as error:
                if error_code(error) != "ResourceNotFoundException":
                    raise

    def _owner(self) -> Any:
        return self._owners.of(Location(self._bucket, ""))


def _text(configuration: Any) -> str:
    return json.dumps(configuration, sort_keys=True, separators=(",", ":"))
