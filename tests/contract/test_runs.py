"""RunBook: the fake, SQLite and DynamoDB keep one contract."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from adapters.dynamodb.manifest import DynamoDbManifest
from adapters.dynamodb.runs import DynamoDbRunBook
from adapters.local.run_book import SqliteRunBook
from domain.errors import MissingResourceError
from domain.runs.ports import RunBook
from domain.runs.run import Run, RunState, ended
from domain.runs.slices import Slice, SliceClaim, claimed, failed, moved
from tests.fakes.runs import InMemoryRunBook
from tests.worlds.tables import new_table

RUN = Run(
    "verify",
    "r1",
    slices=130,
    options={"deep": "yes", "é": '"'},
    rules_digest="d",
    by="ana",
    begun_at=1_790_000_000.25,
)
CLAIM = SliceClaim("t", 1_790_000_120.5)


@pytest.fixture(params=["fake", "sqlite", "standin", "moto"])
def book(request: pytest.FixtureRequest) -> Iterator[RunBook]:
    """A book without a run."""
    if request.param == "fake":
        yield InMemoryRunBook()
        return
    if request.param == "sqlite":
        sqlite = SqliteRunBook()
        yield sqlite
        sqlite.close()
        return
    world = new_table(request.getfixturevalue("moto_endpoint" if request.param == "moto" else request.param))
    yield DynamoDbRunBook(world.clients, world.table)
    assert list(DynamoDbManifest(world.clients, world.table).scan_records()) == [], "no item of a run is a record"


def begun(book: RunBook) -> Run:
    """The run has begun."""
    assert book.write_run(RUN, before=None)
    return RUN


def test_a_run_is_read_as_it_was_written(book: RunBook) -> None:
    """None at first; each work has a run of its own; every field comes back."""
    assert book.read_run("verify") is None
    begun(book)
    assert book.read_run("verify") == RUN
    assert book.read_run("cleanup") is None


def test_the_runs_of_several_works_are_read_together(book: RunBook) -> None:
    """In the order of the works; a work that never had a run is left out."""
    assert book.read_runs(["cleanup", "verify"]) == []
    cleaning = replace(RUN, work="cleanup --yes", run_id="c1")
    for run in (begun(book), cleaning):
        assert book.write_run(run, before=None)
    assert book.read_runs(["cleanup --yes", "rollback", "verify"]) == [cleaning, RUN]
    assert book.read_runs([]) == []


def test_a_run_replaces_only_what_was_read(book: RunBook) -> None:
    """Another operator's run is not overwritten; a repeat of this very write is not refused."""
    begun(book)
    assert book.write_run(RUN, before=None), "an earlier try of ours had landed"
    other = replace(RUN, run_id="r2", by="bea")
    assert not book.write_run(other, before=None)
    over = ended(RUN, RunState.CANCELLED, by="bea", now=1_790_000_010.5)
    assert book.write_run(over, before=RUN)
    assert book.write_run(over, before=RUN), "an earlier try of ours had landed"
    assert not book.write_run(ended(RUN, RunState.ENDED, by="ana", now=1.0), before=RUN)
    assert book.read_run("verify") == over
    assert book.write_run(other, before=over)
    assert not book.write_run(replace(over, by="cem"), before=over), "of the same revision, but of an earlier run"
    assert book.read_run("verify") == other


def test_every_slice_is_there_from_the_beginning(book: RunBook) -> None:
    """More than one request can read, in the order of their numbers; those of an earlier run are others."""
    run = begun(book)
    assert list(book.read_slices(run)) == [Slice(number) for number in range(130)]
    held = claimed(Slice(129), CLAIM)
    assert book.write_slice(run, held, before=Slice(129))
    assert list(book.read_slices(run)) == [*(Slice(number) for number in range(129)), held]
    assert list(book.read_slices(replace(run, run_id="r2"))) == [Slice(number) for number in range(130)]


def test_a_slice_replaces_only_what_was_read(book: RunBook) -> None:
    """Every field comes back; of two claims one is granted; a repeat of this very write is not refused."""
    run = begun(book)
    held = claimed(Slice(3), CLAIM)
    assert book.write_slice(run, held, before=Slice(3))
    assert book.write_slice(run, held, before=Slice(3)), "an earlier try of ours had landed"
    assert not book.write_slice(run, claimed(Slice(3), SliceClaim("other", 1.0)), before=Slice(3))
    on = moved(held, "cursor é", counts={"objects": 500, "difference.bytes": 2}, parts=0)
    assert book.write_slice(run, on, before=held)
    gone = failed(on, "no answer")
    assert book.write_slice(run, gone, before=on)
    assert not book.write_slice(run, moved(held, None, counts={}, parts=0), before=held)
    assert book.read_slices(run)[3] == gone


def test_results_are_kept_with_their_slice_or_not_at_all(book: RunBook) -> None:
    """Parts have numbers from those that are there; what is refused keeps nothing; a repeat keeps it once."""
    run = begun(book)
    held = claimed(Slice(0), CLAIM)
    assert book.write_slice(run, held, before=Slice(0))
    first = moved(held, "c1", counts={"objects": 2}, parts=2)
    for _ in range(2):
        assert book.write_slice(run, first, before=held, parts=["one\ntwo é", "x" * 200_000])
    late = moved(held, "c9", counts={"objects": 9}, parts=1)
    assert not book.write_slice(run, late, before=held, parts=["of a process whose claim had lapsed"])
    second = moved(first, None, counts={}, parts=1)
    assert book.write_slice(run, second, before=first, parts=["three"])
    kept = [book.read_part(run, 0, part) for part in range(second.parts)]
    assert kept == ["one\ntwo é", "x" * 200_000, "three"]
    assert book.read_slices(run)[0] == second
    with pytest.raises(MissingResourceError):
        book.read_part(run, 0, 3)
    with pytest.raises(MissingResourceError):
        book.read_part(replace(run, run_id="r2"), 0, 0)


def test_work_that_begins_again_keeps_its_results_again(book: RunBook) -> None:
    """A slice without a cursor overwrites the parts that an earlier claim kept."""
    run = begun(book)
    held = claimed(Slice(0), CLAIM)
    assert book.write_slice(run, held, before=Slice(0))
    on = moved(held, "", counts={"objects": 1}, parts=1)
    assert book.write_slice(run, on, before=held, parts=["old"])
    again = claimed(on, SliceClaim("u", 2.0))
    assert (again.parts, again.counts) == (0, {})
    assert book.write_slice(run, again, before=on)
    done = moved(again, None, counts={"objects": 1}, parts=1)
    assert book.write_slice(run, done, before=again, parts=["new"])
    assert book.read_part(run, 0, 0) == "new"
