"""Gates that must not open by mistake, as an operator meets them: each world here opened one of them once."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command_line import run_keyshift
from tests.inventories import altered, write_rows
from tests.worlds.desk import Desk, desk
from tests.worlds.site import Site

__all__ = ["desk"]


def begun(desk: Desk, *keys: str) -> Site:
    """A live migration whose objects are copied and verified."""
    desk.run("start", "--yes", "--probes", "1", "--wait", "60")
    for key in keys:
        desk.site.put(key, f"body of {key}".encode())
    desk.work()
    desk.run("verify")
    return desk.site


def without_capture(site: Site) -> None:
    """Another program replaces the bucket's notifications, as Terraform's aws_s3_bucket_notification does."""
    site.clients.s3.put_bucket_notification_configuration(Bucket=site.name, NotificationConfiguration={})


def shut_gates(desk: Desk, *arguments: str) -> dict[str, dict[str, Any]]:
    """The gates that hold, by name."""
    told = desk.run("cutover", *arguments, code=1)
    return {one["gate"]: one for one in told if "gate" in one and not one["open"] and not one["accepted"]}


@pytest.mark.slow("runs many commands as processes; the gates have unit tests too")
def test_a_cut_over_without_live_capture_is_refused(desk: Desk) -> None:
    """Another program took the notification away; the gate says that it is gone and how to switch it on."""
    site = begun(desk, "old/a")
    without_capture(site)
    for arguments in ((), ("--yes",)):
        shut = shut_gates(desk, *arguments)
        assert set(shut) == {"capture"}
        assert "keyshift start" in shut["capture"]["remedy"]


@pytest.mark.slow("runs many commands as processes; the gates have unit tests too")
def test_what_an_owner_wrote_while_capture_was_gone_is_seen_by_the_listing(desk: Desk) -> None:
    """No event told of the new bytes or of the delete; capture that is back again proves nothing about the gap."""
    site = begun(desk, "old/a", "old/b", "old/c")
    without_capture(site)
    site.put("old/a", b"newer")
    site.clients.s3.delete_object(Bucket=site.name, Key="old/b")
    desk.run("start", "--yes", "--probes", "1", "--wait", "60")
    shut = shut_gates(desk, "--yes", "--most-lag", "0")
    assert set(shut) - {"lag"} == {"changed"}
    assert shut["changed"]["says"].startswith("2 ")
    assert shut["changed"]["remedy"] == "keyshift verify --requeue"


@pytest.mark.slow("runs many commands as processes; the gates have unit tests too")
def test_a_queue_without_dead_letters_shuts_its_gate(desk: Desk) -> None:
    """Nothing can tell what such a queue has dropped: unknown is not zero, in the gate and in what status shows."""
    site = begun(desk, "old/a")
    site.clients.sqs.set_queue_attributes(QueueUrl=site.events.url, Attributes={"RedrivePolicy": ""})
    shut = shut_gates(desk, "--yes")
    assert set(shut) == {"dead events"}
    assert "no dead-letter queue" in shut["dead events"]["says"]
    assert desk.run("status")[0]["queues"]["events"]["dead"] is None


def inventory_of(site: Site, folder: Path, began: datetime) -> Path:
    """A local CSV inventory of the bucket as it is now, whose scan began at that time."""
    answer = site.clients.s3.list_objects_v2(Bucket=site.name)
    rows = [
        {
            "bucket": site.name,
            "key": one["Key"],
            "size": one["Size"],
            "e_tag": one["ETag"].strip('"'),
            "last_modified_date": one["LastModified"].replace(tzinfo=None),
        }
        for one in answer["Contents"]
    ]
    manifest = write_rows(folder, rows, file_format="CSV")
    stamp = str(int(began.timestamp() * 1000))
    return altered(manifest, sourceBucket=site.name, creationTimestamp=stamp)


@pytest.mark.slow("runs many commands as processes; the gates have unit tests too")
def test_an_inventory_of_before_the_start_is_not_the_whole_truth(desk: Desk, tmp_path: Path) -> None:
    """What was written between the report and live capture is in neither: cut-over and verify refuse such a report."""
    desk.site.put("old/a", b"x")
    early = inventory_of(desk.site, tmp_path / "early", datetime.now(UTC))
    desk.site.put("old/between", b"in no report, and no event tells of it")
    desk.run("start", "--yes", "--probes", "1", "--wait", "60")
    desk.site.put("old/a", b"x")
    desk.work()
    for command in ("verify", "cutover"):
        told = run_keyshift(command, "--inventory", str(early), more=desk.more)
        assert told.returncode == 2, (told.stdout, told.stderr)
        assert "live capture" in told.stderr
        assert "omit --inventory" in told.stderr
    warned = run_keyshift("backfill", "--inventory", str(early), more=desk.more)
    assert warned.returncode == 0, warned.stderr
    assert "keyshift backfill --list" in warned.stderr
    late = inventory_of(desk.site, tmp_path / "late", datetime.now(UTC) + timedelta(days=3))
    assert run_keyshift("verify", "--inventory", str(late), more=desk.more).returncode in (0, 1)


@pytest.mark.slow("runs many commands as processes; the gates have unit tests too")
def test_a_migration_is_not_finished_while_sources_have_no_record(desk: Desk) -> None:
    """An object whose event never came is left where it is, and DONE cannot be undone."""
    site = begun(desk, "old/a")
    desk.run("cutover", "--yes")
    desk.run("cleanup", "--yes")
    site.clients.s3.delete_object(Bucket=site.name, Key="old/a")
    desk.work()
    without_capture(site)
    site.put("old/forgotten", b"no event tells of it")
    for more in ((), ("--keep-rest",)):
        told = desk.run("cleanup", "--finish", "--confirm", "site", *more, code=1)
        assert "old/forgotten" in told[-1]["refused"]
        assert "keyshift backfill --list" in told[-1]["refused"]


@pytest.mark.slow("runs many commands as processes; the gates have unit tests too")
def test_a_purge_that_leaves_copies_does_not_end_with_0(desk: Desk) -> None:
    """A copy whose source is absent stays: in this run, and in each later one until an operator has looked."""
    short = {"ATTEMPT": 4, "REQUEST": 2, "MARGIN": 1}
    desk.more |= {f"KEYSHIFT_{name}_SECONDS": str(seconds) for name, seconds in short.items()}
    site = begun(desk, "old/a", "old/b")
    desk.run("rollback", "--yes")
    site.clients.s3.delete_object(Bucket=site.name, Key="old/a")
    # CompleteMultipartUpload may take as long as five other requests.
    time.sleep(short["ATTEMPT"] + 5 * short["REQUEST"] + short["MARGIN"])
    assert {one["verdict"] for one in desk.run("rollback", "--purge")} == {"would-go"}
    told = {
        one["source"].rpartition("/")[2]: one["verdict"] for one in desk.run("rollback", "--purge", "--yes", code=1)
    }
    assert told == {"a": "held", "b": "purged"}
    assert "1 copies are left" in desk.said("rollback", "--purge", "--yes", code=1)
    assert site.read("new/a") == b"body of old/a"
