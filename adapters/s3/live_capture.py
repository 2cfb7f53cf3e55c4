"""Switches the source bucket's events on, and removes what it added."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.aws.errors import accepting, translated
from adapters.s3.notification_filters import (
    Entry,
    SourceRule,
    captured_events,
    entries_of,
    live_pattern,
    queue_entry,
    source_rule,
)
from adapters.s3.notifications import (
    QueuePair,
    bucket_statement,
    change_notifications,
    read_notifications,
    route_events,
    rule_statement,
    send_bucket_events,
    send_bucket_events_to_eventbridge,
)
from adapters.s3.requests import Owners, place
from domain.errors import InputError, RefusedRequestError
from domain.keys import Location
from domain.lifecycle.ports import Capture, CaptureRefused, Restored

EARLIER_ID = "keyshift"
"""The id that an earlier version gave the entry of every migration: this migration's entry is known by its queue."""
_QUEUES, _BRIDGE = "QueueConfigurations", "EventBridgeConfiguration"


@dataclass(eq=False)
class S3LiveCapture:
    """LiveCapture on S3, SQS and EventBridge; ``prefix`` limits the events to the migration's sources.

    With ``late`` it also receives changes of an object that leave its etag as it is. That they arrive is not checked:
    a verification finds what they would have told.
    """

    clients: AwsClients
    bucket: str
    prefix: str
    queue_url: str
    migration: str
    owners: Owners = field(default_factory=Owners)
    late: bool = False

    @property
    def name(self) -> str:
        """The name of the migration's notification, and of its EventBridge rule."""
        return f"keyshift-{self.migration}"

    def read_configuration(self) -> str:
        """See the port."""
        return _text(self._read())

    def plan_capture(self, *, through: str) -> Capture | CaptureRefused:
        """See the port."""
        if through not in ("auto", "queue", "eventbridge"):
            raise InputError(f"events come through 'auto', 'queue' or 'eventbridge', not {through!r}")
        before, queue = self._read(), self._queue_arn()
        entries = list(entries_of(before))
        direct = [entry for entry in entries if self._is_complete(entry, queue)]
        rules, others = self._rules(queue)
        fed = [rule for rule in rules if rule.tells_all(self.prefix)]
        why = self._other_migration(entries, others, queue)
        if why is None and through == "queue" and fed and not direct:
            why = _second_route(f"the rule {fed[0].name} of EventBridge", self.bucket)
        if why is None and through == "eventbridge" and direct and not fed:
            why = _second_route(f"the notification '{direct[0].name}'", self.bucket)
        if why is not None:
            return CaptureRefused(why)
        if direct and through != "eventbridge":
            return Capture(self.bucket, _text(before), _text(before), through="queue")
        if fed or through == "eventbridge":
            # One rule that feeds the queue is enough, also if the deployment or another program made it.
            after = _text(before | {_BRIDGE: {}})
            if any(one.name != self.name for one in fed):
                return Capture(self.bucket, _text(before), after, through="eventbridge")
            pattern, statement = _text(self._pattern()), _text(rule_statement(self.name, queue))
            return Capture(self.bucket, _text(before), after, self.name, "eventbridge", pattern, statement)
        return self._added_to(before, entries, queue)

    def find_fault(self, capture: Capture) -> str | None:
        """See the port."""
        now, queue = self._read(), self._queue_arn()
        if not capture.rule and capture.through != "eventbridge":
            if any(one.destination == queue and one.tells_all(self.prefix) for one in entries_of(now)):
                return None
            return f"bucket {self.bucket} no longer sends all its writes and deletes to queue {queue}"
        if _BRIDGE not in now:
            return f"bucket {self.bucket} no longer sends its events to EventBridge"
        if any(rule.tells_all(self.prefix) for rule in self._rules(queue)[0]):
            return None
        return f"no enabled rule of EventBridge still sends all events of bucket {self.bucket} to queue {queue}"

    def switch_on(self, capture: Capture) -> None:
        """See the port."""
        queue = QueuePair(self.queue_url, self._queue_arn(), "", "")
        if capture.rule:
            route_events(self.clients, capture.rule, self._pattern(), queue)
        if capture.rule or capture.through == "eventbridge":
            send_bucket_events_to_eventbridge(self.clients, self.bucket, owners=self.owners)
            return
        now = entries_of(self._read())
        if any(self._is_complete(one, queue.arn) for one in now):
            return
        try:
            send_bucket_events(
                self.clients,
                self.bucket,
                queue,
                configuration_id=self.name,
                earlier_id=EARLIER_ID,
                events=captured_events(late=self.late),
                prefix=self.prefix,
                owners=self.owners,
            )
        except RefusedRequestError as error:
            raise RefusedRequestError(f"{error}. {_ONE_PLACE}") from error

    def restore(self, capture: Capture) -> Restored:
        """See the port; the migration's entries are known by their id, and stay where they were there before."""
        before = json.loads(capture.before)
        known, queue = [_text(one) for one in before.get(_QUEUES, [])], self._queue_arn()

        def is_ours(entry: Mapping[str, Any]) -> bool:
            own = entry.get("Id") == self.name or (entry.get("Id") == EARLIER_ID and entry["QueueArn"] == queue)
            return own and _text(entry) not in known

        def take_away(configuration: dict[str, Any]) -> None:
            kept = [entry for entry in configuration.pop(_QUEUES, []) if not is_ours(entry)]
            kept += _replaced(capture, before, {entry["QueueArn"] for entry in kept})
            configuration.update({_QUEUES: kept} if kept else {})

        def is_so(configuration: Mapping[str, Any]) -> bool:
            now = configuration.get(_QUEUES, [])
            lacks = _replaced(capture, before, {entry["QueueArn"] for entry in now})
            return not lacks and not any(is_ours(entry) for entry in now)

        change_notifications(self.clients, self.bucket, take_away, is_so, owners=self.owners)
        if capture.rule:
            self._remove_rule(capture.rule)
        now = self._read()
        is_left_on = _BRIDGE in now and _BRIDGE not in before
        wanted = before | {_BRIDGE: now[_BRIDGE]} if is_left_on else before
        return Restored(_text(now), _text(now) == _text(wanted), self._left_on() if is_left_on else "")

    def write_probe(self, location: Location) -> None:
        """See the port."""
        wanted: Any = place(location) | self._owner()
        with translated("PutObject", location.uri):
            self.clients.s3_once.put_object(**wanted, Body=b"keyshift probe", IfNoneMatch="*")

    def remove_probe(self, location: Location) -> None:
        """See the port."""
        wanted: Any = place(location) | self._owner()
        with translated("DeleteObject", location.uri):
            self.clients.s3.delete_object(**wanted)
        with translated("ListObjectVersions", location.uri):
            answer = self.clients.s3.list_object_versions(Bucket=location.bucket, Prefix=location.key, **self._owner())
        left = [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]
        for one in left:
            if one["Key"] == location.key and one.get("VersionId", "null") != "null":
                with translated("DeleteObject", location.uri):
                    self.clients.s3.delete_object(**wanted, VersionId=one["VersionId"])

    def _is_complete(self, entry: Entry, queue: str) -> bool:
        """Whether the entry sends all that is to be captured to that queue; another program's stays as it is."""
        late = self.late and entry.name in (self.name, EARLIER_ID)
        return entry.destination == queue and entry.tells_all(self.prefix, late=late)

    def _added_to(self, before: dict[str, Any], entries: list[Entry], queue: str) -> Capture | CaptureRefused:
        """The migration's entry beside the others; raises before anything is stored if S3 would refuse it."""
        ours = [
            entry
            for entry in entries
            if entry.name == self.name or (entry.name, entry.destination) == (EARLIER_ID, queue)
        ]
        others_of_s3 = (entry for entry in entries if entry not in ours)
        met = next((entry for entry in others_of_s3 if entry.meets(self.prefix, late=self.late)), None)
        if met is not None:
            return CaptureRefused(
                f"s3://{self.bucket}: the notification '{met.name}' sends events of keys below '{met.prefix}' to"
                f" {met.destination}. {_ONE_PLACE}"
            )
        names = {entry.name for entry in ours}
        others = [one for one in before.get(_QUEUES, []) if one.get("Id") not in names]
        planned = queue_entry(self.name, queue, events=captured_events(late=self.late), prefix=self.prefix)
        after, statement = (
            _text(before | {_QUEUES: [*others, planned]}),
            _text(bucket_statement(self.bucket, queue, self.owners)),
        )
        return Capture(self.bucket, _text(before), after, through="queue", statement=statement)

    def _pattern(self) -> Mapping[str, Any]:
        return live_pattern(self.bucket, self.prefix, late=self.late)

    def _other_migration(self, entries: list[Entry], rules: list[SourceRule], queue: str) -> str | None:
        """Another migration that captures some of the same keys: its entry or rule, and what to do."""
        foreign = [entry for entry in entries if entry.destination != queue and _is_migration(entry.name)]
        met = [f"notification '{one.name}'" for one in foreign if one.meets(self.prefix)]
        met += [f"rule {rule.name} of EventBridge" for rule in rules if rule.meets(self.prefix)]
        if not met:
            return None
        return (
            f"s3://{self.bucket}: the {met[0]} is another migration's and sends events of keys that begin with"
            f" '{self.prefix}' too. Two migrations must not move the same keys: roll the other one back or finish it,"
            " or give the two rules files source prefixes of which neither begins the other. Where they have such"
            " prefixes already, run `keyshift start --yes` of the other one again: it narrows what it captures"
        )

    def _rules(self, queue: str) -> tuple[list[SourceRule], list[SourceRule]]:
        """The default bus's rules for the bucket's live events: those that feed this queue, and other migrations'."""
        events = self.clients.events
        with translated("ListRuleNamesByTarget", queue):
            pages = events.get_paginator("list_rule_names_by_target").paginate(TargetArn=queue, EventBusName="default")
            names = {name for page in pages for name in page["RuleNames"]}
        with translated("ListRules", "default"):
            listed = events.get_paginator("list_rules").paginate(EventBusName="default")
            found = [source_rule(rule, self.bucket) for page in listed for rule in page["Rules"]]
        rules = [rule for rule in found if rule is not None]
        others = [rule for rule in rules if rule.name not in names and _is_migration(rule.name)]
        return [rule for rule in rules if rule.name in names], [rule for rule in others if rule.name != self.name]

    def _left_on(self) -> str:
        return (
            f"EventBridge stays switched on for s3://{self.bucket}: other rules, archives and migrations may use it"
            " now. If none does, switch it off in the bucket's properties"
        )

    def _queue_arn(self) -> str:
        with translated("GetQueueAttributes", self.queue_url):
            answer = self.clients.sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["QueueArn"])
        return answer["Attributes"]["QueueArn"]

    def _read(self) -> dict[str, Any]:
        return read_notifications(self.clients, self.bucket, owners=self.owners)

    def _remove_rule(self, rule: str) -> None:
        with translated("RemoveTargets", rule), accepting("ResourceNotFoundException"):
            self.clients.events.remove_targets(Rule=rule, Ids=["queue"])
            self.clients.events.delete_rule(Name=rule)

    def _owner(self) -> Any:
        return self.owners.of(Location(self.bucket, ""))


_ONE_PLACE = (
    "S3 sends one event to one place only where filters do not overlap:"
    " use --through eventbridge, which works beside every other notification"
)


def _is_migration(name: str) -> bool:
    return name == EARLIER_ID or name.startswith(f"{EARLIER_ID}-")


def _second_route(called: str, bucket: str) -> str:
    return (
        f"{called} already sends the events of s3://{bucket} to the events queue. On a second route each event would"
        " arrive twice, and the second one costs a read of both keys. Omit --through: start uses the existing route"
    )


def _replaced(capture: Capture, before: Mapping[str, Any], fed: set[str]) -> list[Any]:
    """Entries of other migrations that this migration's entry replaced, in an earlier version with one id for all."""
    after = [_text(one) for one in json.loads(capture.after).get(_QUEUES, [])]
    lost = [one for one in before.get(_QUEUES, []) if one.get("Id") == EARLIER_ID and _text(one) not in after]
    return [one for one in lost if one["QueueArn"] not in fed]


def _text(configuration: Any) -> str:
    return json.dumps(configuration, sort_keys=True, separators=(",", ":"))
