"""ReportedObjects: the fake, and the file made of inventories in each format, keep one contract."""

import gzip
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.duckdb.reported_objects import ReportedObjectsFile
from adapters.inventory.files import opened_inventory
from domain.errors import InputError
from domain.keys import Location
from domain.lifecycle.ports import ReportedObjects
from domain.lifecycle.reported import ReportedObject
from tests.fakes.lifecycle import InMemoryReportedObjects
from tests.inventories import BUCKET, altered, data_file, resealed, write_rows

ETAG = "a" * 32
AT = datetime(2026, 11, 20, 1, 2, 3, tzinfo=UTC)
ROW = {
    "version_id": "v1",
    "is_latest": True,
    "is_delete_marker": False,
    "size": 4,
    "e_tag": ETAG,
    "storage_class": "STANDARD_IA",
    "encryption_status": "SSE-S3",
    "object_lock_mode": "",
    "object_lock_retain_until_date": "",
    "object_lock_legal_hold_status": "OFF",
    "last_modified_date": AT.replace(tzinfo=None),
}
SHOWN = ReportedObject(ETAG, 4, "v1", AT.timestamp(), "STANDARD_IA", "SSE-S3", is_plain=True)
PREFIXES = ("old/", "new/")
Row = Mapping[str, Any]
Make = Callable[[Sequence[Row]], ReportedObjects]
FORMATS = ("Parquet", "CSV", "ORC")
ROOT = Path(__file__).resolve().parents[2]


def shown(row: Row) -> ReportedObject:
    """A row of a test as the port shows it, for the fake."""
    is_marker, is_plain = row["is_delete_marker"], "KMS" not in row["encryption_status"] and not row["object_lock_mode"]
    return ReportedObject(
        None if is_marker else row["e_tag"],
        row["size"],
        row["version_id"],
        AT.timestamp(),
        row["storage_class"] or None,
        row["encryption_status"],
        is_plain=is_plain and bool(row["encryption_status"]),
    )


@pytest.fixture(params=("fake", *FORMATS))
def reported(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes the objects of these rows."""
    made: list[ReportedObjectsFile] = []

    def make(rows: Sequence[Row]) -> ReportedObjects:
        if request.param == "fake":
            current = [row for row in rows if row["is_latest"] and row["key"].startswith(PREFIXES)]
            return InMemoryReportedObjects(7.0, [(Location(BUCKET, row["key"]), shown(row)) for row in current])
        one = ReportedObjectsFile(until=7.0)
        made.append(one)
        with opened_inventory(str(write_rows(tmp_path, rows, file_format=request.param, files=2)), None) as local:
            one.add_inventory(local, PREFIXES)
        return one

    yield make
    for one in made:
        one.close()


def row(key: str, **changes: Any) -> Row:
    """A row of the current object at the key."""
    return ROW | {"key": key} | changes


def place(key: str) -> Location:
    """In the bucket of the inventory."""
    return Location(BUCKET, key)


def test_each_object_is_found_under_its_own_key(reported: Make) -> None:
    """Keys that CSV encodes, and what the columns say."""
    keys = ["old/a", "old/a b+c%25é", "new/ü\nñ", "old//double", "new/q?x=1&y=2"]
    objects = reported([row(key, e_tag=f"{number:032x}") for number, key in enumerate(keys)])
    assert objects.until == 7.0
    found = objects.find_objects([*map(place, keys), place("old/absent"), Location("other", "old/a")])
    assert {one.key: seen.etag for one, seen in found.items()} == {
        key: f"{number:032x}" for number, key in enumerate(keys)
    }
    assert reported([row("old/b")]).find_objects([place("old/b")]) == {place("old/b"): SHOWN}


def test_more_places_than_are_asked_at_once(reported: Make) -> None:
    """None is lost between two requests."""
    keys = [f"old/{number}" for number in range(2_100)]
    assert len(reported([row(key) for key in keys]).find_objects([place(key) for key in keys])) == len(keys)


def test_a_key_that_is_named_twice_is_not_found(reported: Make) -> None:
    """A report may show an object beside its successor; so may a current delete marker stand beside an object."""
    objects = reported(
        [
            row("old/twice"),
            row("old/twice", version_id="v2"),
            row("old/deleted"),
            row("old/deleted", is_delete_marker=True, version_id="m", e_tag=None, size=None),
            row("old/once"),
        ]
    )
    assert set(objects.find_objects([place("old/twice"), place("old/deleted"), place("old/once")])) == {
        place("old/once")
    }


def test_earlier_versions_are_not_the_object(reported: Make) -> None:
    """Nor is a current delete marker, whose row has no etag."""
    objects = reported(
        [
            row("old/a", version_id="v0", is_latest=False),
            row("old/a"),
            row("old/gone", version_id="v0", is_latest=False),
            row("old/gone", version_id="m", is_delete_marker=True),
        ]
    )
    found = objects.find_objects([place("old/a"), place("old/gone")])
    assert found[place("old/a")] == SHOWN
    assert found[place("old/gone")].etag is None


def test_keys_beside_the_migration_are_not_stored(reported: Make) -> None:
    """They need no room."""
    assert not reported([row("logs/a"), row("oldest/a")]).find_objects([place("logs/a"), place("oldest/a")])


@pytest.mark.parametrize(
    "changes",
    [
        {"encryption_status": "SSE-KMS"},
        {"encryption_status": ""},
        {"object_lock_mode": "GOVERNANCE"},
    ],
    ids=str,
)
def test_a_key_or_a_lock_that_is_not_ruled_out_is_told(reported: Make, changes: Row) -> None:
    """An empty status rules nothing out."""
    found = reported([row("old/a", **changes)]).find_objects([place("old/a")])[place("old/a")]
    assert (found.is_plain, found.encryption) == (False, changes.get("encryption_status", "SSE-S3"))


def test_two_inventories_are_kept_apart(tmp_path: Path) -> None:
    """The same key in two buckets is two objects."""
    objects = ReportedObjectsFile(until=7.0)
    for bucket, etag in (("one", ETAG), ("two", "b" * 32)):
        manifest = write_rows(tmp_path / bucket, [row("old/a", bucket=bucket, e_tag=etag)])
        with opened_inventory(str(altered(manifest, sourceBucket=bucket)), None) as local:
            objects.add_inventory(local, ("",))
    found = objects.find_objects([Location("one", "old/a"), Location("two", "old/a")])
    assert {place.bucket: seen.etag for place, seen in found.items()} == {"one": ETAG, "two": "b" * 32}
    objects.close()


@pytest.mark.parametrize("file_format", ["Parquet", "CSV"])
def test_an_empty_column_is_no_value(tmp_path: Path, file_format: str) -> None:
    """A report without the optional columns proves nothing, and an empty text is not a value either."""
    objects = ReportedObjectsFile(until=7.0)
    bare = write_rows(tmp_path, [{"key": "old/a", "e_tag": "", "storage_class": ""}], file_format=file_format)
    with opened_inventory(str(bare), None) as local:
        objects.add_inventory(local, PREFIXES)
    seen = objects.find_objects([place("old/a")])[place("old/a")]
    assert not seen.etag
    assert (seen.size, seen.version_id, seen.last_modified, seen.storage_class) == (None, None, None, None)
    assert (seen.encryption, seen.is_plain) == ("", False)
    objects.close()


def test_a_row_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """With its file, so that it is fetched again; nothing is taken for absent."""
    manifest = write_rows(tmp_path, [row("old/a")], file_format="CSV")
    path = data_file(manifest)
    text = gzip.decompress(path.read_bytes()).decode()
    path.write_bytes(gzip.compress(text.replace('"4"', '"four"').encode()))
    objects = ReportedObjectsFile(until=7.0)
    with (
        opened_inventory(str(resealed(manifest)), None) as local,
        pytest.raises(InputError, match="row 1: it cannot be read"),
    ):
        objects.add_inventory(local, PREFIXES)
    objects.close()


_SHOWS_DATE = """
import sys
from adapters.duckdb.reported_objects import ReportedObjectsFile
from adapters.inventory.files import opened_inventory
from domain.keys import Location
objects = ReportedObjectsFile(until=7.0)
with opened_inventory(sys.argv[1], None) as local:
    objects.add_inventory(local, ("old/",))
place = Location(local.inventory.source_bucket, "old/a")
print(objects.find_objects([place])[place].last_modified)
objects.close()
"""


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin"])
def test_a_date_is_in_utc_whatever_the_zone_of_the_machine(tmp_path: Path, file_format: str, zone: str) -> None:
    """An object that is overwritten after keyshift's copy must not look hours older."""
    manifest = write_rows(tmp_path, [row("old/a")], file_format=file_format)
    environment = os.environ | {"TZ": zone, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", _SHOWS_DATE, str(manifest)]
    done = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)  # noqa: S603  # ours
    assert float(done.stdout) == AT.timestamp()
