"""What a verification's slices read, and the lines that its run keeps."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from domain.keys import Location
from domain.lifecycle.verification import Difference, Finding, Remark
from domain.protocol.record import Record, State
from domain.protocol.seen_parts import SeenParts
from handlers.operations import verify_run
from handlers.operations.runs import decode_options
from handlers.operations.segments import LEAST_SEGMENTS, MOST_SEGMENTS, segments_of
from handlers.operations.verify import Verifier
from handlers.operations.verify_run import Sources, VerifyOptions, VerifyWork, finding_of, line_of, options_of
from tests.fakes.lifecycle import InMemoryKeyBook
from tests.worlds.handlers import BUCKET, bench, etag_of
from tests.worlds.runs import lines_of

OBJECTS = 25


class Keys:
    """KeySource over keys in their order."""

    def __init__(self, *keys: str) -> None:
        self._keys = sorted(keys)

    def read_keys(self, cursor: str) -> Iterator[tuple[Location, str]]:
        """Those after the cursor."""
        yield from ((Location(BUCKET, key), key) for key in self._keys if key > cursor)


class Scene:
    """Copies with their records, and two keys without one: a source that was never moved, and another writer's."""

    def __init__(self) -> None:
        made = bench()
        self.manifest = made.world.manifest
        self.book = InMemoryKeyBook()
        self.dependencies = made.dependencies
        for number in range(OBJECTS):
            made.world.put(f"old/{number}", b"one")
            made.world.put(f"new/{number}", b"one")
            source, target = Location(BUCKET, f"old/{number}"), Location(BUCKET, f"new/{number}")
            etag = etag_of(b"one")
            record = Record(source, target, State.COPIED, source_etag=etag, target_etag=etag)
            assert self.manifest.write_record(record, before=None)
        made.world.put("old/late", b"one")
        made.world.put("new/theirs", b"one")
        made.world.clock.advance(3600)
        self.keys = (Keys(*(f"old/{number}" for number in range(OBJECTS)), "old/late"), Keys("new/1", "new/theirs"))

    def work(self, **options: Any) -> VerifyWork:
        """The work of a process that has just begun."""
        given = VerifyOptions(**({"segments": 2} | options))
        verifier = Verifier(self.dependencies, book=self.book, reader=None, marks=given.marks)
        sources = Sources(self.manifest, self.keys if given.keys else (), (), self.book)
        return VerifyWork(verifier, sources, given, sleep=lambda _: None)

    def found(self, **options: Any) -> list[Finding]:
        """What a whole run keeps."""
        work = self.work(**options)
        return [finding_of(line) for line in lines_of(work)]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several pages in each slice."""
    monkeypatch.setattr("handlers.operations.segments.RECORDS_AT_ONCE", 4)
    monkeypatch.setattr(verify_run, "RECORDS_AT_ONCE", 4)


def test_a_run_keeps_differences_and_remarks_or_everything() -> None:
    """Records, and keys of both sides without a record."""
    found = Scene().found()
    assert [(one.differences, one.remarks) for one in found] == [
        ((Difference.NOT_MIGRATED,), ()),
        ((), (Remark.FOREIGN,)),
    ]
    everything = Scene().found(keeps_all=True)
    assert len(everything) == OBJECTS + 2
    assert sum(one.verified for one in everything) == OBJECTS


def test_a_sample_ends_after_so_many_records() -> None:
    """In the middle of a page, or at its end."""
    for sample in (1, 4, 6, 100):
        found = Scene().found(segments=1, sample=sample, keeps_all=True, keys=False, references=False)
        assert len(found) == min(sample, OBJECTS)


def test_records_that_were_proven_are_left_out_on_demand() -> None:
    """They still are in the book, so that their keys are not without a record."""
    scene = Scene()
    now = scene.dependencies.ports.clock.now()
    assert len(scene.found(keeps_all=True, keys=False, references=False)) == OBJECTS
    assert scene.found(keeps_all=True, keys=False, references=False, verified_since=now - 1) == []
    later = scene.found(verified_since=now - 1)
    assert len(later) == 2


def test_a_process_that_only_lists_reads_the_records_first_page_by_page() -> None:
    """Between two pages it may be stopped; another slice of the same process does not read them again."""
    scene = Scene()
    work = scene.work()
    pages = list(work.read_pages(3, ""))
    filling = [page for page in pages if not page.tasks]
    assert len(filling) >= OBJECTS // 4
    assert {page.cursor for page in filling} == {""}
    assert sum(len(page.tasks) for page in pages) == OBJECTS + 1
    assert [len(page.tasks) for page in work.read_pages(4, "new/1")] == [1]
    read = scene.manifest.calls.count("read_page")
    assert [len(page.tasks) for page in work.read_pages(4, "")] == [2]
    assert scene.manifest.calls.count("read_page") == read


def test_records_that_this_process_has_verified_are_not_read_again() -> None:
    """A segment that it has read from its first page to its last is in the book; one that it continued is not."""
    scene = Scene()
    work = scene.work()
    first = list(work.read_pages(0, ""))
    middle = first[0].cursor
    assert middle
    list(work.read_pages(1, middle))
    read = scene.manifest.calls.count("read_page")
    list(work.read_pages(3, ""))
    again = scene.manifest.calls.count("read_page") - read
    other = len(list(scene.work().read_pages(1, "")))
    assert again == other


def test_a_slice_that_was_left_while_it_read_the_records_lets_others_read_them() -> None:
    """Its page was given up; nothing is held."""
    work = Scene().work()
    left = work.read_pages(3, "")
    next(left)
    left.close()  # type: ignore[attr-defined]  # a generator
    assert sum(len(page.tasks) for page in work.read_pages(3, "")) == OBJECTS + 1


def test_a_finding_comes_back_from_its_line() -> None:
    """Keys with line feeds too: a line is one line."""
    place = Location(BUCKET, "a\nb\x85c\u2028é")
    for finding in (
        Finding(place, None, "PARKED", (Difference.PARKED, Difference.TAGS), detail="why\nnot"),
        Finding(None, place, "", remarks=(Remark.OUTSIDE,)),
        Finding(place, place, "COPIED", verified=True),
    ):
        line = line_of(finding)
        assert line.splitlines() == [line]
        assert finding_of(line) == finding


def test_options_come_back_from_a_run() -> None:
    """Each with its type."""
    options = VerifyOptions(7, deep=True, verified_since=1.5, inventories=("s3://b/m.json",), sample=None)
    assert options_of(options.as_options()) == options
    assert decode_options(VerifyOptions, {"segments": "3"}) == VerifyOptions(3)


def test_a_table_is_cut_by_its_size() -> None:
    """Neither too few slices to share, nor so many that looking at them costs more than the work."""
    assert [segments_of(records) for records in (0, 25_000, 10**9)] == [LEAST_SEGMENTS, 5, MOST_SEGMENTS]


def marks_of(scene: Scene, between: Any) -> list[Finding]:
    """The findings of a verification; after it has read the records, ``between`` happens."""
    work = scene.work(keys=False, references=False, segments=1)
    tasks = [task for page in work.read_pages(0, "") for task in page.tasks]
    between()
    return [found for found in (task() for task in tasks) if found is not None]


def test_a_mark_that_another_verification_wrote_meanwhile_is_no_difference() -> None:
    """So a mark whose answer was lost, and that is written again, is not one either."""
    scene = Scene()
    first: list[Finding] = []

    def verify_too() -> None:
        first.extend(marks_of(scene, lambda: None))
        scene.dependencies.ports.clock.advance(60)  # type: ignore[attr-defined]

    second = marks_of(scene, verify_too)
    for found in (first, second):
        assert [(one.verified, one.differences) for one in found] == [(True, ())] * OBJECTS


def test_any_other_change_meanwhile_is_a_difference() -> None:
    """The record says something else now, or another verification has found the copy unproven."""
    for change in ({"size": 7}, {"verified_at": None, "seen": SeenParts(lost=("tags",))}):
        scene = Scene()

        def change_all(scene: Scene = scene, change: Any = change) -> None:
            for record in list(scene.manifest.records.values()):
                assert scene.manifest.write_record(replace(record, revision=9, **change), before=record)

        found = marks_of(scene, change_all)
        assert {(one.verified, one.differences) for one in found} == {(False, (Difference.UNFINISHED,))}
