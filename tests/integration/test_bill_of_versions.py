"""The plan's bill of earlier versions against the requests that the workers then send, recorded at the SDK."""

from collections import Counter
from pathlib import Path

import pytest

from adapters.duckdb.plan import DuckDbPlanner
from adapters.s3.requests import Owners
from adapters.s3.version_listing import S3VersionListing
from domain.planning.estimate import estimate
from domain.planning.figures import Cutting
from domain.planning.prices import Prices
from tests.servers import Server
from tests.worlds.site import SITE_RULES, Site
from tests.worlds.site_requests import move

READS = ("HeadObject", "GetObjectTagging", "ListObjectAnnotations")
PARTS = ("CreateMultipartUpload", "UploadPartCopy", "CompleteMultipartUpload")
ABOVE = 10_000
LARGE = b"x" * (ABOVE + 1)
HISTORIES: dict[str, list[bytes | None]] = {
    "without a history": [b"1"],
    "written twice": [b"1", b"2"],
    "written four times": [b"1", b"2", b"3", b"4"],
    "deleted between": [b"1", None, b"2"],
    "deleted": [b"1", b"2", None],
    "deleted twice": [b"1", None, b"2", None],
    "large": [b"1", LARGE],
    "large before": [LARGE, b"1"],
}
"""Bodies of one key, oldest first; ``None`` is a delete."""


def versions_site(standin: Server, folder: Path) -> Site:
    """A versioned bucket in a migration that carries every version."""
    rules = SITE_RULES + "versions: all\n"
    return Site(standin, folder, lane=False, versioned=True, multipart_above=ABOVE, rules_text=rules)


def write(site: Site, key: str, bodies: list[bytes | None]) -> None:
    """The producer's history of a key."""
    for body in bodies:
        if body is None:
            site.clients.s3.delete_object(Bucket=site.name, Key=key)
        else:
            site.put(key, body)


def planned_and_sent(site: Site) -> tuple[dict[str, int], Counter[str]]:
    """The requests of each item of the bill, and what the workers then sent."""
    listing = S3VersionListing(site.clients, owners=Owners({}))
    figures = DuckDbPlanner(site.process.rules).plan_versions(listing, cutting=Cutting(ABOVE, 5 * 2**20))
    bill = {line.name: line.requests for line in estimate(figures, Prices(), concurrency=1).lines}
    return bill, move(site, listing.list_objects(site.name, prefix="old/"))


def compare(bill: dict[str, int], sent: Counter[str], *, too_many: int = 0) -> None:
    """Line by line; ``too_many`` reads are in the bill."""
    copies = bill.get("S3 copies", 0) + bill.get("S3 copies of earlier versions", 0)
    assert sent["CopyObject"] == copies
    assert sum(sent[name] for name in PARTS) == bill.get("S3 parts of large objects", 0)
    assert sent["ListObjectVersions"] == bill["S3 lists of versions"]
    assert sum(sent[name] for name in READS) == bill["S3 reads"] - too_many


@pytest.mark.parametrize("name", HISTORIES)
def test_the_bill_counts_what_a_history_takes(standin: Server, tmp_path: Path, name: str) -> None:
    """Copies, parts, lists of versions, reads, and writes of the record, of one key."""
    site = versions_site(standin, tmp_path)
    write(site, "old/key", HISTORIES[name])
    site.changes()
    bill, sent = planned_and_sent(site)
    written = [one for event in site.changes() for one in event["Records"]]
    assert len(written) == bill["DynamoDB writes"]
    # Where a delete comes right before the current version, no target is left whose tags are read.
    compare(bill, sent, too_many=1 if name == "deleted between" else 0)
    assert sent["DeleteObject"] == HISTORIES[name].count(None)
