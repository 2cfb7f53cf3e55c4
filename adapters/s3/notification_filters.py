"""Which of a bucket's changes a notification, or a rule of EventBridge, sends on; pure, over AWS's own shapes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LIVE_EVENTS = (
    "s3:ObjectCreated:*",
    "s3:ObjectRemoved:*",
    "s3:LifecycleExpiration:*",
    "s3:ObjectRestore:Completed",
)
"""The events that live capture must receive."""
LIVE_DETAILS = ("Object Created", "Object Deleted", "Object Restore Completed")
"""The same as EventBridge's names; a lifecycle's expiry is an 'Object Deleted' there."""
LATE_EVENTS = ("s3:ObjectTagging:*", "s3:ObjectAnnotation:*", "s3:LifecycleTransition")
"""Changes of an object that leave its etag as it is, which live capture receives if the rules file says so."""
LATE_DETAILS = ("Object Tags Added", "Object Tags Deleted", "Object Storage Class Changed")
"""The same as EventBridge's names; it has none for annotations (S3 user guide, ev-mapping-troubleshooting)."""
KINDS = ("QueueConfigurations", "TopicConfigurations", "LambdaFunctionConfigurations")
_ARNS = ("QueueArn", "TopicArn", "LambdaFunctionArn")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a bucket's notification configuration."""

    name: str
    destination: str
    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""

    def meets(self, prefix: str, *, late: bool = False) -> bool:
        """Whether S3 treats it as overlapping with live capture of ``prefix``; one event would have two targets."""
        is_near = self.prefix.startswith(prefix) or prefix.startswith(self.prefix)
        return is_near and any(_share(event, live) for event in self.events for live in captured_events(late=late))

    def tells_all(self, prefix: str, *, late: bool = False) -> bool:
        """Whether every write and every delete below ``prefix`` is sent on, and with ``late`` every late change."""
        wanted = {"s3:ObjectCreated:*", "s3:ObjectRemoved:*", *(LATE_EVENTS if late else ())}
        return wanted <= set(self.events) and prefix.startswith(self.prefix) and not self.suffix


@dataclass(frozen=True, slots=True)
class SourceRule:
    """One rule of the default bus that sends live events of the source bucket on; ``prefixes`` of their keys."""

    name: str
    is_enabled: bool
    prefixes: tuple[str, ...]

    def meets(self, prefix: str) -> bool:
        """Whether it may send events of keys below ``prefix``."""
        return any(one.startswith(prefix) or prefix.startswith(one) for one in self.prefixes)

    def tells_all(self, prefix: str) -> bool:
        """Whether it sends every live event of keys below ``prefix``."""
        return self.is_enabled and any(prefix.startswith(one) for one in self.prefixes)


def entries_of(configuration: Mapping[str, Any]) -> Iterator[Entry]:
    """The entries of queues, topics and functions, from S3's configuration."""
    for kind, arn in zip(KINDS, _ARNS, strict=True):
        for one in configuration.get(kind, []):
            rules = one.get("Filter", {}).get("Key", {}).get("FilterRules", [])
            filters = {rule["Name"].lower(): rule.get("Value", "") for rule in rules}
            name, events = one.get("Id", ""), tuple(sorted(one.get("Events", [])))
            yield Entry(name, one[arn], events, filters.get("prefix", ""), filters.get("suffix", ""))


def queue_entry(name: str, queue_arn: str, *, events: Sequence[str], prefix: str) -> dict[str, Any]:
    """An entry in S3's shape that sends events of keys below ``prefix`` to the queue."""
    entry: dict[str, Any] = {"Id": name, "QueueArn": queue_arn, "Events": list(events)}
    return entry | ({"Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}}} if prefix else {})


def source_rule(rule: Mapping[str, Any], bucket: str) -> SourceRule | None:
    """Which of the bucket's live events a rule in EventBridge's shape sends on; ``None``: none of them.

    A pattern with more than bucket, kind and key prefix counts as one that sends a part: it may overlap, and is never
    complete.
    """
    pattern: Any = json.loads(rule.get("EventPattern") or "{}")
    detail = pattern.get("detail", {})
    kinds = pattern.get("detail-type", list(LIVE_DETAILS))
    if "aws.s3" not in pattern.get("source", []) or "Object Deleted" not in kinds:
        return None
    if bucket not in detail.get("bucket", {}).get("name", [bucket]):
        return None
    keys = detail.get("object", {}).get("key", [{"prefix": ""}])
    prefixes = tuple(key.get("prefix", "") if isinstance(key, dict) else str(key) for key in keys)
    is_plain = set(pattern) <= {"source", "detail-type", "detail"} and set(detail) <= {"bucket", "object"}
    is_plain &= set(detail.get("object", {})) <= {"key"} and all(
        isinstance(key, dict) and "prefix" in key for key in keys
    )
    is_whole = is_plain and "Object Created" in kinds and rule.get("State", "ENABLED").startswith("ENABLED")
    return SourceRule(str(rule["Name"]), is_whole, prefixes)


def captured_events(*, late: bool) -> tuple[str, ...]:
    """The events that live capture receives, with ``late`` also those of late changes."""
    return LIVE_EVENTS + (LATE_EVENTS if late else ())


def live_pattern(bucket: str, prefix: str, *, late: bool = False) -> Mapping[str, Any]:
    """The pattern of a rule that sends live events of keys below ``prefix``, with ``late`` late changes too."""
    return {
        "source": ["aws.s3"],
        "detail-type": [*LIVE_DETAILS, *(LATE_DETAILS if late else ())],
        "detail": {"bucket": {"name": [bucket]}, "object": {"key": [{"prefix": prefix}]}},
    }


def _share(one: str, other: str) -> bool:
    """Whether two names of events, either of which may end in ``*``, have an event in common."""
    first, second = one.removesuffix("*"), other.removesuffix("*")
    if one.endswith("*") and second.startswith(first):
        return True
    return one == other or (other.endswith("*") and first.startswith(second))
