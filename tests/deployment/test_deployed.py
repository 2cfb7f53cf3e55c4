"""The deployed stack at work: events in, objects at their new keys, and nobody else's things touched."""

import json
import subprocess
from dataclasses import replace
from typing import Any

from adapters.dynamodb.manifest import DynamoDbManifest
from adapters.dynamodb.stage import DynamoDbStageBook
from domain.keys import Location
from domain.lifecycle.stages import Stage
from domain.protocol.record import Record, State
from handlers.intake.messages import BackfillRow, encode_backfill
from tests.deployment.artefact import ROOT, run_osls
from tests.deployment.inventory_report import md5_of, put_report
from tests.deployment.site import (
    JOBS,
    REPORTS,
    SOURCE,
    STACK,
    DeployedSite,
    awaited,
    deploy_arguments,
    referring,
    root_environment,
)
from tests.e2e.command_line import run_keyshift


def test_an_object_arrives_at_its_new_key(site: DeployedSite) -> None:
    """Bucket, EventBridge, queue, function, with the role's own permissions."""
    site.put("old/a b+c/\u00e9", b"hello")
    assert awaited(lambda: site.moved("new/a b+c/\u00e9")) == b"hello"


def test_its_change_reaches_the_audit(site: DeployedSite) -> None:
    """Table stream, function and chain, once the bucket lets plain HTTP in, which is all that the stand-in speaks."""
    site.put("old/refused", b"hello")
    assert awaited(lambda: "AccessDenied" in site.logged("manifest-stream") or None)
    site.client("s3").delete_bucket_policy(Bucket=site.outputs["AuditBucketName"])
    site.put("old/audited", b"hello")
    s3, bucket = site.client("s3"), site.outputs["AuditBucketName"]
    assert awaited(lambda: site.moved("new/audited")) == b"hello"
    segments = awaited(lambda: s3.list_objects_v2(Bucket=bucket).get("Contents"))
    assert segments
    assert segments[0]["Key"].startswith("audit/deployed/")


def test_the_owners_notifications_are_as_before(site: DeployedSite) -> None:
    """The stack made a rule beside them; it changed nothing on the bucket."""
    answer = site.client("s3").get_bucket_notification_configuration(Bucket=SOURCE)
    assert [one["Id"] for one in answer["QueueConfigurations"]] == ["theirs"]
    assert answer["EventBridgeConfiguration"] == {}


def test_backfill_rows_are_worked_off(site: DeployedSite) -> None:
    """The backfill queue's function, under its own role."""
    site.client("s3").put_object(Bucket=SOURCE, Key="old/row", Body=b"row")
    awaited(lambda: site.moved("new/row"))
    site.client("s3").put_object(Bucket=SOURCE, Key="old/row", Body=b"rows")
    (body,) = encode_backfill([BackfillRow(key="old/row")], migration="deployed", bucket=SOURCE)
    site.client("sqs").send_message(QueueUrl=site.outputs["BackfillQueueUrl"], MessageBody=body)
    found = awaited(lambda: "Handled" in site.logged("backfill") or None)
    assert found
    assert awaited(lambda: site.moved("new/row") == b"rows" or None)


def test_the_functions_ask_in_the_lean_lane(site: DeployedSite) -> None:
    """Only the emulator's own header keeps them in boto3 here; on Lambda nothing does, and nothing but it differs."""
    site.put("old/lean", b"lean")
    assert awaited(lambda: site.moved("new/lean")) == b"lean"
    assert awaited(lambda: "Handled" in site.logged("object-events") or None)
    for function in ("object-events", "backfill", "manifest-stream"):
        told = [line for line in site.logged(function).splitlines() if "goes through boto3" in line]
        assert all(line.endswith("other headers: x-ministack-invoke-depth") for line in told), told
        assert told or function == "manifest-stream"


def test_an_inventory_report_is_taken_on(site: DeployedSite) -> None:
    """Its checksum's arrival in the reports' bucket is enough."""
    rows = f'"{SOURCE}","old/inventoried","9","{md5_of(b"inventory")}"\n'
    base = f"daily/{SOURCE}/all/2026-11-23T01-00Z"
    put_report(site.client("s3"), REPORTS, rows, source=SOURCE, file="daily/data/one.csv.gz", base=base)
    assert awaited(lambda: "inventory file fed" in site.logged("inventory") or None), site.logged("inventory")


def test_a_batch_operations_task_is_done(site: DeployedSite) -> None:
    """Invoked as the job does it, with a key that is encoded once."""
    site.put("old/100%", b"batch")
    task = {"taskId": "t", "s3Key": "old/100%25", "s3VersionId": None, "s3BucketArn": f"arn:aws:s3:::{SOURCE}"}
    event: dict[str, Any] = {"invocationSchemaVersion": "1.0", "invocationId": "i", "job": {"id": "j"}, "tasks": [task]}
    client = site.client("lambda")
    answer = client.invoke(FunctionName=f"{STACK}-batch-operations", Payload=json.dumps(event).encode())
    (result,) = json.loads(answer["Payload"].read())["results"]
    # The live event of the same object may hold it at this moment.
    assert result["resultCode"] in ("Succeeded", "TemporaryFailure"), result
    assert awaited(lambda: site.moved("new/100%")) == b"batch"


def test_without_its_permissions_a_function_moves_nothing(site: DeployedSite) -> None:
    """So what the other tests saw was allowed by the roles of the template, and by nothing else."""
    iam, role = site.client("iam"), _role_of(site, "ObjectEventsRole")
    policy = iam.get_role_policy(RoleName=role, PolicyName="keyshift")["PolicyDocument"]
    kept = [one for one in policy["Statement"] if one["Sid"] != "WriteTarget"]
    narrowed = json.dumps({"Version": "2012-10-17", "Statement": kept})
    iam.put_role_policy(RoleName=role, PolicyName="keyshift", PolicyDocument=narrowed)
    try:
        site.put("old/forbidden", b"stays")
        denied = awaited(lambda: "AccessDenied" in site.logged("object-events") or None)
        assert denied, site.logged("object-events")[-2000:]
        assert site.moved("new/forbidden") is None
        assert "ObjectEventsRole may not s3:PutObject" in doctor(site).stdout
    finally:
        iam.put_role_policy(RoleName=role, PolicyName="keyshift", PolicyDocument=json.dumps(policy))


def test_functions_verify_what_a_command_begins(site: DeployedSite) -> None:
    """Command, queue, function under a role that can delete nothing, and the summary of the whole run."""
    site.put("old/verified", b"hello")
    assert awaited(lambda: site.moved("new/verified")) == b"hello"
    url = site.outputs["LookingQueueUrl"]
    more = {**root_environment(site.standin), "KEYSHIFT_LOOKING_QUEUE_URL": url}
    options = ("--rules", ROOT / site.rules, "--table", site.outputs["Table"])
    answer = run_keyshift("verify", "--engine", "--json", *options, more=more)
    assert answer.returncode in (0, 1), answer.stderr  # other tests leave differences behind
    summary = json.loads(answer.stdout.splitlines()[-1])
    records = site.client("dynamodb").scan(TableName=site.outputs["Table"])["Items"]
    marked = [one for one in records if one.get("key", {}).get("S") == "old/verified" and "verified_at" in one]
    assert (summary["run"], len(marked)) == ("ended", 1), site.logged("looking-work")
    assert awaited(
        lambda: "REPORT" in site.logged("looking-work") or "stage-work" in site.logged("looking-work") or None
    )
    unknown = {"v": 1, "kind": "stage-work", "migration": "deployed", "work": "rollback --yes", "run": "forged"}
    site.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(unknown))
    assert awaited(lambda: "do not work on a run of rollback --yes" in site.logged("looking-work") or None)


def test_doctor_finds_the_stack_sound(site: DeployedSite) -> None:
    """Every part of it, from the outside."""
    answer = doctor(site)
    lines = [json.loads(line) for line in answer.stdout.splitlines()]
    failed = [line for line in lines if line["level"] == "fail"]
    assert failed == [], answer.stderr
    parts = {line["part"] for line in lines if line["level"] == "ok"}
    assert {"permissions", "function ObjectEvents", "function ManifestStream", "events queue's policy"} <= parts


def test_doctor_finds_what_is_broken(site: DeployedSite) -> None:
    """A mapping that is disabled, a queue that hides too short, a rule that is off, a lifecycle rule that bites."""
    functions, sqs, events, s3 = (site.client(name) for name in ("lambda", "sqs", "events", "s3"))
    (mapping,) = functions.list_event_source_mappings(FunctionName=f"{STACK}-backfill")["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    sqs.set_queue_attributes(QueueUrl=site.outputs["EventsQueueUrl"], Attributes={"VisibilityTimeout": "30"})
    events.disable_rule(Name=f"{STACK}-source")
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "old/"}, "Expiration": {"Days": 30}}
    s3.put_bucket_lifecycle_configuration(Bucket=SOURCE, LifecycleConfiguration={"Rules": [rule]})
    try:
        answer = doctor(site)
    finally:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
        sqs.set_queue_attributes(QueueUrl=site.outputs["EventsQueueUrl"], Attributes={"VisibilityTimeout": "1800"})
        events.enable_rule(Name=f"{STACK}-source")
        s3.delete_bucket_lifecycle(Bucket=SOURCE)
    assert answer.returncode == 1
    said = [json.loads(line) for line in answer.stdout.splitlines()]
    failed = {(line["part"], line["level"]) for line in said if line["level"] != "ok"}
    wanted = {("function Backfill", "fail"), ("function ObjectEvents", "fail"), ("events queue's policy", "fail")}
    assert wanted | {("source bucket", "warn")} <= failed


def doctor(site: DeployedSite) -> subprocess.CompletedProcess[str]:
    """The command, as the owner runs it."""
    options = ("--rules", ROOT / site.rules, "--table", "taken-from-the-stack", "--stack", STACK, "--json")
    return run_keyshift("doctor", *options, more=root_environment(site.standin))


def test_functions_clean_up_and_keep_what_a_table_names(site: DeployedSite) -> None:
    """The functions that delete may not read the table: those that look do, under their own role."""
    keys = [f"old/clean-{name}" for name in ("held", "free", "free-too")]
    for key in keys:
        site.put(key, b"hello")
    assert all(awaited(lambda key=key: site.moved(key.replace("old", "new"))) for key in keys)  # type: ignore[misc]
    _long_ago(site, keys)
    # A form that no function rewrites meanwhile: the record's change makes reference-events look for s3:// URIs.
    item = {"id": {"S": "1"}, "uri": {"S": f"https://{SOURCE}.s3.amazonaws.com/{keys[0]}?versionId=1"}}
    site.client("dynamodb").put_item(TableName=JOBS, Item=item)
    site.client("s3").put_bucket_versioning(Bucket=SOURCE, VersioningConfiguration={"Status": "Enabled"})
    queues = {f"KEYSHIFT_{name.upper()}_QUEUE_URL": site.outputs[f"{name}QueueUrl"] for name in ("Looking", "Removing")}
    options = ("--rules", ROOT / site.rules, "--table", site.outputs["Table"])
    words = ("cleanup", "--soak", "0s", "--yes", "--engine", "--json")
    answer = run_keyshift(*words, *options, more={**root_environment(site.standin), **queues}, seconds=600)
    assert answer.returncode == 0, (answer.stderr, site.logged("looking-work"), site.logged("removing-work"))
    lines = {line["source"].rpartition("/")[2]: line for line in map(json.loads, answer.stdout.splitlines()[:-1])}
    told = {name: (line["verdict"], line["reason"]) for name, line in lines.items() if name.startswith("clean-")}
    cleaned = dict.fromkeys(("clean-free", "clean-free-too"), ("cleaned", ""))
    assert told == {"clean-held": ("held", "reference"), **cleaned}
    assert {one["Key"] for one in _listed(site, "old/clean-")} == {keys[0]}
    policy = json.dumps(
        site.client("iam").get_role_policy(RoleName=_role_of(site, "RemovingRole"), PolicyName="keyshift")
    )
    assert JOBS not in policy


def _long_ago(site: DeployedSite, keys: list[str]) -> None:
    """The migration was cut over long ago, and these objects were verified before."""
    manifest = DynamoDbManifest(site.clients, site.outputs["Table"])
    stages = DynamoDbStageBook(site.clients, site.outputs["Table"])
    for key in keys:
        record = awaited(lambda key=key: _copied(manifest, key))  # type: ignore[misc]
        assert record is not None
        after = replace(record, revision=record.revision + 1, changed_at=1.0, verified_at=1.0)
        assert manifest.write_record(after, before=record)
    before = stages.read_stage()
    cut_over = replace(before, stage=Stage.CUT_OVER, since=1.0, cut_over_at=1.0, revision=before.revision + 1)
    assert stages.write_stage(cut_over, before=before)


def _copied(manifest: DynamoDbManifest, key: str) -> Record | None:
    record = manifest.read_record(Location(SOURCE, key).record_id)
    return record if record is not None and record.state is State.COPIED and record.claim is None else None


def _listed(site: DeployedSite, prefix: str) -> list[dict[str, Any]]:
    return list(site.client("s3").list_objects_v2(Bucket=SOURCE, Prefix=prefix).get("Contents", []))


def test_a_second_deployment_changes_nothing_and_loses_nothing(site: DeployedSite) -> None:
    """An upgrade keeps each object's record; items of runs that have ended may go meanwhile."""
    manifest = DynamoDbManifest(site.clients, site.outputs["Table"])
    before = {record.source for record in manifest.scan_records()}
    assert before
    run_osls(
        site.standin, "deploy", *deploy_arguments(site.rules, **referring(JOBS)), more=root_environment(site.standin)
    )
    assert before <= {record.source for record in manifest.scan_records()}


def _role_of(site: DeployedSite, logical: str) -> str:
    cloudformation = site.client("cloudformation")
    answer = cloudformation.describe_stack_resource(StackName=STACK, LogicalResourceId=logical)
    return str(answer["StackResourceDetail"]["PhysicalResourceId"])


def test_removing_the_stack_keeps_what_holds_data(site: DeployedSite) -> None:
    """Last of all: the functions are gone; ledger, queues and audit are there, and so are the owner's objects."""
    table, bucket = site.outputs["Table"], site.outputs["AuditBucketName"]
    run_osls(
        site.standin, "remove", *deploy_arguments(site.rules, **referring(JOBS)), more=root_environment(site.standin)
    )
    assert site.client("dynamodb").describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE"
    assert site.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] > 0
    assert site.client("sqs").get_queue_url(QueueName=f"{STACK}-events-dead")["QueueUrl"]
    assert site.client("lambda").list_functions()["Functions"] == []
    assert site.moved("new/audited") == b"hello"
