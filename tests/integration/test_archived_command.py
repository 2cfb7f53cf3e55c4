"""``keyshift archived`` on the stand-in: parked sources are restored once, and copied by an event or a look."""

import json
from pathlib import Path
from typing import Any

import pytest

from domain.keys import Location
from domain.lifecycle.archives import Reading, reading_of
from domain.protocol.causes import Cause
from domain.protocol.record import State
from tests.e2e.command_line import assert_one_sentence, run_keyshift
from tests.e2e.workers import running_workers, wait_until
from tests.servers import Server
from tests.worlds.site import SITE_RULES, Site, deliver, variables

pytestmark = pytest.mark.slow("runs the command as processes, and waits for restores")

RESTORING = SITE_RULES + "restore: {{tier: bulk, days: 3, at_most: 2}}\n"


def parked_site(standin: Server, folder: Path, *, rules: str = RESTORING) -> Site:
    """Three archived sources and one that is not, after their events were worked off."""
    site = Site(standin, folder, rules_text=rules)
    for key in ("old/a", "old/b"):
        site.put(key, b"cold", StorageClass="GLACIER")
    site.put("old/deep", b"coldest", StorageClass="DEEP_ARCHIVE")
    site.put("old/warm", b"warm")
    deliver(site)
    for key in ("old/a", "old/b", "old/deep"):
        record = site.dependencies.ports.manifest.read_record(Location(site.name, key).record_id)
        assert record is not None
        assert (record.state, record.cause) == (State.PARKED, Cause.ARCHIVED)
    return site


def told(site: Site, standin: Server, *arguments: str) -> dict[str, Any]:
    """The figures of one look."""
    answer = run_keyshift("archived", *arguments, "--json", more=variables(site, standin))
    figures: dict[str, Any] = json.loads(answer.stdout)
    return figures


def readings(site: Site) -> list[Reading]:
    """What each source waits for."""
    look = site.dependencies.ports.store.look_at_object
    return [reading_of(look(Location(site.name, key))) for key in ("old/a", "old/b", "old/deep")]


def test_a_look_and_a_dry_run_change_nothing(standin: Server, tmp_path: Path) -> None:
    """They count, and say what it would cost."""
    site = parked_site(standin, tmp_path)
    answer = run_keyshift("archived", more=variables(site, standin))
    assert answer.returncode == 1
    assert "archived    3, 15 bytes (DEEP_ARCHIVE 1, GLACIER 2)" in answer.stdout
    dry = run_keyshift("archived", "--restore", more=variables(site, standin))
    assert dry.returncode == 0
    assert "would begin 2, bulk, typically within " in dry.stdout
    assert "no room     1: at most 2 are under way at once" in dry.stdout
    assert "dry run: nothing was restored" in dry.stderr
    assert readings(site) == [Reading.ARCHIVED] * 3


def test_as_many_are_restored_as_the_rules_allow_and_each_is_copied_by_its_event(
    standin: Server, tmp_path: Path
) -> None:
    """A second run finds two under way, and begins none."""
    site = parked_site(standin, tmp_path)
    begun = told(site, standin, "--restore", "--yes")
    assert (begun["begun"], begun["no_room"], begun["failed"]) == (2, 1, 0)
    assert readings(site).count(Reading.ARCHIVED) == 1
    wait_until(lambda: readings(site).count(Reading.READABLE) == 2)
    wait_until(lambda: _delivered(site) == 3)
    assert told(site, standin)["archived"] == 1


def _delivered(site: Site) -> int:
    deliver(site)
    return len(site.keys("new/"))


def test_waiting_restores_the_rest_and_serves_what_no_event_told(standin: Server, tmp_path: Path) -> None:
    """Live capture is off, so only the looks of --wait send the sources on; a worker copies them meanwhile."""
    site = parked_site(standin, tmp_path)
    site.clients.s3.put_bucket_notification_configuration(Bucket=site.name, NotificationConfiguration={})
    with running_workers(1, more=variables(site, standin), folder=tmp_path):
        answer = run_keyshift(
            "archived", "--restore", "--yes", "--wait", "--every", "1", "--json", more=variables(site, standin)
        )
    assert answer.returncode == 0, answer.stderr
    looks = [json.loads(line) for line in answer.stdout.splitlines()]
    assert sum(look["begun"] for look in looks) == 3
    assert max(look["restoring"] for look in looks) <= 2
    assert sorted(site.keys("new/")) == ["new/a", "new/b", "new/deep", "new/warm"]


def test_rules_that_restore_nothing_are_told(standin: Server, tmp_path: Path) -> None:
    """The answer names the line to write."""
    site = parked_site(standin, tmp_path, rules=SITE_RULES)
    answer = run_keyshift("archived", "--restore", more=variables(site, standin))
    assert_one_sentence(answer, code=2, says="write `restore: {tier: bulk, days: 7, at_most: 1000}` there")
    waits = run_keyshift("archived", "--wait", more=variables(site, standin))
    assert_one_sentence(waits, code=2, says="give --restore --yes as well")
