"""LiveCapture: switching on and restoring leave the notifications of other programs and migrations alone."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from adapters.aws.clients import AwsClients
from adapters.demo.provisioning import create_bucket, create_queue
from adapters.s3.live_capture import S3LiveCapture
from adapters.s3.notification_filters import Entry, entries_of, live_pattern
from adapters.s3.notifications import QueuePair, bucket_statement, route_events, send_bucket_events
from adapters.s3.requests import Owners
from domain.errors import KeyshiftError, UnavailableError
from domain.keys import Location
from domain.lifecycle.ports import Capture, CaptureRefused, LiveCapture
from tests.fakes.lifecycle import InMemoryLiveCapture
from tests.servers import Server, new_name
from tests.worlds.objects import clients_for

Captures = Callable[[str, str], LiveCapture]
"""The capture of one bucket by migration and source prefix."""


def planned(capture: LiveCapture, through: str = "queue") -> Capture:
    """What start would do; it is not refused."""
    answer = capture.plan_capture(through=through)
    assert isinstance(answer, Capture), answer
    return answer


def refused(capture: LiveCapture, through: str = "auto") -> str:
    """Why start says no."""
    answer = capture.plan_capture(through=through)
    assert isinstance(answer, CaptureRefused), answer
    return answer.why


@pytest.fixture(params=["fake", "standin"])
def captures(request: pytest.FixtureRequest) -> Captures:
    """Captures of a new bucket whose notifications another program uses too, each with a queue of its own."""
    bucket = new_name("captured")
    if request.param == "fake":
        entries = {"theirs": "tagging"}
        return lambda migration, prefix: InMemoryLiveCapture(bucket, entries, migration=migration, prefix=prefix)
    clients = clients_for(request.getfixturevalue("standin"))
    create_bucket(clients, bucket)
    theirs = create_queue(clients, new_name("theirs"))
    send_bucket_events(clients, bucket, theirs, configuration_id="theirs", events=["s3:ObjectTagging:*"])
    names = {migration: new_name(migration) for migration in ("m", "other")}  # rules of parallel tests share one bus

    def made(migration: str, prefix: str) -> LiveCapture:
        url = create_queue(clients, f"{names[migration]}-events").url
        return S3LiveCapture(clients, bucket=bucket, prefix=prefix, queue_url=url, migration=names[migration])

    return made


@pytest.fixture
def capture(captures: Captures) -> LiveCapture:
    """One of them."""
    return captures("m", "old/")


def test_planning_changes_nothing_and_switching_on_adds(capture: LiveCapture) -> None:
    """What was there stays; twice is once; and what was planned is what is then."""
    before = capture.read_configuration()
    plan = planned(capture)
    assert plan.before == before == capture.read_configuration()
    for _ in range(2):
        capture.switch_on(plan)
    assert "theirs" in capture.read_configuration()
    assert capture.read_configuration() == plan.after != before


def test_a_capture_that_is_there_has_no_fault_and_one_that_was_taken_away_has(capture: LiveCapture) -> None:
    """Before it is on it is not there; another program that replaces the configuration takes it away again."""
    plan = planned(capture)
    assert isinstance(capture.find_fault(plan), str)
    capture.switch_on(plan)
    assert capture.find_fault(plan) is None
    capture.restore(plan)
    fault = capture.find_fault(plan)
    assert fault is not None
    assert plan.bucket in fault


def test_a_notification_that_was_narrowed_is_a_fault(standin: Server) -> None:
    """Events of a part of the sources, or of writes without deletes, are not live capture; nor is a lost bridge."""
    clients = clients_for(standin)
    bucket = new_name("captured")
    create_bucket(clients, bucket)
    ours = create_queue(clients, new_name("ours"))
    capture = S3LiveCapture(clients, bucket=bucket, prefix="old/", queue_url=ours.url, migration=new_name("m"))
    plan = planned(capture)
    capture.switch_on(plan)
    narrowed: tuple[dict[str, Any], ...] = (
        {"prefix": "old/deep/"},
        {"prefix": "old/", "events": ["s3:ObjectCreated:*"]},
    )
    for narrower in narrowed:
        assert capture.find_fault(plan) is None
        clients.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
        send_bucket_events(clients, bucket, ours, configuration_id="theirs", **narrower)
        assert "all its writes and deletes" in (capture.find_fault(plan) or "")
        clients.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
        capture.switch_on(plan)
    clients.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    bridged = planned(capture, "eventbridge")
    assert "EventBridge" in (capture.find_fault(bridged) or "")
    capture.switch_on(bridged)
    assert capture.find_fault(bridged) is None


def test_restoring_gives_exactly_what_was_before(capture: LiveCapture) -> None:
    """The same text; restoring twice, or what was never switched on, changes nothing."""
    before = capture.read_configuration()
    plan = planned(capture)
    assert capture.restore(plan).configuration == before
    capture.switch_on(plan)
    for _ in range(2):
        restored = capture.restore(plan)
        assert (restored.configuration, restored.is_as_before, restored.stays) == (before, True, "")
    assert capture.read_configuration() == before


@pytest.mark.parametrize("through", ["queue", "eventbridge"])
def test_what_is_not_there_any_more_is_a_fault(captures: Captures, through: str) -> None:
    """Before it is switched on, and after it was taken away; another migration's way is not ours."""
    capture, other = captures("m", "a/"), captures("other", "b/")
    plan = planned(capture, through)
    assert capture.find_fault(plan) is not None
    other.switch_on(planned(other, through))
    assert capture.find_fault(plan) is not None
    capture.switch_on(plan)
    assert capture.find_fault(plan) is None
    capture.restore(plan)
    assert capture.find_fault(plan) is not None


def test_two_migrations_of_one_bucket_live_side_by_side(captures: Captures) -> None:
    """Starting the second one leaves the first one's entry, and so does rolling either of them back."""
    first, second = captures("m", "a/"), captures("other", "b/")
    began = planned(first)
    first.switch_on(began)
    alone = first.read_configuration()
    later = planned(second)
    second.switch_on(later)
    both = first.read_configuration()
    assert planned(first).before == planned(first).after == both, "the first one is still captured"
    assert second.restore(later).configuration == alone
    second.switch_on(later)
    first.restore(began)
    assert planned(second).before == planned(second).after


def test_migrations_of_the_same_keys_are_refused(captures: Captures) -> None:
    """The second one is told of the first one, whichever of the prefixes is the wider one."""
    first = captures("m", "old/deep/")
    first.switch_on(planned(first))
    before = first.read_configuration()
    for prefix in ("old/", "old/deep/", "old/deep/er/", ""):
        for through in ("auto", "queue", "eventbridge"):
            assert "another migration's" in refused(captures("other", prefix), through)
    assert first.read_configuration() == before


def test_eventbridge_stays_on_for_those_that_use_it_by_now(captures: Captures) -> None:
    """Rolling one migration back must not take the events of another one, or of another team's rule, away."""
    first, second = captures("m", "a/"), captures("other", "b/")
    began = planned(first, "eventbridge")
    first.switch_on(began)
    later = planned(second, "eventbridge")
    second.switch_on(later)
    restored = first.restore(began)
    assert "EventBridge" in restored.configuration
    assert "EventBridge" in restored.stays
    assert second.restore(later).stays == "", "it was on before this one began"


def test_a_probe_may_be_removed_twice(capture: LiveCapture) -> None:
    """It is written under a key that nobody has, and gone afterwards."""
    probe = Location(planned(capture).bucket, "old/.keyshift/probe-1")
    capture.write_probe(probe)
    capture.remove_probe(probe)
    capture.remove_probe(probe)


class Standing:
    """A bucket of the stand-in with a queue of ours, and one of a stranger's."""

    def __init__(self, server: Server) -> None:
        self.clients: AwsClients = clients_for(server)
        self.bucket = new_name("captured")
        self.migration = new_name("m")
        create_bucket(self.clients, self.bucket)
        self.ours: QueuePair = create_queue(self.clients, new_name("ours"))
        self.theirs: QueuePair = create_queue(self.clients, new_name("theirs"))

    def capture(self, prefix: str = "old/", clients: AwsClients | None = None) -> S3LiveCapture:
        """Ours."""
        clients = clients or self.clients
        url = self.ours.url
        return S3LiveCapture(clients, bucket=self.bucket, prefix=prefix, queue_url=url, migration=self.migration)

    def write(self, configuration: Any) -> None:
        """Another program replaces everything."""
        self.clients.s3.put_bucket_notification_configuration(
            Bucket=self.bucket, NotificationConfiguration=configuration
        )

    def rule(self, queue: QueuePair, *, prefix: str = "", name: str = "") -> str:
        """A rule that sends the bucket's live events to the queue."""
        name = name or new_name("rule")
        route_events(self.clients, name, live_pattern(self.bucket, prefix), queue)
        return name


@pytest.fixture
def standing(standin: Server) -> Standing:
    """A bucket without notifications."""
    return Standing(standin)


@pytest.mark.parametrize("through", ["queue", "eventbridge"])
def test_what_is_planned_for_the_rule_and_the_queue_is_what_is_written(standing: Standing, through: str) -> None:
    """A dry run shows them; another program's statement stays."""
    capture = standing.capture()
    theirs = _statements(standing)
    plan = planned(capture, through)
    assert _statements(standing) == theirs
    capture.switch_on(plan)
    (added,) = [one for one in _statements(standing) if one not in theirs]
    assert added == json.loads(plan.statement)
    assert re.fullmatch(r"keyshift-[A-Za-z0-9-]+", added["Sid"])
    if through == "eventbridge":
        rule = standing.clients.events.describe_rule(Name=plan.rule)
        assert json.loads(plan.pattern) == json.loads(rule["EventPattern"])
        assert added["Condition"] == {"ArnEquals": {"aws:SourceArn": rule["Arn"]}}
    again = planned(capture, "auto")
    assert (again.pattern, again.statement) == ((plan.pattern, plan.statement) if plan.rule else ("", ""))


def test_a_bucket_of_another_account_may_send_for_that_account(standing: Standing) -> None:
    """S3 sends in the name of the bucket's account; a condition on the queue's own would drop every event."""
    others = Owners({standing.bucket: "222222222222"})
    conditions = [
        bucket_statement(standing.bucket, standing.ours.arn, owners)["Condition"]["StringEquals"]
        for owners in (others, Owners(), None)
    ]
    accounts = [one["aws:SourceAccount"] for one in conditions]
    assert accounts == ["222222222222", *[standing.ours.arn.split(":")[4]] * 2]


def test_what_others_changed_meanwhile_stays(standing: Standing) -> None:
    """Restoring takes away our entry only; an entry that others added or removed since is theirs to keep."""
    send_bucket_events(standing.clients, standing.bucket, standing.theirs, configuration_id="x", prefix="elsewhere/")
    capture = standing.capture()
    plan = planned(capture)
    capture.switch_on(plan)
    changed: Any = json.loads(capture.read_configuration())
    changed["QueueConfigurations"] = [one for one in changed["QueueConfigurations"] if one["Id"] != "x"]
    changed["QueueConfigurations"].append(
        {"Id": "y", "QueueArn": standing.theirs.arn, "Events": ["s3:ObjectTagging:*"]}
    )
    standing.write(changed)
    restored = capture.restore(plan)
    assert [one["Id"] for one in json.loads(restored.configuration)["QueueConfigurations"]] == ["y"]
    assert not restored.is_as_before


def test_an_entry_under_the_id_of_an_earlier_version_is_ours_by_its_queue(standing: Standing) -> None:
    """It is not written again while it serves; rollback takes it away; another migration's of that id stays."""
    send_bucket_events(standing.clients, standing.bucket, standing.ours, configuration_id="keyshift", prefix="old/")
    capture = standing.capture()
    plan = planned(capture, "auto")
    assert plan.before == plan.after
    remembered = Capture(standing.bucket, "{}", json.dumps({"QueueConfigurations": [{"Id": "keyshift"}]}))
    assert capture.restore(remembered).configuration == "{}"
    send_bucket_events(standing.clients, standing.bucket, standing.theirs, configuration_id="keyshift", prefix="b/")
    capture.switch_on(planned(capture))
    capture.restore(remembered)
    assert [one.destination for one in _entries(capture)] == [standing.theirs.arn]


def test_late_changes_are_captured_where_the_rules_file_follows_them(standing: Standing) -> None:
    """A later start widens the migration's own entry; one start without them is no fault of the capture."""
    plain, late = standing.capture(), replace(standing.capture(), late=True)
    plan = planned(plain)
    plain.switch_on(plan)
    wider = planned(late)
    assert wider.before == plan.after != wider.after
    late.switch_on(wider)
    (entry,) = _entries(late)
    assert {"s3:ObjectTagging:*", "s3:ObjectAnnotation:*", "s3:LifecycleTransition"} <= set(entry.events)
    assert late.find_fault(wider) is None
    assert planned(late).before == planned(late).after
    assert late.restore(plan).configuration == "{}"


def test_an_entry_that_another_program_made_is_not_widened(standing: Standing) -> None:
    """It serves live capture; its events are its program's choice."""
    send_bucket_events(standing.clients, standing.bucket, standing.ours, configuration_id="terraform")
    late = replace(standing.capture(), late=True)
    plan = planned(late, "auto")
    assert plan.before == plan.after
    late.switch_on(plan)
    assert [one.name for one in _entries(late)] == ["terraform"]


def test_a_rule_of_ours_has_the_late_changes_that_the_bus_knows(standing: Standing) -> None:
    """Annotations have no event there."""
    late = replace(standing.capture(), late=True)
    late.switch_on(planned(late, "eventbridge"))
    rule = standing.clients.events.describe_rule(Name=late.name)
    kinds = json.loads(rule["EventPattern"])["detail-type"]
    assert set(kinds) > {"Object Created", "Object Tags Added", "Object Tags Deleted", "Object Storage Class Changed"}


def test_an_entry_of_ours_that_no_longer_tells_enough_is_replaced(standing: Standing) -> None:
    """The source prefix of the rules became wider: one entry, under the new id, tells all of it."""
    send_bucket_events(standing.clients, standing.bucket, standing.ours, configuration_id="keyshift", prefix="old/a/")
    capture = standing.capture()
    capture.switch_on(planned(capture))
    assert [(one.name, one.prefix) for one in _entries(capture)] == [(f"keyshift-{standing.migration}", "old/")]
    wider = standing.capture(prefix="")
    wider.switch_on(planned(wider))
    assert [one.prefix for one in _entries(capture)] == [""]


def test_what_an_earlier_version_had_replaced_comes_back_only_where_it_is_missing(standing: Standing) -> None:
    """Its one id for all had taken another migration's entry away; that one may have been started again since."""
    theirs = {"Id": "keyshift", "QueueArn": standing.theirs.arn, "Events": ["s3:ObjectCreated:*"]}
    before = json.dumps({"QueueConfigurations": [theirs]})
    ours = {"Id": "keyshift", "QueueArn": standing.ours.arn}
    remembered = Capture(standing.bucket, before, json.dumps({"QueueConfigurations": [ours]}))
    capture = standing.capture()
    standing.write({"QueueConfigurations": [{**ours, "Events": ["s3:ObjectCreated:*"]}]})
    capture.restore(remembered)
    assert [one.destination for one in _entries(capture)] == [standing.theirs.arn]
    standing.write({"QueueConfigurations": [{**theirs, "Id": "keyshift-theirs"}]})
    capture.restore(remembered)
    assert [one.name for one in _entries(capture)] == ["keyshift-theirs"]


def test_a_queue_that_is_told_already_needs_no_change(standing: Standing) -> None:
    """A deployment that set the notification up is found; one of a narrower prefix is in the way, and is named."""
    capture = standing.capture()
    send_bucket_events(standing.clients, standing.bucket, standing.ours, configuration_id="set", prefix="old/deep/")
    assert "'set'" in refused(capture)
    send_bucket_events(standing.clients, standing.bucket, standing.ours, configuration_id="set", prefix="old/")
    plan = planned(capture, "auto")
    assert (plan.before, plan.through) == (plan.after, "queue")


def test_what_s3_would_call_overlapping_is_refused_before_anything_is_written(standing: Standing) -> None:
    """Another queue's notification of the same events: EventBridge gets along with it, and is named as the remedy."""
    events = ["s3:ObjectCreated:Put"]
    send_bucket_events(standing.clients, standing.bucket, standing.theirs, configuration_id="x", events=events)
    capture = standing.capture()
    assert "--through eventbridge" in refused(capture)
    assert planned(capture, "eventbridge").rule == f"keyshift-{standing.migration}"
    apart = standing.clients, standing.bucket, standing.theirs
    send_bucket_events(*apart, configuration_id="x", events=events, prefix="elsewhere/")
    assert planned(capture, "auto").through == "queue"


def test_a_deployed_rule_is_the_way_and_no_second_one_is_added(standing: Standing) -> None:
    """The default stack's rule feeds the queue: a notification beside it would bring each event twice."""
    deployed = standing.rule(standing.ours, prefix="old/")
    capture = standing.capture()
    assert deployed in refused(capture, "queue")
    for through in ("auto", "eventbridge"):
        plan = planned(capture, through)
        assert (plan.through, plan.rule) == ("eventbridge", "")
        assert json.loads(plan.after) == {"EventBridgeConfiguration": {}}
    capture.switch_on(planned(capture, "auto"))
    assert json.loads(capture.read_configuration()) == {"EventBridgeConfiguration": {}}
    assert standing.clients.events.list_rule_names_by_target(TargetArn=standing.ours.arn)["RuleNames"] == [deployed]


def test_eventbridge_is_refused_beside_a_notification_that_serves(standing: Standing) -> None:
    """The other way round: the queue is told directly already."""
    send_bucket_events(standing.clients, standing.bucket, standing.ours, configuration_id="set")
    assert "twice" in refused(standing.capture(), "eventbridge")


@pytest.mark.parametrize("lost", ["bridge", "rule", "target"])
def test_a_way_through_eventbridge_is_whole_or_a_fault(standing: Standing, lost: str) -> None:
    """The bucket's switch, an enabled rule, and its target: another team may take each of them away."""
    deployed = standing.rule(standing.ours)
    capture = standing.capture()
    plan = planned(capture, "auto")
    capture.switch_on(plan)
    assert capture.find_fault(plan) is None
    if lost == "bridge":
        standing.write({})
    elif lost == "rule":
        standing.clients.events.disable_rule(Name=deployed)
    else:
        standing.clients.events.remove_targets(Rule=deployed, Ids=["queue"])
    assert capture.find_fault(plan) is not None


@pytest.mark.parametrize("flaw", ["disabled", "narrow", "choosy", "elsewhere"])
def test_a_rule_that_does_not_send_everything_is_no_way(standing: Standing, flaw: str) -> None:
    """A disabled rule, a narrower one, one that asks for more, one of another bucket: start makes its own."""
    pattern: Any = json.loads(json.dumps(live_pattern(standing.bucket, "old/deep/" if flaw == "narrow" else "old/")))
    if flaw == "choosy":
        pattern["detail"]["reason"] = ["CopyObject"]
    if flaw == "elsewhere":
        pattern["detail"]["bucket"] = {"name": ["another"]}
    name = new_name("rule")
    route_events(standing.clients, name, pattern, standing.ours)
    if flaw == "disabled":
        standing.clients.events.disable_rule(Name=name)
    assert planned(standing.capture(), "eventbridge").rule == f"keyshift-{standing.migration}"
    assert planned(standing.capture(), "auto").through == "queue"


def test_another_migrations_rule_is_met_only_where_its_keys_are_ours(standing: Standing) -> None:
    """Its prefix decides; a rule without one, as an earlier version made it, may send everything."""
    name = new_name("keyshift-other")
    standing.rule(standing.theirs, name=name, prefix="new/")
    assert planned(standing.capture(), "eventbridge").through == "eventbridge"
    standing.rule(standing.theirs, name=name)
    assert name in refused(standing.capture())


class OvertakenS3:
    """S3 of a program beside ours: right after each of the first ``times`` writes it writes what it had read before."""

    def __init__(self, s3: Any, times: int) -> None:
        self._s3 = s3
        self._left = times
        self._theirs: Any = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def put_bucket_notification_configuration(self, **request: Any) -> None:
        """Ours, then theirs."""
        self._s3.put_bucket_notification_configuration(**request)
        if self._left:
            self._left -= 1
            self._s3.put_bucket_notification_configuration(
                Bucket=request["Bucket"], NotificationConfiguration=self._theirs
            )


@pytest.mark.parametrize("times", [1, 9])
def test_a_write_that_another_program_overtakes_is_seen(standin: Server, standing: Standing, times: int) -> None:
    """S3 takes no condition here, so it is read again: once is mended, each time is an error and no silent success."""
    clients = clients_for(standin)
    clients.__dict__["s3"] = OvertakenS3(standing.clients.s3, times)
    capture = standing.capture(clients=clients)
    plan = planned(capture)
    if times > 1:
        with pytest.raises(UnavailableError, match="another program"):
            capture.switch_on(plan)
        return
    capture.switch_on(plan)
    assert capture.read_configuration() == plan.after


def test_a_capture_that_was_taken_away_is_switched_on_again(standing: Standing) -> None:
    """Terraform wrote the bucket's notifications: planning sees it, and the next start mends it."""
    capture = standing.capture()
    capture.switch_on(planned(capture))
    standing.write({})
    plan = planned(capture, "auto")
    assert plan.before != plan.after
    capture.switch_on(plan)
    assert capture.read_configuration() == plan.after


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


def _statements(standing: Standing) -> list[Any]:
    """Of our queue's policy."""
    answer = standing.clients.sqs.get_queue_attributes(QueueUrl=standing.ours.url, AttributeNames=["Policy"])
    text = answer.get("Attributes", {}).get("Policy")
    return json.loads(text)["Statement"] if text else []


def _entries(capture: LiveCapture) -> list[Entry]:
    return list(entries_of(json.loads(capture.read_configuration())))
