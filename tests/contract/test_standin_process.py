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
