"""The bill against sums made by hand (aws-facts.md §9.3)."""

import pytest

from domain.errors import InputError
from domain.planning.estimate import estimate
from domain.planning.figures import EarlyDeletion, PlanFigures
from domain.planning.prices import CostLine, Prices, prices_from
from domain.planning.shares import Share
from tests.worlds.plan_figures import MILLION, figures


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
        "Lambda time": 0.152,
        "EventBridge, full packs": 0.04,
    }
    assert estimate(figures(), Prices(), concurrency=100).dollars == pytest.approx(6.469, abs=0.001)


def test_single_events_cost_fifty_times_as_much() -> None:
    """Two events an object, each an entry of its own."""
    bill = estimate(figures(), Prices(), concurrency=100, single_events=True)
    assert CostLine("EventBridge, single events", 2 * MILLION, 2.0) in bill.lines
    assert bill.dollars == pytest.approx(8.429, abs=0.001)


def test_special_objects_cost_more() -> None:
    """Infrequent access, KMS and parts each have their own line; archived ones are not copied."""
    given = figures(
        storage_classes={"STANDARD_IA": Share(MILLION // 2, 0), "GLACIER_IR": Share(MILLION // 4, 0)},
        encryption={"SSE-KMS": MILLION, "SSE-S3": 5},
        large=Share(1000, 0),
        parts=80_000,
        reads=2 * MILLION,
        archived=Share(9000, 0),
    )
    bill = dollars(given)
    assert bill["S3 copies"] == 1.2
    assert bill["S3 copies into infrequent access"] == 5.0
    assert bill["S3 copies into instant retrieval"] == 5.0
    assert bill["S3 parts of large objects"] == 0.41
    assert bill["S3 reads"] == 0.8
    assert bill["KMS"] == 6.0


def test_every_line_of_a_bill_names_its_requests() -> None:
    """Each kind of request by itself, and the dollars at prices that can be told apart."""
    prices = Prices(
        copy_per_million=1e6,
        copy_ia_per_million=1e6,
        copy_glacier_ir_per_million=1e6,
        sqs_per_million=2e6,
        eventbridge_per_million=2e6,
        kms_per_million=2e6,
        dynamodb_write_per_million=4e6,
        read_per_million=5e6,
        lambda_request_per_million=6e6,
        lambda_gib_second=7.0,
        transfer_per_gib=8.0,
    )
    given = figures(
        rules={"a": Share(80, 3 * 2**30), "b": Share(21, 2**30)},
        storage_classes={"STANDARD_IA": Share(5, 0), "ONEZONE_IA": Share(6, 0), "GLACIER_IR": Share(7, 0)},
        encryption={"SSE-KMS": 3, "DSSE-KMS": 4, "SSE-S3": 90},
        large=Share(2, 0),
        parts=30,
        reads=18,
        archived=Share(1, 0),
        early_deletion={"GLACIER": EarlyDeletion(30.0), "STANDARD_IA": EarlyDeletion(60.0)},
    )
    bill = estimate(given, prices, concurrency=4, seconds_per_object=1.0, copy_bytes_per_second=2**30)
    assert bill.lines == (
        CostLine("S3 copies", 80, 80.0),
        CostLine("S3 copies into infrequent access", 11, 11.0),
        CostLine("S3 copies into instant retrieval", 7, 7.0),
        CostLine("S3 parts of large objects", 34, 34.0),
        CostLine("S3 reads", 18, 90.0),
        CostLine("SQS", 9, 18.0),
        CostLine("DynamoDB writes", 210, 840.0),
        CostLine("Lambda", 3, 18.0),
        CostLine("Lambda time", 0, pytest.approx((105 / 16 + 210 * 0.002 * 0.5) * 7.0)),  # type: ignore[arg-type]
        CostLine("EventBridge, full packs", 5, 10.0),
        CostLine("KMS", 14, 28.0),
        CostLine("transfer", 0, 32.0),
        CostLine("early deletion, if cleaned up today", 0, pytest.approx(0.0036 + 2 * 0.0125)),  # type: ignore[arg-type]
    )
    assert bill.seconds == 105 / 4


def test_nothing_but_archived_objects_is_no_negative_number_of_copies() -> None:
    """Classes are counted with the archived ones in them; a line without requests is left out."""
    given = figures(rules={"a": Share(10, 0)}, archived=Share(10, 0), storage_classes={"GLACIER_IR": Share(3, 0)})
    names = [line.name for line in estimate(given, Prices(), concurrency=1).lines]
    assert "S3 copies" not in names
    assert "S3 copies into instant retrieval" in names


def test_requests_that_cost_nothing_are_shown() -> None:
    """The user's own price may be zero; how many there are is still worth knowing."""
    assert dollars(figures(), prices_from({"copy_per_million": 0}))["S3 copies"] == 0.0


def test_both_limits_alike_are_said_to_be_the_concurrency() -> None:
    """That is the one that can be changed."""
    given = figures(rules={"a": Share(3500, 0)})
    assert estimate(given, Prices(), concurrency=7, seconds_per_object=0.002).bottleneck == "the concurrency"


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ({}, True),
        ({"colliding_targets": 1}, False),
        ({"rejected": Share(1, 5)}, False),
        ({"colliding_targets": 2, "rejected": Share(1, 5)}, False),
    ],
)
def test_a_plan_is_safe_where_nothing_collides_and_no_key_is_impossible(
    given: dict[str, object], *, safe: bool
) -> None:
    """One of the two is enough against it; the command's exit code says it."""
    assert figures(**given).is_safe is safe


def test_the_total_is_everything_that_was_looked_at() -> None:
    """Moved, kept, unmapped and impossible."""
    given = figures(rules={"a": Share(1, 0), "b": Share(2, 0)}, kept=Share(4), unmapped=Share(8), rejected=Share(16))
    assert given.total == 31


ALWAYS = (
    "Last-Modified becomes the time of the copy: age-based lifecycle rules start again",
    "ACLs are not copied: the target bucket's owner and policy decide",
)
IN_PARTS = (
    "1,200 objects were uploaded in parts: their etag changes, a part-wise checksum becomes one of the whole object"
)
UNDATED = (
    "sources in GLACIER deleted before their minimum age are billed for the rest; the age of 5 of them is not known, "
    "they are not in the bill"
)


@pytest.mark.parametrize(
    ("given", "notes"),
    [
        ({"encryption": {"SSE-S3": 5}, "storage_classes": {"STANDARD": Share(5, 0)}}, []),
        (
            {"in_parts": Share(1200, 0)},
            [IN_PARTS],
        ),
        ({"locked": 3}, ["3 objects are locked: their sources cannot be deleted before the lock ends"]),
        ({"archived": Share(4, 0)}, ["4 archived objects are parked until they are restored: keyshift archived"]),
        (
            {"storage_classes": dict.fromkeys(("STANDARD", "GLACIER", "DEEP_ARCHIVE"), Share(1, 0))},
            ["sources in DEEP_ARCHIVE, GLACIER deleted before their minimum age are billed for the rest"],
        ),
        (
            {
                "storage_classes": {"GLACIER": Share(7, 0)},
                "early_deletion": {"GLACIER": EarlyDeletion(1.0, 2), "STANDARD_IA": EarlyDeletion(1.0, 3)},
            },
            [UNDATED],
        ),
        (
            {"encryption": {"DSSE-KMS": 1}},
            [
                (
                    "objects under a KMS key: 1; a copy gets the same key, or the one that `encryption: {map: …}` in "
                    "the rules file names. A key that the target cannot use parks its objects with the cause kms"
                )
            ],
        ),
    ],
)
def test_a_plan_says_what_a_move_does_not_preserve(given: dict[str, object], notes: list[str]) -> None:
    """What is always so, and what these objects bring with them."""
    assert figures(**given).fidelity() == (*ALWAYS, *notes)


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
    assert prices_from({"kms_per_million": 0.5}).kms_per_million == 0.5


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"copies": 1}, "there is no price named 'copies'"),
        ({"copy_per_million": -1}, "the price copy_per_million must be a number that is not negative"),
        ({"copy_per_million": "5"}, "must be a number"),
        ({"copy_per_million": True}, "must be a number"),
    ],
)
def test_a_wrong_price_is_named(given: dict[str, object], says: str) -> None:
    """An unknown name, a negative number, no number."""
    with pytest.raises(InputError, match=says):
        prices_from(given)
