"""Referring tables and journal: the fake and DynamoDB keep one contract."""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import pytest

from adapters.dynamodb.manifest import DynamoDbManifest
from adapters.dynamodb.references import DynamoDbReferences
from domain.keys import Location
from domain.protocol.ports import Manifest
from domain.protocol.record import Claim, Mode, Record, State
from domain.references.items import Edit, Switch
from domain.references.ports import Changed, ItemChange, JournalEntry, ReferenceJournal, ReferringTables
from domain.rules.references import Item
from tests.fakes.manifest import InMemoryManifest
from tests.fakes.references import InMemoryReferences
from tests.servers import new_name
from tests.worlds.tables import create_referring_table, new_table

OLD, NEW = "s3://b/old", "s3://b/new"


class _Both(ReferringTables, ReferenceJournal, Protocol):
    """One adapter serves both ports."""


@dataclass(frozen=True)
class World:
    """A table ``jobs`` with the key ``id`` and an index ``by-uri``, and a manifest."""

    references: _Both
    manifest: Manifest
    table: str
    clients: Any = None

    def put(self, item: dict[str, Any]) -> None:
        """The application writes."""
        if isinstance(self.references, InMemoryReferences):
            self.references.put_item(self.table, item)
        else:
            self.clients.dynamodb.put_item(TableName=self.table, Item=item)

    def read(self, number: str = "1") -> Item | None:
        """The item now."""
        return self.references.read_item(self.table, {"id": {"S": number}})

    def record(self) -> Record:
        """A new record of a copied object."""
        source = Location("b", new_name("key"))
        record = Record(source, Location("b", "new"), State.COPIED, target_etag="e")
        assert self.manifest.write_record(record, before=None)
        return record


@pytest.fixture(params=["fake", "standin", "moto"])
def world(request: pytest.FixtureRequest) -> World:
    """The ports on each side."""
    table = new_name("jobs")
    if request.param == "fake":
        manifest = InMemoryManifest()
        fake = InMemoryReferences(manifest)
        fake.create_table(table, "id")
        return World(fake, manifest, table)
    made = new_table(request.getfixturevalue("moto_endpoint" if request.param == "moto" else request.param))
    create_referring_table(made.clients, table)
    references = DynamoDbReferences(made.clients, made.table)
    return World(references, DynamoDbManifest(made.clients, made.table), table, made.clients)


def change_of(world: World, record: Record, *edits: Edit) -> ItemChange:
    """A change of item 1 for this record."""
    switches = tuple(Switch(edit.place, ("a", 0), OLD, NEW, record.record_id, merged=True) for edit in edits)
    key = {"id": {"S": "1"}}
    entry = JournalEntry(new_name("entry"), world.table, key, switches, 12.5)
    return ItemChange(world.table, key, edits, (record,), entry)


def edit_of(*place: str | int) -> Edit:
    """The old URI becomes the new one."""
    return Edit(place, {"S": OLD}, {"S": NEW})


def test_all_edits_are_written_and_the_journal_has_them(world: World) -> None:
    """Nested places, names with odd characters; numbers and bytes beside them stay."""
    odd = "a.b-c #:"
    item = {"id": {"S": "1"}, "uri": {"S": OLD}, odd: {"L": [{"M": {"u": {"S": OLD}, "n": {"N": "1.5"}}}]}}
    world.put(item | {"bin": {"B": b"\x00\xff"}, "null": {"NULL": True}, "ns": {"NS": ["1", "2"]}})
    change = change_of(world, world.record(), edit_of("uri"), edit_of(odd, 0, "u"))
    assert world.references.change_item(change) is Changed.DONE
    now = dict(world.read() or {})
    assert sorted(now.pop("ns")["NS"]) == ["1", "2"]
    assert now == {
        "id": {"S": "1"},
        "uri": {"S": NEW},
        odd: {"L": [{"M": {"u": {"S": NEW}, "n": {"N": "1.5"}}}]},
        "bin": {"B": b"\x00\xff"},
        "null": {"NULL": True},
    }
    assert list(world.references.scan_entries()) == [change.entry]


def test_sets_and_whole_attributes_are_compared_as_values(world: World) -> None:
    """A set has no order; a whole list is one value."""
    many = {"L": [{"S": OLD}, {"N": "1"}]}
    world.put({"id": {"S": "1"}, "set": {"SS": ["a", OLD]}, "many": many})
    edits = [
        Edit(("set",), {"SS": [OLD, "a"]}, {"SS": [NEW, "a"]}),
        Edit(("many",), many, {"L": [{"S": NEW}, {"N": "1"}]}),
    ]
    if isinstance(world.references, InMemoryReferences):
        edits[0] = replace(edits[0], before={"SS": ["a", OLD]})  # the fake compares texts
    assert world.references.change_item(change_of(world, world.record(), *edits)) is Changed.DONE
    now = world.read() or {}
    assert sorted(now["set"]["SS"]) == ["a", NEW]
    assert now["many"] == {"L": [{"S": NEW}, {"N": "1"}]}


@pytest.mark.parametrize("there", [None, {"uri": {"S": "other"}}, {"note": {"N": "1"}}, {}], ids=str)
def test_an_item_that_is_another_is_not_touched(world: World, there: dict[str, Any] | None) -> None:
    """Gone, changed, of another type: nothing is written, not even the journal."""
    if there is not None:
        world.put({"id": {"S": "1"}, **there})
    assert world.references.change_item(change_of(world, world.record(), edit_of("uri"))) is Changed.ITEM_CHANGED
    assert world.read() == (None if there is None else {"id": {"S": "1"}, **there})
    assert list(world.references.scan_entries()) == []


@pytest.mark.parametrize(
    "change",
    [{"revision": 2}, {"revision": 2, "mode": Mode.ROLLED_BACK}, {"revision": 2, "claim": Claim("t", 1.0)}],
    ids=str,
)
def test_a_record_that_is_another_stops_the_change(world: World, change: dict[str, Any]) -> None:
    """Rolled back, claimed, or written again since it was read."""
    world.put({"id": {"S": "1"}, "uri": {"S": OLD}})
    record = world.record()
    assert world.manifest.write_record(replace(record, **change), before=record)
    assert world.references.change_item(change_of(world, record, edit_of("uri"))) is Changed.RECORD_CHANGED
    assert (world.read() or {})["uri"] == {"S": OLD}


def test_an_entry_is_written_once_and_replaced_by_its_revision(world: World) -> None:
    """Two undos of one entry: the second one learns that it is late; an entry with nothing left is not listed."""
    world.put({"id": {"S": "1"}, "uri": {"S": OLD}})
    record = world.record()
    change = change_of(world, record, edit_of("uri"))
    assert world.references.change_item(change) is Changed.DONE
    back = Edit(("uri",), {"S": NEW}, {"S": OLD})
    done = replace(change.entry, switches=(), revision=2)
    undo = replace(change, edits=(back,), entry=done, entry_before=change.entry)
    assert world.references.change_item(undo) is Changed.DONE
    assert list(world.references.scan_entries()) == []
    world.put({"id": {"S": "1"}, "uri": {"S": NEW}})
    assert world.references.change_item(undo) is Changed.JOURNAL_CHANGED
    assert (world.read() or {})["uri"] == {"S": NEW}


def test_segments_part_the_items_and_go_on_after_a_key(world: World) -> None:
    """Every item is in one segment; a scan goes on after the last key of a page."""
    for number in range(7):
        world.put({"id": {"S": str(number)}, "uri": {"S": OLD}})
    pages = [page for one in range(3) for page in world.references.scan_items(world.table, segment=one, segments=3)]
    assert sorted(item["id"]["S"] for page in pages for item in page.items) == list("0123456")
    (*_, last) = world.references.scan_items(world.table)
    assert last.last_key is None
    first = next(iter(world.references.scan_items(world.table)))
    after = {"id": first.items[0]["id"]}
    rest = [item["id"] for page in world.references.scan_items(world.table, after=after) for item in page.items]
    assert (len(rest), first.items[0]["id"] in rest) == (6, False)


def test_a_page_says_what_its_read_used(world: World) -> None:
    """A consistent read uses a unit for each 4 KB, of all items of the page together."""
    for number in range(5):
        world.put({"id": {"S": str(number)}, "uri": {"S": OLD}, "more": {"S": "x" * 4_000}})
    used = sum(page.read_units for page in world.references.scan_items(world.table))
    assert 5 <= used <= 10


def test_items_are_found_by_an_index(world: World) -> None:
    """The key at least of every item with that text."""
    for number in "12":
        world.put({"id": {"S": number}, "uri": {"S": OLD}})
    world.put({"id": {"S": "3"}, "uri": {"S": NEW}})
    found = world.references.find_items(world.table, index="by-uri", attribute="uri", text=OLD)
    assert sorted(item["id"]["S"] for item in found) == ["1", "2"]


def test_entries_are_read_in_segments_that_go_on_after_a_cursor(world: World) -> None:
    """Each entry is in one segment; one with nothing left, and what else the table holds, is in no page."""
    written = []
    for _ in range(7):
        world.put({"id": {"S": "1"}, "uri": {"S": OLD}})
        change = change_of(world, world.record(), edit_of("uri"))
        assert world.references.change_item(change) is Changed.DONE
        written.append(change)
    undo = replace(written[0], edits=(Edit(("uri",), {"S": NEW}, {"S": OLD}),), entry_before=written[0].entry)
    empty = replace(undo, entry=replace(written[0].entry, switches=(), revision=2))
    assert world.references.change_item(empty) is Changed.DONE
    found: list[JournalEntry] = []
    for segment in range(3):
        cursor: str | None = ""
        while cursor is not None:
            page = world.references.read_entries(segment, 3, cursor=cursor, at_most=2)
            assert len(page.entries) <= 2
            found += page.entries
            cursor = page.cursor
    assert sorted(one.entry_id for one in found) == sorted(one.entry.entry_id for one in written[1:])
    assert all(entry in [one.entry for one in written] for entry in found)
