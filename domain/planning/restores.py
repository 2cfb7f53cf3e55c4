"""What restores from archives cost, and how long they take."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from domain.lifecycle.archives import HOURS, is_deep
from domain.objects import ObjectState
from domain.planning.figures import PlanFigures
from domain.planning.history import History
from domain.planning.prices import CostLine, Prices
from domain.planning.shares import Share
from domain.rules.restoring import RestoreRule, RestoreTier

DAYS_PER_MONTH = 30.0


class ArchiveClass(StrEnum):
    """Where an object is archived, as S3 bills its restore."""

    GLACIER = "GLACIER"
    DEEP_ARCHIVE = "DEEP_ARCHIVE"
    INTELLIGENT_TIERING = "INTELLIGENT_TIERING"


def archive_class(seen: ObjectState) -> ArchiveClass:
    """The class of an archived object."""
    if seen.archive_status is not None:
        return ArchiveClass.INTELLIGENT_TIERING
    return ArchiveClass.DEEP_ARCHIVE if is_deep(seen) else ArchiveClass.GLACIER


def restore_dollars(shares: Mapping[ArchiveClass, Share], rule: RestoreRule, prices: Prices) -> float:
    """Requests, retrieved bytes, and the readable copies for the days of the rule.

    S3 bills INTELLIGENT_TIERING for expedited retrievals only, by the same prices as GLACIER.
    """
    return sum(_dollars(name, share, rule, prices) for name, share in shares.items())


def _dollars(name: ArchiveClass, share: Share, rule: RestoreRule, prices: Prices) -> float:
    gib = share.size / 2**30
    tier = rule.tier.value.lower()
    if name is ArchiveClass.DEEP_ARCHIVE:
        tier = "bulk" if rule.tier is RestoreTier.BULK else "standard"  # it offers no other
        per_million, per_gib = _prices(prices, "deep_archive", tier)
    elif name is ArchiveClass.GLACIER or rule.tier is RestoreTier.EXPEDITED:
        per_million, per_gib = _prices(prices, "glacier", tier)
    else:
        return 0.0
    kept = 0.0 if name is ArchiveClass.INTELLIGENT_TIERING else rule.days / DAYS_PER_MONTH * prices.storage_gib_month
    return share.objects * per_million / 1e6 + gib * (per_gib + kept)


def _prices(prices: Prices, name: str, tier: str) -> tuple[float, float]:
    return (
        float(getattr(prices, f"restore_{name}_{tier}_per_million")),
        float(getattr(prices, f"restore_{name}_{tier}_gib")),
    )


def archived_shares(figures: PlanFigures) -> Mapping[ArchiveClass, Share]:
    """The plan's archived objects by class, with the earlier versions that are carried."""
    history = figures.history or History()
    classes = {
        name: _added(figures.storage_classes.get(name, Share()), history.storage_classes.get(name, Share()))
        for name in {*figures.storage_classes, *history.storage_classes}
    }
    archived = _added(figures.archived, history.archived)
    shares = {
        name: classes[name.value] for name in (ArchiveClass.GLACIER, ArchiveClass.DEEP_ARCHIVE) if name.value in classes
    }
    known = Share(sum(one.objects for one in shares.values()), sum(one.size for one in shares.values()))
    rest = Share(archived.objects - known.objects, archived.size - known.size)
    return shares | ({ArchiveClass.INTELLIGENT_TIERING: rest} if rest.objects > 0 else {})


def _added(one: Share, other: Share) -> Share:
    return Share(one.objects + other.objects, one.size + other.size)


def restore_lines(figures: PlanFigures, rule: RestoreRule | None, prices: Prices) -> Iterator[CostLine]:
    """The items of the bill for restoring and copying every archived object once.

    There are none where the rules file restores none. A copy gets its source's class, so it is archived again.
    """
    shares = archived_shares(figures)
    archived = sum(share.objects for share in shares.values())
    if rule is None or not archived:
        return
    deep = ArchiveClass.DEEP_ARCHIVE in shares
    hours = HOURS.get((rule.tier, deep)) or HOURS[RestoreTier.STANDARD, deep]
    name = f"restores from archives ({rule.tier.value.lower()}, {hours} hours)"
    yield CostLine(name, archived, restore_dollars(shares, rule, prices))
    by_class = {
        ArchiveClass.GLACIER: prices.copy_glacier_per_million,
        ArchiveClass.DEEP_ARCHIVE: prices.copy_deep_archive_per_million,
        ArchiveClass.INTELLIGENT_TIERING: prices.copy_per_million,
    }
    dollars = sum(share.objects * by_class[kind] / 1e6 for kind, share in shares.items())
    yield CostLine("S3 copies into archives", archived, dollars)
