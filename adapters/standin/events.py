"""S3's notifications, direct and through EventBridge, in AWS's two shapes and in the order of the writes."""

import asyncio
import contextvars
import json
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from adapters.standin.emulator import Emulator

_PRINCIPAL = "AWS:AIDASTANDINSTANDIN000"
_OWNER = "A3STANDINSTANDIN"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one object, as both shapes need it; ``name`` is like ``s3:ObjectCreated:Put``."""

    bucket: str
    key: str
    name: str
    size: int
    etag: str
    version_id: str | None
    deletion_type: str | None
    sequencer: str | None
    at: float
    request_id: str
    restore: dict[str, Any] | None

    @property
    def removed(self) -> bool:
        """Whether the object is gone: such events carry neither size nor etag."""
        return self.name.startswith("s3:ObjectRemoved:")


class Notifications:
    """Takes the place of the emulator's own, which starts a thread for each event.

    Those threads share its queues with the event loop without a lock and deliver in any order; here the loop delivers.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._s3 = emulator.s3
        self._eventbridge = emulator.eventbridge
        self._loop: asyncio.AbstractEventLoop | None = None
        self._last = 0
        self._parsed: dict[str, tuple[str, list[dict[str, Any]]]] = {}

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliver on ``loop`` from now on."""
        self._loop = loop
        self._s3._fire_s3_event_async = self.fire
        self._s3._fire_s3_event = self.fire

    def fire(  # noqa: PLR0913, PLR0917 - the signature of the function that it replaces
        self,
        bucket: str,
        key: str,
        name: str,
        size: int = 0,
        etag: str = "",
        deletion_type: str | None = None,
        restore_event_data: dict[str, Any] | None = None,
        version_id: str | None = None,
        **_unused: Any,
    ) -> None:
        """Note the change now, deliver it after the answer; the emulator's own argument order and names."""
        if bucket not in self._s3._bucket_notifications or self._loop is None:
            return
        ordered = name.startswith(("s3:ObjectCreated:", "s3:ObjectRemoved:"))
        change = Change(
            bucket=bucket,
            key=key,
            name=name,
            size=size,
            etag=etag.strip('"'),
            version_id=version_id,
            deletion_type=deletion_type,
            sequencer=self._next_sequencer() if ordered else None,
            at=time.time(),
            request_id=secrets.token_hex(8).upper(),
            restore=restore_event_data,
        )
        self._loop.call_soon_threadsafe(self._deliver, change, context=contextvars.copy_context())

    def _next_sequencer(self) -> str:
        """AWS's form: 00, 8 digits of seconds, 8 of what orders within the second; always greater than the last."""
        now = time.time_ns()
        seconds, rest = divmod(now, 1_000_000_000)
        self._last = max(self._last + 1, (seconds << 32) | ((rest << 32) // 1_000_000_000))
        return f"{self._last:018X}"

    def _deliver(self, change: Change) -> None:
        raw = self._s3._bucket_notifications.get(change.bucket, "")
        known = self._parsed.get(change.bucket)
        if known is None or known[0] != raw:
            known = (raw, self._s3._parse_notification_config(change.bucket))
            self._parsed[change.bucket] = known
        region = self._s3._notification_bucket_region(change.bucket)
        for configuration in known[1]:
            if self._wanted(change, configuration):
                self._send(change, configuration, region)
        if "EventBridgeConfiguration" in raw and _detail_type(change.name) is not None:
            account = self._s3.get_account_id()
            self._eventbridge._dispatch_event(eventbridge_event(change, region, account))

    def _wanted(self, change: Change, configuration: dict[str, Any]) -> bool:
        s3 = self._s3
        wanted: bool = s3._event_matches(change.name, configuration["events"]) and s3._key_matches_filter(
            change.key, configuration["filter_prefix"], configuration["filter_suffix"]
        )
        return wanted

    def _send(self, change: Change, configuration: dict[str, Any], region: str) -> None:
        s3, arn = self._s3, configuration["arn"]
        encoded = s3._event_object_key(change.key)
        event = {"Records": [notification_record(change, region, encoded, configuration["id"])]}
        match configuration["type"]:
            case "sqs":
                s3._deliver_event_to_sqs(arn, event, region, bucket_name=change.bucket)
            case "sns":
                s3._deliver_event_to_sns(arn, event, region, bucket_name=change.bucket)
            case _:
                s3._deliver_event_to_lambda(arn, event, region)


def notification_record(change: Change, region: str, encoded_key: str, configuration_id: str) -> dict[str, Any]:
    """One record of a direct notification: URL-encoded key, ``eTag`` and ``versionId``, no ``s3:`` in the name."""
    subject: dict[str, Any] = {"key": encoded_key}
    if not change.removed:
        subject |= {"size": change.size, "eTag": change.etag}
    if change.version_id:
        subject["versionId"] = change.version_id
    if change.sequencer:
        subject["sequencer"] = change.sequencer
    moment = datetime.fromtimestamp(change.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    record: dict[str, Any] = {
        "eventVersion": "2.6",
        "eventSource": "aws:s3",
        "awsRegion": region,
        "eventTime": moment,
        "eventName": change.name.removeprefix("s3:"),
        "userIdentity": {"principalId": _PRINCIPAL},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": change.request_id, "x-amz-id-2": change.request_id * 4},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration_id,
            "bucket": {
                "name": change.bucket,
                "ownerIdentity": {"principalId": _OWNER},
                "arn": f"arn:aws:s3:::{change.bucket}",
            },
            "object": subject,
        },
    }
    if change.restore:
        record["glacierEventData"] = {"restoreEventData": change.restore}
    return record


_DETAIL_TYPES = {
    "ObjectCreated": "Object Created",
    "ObjectRemoved": "Object Deleted",
    "ObjectRestore:Post": "Object Restore Initiated",
    "ObjectRestore:Completed": "Object Restore Completed",
    "ObjectRestore:Delete": "Object Restore Expired",
    "ObjectTagging:Put": "Object Tags Added",
    "ObjectTagging:Delete": "Object Tags Deleted",
}
"""EventBridge has no event for an annotation (S3 user guide, ev-mapping-troubleshooting)."""
_REASONS = {
    "Put": "PutObject",
    "Post": "POST Object",
    "Copy": "CopyObject",
    "CompleteMultipartUpload": "CompleteMultipartUpload",
    "Delete": "DeleteObject",
    "DeleteMarkerCreated": "DeleteObject",
}


def _detail_type(name: str) -> str | None:
    """EventBridge's name of an event; ``None`` where it has none."""
    _, family, _ = name.split(":")
    return _DETAIL_TYPES.get(name.removeprefix("s3:")) or _DETAIL_TYPES.get(family)


def eventbridge_event(change: Change, region: str, account: str) -> dict[str, Any]:
    """The same change for EventBridge: raw key, ``etag`` and ``version-id``, whole seconds, lower-case sequencer."""
    _, family, kind = change.name.split(":")
    subject: dict[str, Any] = {"key": change.key}
    if not change.removed:
        subject |= {"size": change.size, "etag": change.etag}
    if change.version_id:
        subject["version-id"] = change.version_id
    if change.sequencer:
        subject["sequencer"] = change.sequencer.removeprefix("00").lower()
    detail: dict[str, Any] = {
        "version": "0",
        "bucket": {"name": change.bucket},
        "object": subject,
        "request-id": change.request_id,
        "requester": account,
        "source-ip-address": "127.0.0.1",
    }
    if family in {"ObjectCreated", "ObjectRemoved"}:
        detail["reason"] = _REASONS.get(kind, kind)
    if change.removed:
        detail["deletion-type"] = change.deletion_type or "Permanently Deleted"
    return {
        "EventId": change.request_id,
        "Source": "aws.s3",
        "DetailType": _detail_type(change.name),
        "Detail": json.dumps(detail),
        "EventBusName": "default",
        "Time": datetime.fromtimestamp(change.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "Resources": [f"arn:aws:s3:::{change.bucket}"],
        "Account": account,
        "Region": region,
    }
