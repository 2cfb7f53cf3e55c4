"""A scan of references as a run, and how fast it reads the application's tables."""

import json
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from domain.errors import InputError, ThrottledError, UnavailableError
from domain.references.ports import ItemPage
from domain.runs.run import Run
from domain.runs.works import Work
from handlers.operations import manifest_slices, reference_run
from handlers.operations.reference_rates import FIRST_UNITS, MOST_WAIT_SECONDS, ReadUnits, SharedReadUnits
from handlers.operations.reference_run import ReferenceScanWork, ScanOptions, options_of, outcomes_of, row_of, shown_row
from handlers.operations.runs import KeptRun, RunView, begin_run
from handlers.operations.segments import LEAST_SEGMENTS
from handlers.operations.slice_work import NotReadyError
from tests.fakes.clock import FakeClock
from tests.fakes.runs import InMemoryRunBook
from tests.fakes.steering import InMemoryRateLedger
from tests.worlds.augmented_manifests import ManifestWorld
from tests.worlds.runs import worker_of

JOBS = 23
MOST_KILLS = 6


class KilledError(Exception):
    """The process ends here."""


class Scene:
    """Jobs of which some hold an old URI, two of them twice, and manifests that do."""

    def __init__(self) -> None:
        self.world = ManifestWorld()
        self.references = replace(self.world.references, manifests=self.world.scan)
        self.clock = FakeClock()
        self.book = InMemoryRunBook()
        self.options = ScanOptions(3)
        for number in range(JOBS):
            key = f"old//{number}"
            self.world.put(key)
            self.world.migrate(key)
            uri = {"S": f"s3://line-1/{key}"}
            held = {"uri": uri} | ({"meta": {"M": {"a": {"M": {"uri": uri}}}}} if number < 2 else {})
            self.world.put_job(f"{number}", **(held if number % 3 else {}))
        self.world.put("old//other.manifest", b'{"source-ref": "s3://line-1/old//1"}\n')
        self.world.migrate("old//other.manifest")
        lines = b"".join(b'{"source-ref": "s3://line-1/old//%d"}\n' % number for number in range(7))
        for key in ("old//late.manifest", "new/own.manifest", "new/own2.manifest"):
            self.world.put(key, lines)
        self.run = Run(Work.REFERENCES.value, "r", sum(self.work().phases), self.options.as_options())
        assert begin_run(self.book, self.run) is None

    def work(self, **changes: Any) -> ReferenceScanWork:
        """The work of another process, with these changes of its references."""
        kept = KeptRun(self.book, Work.REFERENCES.value, "r")
        references = replace(self.references, **changes)
        return ReferenceScanWork(references, self.options, self.world.manifest, kept, sleep=self.clock.advance)

    def process(self) -> None:
        """A process works until it has nothing to do."""
        work = self.work()
        assert work.phases == (3 + LEAST_SEGMENTS, 2)
        worker_of(self.book, self.run, work, self.clock).work_off()

    def rows(self) -> list[dict[str, str]]:
        """What the run keeps."""
        rows = map(shown_row, RunView(self.book, self.run).look())
        return [dict(row) for row in rows if row is not None]

    def alone(self) -> list[dict[str, str]]:
        """What one scan without a run reports."""
        table, items = self.world.jobs, self.world.stored("jobs")
        reported = [one for item in items for one in self.references.rewrite(table, item, dry_run=True)]
        return [row_of(one) for one in [*reported, *self.world.scan.scan(dry_run=True)]]

    def assert_whole(self) -> None:
        """Each reference once, and the figures of all."""
        assert ordered(self.rows()) == ordered(self.alone())
        view = RunView(self.book, self.run, self.book.read_slices(self.run))
        assert outcomes_of(view.counts) == Counter(sorted(row["outcome"] for row in self.alone()))
        assert view.is_whole


def ordered(rows: list[dict[str, str]]) -> list[Any]:
    """The rows, whatever order they came in."""
    return sorted(sorted(row.items()) for row in rows)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page ends after each item, and after every second line of a manifest; pages of a table end elsewhere."""
    monkeypatch.setattr(reference_run, "BYTES_AT_ONCE", 1)
    monkeypatch.setattr(manifest_slices, "RECORDS_AT_ONCE", 2)
    monkeypatch.setattr(manifest_slices, "KEYS_AT_ONCE", 2)


def test_a_run_reports_what_one_scan_does() -> None:
    """Tables by segments, manifests, every reference of an item."""
    scene = Scene()
    scene.process()
    scene.assert_whole()
    assert len(scene.rows()) > JOBS // 2


@pytest.mark.parametrize("seed", range(40))
def test_a_scan_that_is_killed_again_and_again_reports_each_reference_once(seed: int) -> None:
    """The seed is in the test's name."""
    scene, random = Scene(), Random(seed)
    for _ in range(MOST_KILLS):
        struck: Any = random.choice([scene.book, scene.world.tables, scene.world.manifest])
        struck.fail_nth(random.randrange(60), KilledError(), when=random.choice(["before", "after"]))
        try:
            scene.process()
        except KilledError:
            continue
        finally:
            struck.forget_faults()
        break
    scene.process()
    scene.assert_whole()


def test_an_item_whose_record_cannot_be_read_is_tried_again() -> None:
    """As in a scan without a run."""
    scene = Scene()
    scene.world.manifest.fail_nth(2, UnavailableError("no answer"), call="read_records")
    scene.process()
    scene.assert_whole()


def test_options_are_those_of_the_run() -> None:
    """And a table that the rules file does not declare is an error that names those which it does."""
    options = ScanOptions(8, "jobs", 50.0, 9)
    assert options_of(options.as_options()) == options
    scene = Scene()
    scene.options = options
    assert scene.work().phases == (8,)
    scene.options = ScanOptions(8, "nope")
    with pytest.raises(InputError, match=r"declares no table 'nope'.*it knows: jobs"):
        scene.work()


def test_a_manifest_that_gets_its_record_during_the_scan_is_read_once() -> None:
    """The records were read before it; what no earlier slice has read is listed."""
    scene = Scene()
    before = ordered(scene.alone())
    pages = worker_of(scene.book, scene.run, scene.work(), scene.clock)
    while not all(one.is_done for one in scene.book.read_slices(scene.run)[: 3 + LEAST_SEGMENTS]):
        assert pages.is_left()
        assert pages.work_on_next()
    scene.world.migrate("old//late.manifest")
    scene.process()
    late = [row for row in scene.rows() if row["holder"].endswith("late.manifest")]
    assert sorted({row["holder"] for row in late}) == [
        "s3://line-1/new/late.manifest",
        "s3://line-1/old//late.manifest",
    ]
    assert len(before) <= len(scene.rows())


def test_a_scan_resumes_in_a_large_manifest() -> None:
    """What is kept of it is not told again; if it is gone, the page begins again, so that nothing is missed."""
    scene = Scene()
    work = scene.work()

    def told(cursor: str) -> list[str]:
        tasks = [task for page in work.read_pages(3 + LEAST_SEGMENTS, cursor) for task in page.tasks]
        return [one.reference.path for task in tasks for one in task().reports]

    small, large, *_ = (page for page in work.read_pages(3 + LEAST_SEGMENTS, "") if page.tasks)
    assert len(told("")) > 7
    assert told(small.cursor or "") == told("")[1:]
    assert told(large.cursor or "") == told("")[3:]
    assert told(json.dumps(["", "old//gone.manifest", 5])) == told("")


def test_a_binary_key_is_gone_on_after() -> None:
    """A cursor is text, and a key need not be."""
    key = {"id": {"B": b"\x00\xff"}, "at": {"N": "1"}}
    assert reference_run.key_of(reference_run.cursor_of(key)) == key


def pages(*units: float) -> Any:
    """A scan whose pages used so many read units."""
    for number, used in enumerate(units, 1):
        yield ItemPage([], {"id": {"S": f"{number}"}} if number < len(units) else None, used)


def test_no_more_units_are_read_in_a_second_than_are_allowed() -> None:
    """Over all segments; the first page of each is small, or paid for afterwards."""
    clock = FakeClock()
    units = ReadUnits(100, monotonic=clock.monotonic, sleep=clock.advance)
    begun = clock.monotonic()
    scans = [units.pace(pages(*[256.0] * 10)) for _ in range(4)]
    used = 0.0
    for _ in range(10):
        for scan in scans:
            used += next(scan).read_units
            assert used <= 100 * (clock.monotonic() - begun) + 256 + FIRST_UNITS
    assert used == 10_240
    assert clock.monotonic() - begun >= (used - 256 - FIRST_UNITS) / 100


def test_a_small_table_is_not_waited_for() -> None:
    """What its pages did not use is given back."""
    clock = FakeClock()
    units = ReadUnits(FIRST_UNITS, monotonic=clock.monotonic, sleep=clock.advance)
    begun = clock.monotonic()
    for _ in range(20):
        assert len(list(units.pace(pages(0.5)))) == 1
    assert clock.monotonic() - begun <= 20 * 0.5 / FIRST_UNITS + 1e-6
    assert list(units.pace(iter(()))) == []


def test_without_a_limit_nothing_waits() -> None:
    """A gate reads as fast as DynamoDB allows."""
    clock = FakeClock()
    units = ReadUnits(None, monotonic=clock.monotonic, sleep=clock.advance)
    begun = clock.monotonic()
    assert len(list(units.pace(pages(*[256.0] * 50)))) == 50
    assert clock.monotonic() == begun


def shared(ledger: InMemoryRateLedger, clock: FakeClock, *, left: float = 800.0) -> SharedReadUnits:
    """The pace of one function."""
    return SharedReadUnits(ledger, 100.0, now=clock.now, sleep=clock.advance, seconds_left=lambda: left)


def test_all_functions_together_read_no_more_units_than_are_allowed() -> None:
    """Whatever their pages use, and however many of them there are."""
    clock, ledger = FakeClock(), InMemoryRateLedger()
    begun, used = clock.now(), 0.0
    scans = [shared(ledger, clock).pace(pages(*[256.0, 16.0] * 5)) for _ in range(4)]
    for _ in range(10):
        for scan in scans:
            used += next(scan).read_units
            assert used <= 100 * (clock.now() - begun) + 256 + FIRST_UNITS
    assert used == 4 * 5 * 272
    assert clock.now() - begun <= (used + 4 * 256) / 100


def test_a_function_leaves_its_slice_where_its_next_page_is_due_too_late() -> None:
    """It would be killed while it waits, or another one has its time; nothing is reserved for it."""
    clock, ledger = FakeClock(), InMemoryRateLedger()
    assert len(list(shared(ledger, clock).pace(pages(256.0)))) == 1
    with pytest.raises(NotReadyError, match="100 read units a second"):
        next(shared(ledger, clock, left=1.0).pace(pages(1.0)))
    ledger.reserve_stretch("references", 1_000.0, earliest=0.0, latest=1e12, fence=1)
    before, begun = dict(ledger.lines), clock.now()
    with pytest.raises(NotReadyError):
        next(shared(ledger, clock).pace(pages(1.0)))
    assert (before, begun) == (ledger.lines, clock.now())
    clock.advance(1_000.0 - MOST_WAIT_SECONDS + 4.0)
    assert next(shared(ledger, clock).pace(pages(1.0))).read_units == 1.0
    clock.advance(1_001.0)
    assert len(list(shared(ledger, clock).pace(pages(1.0, 1.0)))) == 2


def test_a_busy_line_leaves_the_slice_too() -> None:
    """The manifest table was throttled: the page is not read beyond the rate."""
    clock, ledger = FakeClock(), InMemoryRateLedger()
    ledger.fail_next(ThrottledError("busy"), call="reserve_stretch")
    with pytest.raises(NotReadyError):
        next(shared(ledger, clock).pace(pages(1.0)))


def test_a_function_out_of_turn_keeps_its_cursor() -> None:
    """The slice is given back, and fails for nothing; another function reads on where it ended."""
    scene = Scene()
    ledger = InMemoryRateLedger()
    left = [True] * 3
    pace = SharedReadUnits(
        ledger, 1.0, scene.clock.now, scene.clock.advance, lambda: 50.0 if left and left.pop() else 0
    )
    slow = scene.work(units=pace)
    for _ in range(3):
        with suppress(NotReadyError):
            worker_of(scene.book, scene.run, slow, scene.clock).work_off()
    slices = scene.book.read_slices(scene.run)
    assert not any(one.failures or one.claim for one in slices)
    assert any(one.cursor for one in slices)
    scene.process()
    scene.assert_whole()
