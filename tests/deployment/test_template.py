"""What the synthesised template promises, part by part."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from domain.audit.events import SOURCE
from domain.audit.packs import PACK_TYPE
from tests.deployment.artefact import ROOT, Artefact
from tests.deployment.modules import handlers_of_tree
from tests.deployment.roles import statements

DATA_KEY = {"Fn::If": ["DataKeyGiven", {"Ref": "DataKmsKeyArn"}, {"Ref": "AWS::NoValue"}]}
DAYS_14 = 14 * 24 * 3600
KEPT = (*("AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::Events::Archive", "AWS::S3::BucketPolicy"),)


def properties(artefact: Artefact, name: str) -> dict[str, Any]:
    """One resource's."""
    found: dict[str, Any] = artefact.template["Resources"][name]["Properties"]
    return found


def test_cfn_lint_finds_nothing(artefact: Artefact) -> None:
    """W3005 is osls' own habit: a DependsOn beside a GetAtt."""
    template = artefact.folder / "cloudformation-template-update-stack.json"
    command = [str(Path(sys.executable).with_name("cfn-lint")), "-i", "W3005", "-r", "us-east-1", "--", str(template)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # a tool of ours
    assert (answer.returncode, answer.stdout) == (0, "")


def test_every_handler_is_deployed(artefact: Artefact) -> None:
    """A new handler module without a function would never run."""
    deployed = {one["Properties"]["Handler"] for one in artefact.resources("AWS::Lambda::Function").values()}
    wanted = {one for one in handlers_of_tree() if not one.startswith("handlers/portal/")}  # a stack of their own
    assert wanted == {one.removesuffix(".handler") for one in deployed}


def test_functions_run_on_the_named_platform(artefact: Artefact) -> None:
    """Python 3.13 on arm64, with the layer and traced by sampling."""
    for name, one in artefact.resources("AWS::Lambda::Function").items():
        about = one["Properties"]
        assert (about["Runtime"], about["Architectures"]) == ("python3.13", ["arm64"]), name
        assert about["TracingConfig"] == {"Mode": "Active"}
        assert {"Ref": "RuntimeLambdaLayer"} in about["Layers"]


def test_a_message_stays_hidden_six_times_as_long_as_its_function_runs(artefact: Artefact) -> None:
    """Otherwise a message comes back while it is worked on (aws-facts.md §4)."""
    checked = []
    for mapping in artefact.resources("AWS::Lambda::EventSourceMapping").values():
        about = mapping["Properties"]
        queue, attribute = about["EventSourceArn"]["Fn::GetAtt"]
        assert about["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        if attribute != "Arn":
            continue
        function = _function_of(about["FunctionName"])
        assert properties(artefact, queue)["VisibilityTimeout"] == 6 * properties(artefact, function)["Timeout"]
        _, _, scaling = about["ScalingConfig"].get("Fn::If", (None, None, about["ScalingConfig"]))
        assert 2 <= scaling["MaximumConcurrency"] <= 1000
        checked.append(queue)
    assert sorted(checked) == [
        f"{name}Queue" for name in ("Backfill", "Events", "Inventory", "Looking", "Removing", "Restoring", "Rewriting")
    ]


@pytest.mark.parametrize("name", ["Live", "Backfill"])
def test_pollers_take_the_place_of_the_concurrency(artefact: Artefact, name: str) -> None:
    """Lambda refuses both together (Developer Guide, services-sqs-scaling)."""
    queue, absent = {"Live": "EventsQueue", "Backfill": "BackfillQueue"}[name], {"Ref": "AWS::NoValue"}
    mappings = artefact.resources("AWS::Lambda::EventSourceMapping").values()
    (about,) = (
        one["Properties"] for one in mappings if one["Properties"]["EventSourceArn"]["Fn::GetAtt"] == [queue, "Arn"]
    )
    given = f"{name}PollersGiven"
    pollers = {"MinimumPollers": 2, "MaximumPollers": {"Ref": f"{name}Pollers"}}
    assert about["ProvisionedPollerConfig"] == {"Fn::If": [given, pollers, absent]}
    assert about["ScalingConfig"]["Fn::If"][:2] == [given, absent]
    assert artefact.template["Parameters"][f"{name}Pollers"]["Default"] in (0, "0")


def test_the_audits_function_is_told_its_shard(artefact: Artefact) -> None:
    """By the longest tumbling window, one shard at a time: without one all shards share one chain (aws-facts.md §7)."""
    mappings = artefact.resources("AWS::Lambda::EventSourceMapping").values()
    (about,) = (
        one["Properties"] for one in mappings if _function_of(one["Properties"]["FunctionName"]).startswith("Manifest")
    )
    assert about["TumblingWindowInSeconds"] == 900
    assert about.get("ParallelizationFactor", 1) == 1


def test_only_what_sends_to_its_own_queue_may_loop(artefact: Artefact) -> None:
    """Lambda ends every other loop after about sixteen rounds, and puts the message into the dead-letter queue."""
    meant = set()
    for mapping in artefact.resources("AWS::Lambda::EventSourceMapping").values():
        about = mapping["Properties"]
        function = _function_of(about["FunctionName"])
        role = properties(artefact, function)["Role"]["Fn::GetAtt"][0]
        sends = [one for one in statements(artefact, role) if "sqs:SendMessage" in one["Action"]]
        if about["EventSourceArn"] in [one["Resource"] for one in sends]:
            meant.add(function)
    functions = artefact.resources("AWS::Lambda::Function")
    allowed = {name for name, one in functions.items() if one["Properties"].get("RecursiveLoop") == "Allow"}
    assert allowed == meant
    assert len(meant) == 7


def _function_of(name: Any) -> str:
    """The logical id; osls writes it as a GetAtt or a Ref."""
    found = re.search(r"(\w+LambdaFunction)", json.dumps(name))
    assert found is not None, name
    return found[1]


def test_every_queue_is_encrypted_and_keeps_its_messages(artefact: Artefact) -> None:
    """Every one that a function works off has its dead-letter queue, for it alone, which keeps twice as long.

    A message's age counts from its first send, there too (aws-facts.md §4).
    """
    for name, one in artefact.resources("AWS::SQS::Queue").items():
        about = one["Properties"]
        assert about["SqsManagedSseEnabled"] == {"Fn::If": ["DataKeyGiven", {"Ref": "AWS::NoValue"}, True]}, name
        assert about["KmsMasterKeyId"] == DATA_KEY, name
        is_worked_off = "RedrivePolicy" in about
        assert about["MessageRetentionPeriod"] == (DAYS_14 // 2 if is_worked_off else DAYS_14), name
        if name.endswith("DeadQueue"):
            assert about["RedriveAllowPolicy"]["redrivePermission"] == "byQueue"
        elif name != "AuditGapQueue":
            redrive = about["RedrivePolicy"]
            assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": [name.replace("Queue", "DeadQueue"), "Arn"]}
            assert redrive["maxReceiveCount"] >= 5


def test_only_named_sources_may_send(artefact: Artefact) -> None:
    """Each statement of a queue's policy is bound to the rule or bucket that sends."""
    for policy in artefact.resources("AWS::SQS::QueuePolicy").values():
        for one in policy["Properties"]["PolicyDocument"]["Statement"]:
            for statement in one.get("Fn::If", [None, one])[1:]:
                assert "aws:SourceArn" in statement["Condition"]["ArnEquals"]


def test_the_manifest_table_can_be_restored_and_not_deleted_by_mistake(artefact: Artefact) -> None:
    """On demand, with stream, point-in-time recovery, deletion protection and the expiry of markers."""
    about = properties(artefact, "ManifestTable")
    assert about["BillingMode"] == "PAY_PER_REQUEST"
    assert about["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert about["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert about["DeletionProtectionEnabled"] is True
    warm = {"ReadUnitsPerSecond": {"Ref": "WarmReads"}, "WriteUnitsPerSecond": {"Ref": "WarmWrites"}}
    assert about["WarmThroughput"] == {"Fn::If": ["WarmGiven", warm, {"Ref": "AWS::NoValue"}]}
    assert about["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_table_and_logs_take_a_key_of_the_users(artefact: Artefact) -> None:
    """Without one they are encrypted with keys of AWS."""
    encryption = properties(artefact, "ManifestTable")["SSESpecification"]["Fn::If"]
    assert encryption[0] == "DataKeyGiven"
    assert encryption[1] == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": {"Ref": "DataKmsKeyArn"}}
    assert encryption[2] == {"Ref": "AWS::NoValue"}
    logs = artefact.resources("AWS::Logs::LogGroup")
    assert len(logs) == 12
    assert {name: about["Properties"].get("KmsKeyId") for name, about in logs.items()} == dict.fromkeys(logs, DATA_KEY)


def test_the_key_policy_in_the_documents_names_who_encrypts(artefact: Artefact) -> None:
    """The services that send to the queues, the logs of the stack, and the two that act for the roles."""
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```json\n([^`]*\"Through[^`]*)^```$", page, re.MULTILINE)
    through, events, logs = json.loads(shown)
    assert [one.split(".")[0] for one in through["Condition"]["StringEquals"]["kms:ViaService"]] == ["dynamodb", "sqs"]
    policies = artefact.resources("AWS::SQS::QueuePolicy").values()
    senders = {
        statement["Principal"]["Service"]
        for policy in policies
        for found in policy["Properties"]["PolicyDocument"]["Statement"]
        for statement in found.get("Fn::If", [None, found])[1:]
        if "Service" in statement.get("Principal", {}) and statement["Effect"] == "Allow"
    }
    assert senders == set(events["Principal"]["Service"])
    pattern = logs["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"].rpartition("log-group:")[2]
    names = [
        json.dumps(about["Properties"]["LogGroupName"]) for about in artefact.resources("AWS::Logs::LogGroup").values()
    ]
    assert pattern == "*keyshift-*"
    assert [name for name in names if "/keyshift-" not in name] == []


def test_what_holds_data_outlives_the_stack(artefact: Artefact) -> None:
    """Deleting the stack, or replacing a part, deletes nothing that was learnt."""
    kept = {name for kind in KEPT for name in artefact.resources(kind)} | {"AuditBucket", "AuditLog"}
    kept -= {"ServerlessDeploymentBucketPolicy"}  # osls' own, of zips only
    for name in kept:
        one = artefact.template["Resources"][name]
        assert (one.get("DeletionPolicy"), one.get("UpdateReplacePolicy")) == ("Retain", "Retain"), name


def test_the_audit_log_gets_all_but_packs(artefact: Artefact) -> None:
    """What a person must see is in no pack; the archive has everything."""
    rule = properties(artefact, "AuditRule")
    assert rule["EventPattern"] == {"source": [SOURCE], "detail-type": [{"anything-but": [PACK_TYPE]}]}
    assert "EventPattern" not in properties(artefact, "AuditArchive")
    assert rule["EventBusName"] == {"Ref": "AuditBus"}


def test_the_users_buckets_are_never_the_stacks(artefact: Artefact) -> None:
    """The only buckets that the stack makes are its audit's and the one for its own zips."""
    assert set(artefact.resources("AWS::S3::Bucket")) == {"AuditBucket", "ServerlessDeploymentBucket"}


def test_an_audit_segment_cannot_be_deleted(artefact: Artefact) -> None:
    """Object lock with a default retention, versions, no public access."""
    about = properties(artefact, "AuditBucket")
    assert about["ObjectLockEnabled"] is True
    assert about["ObjectLockConfiguration"]["Rule"]["DefaultRetention"] == {"Mode": "GOVERNANCE", "Days": 365}
    assert about["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(about["PublicAccessBlockConfiguration"].values()) == {True}


def test_an_audit_segment_cannot_be_written_over(artefact: Artefact) -> None:
    """The bucket's policy refuses every PutObject without If-None-Match, which takes only ``*``, and delete markers."""
    statements = properties(artefact, "AuditBucketPolicy")["PolicyDocument"]["Statement"]
    refused = {one["Action"]: one for one in statements if one["Effect"] == "Deny"}
    everything = {"Fn::Sub": "${AuditBucket.Arn}/*"}
    assert refused["s3:PutObject"]["Condition"] == {"Null": {"s3:if-none-match": "true"}}
    assert "Condition" not in refused["s3:DeleteObject"]
    for action in ("s3:PutObject", "s3:DeleteObject"):
        assert (refused[action]["Principal"], refused[action]["Resource"]) == ("*", everything)


def test_a_dead_letter_message_is_told_of_while_there_is_time(artefact: Artefact) -> None:
    """Each dead-letter queue has an alarm on its age, which counts from the move, three days before the worst case."""
    queues = artefact.resources("AWS::SQS::Queue")
    alarms = [one["Properties"] for one in artefact.resources("AWS::CloudWatch::Alarm").values()]
    of_age = [one for one in alarms if one["AlarmName"].startswith("keyshift-dev-dead-message-age-")]
    told = {json.dumps(one["Dimensions"]): float(one["Threshold"]) for one in of_age}
    for name, one in queues.items():
        if name.endswith("DeadQueue"):
            source = next(
                each for each in queues.values() if name in json.dumps(each["Properties"].get("RedrivePolicy"))
            )
            left = one["Properties"]["MessageRetentionPeriod"] - source["Properties"]["MessageRetentionPeriod"]
            (threshold,) = [value for where, value in told.items() if name in where]
            assert threshold + 3 * 24 * 3600 <= left, name


def test_each_alarm_leads_into_the_runbook(artefact: Artefact) -> None:
    """Its description names a section that is there."""
    runbook = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
    anchors = set(re.findall(r'(?:name|id)="(alarm-[a-z-]+)"', runbook))
    anchors |= {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", runbook, re.MULTILINE)
    }
    named = set()
    for one in artefact.resources("AWS::CloudWatch::Alarm").values():
        found = re.search(r"docs/runbook\.md#(alarm-[a-z-]+)$", one["Properties"]["AlarmDescription"])
        assert found is not None, one["Properties"]["AlarmName"]
        named.add(found[1])
    wanted = "dlq-depth oldest-message-age failure-rate breaker-open throttles iterator-age live-lag stuck-claims"
    assert named == {f"alarm-{one}" for one in (*wanted.split(), "audit-gap", "dead-message-age", "function-errors")}
    assert named <= anchors


def test_alarms_look_at_metrics_that_are_written(artefact: Artefact) -> None:
    """A misspelt metric would never sound."""
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "handlers").rglob("*.py"))
    for one in artefact.resources("AWS::CloudWatch::Alarm").values():
        about = one["Properties"]
        if about["Namespace"] == "keyshift":
            assert f'"{about["MetricName"]}"' in source, about["MetricName"]
            assert {each["Name"] for each in about["Dimensions"]} == {"migration", "function"}


def test_the_dashboard_is_json(artefact: Artefact) -> None:
    """CloudFormation does not look into the text."""
    body = json.loads(properties(artefact, "Dashboard")["DashboardBody"]["Fn::Sub"])
    assert len(body["widgets"]) == 6


def test_every_parameter_is_explained() -> None:
    """Each has a comment of its own, or shares the one above it."""
    lines = (ROOT / "serverless.yml").read_text(encoding="utf-8").splitlines()
    start = lines.index("  default:") + 1
    block = lines[start : next(at for at in range(start, len(lines)) if not lines[at].startswith("    "))]
    explained = False
    for line in block:
        explained = explained or line.lstrip().startswith("#")
        assert explained, line
    assert block[0].lstrip().startswith("#")
