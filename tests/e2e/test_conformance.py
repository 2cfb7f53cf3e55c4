"""``keyshift doctor --conformance`` as a process: to its end, interrupted, and without credentials."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command_line import ROOT, assert_one_sentence, environment, run_keyshift
from tests.servers import Server, new_name

pytestmark = pytest.mark.slow("runs commands one after the other, each as a process")


def variables(server: Server) -> dict[str, str]:
    """An operator's environment: credentials and the endpoint, but no rules and no table."""
    return {**server.keys, "AWS_ENDPOINT_URL": server.endpoint_url}


def left(server: Server, prefix: str) -> list[str]:
    """What exists on the server by that name."""
    found = [one["Name"] for one in server.client("s3").list_buckets().get("Buckets", [])]
    found += [url.rpartition("/")[2] for url in server.client("sqs").list_queues().get("QueueUrls", [])]
    found += server.client("dynamodb").list_tables()["TableNames"]
    found += [one["Name"] for one in server.client("events").list_event_buses()["EventBuses"]]
    found += [one["Name"] for one in server.client("events").list_rules()["Rules"]]
    return [name for name in found if name.startswith(prefix)]


def test_a_whole_run_leaves_a_table_and_nothing_else(standin: Server, tmp_path: Path) -> None:
    """It needs no rules file and no manifest table; every needed fact holds on the stand-in."""
    prefix, path = new_name("run"), tmp_path / "table.txt"
    options = ["--bucket-prefix", prefix, "--wait", "30", "--write", str(path), "--json"]
    answer = run_keyshift("doctor", "--conformance", *options, more=variables(standin))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    lines: list[Any] = [json.loads(line) for line in answer.stdout.splitlines()]
    assert (lines[-1]["fit"], lines[-1]["left"], lines[-1]["server"]) == (True, [], standin.endpoint_url)
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(lines) - 1 + 6
    assert left(standin, prefix) == []


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_removes_what_it_made(standin: Server, kind: signal.Signals) -> None:
    """Impatience, the second signal, does not stop the removal."""
    # What was started in the background of a script ignores SIGINT, and so would its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    prefix = new_name("cut")
    command = [sys.executable, "-m", "handlers.cli", "doctor", "--conformance", "--bucket-prefix", prefix]
    with subprocess.Popen(  # noqa: S603  # ourselves
        command,
        cwd=ROOT,
        env=environment(variables(standin)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "MpuObjectSize" in line:  # by now there are buckets, versions and uploads
                break
        assert left(standin, prefix)
        for _ in range(2):
            process.send_signal(kind)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "not removed" not in told
    assert left(standin, prefix) == []


def test_without_credentials_it_says_so_once() -> None:
    """Not once for each fact."""
    answer = run_keyshift("doctor", "--conformance", more={"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert "credentials" in answer.stderr.splitlines()[-1]
    assert "not removed" not in answer.stderr  # nothing was made


def test_a_wrong_prefix_is_refused_at_once(standin: Server) -> None:
    """With what a right one looks like."""
    answer = run_keyshift("doctor", "--conformance", "--bucket-prefix", "Line_1", more=variables(standin))
    assert_one_sentence(answer, code=2, says="--bucket-prefix 'Line_1' is not a valid beginning of bucket names")
