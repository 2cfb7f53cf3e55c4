"""What a user can cause: each failure is one sentence with a remedy, and no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.standin import Fault, StandIn
from tests.e2e.command_line import assert_one_sentence, environment, run_keyshift
from tests.servers import Server, new_name
from tests.strangers import answering
from tests.worlds.site import Site

pytestmark = pytest.mark.slow("lets commands meet failing servers and wait for them")

RULES = """
version: 1
migration: failures
source: {{bucket: {bucket}}}
target: {{bucket: {bucket}}}
rules:
  - {{name: move, from: "old/{{rest*}}", to: "new/{{rest*}}"}}
"""


def variables(server: Server, folder: Path, bucket: str, **more: str) -> dict[str, str]:
    """The environment of a migration of ``bucket`` on ``server``."""
    rules = folder / "rules.yaml"
    rules.write_text(RULES.format(bucket=bucket), encoding="utf-8")
    return {
        "AWS_ENDPOINT_URL": server.endpoint_url,
        **server.keys,
        "KEYSHIFT_RULES_FILE": str(rules),
        "KEYSHIFT_TABLE": "no-table",
        "KEYSHIFT_EVENTS_QUEUE_URL": f"{server.endpoint_url}/000000000000/no-events",
        "KEYSHIFT_BACKFILL_QUEUE_URL": f"{server.endpoint_url}/000000000000/no-backfill",
        **more,
    }


def test_a_missing_bucket(standin: Server, tmp_path: Path) -> None:
    """The bucket is named, and what to do."""
    bucket = new_name("missing")
    answer = run_keyshift("backfill", "--list", "--dry-run", "--json", more=variables(standin, tmp_path, bucket))
    said = assert_one_sentence(answer, code=1, says=f"s3://{bucket}")
    assert "create it, or correct its name" in said


def test_wrong_credentials(seaweedfs: Server, tmp_path: Path) -> None:
    """A server that checks signatures refuses, and the user is told to renew the credentials."""
    more = variables(seaweedfs, tmp_path, "any-bucket", AWS_SECRET_ACCESS_KEY="wrong")
    answer = run_keyshift("backfill", "--list", "--dry-run", "--json", more=more)
    assert "credentials" in assert_one_sentence(answer, code=1, says="SignatureDoesNotMatch")


def test_no_credentials_at_all(standin: Server, tmp_path: Path) -> None:
    """Without credentials the remedy is to configure them."""
    more = variables(standin, tmp_path, "any-bucket")
    del more["AWS_ACCESS_KEY_ID"], more["AWS_SECRET_ACCESS_KEY"]
    answer = run_keyshift("backfill", "--list", "--dry-run", "--json", more=more)
    assert_one_sentence(answer, code=1, says="configure AWS credentials")


@pytest.mark.parametrize("command", [("rules", "map", "FILE", "key"), ("backfill", "--list", "--rules", "FILE")])
def test_an_unreadable_rules_file(command: tuple[str, ...], standin: Server, tmp_path: Path) -> None:
    """A rules file that is not there, and one that is a folder, are named."""
    more = variables(standin, tmp_path, "any-bucket")
    for path in (tmp_path / "absent.yaml", tmp_path):
        answer = run_keyshift(*(str(path) if word == "FILE" else word for word in command), more=more)
        assert_one_sentence(answer, code=2, says=str(path))


def test_a_rules_file_that_is_not_yaml(tmp_path: Path) -> None:
    """The place of the mistake is given."""
    path = tmp_path / "broken.yaml"
    path.write_text("version: 1\nrules: [", encoding="utf-8")
    assert_one_sentence(run_keyshift("rules", "map", path, "key"), code=2, says=f"{path}:")


def test_a_rules_file_of_bytes_that_are_no_text(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are an input error, too."""
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00rules")
    assert_one_sentence(run_keyshift("rules", "map", path, "key"), code=2, says=str(path))


def test_a_full_disk_on_the_server(standin: Server, standin_process: StandIn, tmp_path: Path) -> None:
    """The server's lack of room is called what it is."""
    site = Site(standin, tmp_path)
    site.put("old/a", b"a")
    standin_process.inject(
        Fault("SendMessageBatch", count=50, status=500, code="InternalError", message="write: no space left on device")
    )
    answer = run_keyshift("backfill", "--list", "--json", more={**standin.keys, **site.environment()})
    assert "free or add storage" in assert_one_sentence(answer, code=1, says="no room left")


def test_an_unreachable_endpoint(standin: Server, tmp_path: Path) -> None:
    """The address is named, and what to check."""
    more = variables(standin, tmp_path, "any-bucket", AWS_ENDPOINT_URL="http://127.0.0.1:1")
    answer = run_keyshift("backfill", "--list", "--dry-run", "--json", more=more)
    assert "check the network and AWS_ENDPOINT_URL" in assert_one_sentence(answer, code=1, says="127.0.0.1:1")


def test_an_endpoint_that_is_no_url(standin: Server, tmp_path: Path) -> None:
    """A malformed address is wrong use."""
    more = variables(standin, tmp_path, "any-bucket", AWS_ENDPOINT_URL="not a url")
    answer = run_keyshift("backfill", "--list", "--dry-run", "--json", more=more)
    assert_one_sentence(answer, code=2, says="AWS_ENDPOINT_URL")


def test_settings_that_are_missing() -> None:
    """Every missing setting is named with its variable; nothing else is said."""
    answer = run_keyshift("status")
    assert answer.returncode == 2
    assert "Traceback" not in answer.stderr
    assert "KEYSHIFT_RULES_FILE" in answer.stderr
    assert "KEYSHIFT_TABLE" in answer.stderr


def test_a_missing_table_ends_the_worker(standin: Server, tmp_path: Path) -> None:
    """A worker without its table does not spin: it says what is missing and ends with 1."""
    answer = run_keyshift("worker", more=variables(standin, tmp_path, new_name("worker")), seconds=60)
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    assert "does not exist: create it" in answer.stderr.strip().splitlines()[-1]


def test_doctor_names_everything_that_is_missing(standin: Server, tmp_path: Path) -> None:
    """Nothing was created: buckets, table, proven rules, both queues and the bus each fail on a line of their own."""
    more = variables(standin, tmp_path, new_name("doctor"), KEYSHIFT_BUS="no-bus")
    answer = run_keyshift("doctor", more=more)
    failed = [line for line in answer.stdout.splitlines() if line.startswith("fail")]
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    assert len(failed) == 7, answer.stdout


@pytest.mark.parametrize("command", [("status",), ("rules", "check", "FILE"), ("--help",)])
def test_a_standard_output_without_room(command: tuple[str, ...], standin: Server, tmp_path: Path) -> None:
    """What was to be shown did not come: exit code 1, one sentence, also where only the last flush fails."""
    site = Site(standin, tmp_path)
    words = [str(site.settings.rules_file) if word == "FILE" else word for word in command]
    with Path("/dev/full").open("w") as full:
        answer = subprocess.run(  # noqa: S603  # ourselves
            [sys.executable, "-m", "handlers.cli", *words],
            env=environment({**standin.keys, **site.environment()}),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (
        answer.stderr == "keyshift: the output cannot be written or read: No space left on device; correct that first\n"
    )
    assert answer.returncode == 1


def test_a_reader_that_leaves_early(tmp_path: Path) -> None:
    """``keyshift … | head``: nothing is said, whether much was still to come or only the last flush."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES.format(bucket="any-bucket"), encoding="utf-8")
    for keys in (1, 50_000):
        command = [sys.executable, "-m", "handlers.cli", "rules", "map", str(rules)]
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "wb") as pipe:
            answer = subprocess.run(  # noqa: S603  # ourselves
                command, env=environment(), input=b"old/k\n" * keys, stdout=pipe, stderr=subprocess.PIPE, check=False
            )
        assert answer.stderr == b""
        assert answer.returncode == 1


def test_files_that_cannot_be_written(standin: Server, tmp_path: Path) -> None:
    """Each is named with its option; what a plan found is shown all the same, and nothing but a file is replaced."""
    bucket = new_name("unwritable")
    standin.client("s3").create_bucket(Bucket=bucket)
    standin.client("s3").put_object(Bucket=bucket, Key="old/a", Body=b"a")
    more = variables(standin, tmp_path, bucket)
    rules, absent = more["KEYSHIFT_RULES_FILE"], tmp_path / "absent" / "file"
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for place in (absent, tmp_path, fifo):
        answer = run_keyshift("plan", rules, "--list", "--out", place, more=more)
        assert "give another --out" in assert_one_sentence(answer, code=2, says=str(place))
    assert fifo.is_fifo()
    for place in (absent, tmp_path):
        answer = run_keyshift("plan", rules, "--list", "--html", place, more=more)
        assert "give another --html" in assert_one_sentence(answer, code=2, says=str(place))
        assert "1 objects" in answer.stdout
    answer = run_keyshift("init", bucket, "--out", absent, "--env", tmp_path / "env", more=more)
    assert "give another --out" in assert_one_sentence(answer, code=2, says=str(absent))
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    site = Site(standin, tmp_path)
    answer = run_keyshift("verify", "--out", folder, more={**more, **site.environment()})
    assert "choose another place with --out" in assert_one_sentence(answer, code=2, says=str(folder))


def test_an_inventory_that_is_not_there(standin: Server, tmp_path: Path) -> None:
    """The object is named; nobody is told that it is tried again."""
    bucket = new_name("inventory")
    standin.client("s3").create_bucket(Bucket=bucket)
    more, place = variables(standin, tmp_path, bucket), f"s3://{bucket}/all/2026-11-22T01-00Z/manifest.json"
    for command in (("plan", more["KEYSHIFT_RULES_FILE"]), ("backfill", "--dry-run"), ("init", bucket)):
        answer = run_keyshift(*command, "--inventory", place, more=more)
        assert "give the manifest.json of a whole report" in assert_one_sentence(answer, code=2, says=place)


def test_a_proxy_that_answers_for_aws(standin: Server, tmp_path: Path) -> None:
    """A pause that nobody at AWS has seen is no pause, and a bucket that nobody listed is not empty."""
    with answering(200, b"<html>log in</html>", "text/html") as url:
        more = variables(standin, tmp_path, "any-bucket", AWS_ENDPOINT_URL=url)
        for command in (("pause",), ("backfill", "--list", "--dry-run"), ("dlq", "list"), ("uploads",)):
            answer = run_keyshift(*command, more=more)
            assert "check AWS_ENDPOINT_URL; run the command again" in assert_one_sentence(answer, code=1, says=" on ")
            assert answer.stdout == ""


def test_a_refusal_names_the_permission(standin: Server, tmp_path: Path) -> None:
    """The word that goes into the policy, which is often not the call's."""
    denied = b'{"__type": "x#AccessDeniedException", "message": "not authorized"}'
    with answering(400, denied, "application/x-amz-json-1.0") as url:
        more = variables(standin, tmp_path, "any-bucket", AWS_ENDPOINT_URL=url)
        assert_one_sentence(run_keyshift("pause", more=more), code=1, says="give the role dynamodb:GetItem")
        assert_one_sentence(run_keyshift("dlq", "list", more=more), code=1, says="give the role sqs:GetQueueAttributes")


def test_nothing_left_behind_is_said(standin: Server, tmp_path: Path) -> None:
    """``uploads`` without an upload says so, and is silent for machines."""
    site = Site(standin, tmp_path)
    more = {**standin.keys, **site.environment()}
    assert run_keyshift("uploads", more=more).stdout == "no upload is abandoned\n"
    assert run_keyshift("uploads", "--json", more=more).stdout == ""
