"""References of one item: rewritten together, only on verified copies, and put back by value."""

from typing import Any

import pytest

from domain.errors import ThrottledError, UnavailableError
from domain.keys import Location
from domain.protocol.causes import Cause
from domain.protocol.record import State
from domain.references.json_strings import strings_of, with_strings
from domain.references.ports import Changed, ItemChange
from domain.references.reports import ReferenceOutcome, Reported
from domain.rules.paths import PathError, matches, read_path
from tests.worlds.items import LONGER, NEW, OLD, new_world, rewrite
from tests.worlds.referring import ReferringWorld


def outcomes(reports: list[Reported]) -> list[tuple[str, ReferenceOutcome]]:
    """Places and what became of them."""
    return [(one.reference.path, one.outcome) for one in reports]


def test_every_declared_shape_is_rewritten_in_one_write_and_nothing_else() -> None:
    """Plain attributes, lists, maps, sets, JSON text and bare keys; all others stay byte for byte."""
    world = new_world("old//a", "old//b")
    other = {"N": "1E+2"}
    text = '{ "model": {"uri" :"s3:\\/\\/line-1\\/old\\/\\/a", "n": 1.50},\n "list":["x", "s3://line-1/old//b"] }'
    world.put_job(
        uri={"S": OLD},
        steps={"L": [{"M": {"uri": {"S": OLD}, "n": other}}, {"S": OLD}, {"M": {"uri": {"S": "s3://line-1/old//b"}}}]},
        meta={"M": {"x": {"M": {"uri": {"S": OLD}}}, "y": {"N": "7"}}},
        all={"SS": [OLD, "s3://elsewhere/a", "s3://line-1/new/b"]},
        config={"S": text},
        bare={"S": "old//a"},
        undeclared={"S": OLD},
        binary={"B": b"\\x00s3://line-1/old//a"},
        amount=other,
    )
    before = world.job()
    reports = rewrite(world)
    assert {one.outcome for one in reports} == {ReferenceOutcome.REWRITTEN}
    assert len(world.tables.changes) == 1
    item = world.job()
    assert item["uri"] == {"S": NEW}
    assert item["steps"] == {
        "L": [{"M": {"uri": {"S": NEW}, "n": other}}, {"S": OLD}, {"M": {"uri": {"S": "s3://line-1/new/b"}}}]
    }
    assert item["meta"] == {"M": {"x": {"M": {"uri": {"S": NEW}}}, "y": {"N": "7"}}}
    assert item["all"] == {"SS": [NEW, "s3://elsewhere/a", "s3://line-1/new/b"]}
    assert item["config"] == {
        "S": '{ "model": {"uri" :"s3:\\/\\/line-1\\/new\\/a", "n": 1.50},\n "list":["x", "s3://line-1/new/b"] }'
    }
    assert item["bare"] == {"S": "new/a"}
    assert all(item[name] == before[name] for name in ("undeclared", "binary", "amount", "id"))
    assert {one.outcome for one in world.references.undo_references()} == {ReferenceOutcome.RESTORED}
    assert world.job() == before


def test_a_set_that_held_both_uris_gets_both_back() -> None:
    """Two members that became one are two again."""
    world = new_world("old//a")
    world.put_job(all={"SS": [OLD, NEW]})
    rewrite(world)
    assert world.job()["all"] == {"SS": [NEW]}
    list(world.references.undo_references())
    assert sorted(world.job()["all"]["SS"]) == [NEW, OLD]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"state": State.CONFLICT, "cause": Cause.TARGET_FOREIGN}, "CONFLICT: another writer's"),
        ({"maybe": frozenset({object()})}, "under way"),
        ({"target_etag": "0" * 32}, "no longer holds"),
    ],
)
def test_only_a_verified_copy_is_referred_to(changes: dict[str, Any], says: str) -> None:
    """Anything doubtful about the object leaves the reference as it is, with the reason."""
    world = new_world("old//a")
    world.change_record("old//a", **changes)
    item = world.put_job(uri={"S": OLD})
    (report,) = rewrite(world)
    assert (report.outcome, world.job()) == (ReferenceOutcome.WAITING, item)
    assert says in report.why


def test_what_is_not_migrated_stays_and_says_why() -> None:
    """Not yet migrated, unmapped, presigned: each has its own reason; foreign texts are not mentioned."""
    world = new_world()
    world.put_job(
        uri={"S": OLD},
        steps={
            "L": [
                {"M": {"uri": {"S": uri}}}
                for uri in (
                    "s3://line-1/stray",
                    "https://line-1.s3.amazonaws.com/old/a?sig=1",
                    "s3://other/x",
                    NEW,
                    "-",
                )
            ]
        },
    )
    reports = rewrite(world)
    assert outcomes(reports) == [
        ("steps[0].uri", ReferenceOutcome.STAYS),
        ("steps[1].uri", ReferenceOutcome.STAYS),
        ("uri", ReferenceOutcome.WAITING),
    ]
    assert [why.why[:20] for why in reports] == ["no rule matches it", "a query string (a pr", "the object is not mi"]


def test_an_item_that_changes_meanwhile_is_read_again() -> None:
    """What the application wrote in between is neither overwritten nor lost."""
    world = new_world("old//a", "old//b")
    world.put_job(uri={"S": OLD})

    def between(change: ItemChange) -> None:
        world.tables.between = lambda _: None
        world.put_job(uri={"S": "s3://line-1/old//b"}, note={"S": "mine"})

    world.tables.between = between
    rewrite(world)
    assert world.job() == {"id": {"S": "1"}, "uri": {"S": "s3://line-1/new/b"}, "note": {"S": "mine"}}


def test_an_item_that_is_deleted_meanwhile_is_no_concern_any_more() -> None:
    """Its owner's delete wins, and nothing is reported of what is not there."""
    world = new_world("old//a")
    world.put_job(uri={"S": OLD})
    world.tables.between = lambda change: world.tables.remove_item(change.table, change.key)
    assert rewrite(world) == []
    assert (list(world.tables.tables[world.jobs.table].values()), world.tables.journal) == ([], {})


def test_an_item_that_never_rests_is_left_to_a_later_run() -> None:
    """Tries are bounded."""
    world = new_world("old//a")
    world.put_job(uri={"S": OLD})
    turns: list[int] = []

    def between(change: ItemChange) -> None:
        turns.append(1)
        world.put_job(uri={"S": OLD if len(turns) % 2 == 0 else f"{OLD}/x"})

    world.tables.between = between
    world.put("old//a/x")
    world.migrate("old//a/x")
    assert [one.outcome for one in rewrite(world)] == [ReferenceOutcome.WAITING]
    assert len(turns) == 5


def test_a_record_that_changes_meanwhile_stops_the_write() -> None:
    """A rollback between our look and our write wins: the reference stays."""
    world = new_world("old//a")
    item = world.put_job(uri={"S": OLD})
    world.tables.between = lambda _: world.roll_back("old//a")
    (report,) = rewrite(world)
    assert (report.outcome, report.why, world.job()) == (ReferenceOutcome.WAITING, "the object is rolled back", item)


def test_an_item_too_large_after_the_change_is_refused_whole() -> None:
    """Beyond 400 KB nothing of the item is changed, and the report says so."""
    world = ReferringWorld(rules=LONGER)
    world.put("old//a")
    world.migrate("old//a")
    uri = "s3://line-1/old//a"
    padding = {"S": "x" * (400 * 1024 - 60)}
    item = world.put_job(uri={"S": uri}, padding=padding)
    (report,) = rewrite(world)
    assert (report.outcome, world.job()) == (ReferenceOutcome.HOLDS, item)
    assert "409600 bytes" in report.why


def test_more_objects_than_a_transaction_holds_take_several_writes() -> None:
    """Every write is complete in itself, with one check for each object."""
    world = ReferringWorld()
    for number in range(120):
        world.put(f"old//{number}")
        world.migrate(f"old//{number}")
    before = world.put_job(steps={"L": [{"M": {"uri": {"S": f"s3://line-1/old//{n}"}}} for n in range(120)]})
    assert len(rewrite(world)) == 120
    assert [len(change.records) for change in world.tables.changes] == [98, 22]
    assert [len(change.edits) for change in world.tables.changes] == [1, 22]
    assert all("/new/" in one["M"]["uri"]["S"] for one in world.job()["steps"]["L"])
    assert len(list(world.references.undo_references())) == 120
    assert world.job() == before


def test_undo_finds_what_was_moved_in_a_list_and_leaves_what_was_changed() -> None:
    """By value: reordered elements are found, an attribute somebody wrote since stays and is reported."""
    world = new_world("old//a", "old//b")
    two = [{"M": {"uri": {"S": f"s3://line-1/old//{name}"}}} for name in "ab"]
    world.put_job(uri={"S": OLD}, steps={"L": two})
    rewrite(world)
    item = world.job()
    world.put_job(uri={"S": "s3://line-1/mine"}, steps={"L": item["steps"]["L"][::-1]})
    reports = list(world.references.undo_references())
    assert world.job()["steps"]["L"] == two[::-1]
    assert world.job()["uri"] == {"S": "s3://line-1/mine"}
    lost = [one for one in reports if one.outcome is ReferenceOutcome.LOST]
    assert [(one.reference.path, one.why) for one in lost] == [("uri", "the new URI is no longer in the item")]
    assert [one.outcome for one in world.references.undo_references()] == [ReferenceOutcome.LOST]


def test_undo_waits_until_the_source_is_back() -> None:
    """An old URI is put back only where the object is; rollback brings it back first."""
    world = new_world("old//a")
    before = world.put_job(uri={"S": OLD})
    rewrite(world)
    world.clean("old//a")
    (report,) = world.references.undo_references()
    assert "roll the migration back first" in report.why
    assert world.job()["uri"] == {"S": NEW}
    world.roll_back("old//a")
    assert [one.outcome for one in world.references.undo_references()] == [ReferenceOutcome.RESTORED]
    assert world.job() == before
    assert list(world.references.undo_references()) == []


def test_undo_of_some_records_leaves_the_others() -> None:
    """A rollback of one key takes only its references back, also out of an entry with others."""
    world = new_world("old//a", "old//b")
    world.put_job(uri={"S": OLD}, bare={"S": "old//b"})
    rewrite(world)
    only = frozenset({Location("line-1", "old//b").record_id})
    assert [one.reference.path for one in world.references.undo_references(only)] == ["bare"]
    assert (world.job()["uri"], world.job()["bare"]) == ({"S": NEW}, {"S": "old//b"})
    assert [one.reference.path for one in world.references.undo_references()] == ["uri"]


def test_a_deleted_item_is_reported_by_undo() -> None:
    """Nothing is created for it."""
    world = new_world("old//a")
    world.put_job(uri={"S": OLD})
    rewrite(world)
    world.tables.remove_item("jobs", {"id": {"S": "1"}})
    assert [one.why for one in world.references.undo_references()] == ["the item is gone"]


def test_a_lost_answer_changes_nothing_twice() -> None:
    """The write took effect and its answer was lost: the next run finds nothing to do, the journal has it once."""
    world = new_world("old//a")
    before = world.put_job(uri={"S": OLD})
    world.tables.fail_next(UnavailableError("lost"), when="after", call="change_item")
    reports = world.rewrite_tables(segments=2)
    assert reports == []
    assert len(world.tables.journal) == 1
    list(world.references.undo_references())
    assert world.job() == before


def test_a_scan_in_segments_sees_every_item_and_a_second_one_changes_nothing() -> None:
    """An error ends the first; what is rewritten already is not written again."""
    world = new_world("old//a")
    for number in range(9):
        world.put_job(str(number), uri={"S": OLD})
    world.tables.fail_next(ThrottledError("slow"), call="scan_items")
    with pytest.raises(ThrottledError):
        world.rewrite_tables()
    assert len(world.rewrite_tables(segments=3)) == 9
    assert world.rewrite_tables(segments=3) == []


def test_the_finder_names_every_legacy_place_migrated_or_not() -> None:
    """The gates' question: what still holds a legacy URI of something that moves."""
    world = new_world("old//a")
    world.put_job(uri={"S": OLD}, bare={"S": "old//not-there"}, steps={"L": [{"M": {"uri": {"S": NEW}}}]})
    found = [(one.holder, one.path, one.source.key) for one in world.references.find_references()]
    assert found == [("table jobs id=1", "uri", "old//a"), ("table jobs id=1", "bare", "old//not-there")]


def test_strings_in_json_are_changed_in_place() -> None:
    """Spaces, numbers, escapes and the order stay; only the string is another one."""
    text = ' {"a" : [1.0, "x\\u00e9", {"b":"\\/y"}], "c":"ü", "d": -1e5 }'
    found = strings_of(text)
    assert [(one.place, one.value) for one in found] == [(("a", 1), "xé"), (("a", 2, "b"), "/y"), (("c",), "ü")]
    changed = with_strings(text, {found[0].start: "é/", found[1].start: "/z", found[2].start: "ö"})
    assert changed == ' {"a" : [1.0, "\\u00e9/", {"b":"\\/z"}], "c":"ö", "d": -1e5 }'


@pytest.mark.parametrize("text", ["", "{", '{"a": }', "[1,]", "nul"])
def test_what_is_no_json_is_refused(text: str) -> None:
    """Nothing is guessed about broken text."""
    with pytest.raises(ValueError, match=r"."):
        strings_of(text)


@pytest.mark.parametrize("text", ["", ".a", "a.", "[0]", "a[x]", "a..b", 'a"b"', "a b[*"])
def test_a_path_that_cannot_be_read_is_an_error(text: str) -> None:
    """Each mistake is said, none is guessed at."""
    with pytest.raises(PathError, match=r"."):
        read_path(text)


@pytest.mark.parametrize(
    ("path", "place", "is_match"),
    [
        ("a[*].b", ("a", 3, "b"), True),
        ("a[2].b", ("a", 3, "b"), False),
        ("a.*.b", ("a", "x.y", "b"), True),
        ("*-ref", ("source-ref",), True),
        ('"*-ref"', ("source-ref",), False),
        ('a."x.y"', ("a", "x.y"), True),
        ("a.*", ("a", 0), False),
    ],
)
def test_paths_lead_to_places(path: str, place: tuple[str | int, ...], *, is_match: bool) -> None:
    """Wildcards stand for elements and for parts of names; quotes take them literally."""
    assert matches(read_path(path), place) is is_match


def test_every_answer_of_a_change_is_handled() -> None:
    """A new answer must not pass unnoticed."""
    assert set(Changed) == {"done", "item-changed", "record-changed", "journal-changed", "too-large"}


def test_undo_prefers_the_place_that_was_rewritten() -> None:
    """A new URI that the application itself wrote beside ours stays."""
    world = new_world("old//a")
    world.put_job(steps={"L": [{"M": {"uri": {"S": NEW}}}, {"M": {"uri": {"S": OLD}}}]})
    before = world.job()
    rewrite(world)
    list(world.references.undo_references())
    assert world.job() == before


def test_undo_leaves_a_reference_whose_source_its_owner_deleted() -> None:
    """An old URI that leads nowhere is not put back."""
    world = new_world("old//a")
    world.put_job(uri={"S": OLD})
    rewrite(world)
    world.store.remove(Location("line-1", "old//a"))
    (report,) = world.references.undo_references()
    assert (report.outcome, report.why) == (ReferenceOutcome.LOST, "s3://line-1/old//a is not there")
    assert world.job()["uri"] == {"S": NEW}
