"""Where references stand: sets, JSON texts, paths, and places that moved between a rewriting and its undo."""

import json

import pytest

from domain.keys import Location
from domain.references.items import HeldUri, Switch, relocated
from domain.references.json_strings import MAX_DEPTH, strings_of, with_strings
from domain.references.judging import UNREADABLE, Stuck, judge
from domain.references.reports import ReferenceOutcome
from domain.rules.paths import PathError, matches, read_path
from domain.rules.references import AttributePath
from tests.worlds.items import NEW, OLD, new_world, rewrite
from tests.worlds.referring import REFERRING_RULES, ReferringWorld, compiled

ELSEWHERE = "s3://line-1/mine"


def test_a_member_that_is_no_json_leaves_the_others() -> None:
    """A set of texts, of which one is a note of somebody's."""
    world = new_world("old//a")
    world.put_job(config={"SS": ["a note", json.dumps({"model": {"uri": OLD}})]})
    assert [one.outcome for one in rewrite(world)] == [ReferenceOutcome.REWRITTEN]
    assert world.job()["config"] == {"SS": ["a note", json.dumps({"model": {"uri": NEW}})]}


@pytest.mark.parametrize(("number", "edits"), [(40, 40), (41, 1)])
def test_so_many_edits_are_written_one_by_one(number: int, edits: int) -> None:
    """An expression has its limits; beyond forty the whole attribute is written."""
    world = new_world("old//a")
    world.put_job(steps={"L": [{"M": {"uri": {"S": OLD}}} for _ in range(number)]})
    assert len(rewrite(world)) == number
    assert [len(change.edits) for change in world.tables.changes] == [edits]


def test_what_stayed_where_it_was_does_not_hide_what_moved() -> None:
    """Each reference by itself, also where the same URI stands twice."""
    world = new_world("old//a")
    mine = {"M": {"uri": {"S": ELSEWHERE}}}
    ours, back = ({"M": {"uri": {"S": uri}}} for uri in (NEW, OLD))
    world.put_job(uri={"S": OLD}, steps={"L": [back, back, mine]})
    rewrite(world)
    world.put_job(uri={"S": NEW}, steps={"L": [mine, ours, ours]})
    assert {one.outcome for one in world.references.undo_references()} == {ReferenceOutcome.RESTORED}
    assert (world.job()["uri"], world.job()["steps"]) == ({"S": OLD}, {"L": [mine, back, back]})


def test_what_moved_inside_a_json_text_is_found_there() -> None:
    """By value, and put back where it stands today."""
    world = new_world("old//a")
    world.put_job(config={"S": json.dumps({"list": [OLD, ELSEWHERE]})})
    rewrite(world)
    world.put_job(config={"S": json.dumps({"list": [ELSEWHERE, NEW]})})
    assert [one.outcome for one in world.references.undo_references()] == [ReferenceOutcome.RESTORED]
    assert world.job()["config"] == {"S": json.dumps({"list": [ELSEWHERE, OLD]})}


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_a_json_text_may_leave_its_spaces_out(separators: tuple[str, str]) -> None:
    """As writers for machines do: every reference in it is found and switched, and it stays as dense as it was."""
    world = new_world("old//a")
    text = json.dumps({"list": [OLD, 1, OLD], "model": {"n": 1, "uri": OLD}}, separators=separators)
    world.put_job(config={"S": text})
    assert [one.outcome for one in rewrite(world)] == [ReferenceOutcome.REWRITTEN] * 3
    assert world.job()["config"] == {"S": text.replace(OLD, NEW)}


RULES = """
version: 1
migration: line
source: {bucket: line-1}
target: {bucket: BUCKET, prefix: v2/}
rules: [{name: move, from: "old//{rest...}", to: "new/{rest...}"}]
references: [{table: jobs, key: id, attributes: [uri]}]
"""


@pytest.mark.parametrize(
    ("bucket", "uri", "is_told"),
    [
        ("line-1", "s3://line-1/v2/new/a", False),
        ("line-1", "s3://line-1/new/a", True),
        ("line-1", "s3://line-1/v1/new/a", True),
        ("line-1", "s3://line-1/v2/other", True),
        ("line-2", "s3://line-1/v2/new/a", True),
        ("line-2", "s3://line-2/v2/new/a", False),
    ],
)
def test_a_key_that_no_rule_knows_is_told_unless_it_is_a_new_one(bucket: str, uri: str, *, is_told: bool) -> None:
    """A new one is in the target's bucket, below its prefix, and as some rule writes it."""
    world = ReferringWorld(rules=RULES.replace("BUCKET", bucket))
    world.put_job(uri={"S": uri})
    reports = rewrite(world)
    assert [(one.outcome, one.why) for one in reports] == [(ReferenceOutcome.STAYS, "no rule matches it")] * is_told


@pytest.mark.parametrize(
    ("text", "start", "value", "after"),
    [
        ('{"a":"\\"x"}', 5, "y", '{"a":"y"}'),
        ('{"a":"","b":1}', 5, "y", '{"a":"y","b":1}'),
        ('{"a": NaN, "b": [-Infinity, "x"]}', 28, "y", '{"a": NaN, "b": [-Infinity, "y"]}'),
    ],
)
def test_a_string_is_replaced_from_its_first_sign_to_its_last(text: str, start: int, value: str, after: str) -> None:
    """Whatever it begins with, and whatever Python's writer puts beside it."""
    assert start in [one.start for one in strings_of(text)]
    assert with_strings(text, {start: value}) == after


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_json_is_read_two_hundred_deep_and_no_deeper(opening: str, closing: str) -> None:
    """Whatever stack is left, and also where the parser itself gives up: it is a text that cannot be read."""
    (found,) = strings_of(opening * MAX_DEPTH + '"x"' + closing * MAX_DEPTH)
    assert (found.value, len(found.place)) == ("x", MAX_DEPTH)
    for depth in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(ValueError, match="nested more than 200 deep"):
            strings_of(opening * depth + '"x"' + closing * depth)


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ('{"model": {"uri": "s3://line-1/old//a"', True),
        ("[" * 5_000 + '"s3://line-1/old//a"' + "]" * 5_000, True),
        ('{"model": {"uri": "s3://elsewhere/old"', False),
        ("s3://line-2/new/a", False),
        ("", False),
    ],
)
def test_a_text_that_should_be_json_and_is_none_is_told_where_it_may_name_an_object(
    text: str, *, is_told: bool
) -> None:
    """With its place and what to do; nothing else of its item is kept back."""
    world = new_world("old//a")
    world.migrate("old//a")
    world.put_job(uri={"S": OLD}, config={"S": text})
    reports = {one.reference.path: (one.outcome, one.why) for one in rewrite(world)}
    assert reports.pop("uri") == (ReferenceOutcome.REWRITTEN, "")
    assert reports == ({"config": (ReferenceOutcome.HOLDS, UNREADABLE)} if is_told else {})


def test_bare_keys_in_a_text_that_cannot_be_read_are_told_too() -> None:
    """The bucket that they belong to is declared, not written."""
    attribute = AttributePath("keys:x", read_path("keys"), read_path("x"), bucket="line-1")
    everything = (Location("line-1", ""),)
    found = judge(HeldUri(("keys",), None, '{"x": "old//a"', attribute), compiled(REFERRING_RULES))
    assert found == Stuck(UNREADABLE, everything)
    assert judge(HeldUri(("keys",), None, "", attribute), compiled(REFERRING_RULES)) is None


def test_an_undo_takes_no_text_for_a_uri_where_json_was() -> None:
    """The application wrote the new URI there itself, in a form of its own."""
    table = compiled(REFERRING_RULES).references.tables[0]
    switch = Switch(("config",), ("model", "uri"), OLD, NEW, "record")
    assert relocated({"config": {"S": NEW}}, table, [switch]) == {}
    assert relocated({"config": {"S": json.dumps({"model": {"uri": NEW}})}}, table, [switch]) != {}


@pytest.mark.parametrize(
    ("path", "place"), [("a", ("a", "b")), ("a.b", ("a",)), ("a[*]", ("a", "b")), ("a[0]", ("a", "b"))]
)
def test_a_path_leads_to_no_place_of_another_form(path: str, place: tuple[str | int, ...]) -> None:
    """Longer, shorter, or a name where an element was meant."""
    assert not matches(read_path(path), place)


@pytest.mark.parametrize("text", ["", ".", "a.", "[*]", "[0]", "a..b"])
def test_a_path_without_a_name_is_refused(text: str) -> None:
    """At its beginning, in its middle or at its end."""
    with pytest.raises(PathError):
        read_path(text)
