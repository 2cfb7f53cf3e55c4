"""Every record of a large table, read in parallel and in bounded memory."""

import gc
import weakref
from dataclasses import replace
from threading import Barrier, Lock
from typing import Any

import pytest

from domain.errors import AccessDeniedError, UnavailableError
from domain.keys import Location
from domain.protocol.ports import RecordPage
from domain.protocol.record import Record, State
from handlers.operations import segments
from handlers.operations.segments import READ_AHEAD, read_records
from tests.fakes.manifest import InMemoryManifest
from tests.worlds.handlers import BUCKET, bench


class Table:
    """A manifest of so many records, and the pages of it that were read and are still in memory."""

    def __init__(self, records: int) -> None:
        self.dependencies = bench().dependencies
        self.manifest = InMemoryManifest()
        for number in range(records):
            source = Location(BUCKET, f"old/{number}")
            self.manifest.records[source.record_id] = Record(source, Location(BUCKET, f"new/{number}"), State.COPIED)
        self.alive: weakref.WeakSet[Any] = weakref.WeakSet()
        self.most_alive = 0
        self._lock = Lock()

    def read_page(self, segment: int, many: int, *, cursor: str, at_most: int) -> RecordPage:
        """See RecordPages."""
        page = self.manifest.read_page(segment, many, cursor=cursor, at_most=at_most)
        records = [replace(record) for record in page.records]
        kept = Kept(records)
        with self._lock:
            self.alive.add(kept)
            self.most_alive = max(self.most_alive, len(self.alive))
        return RecordPage(kept, page.cursor)

    def keys(self, *, about: int) -> list[str]:
        """The keys of all records, as they come."""
        found = []
        for record in read_records(self, self.dependencies, about=about):
            found.append(record.source.key)
            with self._lock:
                self.most_alive = max(self.most_alive, len(self.alive))
        return found


class Kept(list[Record]):
    """A list that can be watched."""

    __hash__ = object.__hash__  # type: ignore[assignment]  # by identity, for the weak set


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many segments, and several pages in some of them."""
    monkeypatch.setattr(segments, "RECORDS_READ_AT_ONCE", 10)
    monkeypatch.setattr(segments, "RECORDS_A_READ", 8)


@pytest.mark.parametrize("about", [0, 1, 30, 300, 3_000])
def test_every_record_comes_once_whatever_the_counters_say(about: int) -> None:
    """They are seconds behind, or were never kept."""
    table = Table(300)
    assert sorted(table.keys(about=about)) == sorted(f"old/{number}" for number in range(300))
    assert Table(0).keys(about=about) == []


def test_the_order_is_the_same_each_time() -> None:
    """Two reports of the same table can be compared line by line."""
    assert Table(200).keys(about=200) == Table(200).keys(about=200)


@pytest.mark.parametrize(("records", "about"), [(200, 200), (2_000, 2_000), (2_000, 0), (2_000, 100)])
def test_the_pages_in_memory_do_not_grow_with_the_table(records: int, about: int) -> None:
    """READ_AHEAD of them, and the one that is being handed on."""
    gc.collect()
    table = Table(records)
    assert len(table.keys(about=about)) == records
    assert table.most_alive <= READ_AHEAD + 1


def test_segments_are_read_in_parallel() -> None:
    """No page of the first ones arrives before all of them were asked for."""
    table, together, read = Table(300), Barrier(READ_AHEAD - 1), Table.read_page

    def meeting(segment: int, many: int, **more: Any) -> RecordPage:
        if segment < READ_AHEAD - 1 and not more["cursor"]:
            together.wait(timeout=60)
        return read(table, segment, many, **more)

    table.read_page = meeting  # type: ignore[method-assign]  # the table answers late
    assert len(table.keys(about=300)) == 300


def test_a_page_without_an_answer_is_read_again() -> None:
    """A permission that is missing ends the read."""
    table = Table(100)
    table.manifest.fail_nth(3, UnavailableError("no answer"))
    assert len(table.keys(about=100)) == 100
    table.manifest.fail_nth(3, AccessDeniedError("Scan: AccessDenied"))
    with pytest.raises(AccessDeniedError):
        table.keys(about=100)


def test_a_read_that_is_left_reads_no_further() -> None:
    """A reader that stops, as at a broken pipe, leaves nothing running."""
    table = Table(1_000)
    records = read_records(table, table.dependencies, about=1_000)
    next(records)
    records.close()  # type: ignore[attr-defined]  # a generator
    assert table.manifest.calls.count("read_page") <= READ_AHEAD
