"""A backfill of a versioned bucket with ``versions: all``, worked off as by a function: both keys have one history."""

from pathlib import Path
from typing import Any

import pytest

from adapters.s3.version_history import S3VersionHistory
from domain.keys import Location
from domain.protocol.record import State
from handlers.bootstrap.inspection import backfill_listing, inspector_of
from handlers.cli.versions_doctor import version_findings
from handlers.operations.backfill import DELETED, Fed, Feeder
from tests.servers import Server
from tests.worlds.site import SITE_RULES, Site
from tests.worlds.site_requests import move

HISTORIES: dict[str, list[bytes | None]] = {
    "once": [b"1"],
    "written again": [b"1", b"22", b"333"],
    "same bytes": [b"1", b"1"],
    "deleted between": [b"1", None, b"22"],
    "deleted": [b"1", b"22", None],
    "deleted and back": [b"1", None, b"1", None, b"22"],
}
TWICE: list[bytes | None] = [b"1", None, None]


@pytest.fixture
def site(standin: Server, tmp_path: Path) -> Site:
    """A versioned bucket in a migration that carries every version."""
    return Site(standin, tmp_path, versioned=True, rules_text=SITE_RULES + "versions: all\n")


def write(site: Site, key: str, bodies: list[bytes | None]) -> None:
    """The producer's history of a key, each version with metadata and a tag of its own; ``None`` is a delete."""
    for number, body in enumerate(bodies):
        if body is None:
            site.clients.s3.delete_object(Bucket=site.name, Key=key)
        else:
            site.put(key, body, Metadata={"number": str(number)}, Tagging=f"number={number}")


def history(site: Site, key: str) -> list[tuple[bytes, str, str] | None]:
    """What S3 has of a key, oldest first: bytes, metadata and tag of each version, ``None`` for a delete marker."""
    s3: Any = site.clients.s3
    found: list[tuple[bytes, str, str] | None] = []
    for one in S3VersionHistory(site.clients).list_versions(Location(site.name, key)):
        if one.is_marker:
            found.append(None)
            continue
        place = {"Bucket": site.name, "Key": key, "VersionId": one.version_id}
        answer = s3.get_object(**place)
        (tag,) = s3.get_object_tagging(**place)["TagSet"]
        found.append((answer["Body"].read(), answer["Metadata"]["number"], tag["Value"]))
    return found


def test_a_listing_backfill_carries_every_history(site: Site) -> None:
    """Also that of a deleted key, and once: the same backfill again changes nothing."""
    for name, bodies in HISTORIES.items():
        write(site, f"old/{name}", bodies)
    for _ in range(2):
        move(site, backfill_listing(site.process).list_objects(site.name, prefix="old/"))
        for name in HISTORIES:
            assert history(site, f"new/{name}") == history(site, f"old/{name}"), name
    states = {record.source.key: record.state for record in site.dependencies.ports.manifest.scan_records()}
    assert states.pop("old/deleted") is State.TOMBSTONE
    assert set(states.values()) == {State.COPIED}


def test_a_marker_that_hides_nothing_is_left_out(site: Site) -> None:
    """A second delete of a key makes one, and so does the delete of a key that never was."""
    write(site, "old/twice", TWICE)
    write(site, "old/never", [None])
    move(site, backfill_listing(site.process).list_objects(site.name, prefix="old/"))
    assert history(site, "new/twice") == history(site, "old/twice")[:2]
    assert history(site, "new/never") == []


def test_what_is_written_after_the_backfill_is_carried_too(site: Site) -> None:
    """A later backfill finds the versions that no event told of."""
    write(site, "old/key", [b"1", b"22"])
    move(site, backfill_listing(site.process).list_objects(site.name, prefix="old/"))
    write(site, "old/key", [None, b"333", b"4444"])
    move(site, backfill_listing(site.process).list_objects(site.name, prefix="old/"))
    assert history(site, "new/key") == history(site, "old/key")


def test_the_backfill_counts_deleted_keys_by_themselves(site: Site) -> None:
    """They are enqueued, and are not objects."""
    write(site, "old/deleted", [b"1", None])
    write(site, "old/there", [b"1"])
    fed = Fed()
    assert Feeder(site.process.rules, site.dependencies.backfill_queue).feed_listing(
        backfill_listing(site.process), fed, prefix="old/"
    )
    assert (fed.outcomes, fed.enqueued, fed.size) == ({"move": 1, DELETED: 1}, 2, 1)


def test_doctor_tries_to_read_an_earlier_version(site: Site) -> None:
    """Also one that a delete marker hides; before there is one, it says so."""
    write(site, "old/key", [b"1"])

    def told() -> list[str]:
        found = list(version_findings(site.process.rules, inspector_of(site.process)))
        assert {one.level for one in found} == {"ok"}
        return [one.text for one in found]

    assert "no earlier version was found" in told()[-1]
    site.clients.s3.delete_object(Bucket=site.name, Key="old/key")
    assert "an earlier one can be read" in told()[-1]
    site.clients.s3.put_bucket_versioning(Bucket=site.name, VersioningConfiguration={"Status": "Suspended"})
    levels = [one.level for one in version_findings(site.process.rules, inspector_of(site.process))]
    assert levels == ["fail", "warn", "ok"]
