"""The stack as it runs on the stand-in: its buckets, queues, table and functions."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3

from adapters.aws.clients import AwsClients
from adapters.standin import StandIn
from handlers.demo.wiring import make_live
from tests.deployment.artefact import LOCAL_LAYERS, ROOT, run_osls
from tests.deployment.authorizations import ACCOUNT
from tests.servers import REGION

STAGE, STACK = "test", "keyshift-test"
SOURCE, TARGET, REPORTS, JOBS = "deployed-source", "deployed-target", "deployed-reports", "deployed-jobs"
SECONDS = 120.0
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class DeployedSite:
    """A deployed stack, and the account's owner who looks at it."""

    standin: StandIn
    rules: Path
    outputs: Mapping[str, str]

    def client(self, service: str) -> Any:
        """A client with all permissions."""
        return root_client(self.standin, service)

    @property
    def clients(self) -> AwsClients:
        """The same for adapters."""
        region = self.standin.environment()["AWS_REGION"]
        return AwsClients(
            endpoint_url=self.standin.endpoint_url,
            region=region,
            access_key_id="test",
            secret_access_key="test",  # the emulator's root
        )

    def put(self, key: str, body: bytes) -> None:
        """An owner writes."""
        self.client("s3").put_object(Bucket=SOURCE, Key=key, Body=body)

    def moved(self, key: str) -> bytes | None:
        """The bytes at a target key."""
        s3 = self.client("s3")
        try:
            return bytes(s3.get_object(Bucket=TARGET, Key=key)["Body"].read())
        except s3.exceptions.NoSuchKey:
            return None

    def logged(self, function: str) -> str:
        """Everything that a function wrote."""
        logs = self.client("logs")
        answer = logs.filter_log_events(logGroupName=f"/aws/lambda/{STACK}-{function}")
        return "\n".join(one["message"] for one in answer["events"])


def awaited(look: Callable[[], Answer | None], *, seconds: float = SECONDS) -> Answer | None:
    """What ``look`` sees as soon as it sees something."""
    ends = time.monotonic() + seconds
    while (seen := look()) is None and time.monotonic() < ends:
        time.sleep(0.1)
    return seen


def root_environment(standin: StandIn) -> dict[str, str]:
    """The emulator takes this key for the account's root; every other one needs policies."""
    return {**standin.environment(), "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


def root_client(standin: StandIn, service: str) -> Any:
    """A client with all permissions."""
    keys = root_environment(standin)
    return boto3.client(  # type: ignore[call-overload]  # the service's name is not known here
        service,
        endpoint_url=standin.endpoint_url,
        region_name=keys["AWS_REGION"],
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
    )


def stack_outputs(standin: StandIn, stack: str) -> dict[str, str]:
    """What a deployed stack says of itself; first sets of its table what the emulator's CloudFormation passes over."""
    answer = root_client(standin, "cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in answer["Outputs"]}
    table, expiry = outputs["Table"], {"Enabled": True, "AttributeName": "expires_at"}
    recovery = {"PointInTimeRecoveryEnabled": True}
    dynamodb = root_client(standin, "dynamodb")
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=recovery)
    dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=expiry)
    return outputs


@contextmanager
def deployed_site(standin: StandIn, rules: Path) -> Iterator[DeployedSite]:
    """Deploy with one command into an account in which the owner's buckets are already there and in use."""
    site = DeployedSite(standin, rules, {})
    s3, sqs = site.client("s3"), site.client("sqs")
    for bucket in (SOURCE, TARGET, REPORTS):
        s3.create_bucket(Bucket=bucket)
    arn = _their_queue(sqs)
    s3.put_bucket_notification_configuration(
        Bucket=SOURCE,
        NotificationConfiguration={
            "EventBridgeConfiguration": {},
            "QueueConfigurations": [{"Id": "theirs", "QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}],
        },
    )
    s3.put_bucket_notification_configuration(Bucket=REPORTS, NotificationConfiguration={"EventBridgeConfiguration": {}})
    create_jobs(site.client("dynamodb"), JOBS)
    arguments = deploy_arguments(rules, **referring(JOBS))
    run_osls(standin, "deploy", *arguments, more=root_environment(standin))
    outputs = stack_outputs(standin, STACK)
    make_live(site.clients, outputs["Table"])
    yield DeployedSite(standin, rules, outputs)


def create_jobs(dynamodb: Any, name: str) -> None:
    """The application's table, to whose items a rules file's references point."""
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": one, "AttributeType": "S"} for one in ("id", "uri")],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-uri",
                "KeySchema": [{"AttributeName": "uri", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


def referring(name: str) -> dict[str, str]:
    """The parameter by which the stack may read that table."""
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"
    return {"referenceTableArns": f"{arn},{arn}/index/*"}


def deploy_arguments(rules: Path, *, stage: str = STAGE, reports: str = REPORTS, **more: str) -> list[str]:
    """The options of the test's deployment: this machine's layers instead of Lambda's; ``more`` are parameters."""
    chosen = {
        "rulesFile": str(rules),
        "layers": str(LOCAL_LAYERS.relative_to(ROOT)),
        "inventoryBucket": reports,
        "batchBucket": reports,
        **more,
    }
    options = [word for name, value in chosen.items() for word in ("--param", f"{name}={value}")]
    return ["--stage", stage, *options]


def _their_queue(sqs: Any) -> str:
    url = sqs.create_queue(QueueName="theirs")["QueueUrl"]
    arn: str = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
            }
        ],
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    return arn
