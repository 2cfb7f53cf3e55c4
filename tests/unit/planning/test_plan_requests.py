"""The plan's SQL cuts objects as the workers do."""

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import duckdb
import pytest

from adapters.duckdb.plan import DuckDbPlanner
from adapters.duckdb.requests import is_cut, number_of_parts, number_of_reads
from adapters.s3.bucket_encryption import BucketEncryption
from domain.errors import AccessDeniedError
from domain.planning.figures import Cutting
from domain.protocol.attempt import MigrationPolicy
from domain.protocol.parts import GIB, MIB, cut_into_parts, part_size_for
from handlers.bootstrap import planning
from handlers.config.rules_file import read_rules
from tests.worlds.handlers import HANDLER_RULES

RULES = read_rules(HANDLER_RULES)

SIZES = [0, 1, MIB, GIB, GIB + 1, 3 * GIB, 5 * GIB, 5 * GIB + 1, 1_250 * GIB, 1_250 * GIB + 1, 40_000 * GIB]


@pytest.mark.parametrize("cutting", [Cutting(), Cutting(0, 5 * MIB), Cutting(5 * GIB, 200 * MIB + 1)])
def test_sql_and_worker_make_the_same_parts(cutting: Cutting) -> None:
    """The same objects are cut, and each into as many parts."""
    columns = f"size, {is_cut(cutting)}, {number_of_parts(cutting)}"
    known = "unnest(?) AS size, 'STANDARD' AS storage_class, NULL AS intelligent_tiering_access_tier, "
    known += "NULL AS is_multipart_uploaded, NULL AS e_tag, NULL AS encryption_status"
    rows = duckdb.execute(f"SELECT {columns} FROM (SELECT {known})", [SIZES]).fetchall()  # noqa: S608  # ours
    for size, cut, parts in rows:
        assert cut == MigrationPolicy(multipart_above=cutting.above).is_cut(size, "b"), size
        wanted = part_size_for(size, wanted=cutting.part_size)
        assert parts == len(cut_into_parts(size, part_size=wanted)), size


@pytest.mark.parametrize("encrypts", [False, True])
def test_no_etag_is_known_of_a_copy_in_an_encrypting_bucket(*, encrypts: bool) -> None:
    """Each object with bytes counts as one in parts, and as read before."""
    cutting = Cutting(encrypts_targets=encrypts)
    row = "'STANDARD' AS storage_class, NULL AS intelligent_tiering_access_tier, NULL AS is_multipart_uploaded, "
    row += "repeat('a', 32) AS e_tag, 'SSE-S3' AS encryption_status, true AS is_plain"
    columns = f"{is_cut(cutting)}, {number_of_reads(cutting, RULES)}"
    query = f"SELECT {columns} FROM (SELECT unnest([0, 1]) AS size, {row}) ORDER BY size"  # noqa: S608  # ours
    assert duckdb.execute(query).fetchall() == ([(False, 1), (True, 4)] if encrypts else [(False, 0)] * 2)


def test_a_promise_of_no_annotations_saves_the_look_at_them() -> None:
    """Of an object that is copied in parts."""
    row = "'STANDARD' AS storage_class, NULL AS intelligent_tiering_access_tier, true AS is_multipart_uploaded, "
    row += "'a' AS e_tag, 'SSE-S3' AS encryption_status, true AS is_plain, 1 AS size"
    for rules, reads in ((RULES, 4), (replace(RULES, promised_unannotated=True), 3)):
        query = f"SELECT {number_of_reads(Cutting(), rules)} FROM (SELECT {row})"  # noqa: S608  # ours
        assert duckdb.execute(query).fetchall() == [(reads,)]


@pytest.mark.parametrize("inventory", [None, "s3://reports/manifest.json", "manifest.json"])
def test_a_plan_that_may_not_ask_the_target_bucket_says_so(
    monkeypatch: pytest.MonkeyPatch, inventory: str | None
) -> None:
    """It is a plan all the same; one of local files needs no account and asks nothing."""

    def denied(_: BucketEncryption) -> bool:
        raise AccessDeniedError("s3:GetEncryptionConfiguration is missing")

    def planned(*_: object, cutting: Cutting, **__: object) -> Cutting:
        return cutting

    monkeypatch.setattr(BucketEncryption, "is_kms", denied)
    monkeypatch.setattr(DuckDbPlanner, "plan_listing", planned)
    monkeypatch.setattr(DuckDbPlanner, "plan_inventory", planned)
    monkeypatch.setattr(planning, "opened_inventory", lambda *_: nullcontext())
    said: list[str] = []
    given: dict[str, Any] = {"out": None, "memory": "1GB", "region": "us-east-1", "endpoint_url": None}
    planning.plan_objects(RULES, inventory=inventory, cutting=Cutting(), say=said.append, **given)
    assert [("does not encrypt" in one, "GetEncryption" in one) for one in said] == (
        [] if inventory == "manifest.json" else [(True, True)]
    )
    monkeypatch.setattr(BucketEncryption, "is_kms", lambda _: True)
    told: object = planning.plan_objects(RULES, inventory=inventory, cutting=Cutting(), say=said.append, **given)
    assert told == Cutting(encrypts_targets=inventory != "manifest.json")


def test_the_plan_assumes_what_the_workers_do_unless_told() -> None:
    """Both take their figures from one place."""
    policy = MigrationPolicy()
    assert (Cutting().above, Cutting().part_size) == (policy.multipart_above, policy.part_size)
