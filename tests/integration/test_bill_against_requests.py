"""The plan's bill against the requests that the workers then send, recorded at the SDK."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from adapters.duckdb.plan import DuckDbPlanner
from adapters.duckdb.saved_plan import shares_of_plan
from adapters.inventory.files import opened_inventory
from adapters.inventory.rows import read_rows
from adapters.s3.listing import S3ObjectListing
from adapters.s3.requests import Owners
from domain.planning.estimate import estimate
from domain.planning.figures import Cutting, PlanFigures
from domain.planning.prices import Prices
from handlers.bootstrap.planning import plan_rows
from tests.inventories import altered, write_rows
from tests.servers import Server
from tests.worlds.site import SITE_RULES, Site
from tests.worlds.site_requests import move

ABOVE = 10_000
CUTTING = Cutting(ABOVE, 5 * 2**20)
PROMISES = SITE_RULES.replace(
    "source: {{bucket: {bucket}}}",
    "source: {{bucket: {bucket}, storage_class: STANDARD, encryption: AES256, object_lock: none}}",
)
COPIES = ("S3 copies", "S3 copies into infrequent access")
READS = ("HeadObject", "GetObjectTagging", "ListObjectAnnotations")
PARTS = ("CreateMultipartUpload", "UploadPartCopy", "CompleteMultipartUpload")
NO_LOCK = dict.fromkeys(("object_lock_mode", "object_lock_retain_until_date", "object_lock_legal_hold_status"), "")


def filled(site: Site) -> None:
    """One object of each kind that costs requests of its own, and two of the commonest."""
    for key in ("old/1", "old/2"):
        site.put(key, b"x")
    site.put("old/large", b"x" * (ABOVE + 1))
    site.put("old/empty", b"")
    site.put("old/ia", b"x", StorageClass="STANDARD_IA")
    put_in_parts(site, "old/parts")
    put_in_parts(site, "old/parts-and-key", ServerSideEncryption="aws:kms")
    site.put("elsewhere", b"x")


def put_in_parts(site: Site, key: str, **more: Any) -> None:
    """An upload in parts, whose checksum is of the parts too."""
    s3: Any = site.clients.s3
    begun = s3.create_multipart_upload(Bucket=site.name, Key=key, ChecksumAlgorithm="CRC32", **more)["UploadId"]
    part = {"PartNumber": 1, "UploadId": begun, "ChecksumAlgorithm": "CRC32"}
    sent = s3.upload_part(Bucket=site.name, Key=key, Body=b"x" * 10, **part)
    parts = [{"PartNumber": 1, "ETag": sent["ETag"], "ChecksumCRC32": sent["ChecksumCRC32"]}]
    s3.complete_multipart_upload(Bucket=site.name, Key=key, UploadId=begun, MultipartUpload={"Parts": parts})


def report(site: Site, folder: Path, *, without: tuple[str, ...] = ()) -> Path:
    """An inventory of the site with every column, but the ones named."""
    rows = []
    for key in site.keys(""):
        seen = site.clients.s3.head_object(Bucket=site.name, Key=key)
        etag, kms = seen["ETag"].strip('"'), "kms" in seen.get("ServerSideEncryption", "")
        row = {
            "bucket": site.name,
            "key": key,
            "size": seen["ContentLength"],
            "e_tag": etag,
            "storage_class": seen.get("StorageClass", "STANDARD"),
            "is_multipart_uploaded": "-" in etag,
            "encryption_status": "SSE-KMS" if kms else "SSE-S3",
            **NO_LOCK,
        }
        rows.append({name: value for name, value in row.items() if name not in without})
    return altered(write_rows(folder / "inventory", rows), sourceBucket=site.name)


def listing_of(site: Site) -> S3ObjectListing:
    """What ``--list`` reads."""
    return S3ObjectListing(site.clients, owners=Owners({}))


def compare(figures: PlanFigures, counts: Counter[str]) -> None:
    """Line by line."""
    bill = {line.name: line.requests for line in estimate(figures, Prices(), concurrency=1).lines}
    assert sum(counts[name] for name in READS) == bill.get("S3 reads", 0) == figures.reads
    assert counts["CopyObject"] == sum(bill.get(name, 0) for name in COPIES)
    assert sum(counts[name] for name in PARTS) == bill.get("S3 parts of large objects", 0)


def test_the_bill_of_a_listing_counts_the_looks(standin: Server, tmp_path: Path) -> None:
    """A listing rules out neither key nor lock, so each object is looked at before its copy."""
    site = Site(standin, tmp_path, lane=False, multipart_above=ABOVE)
    filled(site)
    figures = DuckDbPlanner(site.process.rules).plan_listing(listing_of(site), cutting=CUTTING)
    counts = move(site, listing_of(site).list_objects(site.name))
    compare(figures, counts)
    assert (counts["CopyObject"], counts["HeadObject"]) == (4, 4 + 2 * 3)


def test_what_the_rules_promise_costs_no_look(standin: Server, tmp_path: Path) -> None:
    """Class, key and lock are known of every object of the listing."""
    site = Site(standin, tmp_path, lane=False, multipart_above=ABOVE, rules_text=PROMISES)
    for number in range(3):
        site.put(f"old/{number}", b"x")
    figures = DuckDbPlanner(site.process.rules).plan_listing(listing_of(site), cutting=CUTTING)
    counts = move(site, listing_of(site).list_objects(site.name))
    compare(figures, counts)
    assert (counts["CopyObject"], counts["HeadObject"]) == (3, 0)


@pytest.mark.parametrize(
    ("without", "looks"),
    [((), 3 * 2), (("encryption_status",), 4 + 3 * 2), (("object_lock_retain_until_date",), 4 + 3 * 2)],
)
def test_the_bill_of_an_inventory_counts_the_looks(
    standin: Server, tmp_path: Path, without: tuple[str, ...], looks: int
) -> None:
    """With every column only what is copied in parts is looked at; a missing one costs a look an object."""
    site = Site(standin, tmp_path, lane=False, multipart_above=ABOVE)
    filled(site)
    with opened_inventory(str(report(site, tmp_path, without=without)), site.clients) as local:
        figures = DuckDbPlanner(site.process.rules).plan_inventory(local, cutting=CUTTING)
        (path,) = local.paths.values()
        counts = move(site, read_rows(path, local.inventory))
    compare(figures, counts)
    assert counts["HeadObject"] == looks


@pytest.mark.parametrize(("without", "looks"), [((), 3 * 2), (("object_lock_mode",), 4 + 3 * 2)])
def test_a_saved_plan_costs_what_its_inventory_does(
    standin: Server, tmp_path: Path, without: tuple[str, ...], looks: int
) -> None:
    """It keeps what rules out a key and a lock, and where the inventory could not say, neither can the plan."""
    site = Site(standin, tmp_path, lane=False, multipart_above=ABOVE)
    filled(site)
    saved = tmp_path / "plan.parquet"
    with opened_inventory(str(report(site, tmp_path, without=without)), site.clients) as local:
        figures = DuckDbPlanner(site.process.rules).plan_inventory(local, cutting=CUTTING, out=saved)
    assert shares_of_plan(saved, site.process.rules, CUTTING).reads == figures.reads
    with plan_rows(saved, site.name) as (_, files):
        (rows,) = files.values()
        counts = move(site, rows(0))
    compare(figures, counts)
    assert counts["HeadObject"] == looks


def test_rows_without_an_etag_cost_a_look_at_both_keys(standin: Server, tmp_path: Path) -> None:
    """And the source's tags; without its class and size too."""
    site = Site(standin, tmp_path, lane=False, multipart_above=ABOVE)
    filled(site)
    with opened_inventory(str(report(site, tmp_path, without=("e_tag", "size"))), site.clients) as local:
        figures = DuckDbPlanner(site.process.rules).plan_inventory(local, cutting=CUTTING)
        (path,) = local.paths.values()
        counts = move(site, read_rows(path, local.inventory))
    assert sum(counts[name] for name in READS) == 7 * 3 + 3
    assert figures.reads == 7 * 4, "an object of unknown size may be copied in parts"
