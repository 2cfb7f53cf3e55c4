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
from tests.fakes.journal import InMemoryBackfillJournal
from tests.fakes.total import InMemoryTotalBook
from tests.worlds.handlers import BUCKET, bench, sqs_event

FILE = InventoryFile("data/1.csv.gz", 5, "d41d8cd98f00b204e9800998ecf8427e")
INVENTORY = Inventory(BUCKET, BUCKET, "CSV", ("bucket", "key"), (FILE,), 1_763_773_200.0)
ROWS = 2_500
"""More than one checkpoint."""


@contextmanager
def opened(place: str, *, only: str | None = None) -> Iterator[tuple[Inventory, dict[str, Rows]]]:
    """One file of ROWS rows."""

    def rows(start: int) -> Iterator[ListedObject]:
        yield from (ListedObject(f"old/{number:05}", "e" * 32, 5, "STANDARD") for number in range(start, ROWS))

    yield INVENTORY, {FILE.key: rows}


@pytest.mark.parametrize(("beyond_reserve", "is_whole"), [(1.0, True), (0.0, False)])
def test_a_file_is_fed_until_only_the_reserve_is_left(beyond_reserve: float, *, is_whole: bool) -> None:
    """The reserve is kept once: a second before it begins, the function still feeds."""
    made, journal = bench(), InMemoryBackfillJournal()
    milliseconds = (RESERVE_SECONDS + beyond_reserve) * 1000
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: milliseconds)
    task = json.dumps({"v": 1, "kind": KIND, "manifest": "s3://b/manifest.json", "file": FILE.key})
    reports = Reports(made.live, journal, InMemoryTotalBook(), opened)
    answer = respond(sqs_event(task), made.dependencies, reports, seconds_left=seconds_left_of(context))
    (progress,) = journal.stored.values()
    assert (answer["batchItemFailures"] == [], progress.rows == ROWS) == (is_whole, is_whole)
    assert progress.rows > 0, "what was enqueued is remembered"
