"""Which objects are throttled together."""

import pytest

from domain.errors import ThrottledAt
from domain.keys import Location
from domain.steering.places import Place, PlaceNames, Service

NAMES = PlaceNames({"line": {"old/", "old/in1/", "", "new/"}}, table="manifest")


@pytest.mark.parametrize(
    ("bucket", "key", "prefix"),
    [
        ("line", "old/a", "old/"),
        ("line", "old/in1/job/a", "old/in1/"),
        ("line", "new/a/b", "new/"),
        ("line", "other/a/b", "other/"),
        ("line", "a", ""),
        ("elsewhere", "old/in1/a", "old/"),
    ],
)
def test_a_key_is_throttled_with_its_rules_longest_opening(bucket: str, key: str, prefix: str) -> None:
    """Where no rule gives one, with its first path segment."""
    assert NAMES.prefix_of(Location(bucket, key)) == Place(Service.S3, bucket, prefix)


def test_an_answer_is_about_a_prefix_or_a_table() -> None:
    """Its name is what status shows and throttle --forget takes."""
    answers = [ThrottledAt("SlowDown", bucket="line", key="old/a (part 3)"), ThrottledAt("Throttling", table="t")]
    assert [NAMES.place_of(one).uri for one in answers] == ["s3://line/old/", "dynamodb://t"]


def test_an_object_asks_both_prefixes_and_the_manifest() -> None:
    """Source and target may share one."""
    places = NAMES.places_of(Location("line", "old/a"), Location("line", "new/a"))
    assert {place.uri for place in places} == {"s3://line/old/", "s3://line/new/", "dynamodb://manifest"}
    assert len(NAMES.places_of(Location("line", "new/a"), Location("line", "new/b"))) == 2
