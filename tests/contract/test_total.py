"""TotalBook: the fake and DynamoDB keep one contract."""

import pytest

from adapters.dynamodb.total import DynamoDbTotalBook
from domain.planning.ports import TotalBook
from domain.planning.total import Total
from tests.fakes.total import InMemoryTotalBook
from tests.worlds.tables import new_table

COUNTED = Total("plan.parquet", 40_000_000, 60 * 10**12, is_complete=True)
SO_FAR = Total("listing of s3://b/é", 500, 2**40, is_complete=False)


@pytest.fixture(params=["fake", "standin", "moto"])
def book(request: pytest.FixtureRequest) -> TotalBook:
    """A book in which nothing is written."""
    if request.param == "fake":
        return InMemoryTotalBook()
    world = new_table(request.getfixturevalue("moto_endpoint" if request.param == "moto" else request.param))
    return DynamoDbTotalBook(world.clients, world.table)


def test_a_total_is_read_as_it_was_written(book: TotalBook) -> None:
    """Nothing at first; the last one stays."""
    assert book.read_total() is None
    for total in (SO_FAR, Total(SO_FAR.place, 0, 0, is_complete=False), COUNTED, Total("p", 3, 4, is_complete=True)):
        book.write_total(total)
        assert book.read_total() == total


def test_a_minimum_does_not_replace_a_complete_total(book: TotalBook) -> None:
    """A second backfill, which has only begun, does not forget what the plan counted."""
    book.write_total(COUNTED)
    book.write_total(SO_FAR)
    assert book.read_total() == COUNTED
