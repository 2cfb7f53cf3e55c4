"""The bill against sums made by hand (aws-facts.md §9.3)."""

import pytest

from domain.errors import InputError
from domain.estimate import Prices, estimate, prices_from
from domain.planning import PlanFigures, Share

MILLION = 1_000_000


def figures(**given: object) -> PlanFigures:
    """A million objects of no bytes, unless told."""
    nothing = {
        "rules": {"a": Share(MILLION, 0)},
        **dict.fromkeys(("kept", "unmapped", "rejected", "large", "in_parts", "archived"), Share()),
        **dict.fromkeys(("rejected_examples", "shapes", "collisions"), ()),
        "colliding_targets": 0,
        "parts": 0,
    }
    return PlanFigures(**(nothing | given))  # type: ignore[arg-type]


def dollars(given: PlanFigures, prices: Prices | None = None) -> dict[str, float]:
    """The bill by item."""
    bill = estimate(given, prices or Prices(), concurrency=100)
    return {line.name: round(line.dollars, 3) for line in bill.lines}


def test_a_million_small_objects_cost_what_the_sum_by_hand_says() -> None:
    """§9.3 with two writes and two audit events an object, fifty objects a message and no HEAD."""
    assert dollars(figures()) == {
        "S3 copies": 5.0,
        "SQS": 0.024,
        "DynamoDB writes": 1.25,
        "Lambda": 0.004,
        "Lambda time (512 MiB)": 1.0,
        "EventBridge": 2.0,
    }
    assert estimate(figures(), Prices(), concurrency=100).dollars == pytest.approx(9.278, abs=0.001)


def test_special_objects_cost_more() -> None:
    """Infrequent access, KMS and parts each have their own line; archived ones are not copied."""
    given = figures(
        storage_classes={"STANDARD_IA": Share(MILLION // 2, 0), "GLACIER_IR": Share(MILLION // 4, 0)},
        encryption={"SSE-KMS": MILLION, "SSE-S3": 5},
        large=Share(1000, 0),
        parts=80_000,
        in_parts=Share(MILLION, 0),
        archived=Share(9000, 0),
    )
    bill = dollars(given)
    assert bill["S3 copies"] == 1.2
    assert bill["S3 copies into infrequent access"] == 5.0
    assert bill["S3 copies into instant retrieval"] == 5.0
    assert bill["S3 parts of large objects"] == 0.41
    assert bill["S3 reads"] == 0.8
    assert bill["KMS"] == 6.0


def test_what_is_slower_limits_the_duration() -> None:
    """Few workers: the concurrency; very many: what one prefix takes."""
    slow, fast = (estimate(figures(), Prices(), concurrency=number) for number in (10, 10_000))
    assert slow.seconds == pytest.approx(15_000)
    assert slow.bottleneck == "the concurrency"
    assert fast.seconds == pytest.approx(MILLION / 3500)
    assert "per prefix" in fast.bottleneck


def test_stored_bytes_are_paid_twice_until_cleanup() -> None:
    """A TiB more for a month at the Standard price."""
    bill = estimate(figures(rules={"a": Share(1, 2**40)}), Prices(), concurrency=1)
    assert bill.doubled_storage_per_month == pytest.approx(1024 * 0.023)


def test_the_users_prices_replace_the_default_ones() -> None:
    """Only those that are given; the date too."""
    prices = prices_from({"as_of": "2027-01-01", "copy_per_million": 4})
    assert (prices.as_of, prices.copy_per_million, prices.sqs_per_million) == ("2027-01-01", 4, 0.4)
    assert dollars(figures(), prices)["S3 copies"] == 4.0


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"copies": 1}, "there is no price 'copies'"),
        ({"copy_per_million": -1}, "the price copy_per_million must be a number that is not negative"),
        ({"copy_per_million": "5"}, "must be a number"),
        ({"copy_per_million": True}, "must be a number"),
    ],
)
def test_a_wrong_price_is_named(given: dict[str, object], says: str) -> None:
    """An unknown name, a negative number, no number."""
    with pytest.raises(InputError, match=says):
        prices_from(given)
