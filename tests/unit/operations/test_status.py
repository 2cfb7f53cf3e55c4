"""What status shows, at every width, in a pipe and for machines; what it does when nobody answers."""

import json
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from domain.errors import UnavailableError
from domain.keys import Location
from domain.planning.total import Total
from domain.protocol.causes import Cause
from domain.protocol.record import Record, State
from domain.steering.control import Control
from domain.steering.learned import Learned, LearnedLimit
from domain.steering.places import Place, Service
from domain.steering.pulse import Tally, Window
from handlers.cli.status import _looked
from handlers.cli.status_view import line_of, view_of
from handlers.cli.text import said_bytes
from handlers.operations.lookout import Lookout
from handlers.operations.status import Depth, Status, ThrottledPlace, throttled_places
from tests.fakes.clock import FakeClock
from tests.fakes.queue import InMemoryQueue
from tests.fakes.steering import InMemoryDeadLetterQueue, InMemoryPulseBook
from tests.worlds.handlers import BUCKET, Bench, bench

BUSY = Status(
    migration="line-1",
    stage="live",
    records={"COPIED": 3_000, "NEW": 10, "PARKED": 2},
    rules={f"rule-{number}": number for number in range(1, 10)},
    causes={"access-denied": 2},
    objects_copied=3_000,
    bytes_copied=5 * 1024**3,
    queues={"events": Depth(5, 1, 0), "backfill": Depth(200, 8, 3)},
    control=Control(paused=True, reason="[KMS] key rotation", paused_by="ann@ops", objects_per_second=50.0, fence=4),
    recent=Tally(100, 2, 2, {"access-denied": 2}, oldest_event=3.2, oldest_row=75.0),
    objects_per_second=12.5,
    bytes_per_second=2_000.0,
)


def shown(now: Status, width: int, **more: Any) -> str:
    """As a terminal of that width gets it."""
    text = StringIO()
    Console(file=text, width=width, force_terminal=True, color_system=None).print(view_of(now, width=width, **more))
    return text.getvalue()


def words_of(text: str) -> str:
    """The words, wherever the lines break."""
    return " ".join(text.split())


@pytest.mark.parametrize("width", [20, 40, 59, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """On every width the pause, its reason and the dead letters are there."""
    text = shown(BUSY, width)
    assert max(len(line) for line in text.splitlines()) <= width
    said = words_of(text).replace(" ", "")
    for wanted in ("PAUSEDbyann@ops:[KMS]keyrotation", "keyshiftresume", "line-1"):
        assert wanted in said


def test_the_view_says_what_an_operator_asks() -> None:
    """Progress, rate, lag, limits, queues, failures by cause; long lists are cut."""
    said = words_of(shown(BUSY, 100))
    for wanted in (
        "93% of what is known",
        "3,000 objects, 5.0 GiB",
        "12.5 objects/s, 2.0 KiB/s",
        "live 3s, backfill 1m 15s",
        "50 objects/s",
        "100 ended, 2 failed",
        "backfill 200 8 3",
        "2 access-denied",
        "and 3 more",
        "stage live",
    ):
        assert wanted in said, wanted
    assert "to go" not in said, "nobody knows how long a pause lasts"


SLOW = ThrottledPlace("s3://line-1/new/", 12.25, "SlowDown", 1_790_000_000.0, 1_790_000_600.0)


def test_what_is_throttled_is_named_with_its_rate_and_the_answer() -> None:
    """On a terminal, in a pipe and for machines; a long list is cut."""
    now = replace(BUSY, throttled=[SLOW] * 8)
    said = words_of(shown(now, 200))
    assert (
        "s3://line-1/new/: 12.2 objects/s, because AWS answered SlowDown"
        " (first 2026-09-21 14:13Z, last 2026-09-21 14:23Z)" in said
    )
    assert "and 2 more" in said
    assert "; throttled s3://line-1/new/: 12.2/s" in line_of(now)
    (one, *_) = json.loads(json.dumps(now.as_json()))["throttled"]
    assert one == {
        "place": "s3://line-1/new/",
        "objects_per_second": 12.25,
        "answer": "SlowDown",
        "since": 1_790_000_000.0,
        "throttled_at": 1_790_000_600.0,
    }


def test_only_limits_that_are_not_gone_are_shown() -> None:
    """The control item keeps the others until the next place throttles."""
    place = Place(Service.S3, "line-1", "new/")
    limit = LearnedLimit(place, 10.0, 20.0, 1_790_000_000.0, 1_790_000_000.0, "SlowDown")
    rates = [
        [one.objects_per_second for one in throttled_places(Learned(1, (limit,)), 1_790_000_000.0 + age)]
        for age in (0.0, 32.0, 600.0)
    ]
    assert rates == [[10.0], [pytest.approx(10.0 + 2 * 3_500 / 1_800)], []]


def test_old_figures_are_marked() -> None:
    """The view stays when the table does not answer."""
    assert "no current figures: time-out" in shown(BUSY, 80, problem="time-out")


def test_a_pipe_gets_one_line_without_colour() -> None:
    """With the same facts."""
    line = line_of(BUSY)
    assert "\n" not in line
    assert "\x1b" not in line
    for wanted in ("3000 copied, 12.5/s", "backfill 200+8 (dead 3)", "PAUSED: [KMS] key rotation", "access-denied 2"):
        assert wanted in line


def test_machines_get_everything() -> None:
    """One JSON object."""
    told = json.loads(json.dumps(BUSY.as_json()))
    assert told["paused_by"] == "ann@ops"
    assert told["queues"]["backfill"] == {"waiting": 200, "in_work": 8, "dead": 3}
    assert told["limits"]["objects_per_second"] == 50.0
    assert (told["live_lag_seconds"], told["backfill_lag_seconds"]) == (3.2, 75.0)
    assert (told["objects_to_do"], told["share"], told["seconds_left"]) == (None, None, None)


COUNTED = Total("plan.parquet", 40_000, 10**12, is_complete=True)


def test_the_bar_is_a_share_of_what_the_plan_counted() -> None:
    """Not of the few thousand messages that a feeder keeps ahead of the workers; the time counts objects."""
    now = replace(BUSY, total=COUNTED, control=Control())
    text = shown(now, 80)
    assert f"[{'#' * 3}{'.' * 37}]" in text
    assert "7% of 40,000 objects" in text
    assert "36,998 objects, 49m 20s" in text
    assert "3000 copied, 12.5/s (7% of 40000 objects done)" in line_of(now)
    told = json.loads(json.dumps(now.as_json()))
    assert (told["objects_to_do"], told["objects_done"], told["objects_left"]) == (40_000, 3_002, 36_998)
    assert told["share"] == pytest.approx(0.07505)
    assert told["seconds_left"] == pytest.approx(36_998 / 12.5)
    assert told["total"] == {"place": "plan.parquet", "objects": 40_000, "size": 10**12, "is_complete": True}


def test_nothing_is_left_of_a_migration_that_is_done() -> None:
    """What producers created since the count belongs to it: the share is never above one."""
    now = replace(BUSY, records={"COPIED": 40_500, "PARKED": 2}, total=COUNTED, control=Control())
    assert "100% of 40,502 objects" in shown(now, 80)
    assert "to go" not in shown(now, 80)
    assert (now.share, now.objects_left, now.seconds_left(12.5)) == (1.0, 0, None)


def test_a_share_is_rounded_down() -> None:
    """100 % is said when everything is done, and not before."""
    now = replace(BUSY, records={"COPIED": 39_999, "NEW": 1}, total=COUNTED)
    assert "99% of 40,000 objects" in shown(now, 80)


def test_what_is_still_being_counted_is_no_total() -> None:
    """The listing has not come to its end: there is no share, and no time."""
    now = replace(BUSY, total=Total("listing", 10_500, 0, is_complete=False), control=Control())
    assert "of what is known; 10,500 objects counted so far" in words_of(shown(now, 100))
    assert (now.share, now.seconds_left(12.5)) == (None, None)


def test_a_pause_has_no_end() -> None:
    """So no time is left to tell; the objects are."""
    now = replace(BUSY, total=COUNTED)
    assert now.seconds_left(12.5) is None
    assert now.objects_left == 36_998


@pytest.mark.parametrize(
    ("size", "said"), [(0, "0 bytes"), (1023, "1,023 bytes"), (1536, "1.5 KiB"), (2**60, "1,024.0 PiB")]
)
def test_sizes_are_said_in_the_largest_unit(size: int, said: str) -> None:
    """Up to the last one there is."""
    assert said == said_bytes(size)


class Tower:
    """A lookout over a small world."""

    def __init__(self) -> None:
        self.made: Bench = bench()
        self.clock = FakeClock()
        self.pulse = InMemoryPulseBook()
        self.queue = InMemoryQueue(self.clock, visibility=1, max_receives=1)
        self.lookout = Lookout(
            self.made.dependencies,
            queues={"events": self.queue, "backfill": InMemoryQueue(self.clock)},
            dead={"events+backfill": InMemoryDeadLetterQueue(self.queue, now=self.clock.now)},
            pulse=self.pulse,
            pages=self.made.world.manifest,
            stage=lambda: "live",
            monotonic=self.clock.monotonic,
            total=lambda: COUNTED,
        )


def test_the_rate_is_that_of_the_last_minute() -> None:
    """Unknown at the first look; what was long ago does not count."""
    tower = Tower()
    assert tower.lookout.look(exact=False).objects_per_second is None
    for copied, seconds, rate in ((600, 60, 10.0), (0, 60, 0.0), (60, 30, 2.0)):
        tower.clock.advance(seconds)
        tower.made.figures.add_progress({"objects_copied": copied}, batch_id=str(tower.clock.now()))
        assert tower.lookout.look(exact=False).objects_per_second == pytest.approx(rate, rel=0.01)


def test_a_look_reads_the_total() -> None:
    """As the plan or the backfill stored it."""
    assert Tower().lookout.look(exact=False).total == COUNTED


def test_figures_that_are_old_are_no_lag() -> None:
    """The newest window counts as recent while it can be the present one, or the one before."""
    tower = Tower()
    now = tower.made.world.clock.now()
    tower.pulse.add_tally(Tally(5, oldest_event=4.0), window=Window.at(now, fence=1, seconds=30))
    recent = tower.lookout.look(exact=False).recent
    assert recent is not None
    assert recent.oldest_event == 4.0
    tower.made.world.clock.advance(120)
    assert tower.lookout.look(exact=False).recent is None


def test_exact_counts_records_and_their_causes() -> None:
    """Whatever the counters say."""
    tower = Tower()
    for key, state, cause in (
        ("a", State.COPIED, None),
        ("b", State.PARKED, Cause.IMPOSSIBLE_KEY),
        ("c", State.PARKED, Cause.KMS),
    ):
        record = Record(Location(BUCKET, key), Location(BUCKET, f"new/{key}"), state, cause=cause)
        tower.made.world.records[record.record_id] = record
    now = tower.lookout.look(exact=True)
    assert now.records == {"COPIED": 1, "PARKED": 2}
    assert now.causes == {"impossible-key": 1, "kms": 1}


def test_a_shared_dead_letter_queue_is_counted_for_each() -> None:
    """Both queues feed it."""
    tower = Tower()
    tower.queue.send_messages(["poison"])
    tower.queue.receive_messages(at_most=1, wait=0)
    tower.clock.advance(2)
    tower.queue.receive_messages(at_most=1, wait=0)
    depths = tower.lookout.look(exact=False).queues
    assert (depths["events"].dead, depths["backfill"].dead) == (1, 1)


def test_no_answer_keeps_the_last_figures() -> None:
    """A watch does not end because a server was away for a moment."""
    tower = Tower()
    first, problem = _looked(tower.lookout, None, exact=False)
    assert problem == ""
    tower.pulse.fail_next(UnavailableError("time-out"))
    assert _looked(tower.lookout, first, exact=False) == (first, "time-out")


@pytest.fixture
def nothing() -> Status:
    """A migration before its first object."""
    return Status("m", "prepared", {}, {}, {}, 0, 0, {"events": Depth(0, 0, 0)}, Control())


def test_an_empty_migration_is_no_fault(nothing: Status) -> None:
    """Nothing is divided by nothing."""
    assert "- of what is known" in shown(nothing, 80)
    assert "none, nothing waits" in line_of(nothing)
