"""The inventory function's limit in time."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from domain.objects import ListedObject
from domain.planning.inventory import Inventory, InventoryFile
from handlers.intake.inventory_tasks import KIND
from handlers.intake.invocations import RESERVE_SECONDS, seconds_left_of
from handlers.inventory import Reports, respond
from handlers.operations.backfill import Rows
from tests.worlds.handlers import BUCKET, bench, sqs_event

FILE = InventoryFile("data/1.csv.gz", 5, "d41d8cd98f00b204e9800998ecf8427e")
INVENTORY = Inventory(BUCKET, BUCKET, "CSV", ("bucket", "key"), (FILE,), 1_763_773_200.0)
ROWS = 2_500
"""More than one checkpoint."""


class Journal:
    """How far the file is."""

    def __init__(self) -> None:
        self.rows = 0

    def read_rows_done(self, content_id: str, file_key: str) -> int:
        """See the port."""
        return self.rows

    def write_rows_done(self, content_id: str, file_key: str, rows: int) -> None:
        """See the port."""
        self.rows = rows

    def forget_rows_done(self, content_id: str, file_key: str) -> None:
        """See the port."""
        self.rows = 0


@contextmanager
def opened(place: str, *, only: str | None = None) -> Iterator[tuple[Inventory, dict[str, Rows]]]:
    """One file of ROWS rows."""

    def rows(start: int) -> Iterator[ListedObject]:
        yield from (ListedObject(f"old/{number:05}", "e" * 32, 5, "STANDARD") for number in range(start, ROWS))

    yield INVENTORY, {FILE.key: rows}


@pytest.mark.parametrize(("beyond_reserve", "is_whole"), [(1.0, True), (0.0, False)])
def test_a_file_is_fed_until_only_the_reserve_is_left(beyond_reserve: float, *, is_whole: bool) -> None:
    """The reserve is kept once: a second before it begins, the function still feeds."""
    made, journal = bench(), Journal()
    milliseconds = (RESERVE_SECONDS + beyond_reserve) * 1000
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: milliseconds)
    task = json.dumps({"v": 1, "kind": KIND, "manifest": "s3://b/manifest.json", "file": FILE.key})
    reports = Reports(made.live, journal, opened)
    answer = respond(sqs_event(task), made.dependencies, reports, seconds_left=seconds_left_of(context))
    assert (answer["batchItemFailures"] == [], journal.rows == ROWS) == (is_whole, is_whole)
    assert journal.rows > 0, "what was enqueued is remembered"
