"""ProgressCounters and ControlPanel: the fakes and DynamoDB keep one contract."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.dynamodb.control import DynamoDbControlPanel
from adapters.dynamodb.progress import DynamoDbProgressCounters
from domain.reporting.ports import ProgressCounters
from domain.reporting.progress import HOUR, MINUTE, Span
from domain.steering.control import Control
from domain.steering.learned import Learned, LearnedLimit
from domain.steering.places import Place, Service
from domain.steering.ports import ControlPanel
from tests.fakes.panel import InMemoryControlPanel, InMemoryProgressCounters
from tests.worlds.tables import new_table

WORLDS = ["fake", "standin", "moto"]


@pytest.fixture(params=WORLDS)
def counters(request: pytest.FixtureRequest) -> ProgressCounters:
    """Counters at zero."""
    if request.param == "fake":
        return InMemoryProgressCounters()
    world = new_table(request.getfixturevalue("moto_endpoint" if request.param == "moto" else request.param))
    return DynamoDbProgressCounters(world.clients, world.table)


@pytest.fixture(params=WORLDS)
def panel(request: pytest.FixtureRequest) -> ControlPanel:
    """A panel that nobody has used."""
    if request.param == "fake":
        return InMemoryControlPanel()
    world = new_table(request.getfixturevalue("moto_endpoint" if request.param == "moto" else request.param))
    return DynamoDbControlPanel(world.clients, world.table)


def test_counters_begin_empty_and_add_up(counters: ProgressCounters) -> None:
    """Each batch adds; figures may go down too."""
    assert dict(counters.read_progress()) == {}
    counters.add_progress({"objects.COPIED": 3, "bytes": 2**45}, batch_id="one")
    counters.add_progress({"objects.COPIED": -1, "a b/é": 1}, batch_id="two")
    assert dict(counters.read_progress()) == {"objects.COPIED": 2, "bytes": 2**45, "a b/é": 1}


def test_a_batch_counts_once(counters: ProgressCounters) -> None:
    """The same batch delivered again changes nothing."""
    for _ in range(3):
        counters.add_progress({"copied": 5}, batch_id="same")
    assert dict(counters.read_progress()) == {"copied": 5}


def test_an_empty_batch_is_no_error(counters: ProgressCounters) -> None:
    """Nothing to add, nothing added."""
    counters.add_progress({}, batch_id="empty")
    assert dict(counters.read_progress()) == {}


# Moto's server does not isolate transactions from each other: side by side they lose additions.
@pytest.mark.parametrize("counters", ["fake", "standin"], indirect=True)
def test_batches_at_the_same_time_all_count(counters: ProgressCounters) -> None:
    """Several writers lose nothing of each other's."""
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: counters.add_progress({"n": 1}, batch_id=f"b{number}"), range(12)))
    assert dict(counters.read_progress()) == {"n": 12}


def test_without_a_word_everything_runs(panel: ControlPanel) -> None:
    """No control item means full speed."""
    assert panel.read_control() == Control()


def test_the_last_word_counts_whole(panel: ControlPanel) -> None:
    """Every field is kept, and a limit that is lifted is gone."""
    first = Control(
        True, "errors", 12.5, 1e9, 4, 1, 1_790_000_000.25, "me", ("a",), paused_by="x", paused_at=1_790_000_000.5
    )
    assert panel.write_control(first, before=Control())
    assert panel.read_control() == first
    assert panel.write_control(Control(fence=2), before=first)
    assert panel.read_control() == Control(fence=2)


def test_a_word_spoken_over_is_refused(panel: ControlPanel) -> None:
    """Two operators at once: the second one has to look first; the repeat of what is there is no refusal."""
    mine, theirs = Control(paused=True, fence=1, by="me"), Control(fence=1, by="them")
    assert panel.write_control(theirs, before=Control())
    assert not panel.write_control(mine, before=Control())
    assert panel.write_control(theirs, before=Control())
    assert panel.read_control() == theirs


LIMIT = LearnedLimit(Place(Service.S3, "line", "old/é "), 12.5, 25.0, 1_790_000_000.25, 1_790_000_000.5, "SlowDown")
OTHER = LearnedLimit(Place(Service.DYNAMODB, "manifest"), 1.0, 2.0, 1_790_000_001.0, 1_790_000_002.0, "Throttling")


def test_learned_limits_and_the_operators_control_do_not_touch_each_other(panel: ControlPanel) -> None:
    """Each is written on its own condition, in whatever order, and both are read at once."""
    learned = Learned(1, (LIMIT, OTHER))
    assert panel.write_learned(learned, before=Learned())
    assert panel.read_control() == Control()
    assert panel.read_control().learned == learned
    word = Control(True, "errors", 12.5, None, 4, 1, 1_790_000_000.25, "me")
    assert panel.write_control(word, before=Control())
    assert (panel.read_control(), panel.read_control().learned) == (word, learned)
    assert panel.write_learned(Learned(2), before=learned)
    assert (panel.read_control(), panel.read_control().learned) == (word, Learned(2))


def test_learned_limits_that_another_process_changed_are_not_replaced(panel: ControlPanel) -> None:
    """The repeat of what is there is not refused."""
    mine, theirs = Learned(1, (LIMIT,)), Learned(1, (OTHER,))
    assert panel.write_learned(theirs, before=Learned())
    assert not panel.write_learned(mine, before=Learned())
    assert panel.write_learned(theirs, before=Learned())
    assert panel.write_learned(Learned(2, (LIMIT, OTHER)), before=theirs)
    assert panel.read_control().learned == Learned(2, (LIMIT, OTHER))


def test_history_counts_with_its_batch(counters: ProgressCounters) -> None:
    """Each span adds up; a repeated batch adds to none; spans come in order."""
    hour = int(time.time() // HOUR) * HOUR
    first, second, later = Span(hour, HOUR), Span(hour - HOUR, HOUR), Span(hour + MINUTE, MINUTE)
    for _ in range(2):
        counters.add_progress({"n": 1}, batch_id="one", history={first: {"n": 1}, later: {"n": 1}})
    counters.add_progress({"n": 5}, batch_id="two", history={first: {"n": 2}, second: {"n": 3, "m": 1}})
    assert {second: {"n": 3, "m": 1}, first: {"n": 3}} == counters.read_history(HOUR)
    assert {later: {"n": 1}} == counters.read_history(MINUTE)
    assert list(counters.read_history(HOUR)) == [second, first]
    assert dict(counters.read_progress()) == {"n": 6}
