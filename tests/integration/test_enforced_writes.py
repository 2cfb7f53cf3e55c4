"""A bucket whose policy enforces conditional writes answers CopyObject with 501: workers go on in parts."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.duckdb.plan import DuckDbPlanner
from adapters.s3.listing import S3ObjectListing
from adapters.s3.requests import Owners
from domain.objects import ListedObject
from domain.planning.estimate import estimate
from domain.planning.figures import Cutting
from domain.planning.prices import Prices
from domain.protocol.attempt import InPartsOnly
from domain.protocol.record import Origin, State
from tests.servers import Server
from tests.worlds.objects import enforcing_policy
from tests.worlds.site import Site
from tests.worlds.site_requests import move

IN_PARTS = ("CreateMultipartUpload", "UploadPartCopy", "UploadPart", "CompleteMultipartUpload")
BODIES = {"old/empty": b"", "old/1": b"one", "old/2": b"two", "old/3": b"three"}


def enforcing_site(server: Server, folder: Path, **settings: Any) -> Site:
    """Objects with tags and metadata, then the policy."""
    site = Site(server, folder, captured=False, **settings)
    for key, body in BODIES.items():
        site.put(key, body, Metadata={"of": "owner"}, Tagging="stage=raw")
    site.clients.s3.put_bucket_policy(Bucket=site.name, Policy=enforcing_policy(site.name))
    return site


def rows_of(site: Site) -> list[ListedObject]:
    """What a backfill lists."""
    return list(S3ObjectListing(site.clients, owners=Owners({})).list_objects(site.name, prefix="old/"))


@pytest.mark.parametrize("lane", [True, False])
def test_every_object_arrives_complete_and_as_keyshifts_own(standin: Server, tmp_path: Path, *, lane: bool) -> None:
    """In the same receive: there is no failure, no conflict, and neither an upload nor an unsettled intent is left."""
    site = enforcing_site(standin, tmp_path, lane=lane)
    move(site, iter(rows_of(site)))
    for key, body in BODIES.items():
        seen = site.clients.s3.get_object(Bucket=site.name, Key=key.replace("old/", "new/"))
        assert (seen["Body"].read(), seen["Metadata"], seen["TagCount"]) == (body, {"of": "owner"}, 1)
        assert seen["ETag"].endswith('-1"')
    records = list(site.dependencies.ports.manifest.scan_records())
    assert {(one.state, one.origin, one.maybe, one.upload) for one in records} == {
        (State.COPIED, Origin.CREATED, frozenset(), None)
    }
    assert len(records) == len(BODIES)
    assert "Uploads" not in site.clients.s3.list_multipart_uploads(Bucket=site.name)


def test_the_bucket_is_asked_once_and_the_plan_has_the_price_of_what_follows(standin: Server, tmp_path: Path) -> None:
    """What a worker asks for after its first object is what ``plan --multipart-above 0`` counts."""
    site = enforcing_site(standin, tmp_path, lane=False, concurrency=1)
    first, *others = rows_of(site)
    assert move(site, iter([first]))["CopyObject"] == 1
    counts = move(site, iter(others))
    figures = DuckDbPlanner(site.process.rules).plan_listing(
        S3ObjectListing(site.clients, owners=Owners({})), cutting=Cutting(above=0)
    )
    bill = {line.name: line.requests for line in estimate(figures, Prices(), concurrency=1).lines}
    parts = sum(counts[name] for name in IN_PARTS)
    assert counts["CopyObject"] == 0
    assert parts * len(BODIES) == bill["S3 parts of large objects"] * len(others)


def test_another_process_learns_it_for_itself(standin: Server, tmp_path: Path) -> None:
    """Nothing of it is stored: a policy that was changed is met as it is."""
    site = enforcing_site(standin, tmp_path, lane=False, concurrency=1)
    first, second, *_ = rows_of(site)
    move(site, iter([first]))
    site.clients.s3.delete_bucket_policy(Bucket=site.name)
    policy = replace(site.dependencies.policy, in_parts_only=InPartsOnly())
    site.dependencies = replace(site.dependencies, policy=policy)
    assert move(site, iter([second]))["CopyObject"] == 1
