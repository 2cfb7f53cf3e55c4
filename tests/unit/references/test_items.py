"""What a held text is to the rules, and what an item weighs: facts that rewriting whole items leaves open."""

from typing import Any

import pytest

from domain.keys import Location
from domain.references.items import HeldUri, Switch, edits_of, held_uris, item_size
from domain.references.judging import Legacy, Stuck, judge
from domain.rules.paths import read_path
from domain.rules.references import AttributePath
from handlers.config.rules_file import read_rules
from tests.worlds.referring import REFERRING_RULES, compiled

ELSEWHERE = read_rules("""
version: 1
migration: apart
source: {bucket: line-1, prefix: legacy/}
target: {bucket: line-2, prefix: layout/}
kinds: {word: "[a-z0-9]+"}
rules:
  - {name: move, from: "old/{name:word}.bin", to: "new/{name}.bin"}
keep: ["new/{name:word}.bin"]
""")


def judged(uri: str, *, bucket: str | None = None) -> Legacy | Stuck | None:
    """What is said of a text."""
    place = AttributePath("uri", read_path("uri"), bucket=bucket)
    return judge(HeldUri(("uri",), None, uri, place), ELSEWHERE)


def test_a_legacy_uri_names_both_keys() -> None:
    """The key that the rules move, and where to."""
    found = judged("s3://line-1/legacy/old/a.bin")
    assert isinstance(found, Legacy)
    assert found.source == Location("line-1", "legacy/old/a.bin")
    assert found.target == Location("line-2", "layout/new/a.bin")
    assert isinstance(judged("legacy/old/a.bin", bucket="line-1"), Legacy)


@pytest.mark.parametrize(
    ("uri", "is_concern"),
    [
        ("s3://line-2/layout/new/a.bin", False),
        ("s3://line-1/legacy/new/a.bin", False),
        ("s3://elsewhere/legacy/old/a.bin", False),
        ("no uri", False),
        ("s3://line-1/legacy/unknown/a", True),
    ],
)
def test_a_text_that_stays_is_reported_only_where_it_is_ours(uri: str, *, is_concern: bool) -> None:
    """New, kept and foreign ones are no concern; legacy ones that no rule moves are, with the reason."""
    found = judged(uri)
    assert found == (Stuck("no rule matches it") if is_concern else None)


@pytest.mark.parametrize(
    ("uri", "is_new"),
    [("line-1/new/a", True), ("line-1/neu/a", False)],
)
def test_within_one_bucket_a_new_key_is_told_by_the_rules_targets(uri: str, *, is_new: bool) -> None:
    """Without a keep entry for it."""
    rules = compiled(REFERRING_RULES.replace('keep: ["new/{rest...}"]', "keep: []"))
    found = judge(HeldUri(("uri",), None, f"s3://{uri}", AttributePath("uri", read_path("uri"))), rules)
    assert (found is None) is is_new


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "äb"}, 3),
        ({"N": "12345"}, 4),
        ({"B": b"1234"}, 4),
        ({"BS": [b"12", b"345"]}, 5),
        ({"SS": ["ä", "b"]}, 3),
        ({"NS": ["1", "22"]}, 3),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"L": [{"S": "ab"}, {"S": "c"}]}, 3 + (1 + 2) + (1 + 1)),
        ({"M": {"ä": {"S": "abc"}, "b": {"S": "d"}}}, 3 + (1 + 2 + 3) + (1 + 1 + 1)),
    ],
)
def test_an_item_weighs_its_names_and_values(value: dict[str, Any], size: int) -> None:
    """In bytes of UTF-8, as DynamoDB's developer guide says, rather more than less."""
    assert item_size({"name": value, "other": {"S": "x"}}) == len("name") + size + len("other") + 1


def test_a_place_is_held_once_though_two_paths_lead_to_it() -> None:
    """And a text of another kind than JSON is passed over by the paths in it, not the ones after it."""
    rules = compiled(REFERRING_RULES)
    table = rules.references.tables[0]
    item = {"uri": {"S": "a"}, "steps": {"L": [{"M": {"uri": {"S": "b"}}}]}, "config": {"S": "no json"}}
    assert [(one.place, one.uri) for one in held_uris(item, table)] == [
        (("uri",), "a"),
        (("steps", 0, "uri"), "b"),
        (("config",), "no json"),
    ]
    config = {"config": {"S": '{"model": {"uri": "m", "other": "o"}, "list": ["l"], "elsewhere": "e"}'}}
    assert [one.uri for one in held_uris(config, table)] == ["m", "o", "l"]
    doubled = type(table)(table.table, table.key, (*table.attributes, AttributePath("again", read_path("uri"))))
    assert [one.uri for one in held_uris({"uri": {"S": "a"}}, doubled)] == ["a"]


def test_a_switch_whose_attribute_is_gone_leaves_the_others() -> None:
    """Each value is edited once."""
    switches = [_switch(("gone",)), _switch(("uri",))]
    edits = edits_of({"uri": {"S": "old"}}, switches)
    assert [(one.place, one.after) for one in edits] == [(("uri",), {"S": "new"})]
    assert edits_of({"uri": {"S": "another"}}, switches) == []


def _switch(place: tuple[str | int, ...]) -> Switch:
    return Switch(place, None, "old", "new", "record")
