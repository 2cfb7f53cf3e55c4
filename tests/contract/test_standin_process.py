"""The stand-in's process: how it starts, and that it always ends."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from adapters.standin import running_standin
from tests.servers import standin_server

_ROOT = Path(__file__).resolve().parents[2]
_PARENT = """
import time
from adapters.standin import running_standin
with running_standin() as standin:
    print(standin.process.pid, standin.endpoint_url, flush=True)
    time.sleep(60)
"""


def answers(url: str) -> bool:
    """Whether something listens there."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/_standin/faults", timeout=5):
            return True
    except OSError:
        return False


def test_the_process_ends_with_its_block() -> None:
    """After the block nothing runs and nothing answers, even when the block failed."""
    context = running_standin()
    standin = context.__enter__()
    assert answers(standin.endpoint_url)
    error = ZeroDivisionError()
    assert context.__exit__(ZeroDivisionError, error, None) is False
    assert standin.process.poll() is not None
    assert not answers(standin.endpoint_url)


def test_the_process_ends_with_its_parent() -> None:
    """A parent that is killed outright takes the stand-in with it."""
    environment = os.environ | {"PYTHONPATH": str(_ROOT)}
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, env=environment) as parent:  # noqa: S603 - ours
        assert parent.stdout is not None
        url = parent.stdout.readline().split()[1].decode()
        assert answers(url)
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while answers(url) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not answers(url)


@pytest.mark.slow("starts a stand-in and an SDK as processes")
def test_its_environment_is_all_that_an_sdk_needs() -> None:
    """The command line of AWS's SDK finds the stand-in, and no other account's settings."""
    code = "import boto3; print(boto3.client('s3').list_buckets()['Buckets'])"
    with running_standin() as standin:
        environment = {"PATH": os.environ["PATH"]} | standin.environment()
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)  # noqa: S603 - ours
    assert done.stdout.strip() == b"[]"


@pytest.mark.slow("waits until a change is too old")
def test_a_stream_keeps_a_change_as_long_as_told() -> None:
    """What is older is no longer read, as after a day in AWS."""
    with running_standin(stream_seconds=5) as standin:
        server = standin_server(standin)
        table, streams = server.client("dynamodb"), server.client("dynamodbstreams")
        named = [{"AttributeName": "id", "AttributeType": "S"}]
        made = table.create_table(
            TableName="table",
            AttributeDefinitions=named,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        arn = made["TableDescription"]["LatestStreamArn"]
        (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        where = {"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}

        def read() -> list[str]:
            iterator = streams.get_shard_iterator(**where)["ShardIterator"]
            try:
                found = streams.get_records(ShardIterator=iterator)["Records"]
            except streams.exceptions.TrimmedDataAccessException:
                return []  # it grew too old between the two requests
            return [one["dynamodb"]["Keys"]["id"]["S"] for one in found]

        table.put_item(TableName="table", Item={"id": {"S": "old"}})
        assert read() == ["old"]
        deadline = time.monotonic() + 30
        while read() and time.monotonic() < deadline:
            time.sleep(0.1)
        table.put_item(TableName="table", Item={"id": {"S": "new"}})
        assert read() == ["new"]
