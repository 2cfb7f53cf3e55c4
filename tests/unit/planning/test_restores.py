"""The price of restores, against sums made by hand from S3's price list."""

import pytest

from domain.objects import ObjectState
from domain.planning.estimate import estimate
from domain.planning.figures import PlanFigures
from domain.planning.prices import Prices
from domain.planning.restores import ArchiveClass, archive_class, archived_shares, restore_dollars
from domain.planning.shares import Share
from domain.rules.restoring import RestoreRule, RestoreTier
from tests.worlds.plan_figures import figures

GIB = 2**30
TEN = Share(1_000_000, 10 * GIB)


def archived(**classes: Share) -> PlanFigures:
    """A plan whose objects lie in these classes, and in an archive tier of INTELLIGENT_TIERING."""
    every = [*classes.values(), Share(5, 5 * GIB)]
    whole = Share(sum(one.objects for one in every), sum(one.size for one in every))
    return figures(rules={"a": whole}, archived=whole, storage_classes=classes)


@pytest.mark.parametrize(
    ("kind", "tier", "dollars"),
    [
        # A million requests, ten GiB retrieved, and ten GiB kept for thirty days at 0.023 a GiB.
        (ArchiveClass.GLACIER, RestoreTier.BULK, 0.23),
        (ArchiveClass.GLACIER, RestoreTier.STANDARD, 50 + 0.1 + 0.23),
        (ArchiveClass.GLACIER, RestoreTier.EXPEDITED, 10_000 + 0.3 + 0.23),
        (ArchiveClass.DEEP_ARCHIVE, RestoreTier.BULK, 25 + 0.025 + 0.23),
        (ArchiveClass.DEEP_ARCHIVE, RestoreTier.STANDARD, 100 + 0.2 + 0.23),
        # It leaves its tier for good, so nothing is kept beside it.
        (ArchiveClass.INTELLIGENT_TIERING, RestoreTier.BULK, 0.0),
        (ArchiveClass.INTELLIGENT_TIERING, RestoreTier.EXPEDITED, 10_000 + 0.3),
    ],
)
def test_a_restore_costs_requests_bytes_and_days(kind: ArchiveClass, tier: RestoreTier, dollars: float) -> None:
    """By class and retrieval option."""
    assert restore_dollars({kind: TEN}, RestoreRule(tier, 30, 1), Prices()) == pytest.approx(dollars)


def test_the_plan_bills_restores_only_where_the_rules_file_restores() -> None:
    """With the copies that follow, and the longest wait."""
    plan = archived(GLACIER=TEN, DEEP_ARCHIVE=TEN)
    assert archived_shares(plan)[ArchiveClass.INTELLIGENT_TIERING] == Share(5, 5 * GIB)
    names = {line.name for line in estimate(plan, Prices(), concurrency=1).lines}
    assert not any("archive" in name for name in names)
    bill = estimate(plan, Prices(), concurrency=1, restore=RestoreRule(RestoreTier.BULK, 30, 1))
    lines = {line.name: line for line in bill.lines}
    assert lines["restores from archives (bulk, 48 hours)"].dollars == pytest.approx(25.025 + 2 * 0.23)
    assert lines["S3 copies into archives"].dollars == pytest.approx(30 + 50 + 5 * 5 / 1e6)
    assert lines["S3 copies into archives"].requests == 2_000_005


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (ObjectState("e", 1, storage_class="GLACIER"), ArchiveClass.GLACIER),
        (ObjectState("e", 1, storage_class="DEEP_ARCHIVE"), ArchiveClass.DEEP_ARCHIVE),
        (
            ObjectState("e", 1, storage_class="INTELLIGENT_TIERING", archive_status="DEEP_ARCHIVE_ACCESS"),
            ArchiveClass.INTELLIGENT_TIERING,
        ),
    ],
)
def test_the_class_is_what_s3_bills(seen: ObjectState, kind: ArchiveClass) -> None:
    """A tier of INTELLIGENT_TIERING is billed as that class, although it is as slow as the other archives."""
    assert archive_class(seen) is kind
