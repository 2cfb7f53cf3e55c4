"""The journal of a backfill, in memory and on DynamoDB."""

from dataclasses import replace

import pytest

from adapters.dynamodb.backfill_journal import DynamoDbBackfillJournal
from domain.planning.ports import BackfillJournal
from domain.planning.total import FileProgress
from tests.fakes.journal import InMemoryBackfillJournal
from tests.servers import Server
from tests.worlds.tables import TableWorld, new_table

FILE, OTHER = ("content", "data/1.csv.gz"), ("content", "data/2.csv.gz")
AHEAD = FileProgress(rows=10, objects=8, size=800)
BEHIND = FileProgress(rows=7, objects=6, size=600)


@pytest.fixture
def table(standin: Server) -> TableWorld:
    """A table on the stand-in."""
    return new_table(standin)


@pytest.fixture(params=["fake", "standin"])
def journal(request: pytest.FixtureRequest) -> BackfillJournal:
    """An empty journal."""
    if request.param == "fake":
        return InMemoryBackfillJournal()
    world: TableWorld = request.getfixturevalue("table")
    return DynamoDbBackfillJournal(world.clients, world.table)


def test_each_file_has_its_progress(journal: BackfillJournal) -> None:
    """In the order in which they are asked for, a file twice, too; of a new one nothing is enqueued."""
    journal.write_progress(*FILE, AHEAD)
    assert journal.read_progress([OTHER, FILE, FILE]) == [FileProgress(), AHEAD, AHEAD]
    assert journal.read_progress([]) == []


def test_the_progress_never_goes_back(journal: BackfillJournal) -> None:
    """Of two runs that overlap the one behind does not undo what the other stored, nor that the file is read."""
    journal.write_progress(*FILE, AHEAD)
    journal.write_progress(*FILE, BEHIND)
    assert journal.read_progress([FILE]) == [AHEAD]
    read = replace(AHEAD, is_read=True)
    journal.write_progress(*FILE, read)
    journal.write_progress(*FILE, AHEAD)
    assert journal.read_progress([FILE]) == [read]


def test_an_empty_file_is_read(journal: BackfillJournal) -> None:
    """It has no row that could say so."""
    journal.write_progress(*FILE, FileProgress())
    journal.write_progress(*FILE, FileProgress(is_read=True))
    assert journal.read_progress([FILE]) == [FileProgress(is_read=True)]


def test_progress_may_be_forgotten(journal: BackfillJournal) -> None:
    """Also that of a file that has none; what a run does afterwards is stored again."""
    journal.write_progress(*FILE, replace(AHEAD, is_read=True))
    for file in (FILE, FILE, OTHER):
        journal.forget_progress(*file)
        assert journal.read_progress([file]) == [FileProgress()]
    journal.write_progress(*FILE, BEHIND)
    assert journal.read_progress([FILE]) == [BEHIND]


def test_rows_that_an_earlier_release_stored_are_not_counted(table: TableWorld) -> None:
    """Its items have the number of rows alone; what is enqueued after them does not make the figures whole."""
    journal = DynamoDbBackfillJournal(table.clients, table.table)
    journal.write_progress(*FILE, AHEAD)
    scanned = table.clients.dynamodb.scan(TableName=table.table)["Items"]
    (item,) = (item for item in scanned if "rows_done" in item)
    for name in ("moving", "moving_bytes", "all_read"):
        del item[name]
    table.clients.dynamodb.put_item(TableName=table.table, Item=item)
    (earlier,) = journal.read_progress([FILE])
    assert earlier == FileProgress(rows=10, is_counted=False)
    journal.write_progress(*FILE, replace(earlier, rows=12, objects=2))
    assert journal.read_progress([FILE]) == [FileProgress(rows=12, is_counted=False)]
