"""What an operator does: doctor, backfill, status and uploads against a migration that is set up."""

import json
from pathlib import Path

import pytest

from adapters.doctor.conditions_probe import IGNORED, probe_conditions
from adapters.s3.requests import Owners
from domain.keys import Location
from tests.e2e.command_line import run_keyshift
from tests.servers import Server
from tests.worlds.objects import enforcing_policy
from tests.worlds.site import Site, variables

pytestmark = pytest.mark.slow("runs commands one after the other, each as a process")


@pytest.fixture
def site(credentials: Server, tmp_path: Path) -> Site:
    """A migration of one bucket."""
    return Site(credentials, tmp_path)


def test_doctor_finds_nothing_missing(site: Site, standin: Server) -> None:
    """Everything is there, the conditions are honoured, and the probe leaves nothing behind."""
    answer = run_keyshift("doctor", "--probe", "--json", more=variables(site, standin))
    findings = [json.loads(line) for line in answer.stdout.splitlines()]
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert [one for one in findings if one["level"] == "fail"] == []
    assert len([one for one in findings if one["text"] == "honoured"]) == 11
    assert site.keys("") == []


def test_doctor_says_where_copies_go_in_parts(site: Site, standin: Server) -> None:
    """A policy that enforces conditional writes is nothing to repair: exit code 0, and which way copies go."""
    site.clients.s3.put_bucket_policy(Bucket=site.name, Policy=enforcing_policy(site.name))
    answer = run_keyshift("doctor", "--probe", "--json", more=variables(site, standin))
    findings = [json.loads(line) for line in answer.stdout.splitlines()]
    assert answer.returncode == 0, answer.stdout + answer.stderr
    told = [one["part"] for one in findings if one["level"] == "warn" and "objects go in parts" in one["text"]]
    assert [name.partition(":")[0] for name in told] == ["CopyObject"] * 3
    assert len([one for one in findings if one["text"] == "honoured"]) == 8


def test_doctor_finds_the_client_that_lets_users_write_their_role(site: Site, standin: Server) -> None:
    """Exit code 1 and the client's name; its secret, which Cognito tells too, is not shown."""
    cognito = standin.client("cognito-idp")
    schema = [{"Name": "role", "AttributeDataType": "String", "Mutable": True}]
    pool_id = cognito.create_user_pool(PoolName=site.name, Schema=schema)["UserPool"]["Id"]
    client = cognito.create_user_pool_client(
        UserPoolId=pool_id, ClientName="web", WriteAttributes=["email", "custom:role"], GenerateSecret=True
    )["UserPoolClient"]
    answer = run_keyshift("doctor", "--user-pool", pool_id, more=variables(site, standin))
    assert answer.returncode == 1
    assert f"fail  user pool: a user of client web ({client['ClientId']}) can write custom:role" in answer.stdout
    assert client["ClientSecret"] not in answer.stdout + answer.stderr
    cognito.update_user_pool_client(UserPoolId=pool_id, ClientId=client["ClientId"], WriteAttributes=["email"])
    mended = run_keyshift("doctor", "--user-pool", pool_id, more=variables(site, standin))
    assert mended.returncode == 0, mended.stdout


def test_the_probe_sees_a_server_that_ignores_conditions(moto_endpoint: Server, site: Site) -> None:
    """Moto copies whatever the conditions say (emulators.md): the probe must not call that honoured."""
    other = moto_endpoint.client("s3")
    other.create_bucket(Bucket=site.name)
    clients = type(site.clients)(
        endpoint_url=moto_endpoint.endpoint_url, region="us-east-1", access_key_id="test", secret_access_key="test"
    )
    tried = probe_conditions(clients, target=Location(site.name, ""), owners=Owners())
    answers = {one.name: one.fault for one in tried}
    assert answers["CopyObject: If-Match on the source"] == IGNORED
    assert answers["CopyObject: If-None-Match on the target"] == IGNORED
    assert other.list_objects_v2(Bucket=site.name)["KeyCount"] == 0


def test_backfill_counts_first_and_then_enqueues(site: Site, standin: Server) -> None:
    """A dry run says what the real run then does; going on after the last key finds nothing more."""
    for number in range(3):
        site.put(f"old/{number}", b"x")
    site.put("other", b"x")
    more = variables(site, standin)
    command = ("backfill", "--list", "--json")
    dry = json.loads(run_keyshift(*command, "--dry-run", more=more).stdout)
    real = json.loads(run_keyshift(*command, more=more).stdout)
    assert dry["move"] == real["move"] == 3
    assert real["unmapped"] == 1
    (message,) = site.dependencies.backfill_queue.receive_messages(at_most=10, wait=1)
    assert [row["key"] for row in json.loads(message.body)["rows"]] == ["old/0", "old/1", "old/2"]
    again = run_keyshift(*command, "--after", real["last_key"], more=more)
    assert json.loads(again.stdout)["listed"] == 0


def test_status_counts_queues_and_records(site: Site, standin: Server) -> None:
    """One JSON object with what waits, and plain text without --json."""
    site.put("old/1", b"x")
    answer = run_keyshift("status", "--json", more=variables(site, standin))
    status = json.loads(answer.stdout)
    assert answer.returncode == 0, answer.stderr
    # The write, and S3's own test event from when the notification was configured.
    assert status["queues"]["events"] == {"waiting": 2, "in_work": 0, "dead": 0}
    assert status["records"] == {}
    assert not status["paused"]
    plain = run_keyshift("status", more=variables(site, standin))
    assert plain.stdout.split("events", 1)[1].split()[:3] == ["2", "0", "0"]


def test_uploads_are_listed_and_aborted_only_by_id_and_on_yes(site: Site, standin: Server) -> None:
    """An upload that no record names is shown; without its id and --yes nothing happens to it."""
    client = site.clients.s3
    upload_id = client.create_multipart_upload(Bucket=site.name, Key="new/large")["UploadId"]
    more = variables(site, standin)
    command = ("uploads", "--older-than", "0", "--json")
    listed = json.loads(run_keyshift(*command, more=more).stdout)
    assert (listed["upload_id"], listed["aborted"]) == (upload_id, False)
    dry = run_keyshift(*command, "--abort", upload_id, more=more)
    assert not json.loads(dry.stdout)["aborted"]
    assert "nothing was aborted" in dry.stderr
    theirs = client.create_multipart_upload(Bucket=site.name, Key="new/another-programs")["UploadId"]
    told = run_keyshift(*command, "--abort", upload_id, "--yes", more=more)
    assert {row["upload_id"]: row["aborted"] for row in map(json.loads, told.stdout.splitlines())} == {
        upload_id: True,
        theirs: False,
    }
    assert json.loads(run_keyshift(*command, more=more).stdout)["upload_id"] == theirs
    gone = run_keyshift(*command, "--abort", upload_id, "--yes", more=more)
    assert (gone.returncode, "is not among them" in gone.stderr) == (1, True)
    old_way = run_keyshift("uploads", "--abort", "--yes", more=more)
    assert (old_way.returncode, "needs the id of one upload" in old_way.stderr) == (2, True)
    assert json.loads(run_keyshift(*command, more=more).stdout)["upload_id"] == theirs
    client.abort_multipart_upload(Bucket=site.name, Key="new/another-programs", UploadId=theirs)
