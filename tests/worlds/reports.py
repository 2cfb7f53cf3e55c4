"""An inventory of a site's bucket as it is now, as S3 would report it."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.inventories import altered, write_rows
from tests.worlds.site import Site

Rows = list[dict[str, Any]]
_STATUSES = {None: "NOT-SSE", "AES256": "SSE-S3", "aws:kms": "SSE-KMS"}


def rows_of(site: Site) -> Rows:
    """A row of every version of every key; a bucket without versions has one version of each."""
    pages = site.clients.s3.get_paginator("list_object_versions").paginate(Bucket=site.name)
    return [row for page in pages for row in (*_versions(site, page), *_markers(site, page))]


def report_of(
    site: Site,
    folder: Path,
    *,
    began: float,
    file_format: str = "Parquet",
    change: Callable[[Rows], Rows] = lambda rows: rows,
) -> str:
    """The report's manifest; it began at that time (seconds since 1970), and ``change`` makes its rows others."""
    manifest = write_rows(folder, change(rows_of(site)), file_format=file_format)
    return str(altered(manifest, sourceBucket=site.name, creationTimestamp=str(int(began * 1000))))


def _versions(site: Site, page: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for one in page.get("Versions", ()):
        seen = site.clients.s3.head_object(Bucket=site.name, Key=one["Key"], VersionId=one["VersionId"])
        yield _row(site, one) | {
            "is_delete_marker": False,
            "size": one["Size"],
            "e_tag": one["ETag"].strip('"'),
            "storage_class": one["StorageClass"],
            "encryption_status": _STATUSES[seen.get("ServerSideEncryption")],
            "object_lock_legal_hold_status": "OFF",
        }


def _markers(site: Site, page: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for one in page.get("DeleteMarkers", ()):
        yield _row(site, one) | {"is_delete_marker": True}


def _row(site: Site, one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "bucket": site.name,
        "key": one["Key"],
        "version_id": one["VersionId"] if one["VersionId"] != "null" else None,
        "is_latest": one["IsLatest"],
        "last_modified_date": one["LastModified"].replace(tzinfo=None),
        "object_lock_mode": "",
        "object_lock_retain_until_date": "",
    }
