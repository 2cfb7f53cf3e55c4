"""The number of objects worked on at once follows what the services can take."""

import threading

from handlers.engine.concurrency import Pace


class Ticking:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        """Monotonic seconds."""
        return self.seconds


def test_a_throttled_second_halves_the_limit_once() -> None:
    """Sixteen requests throttled together are one word of S3, not sixteen."""
    clock = Ticking()
    pace = Pace(16, monotonic=clock)
    for _ in range(16):
        pace.slow_down()
    assert pace.limit == 8
    clock.seconds += 1.0
    pace.slow_down()
    assert pace.limit == 4


def test_the_limit_never_falls_below_one() -> None:
    """However slow the service, something goes on."""
    clock = Ticking()
    pace = Pace(2, monotonic=clock)
    for _ in range(5):
        pace.slow_down()
        clock.seconds += 2.0
    assert pace.limit == 1


def test_a_good_round_allows_one_more_up_to_the_cap() -> None:
    """It creeps back, and never above what the operator allows."""
    clock = Ticking()
    pace = Pace(8, monotonic=clock)
    pace.slow_down()
    for _ in range(4):
        pace.speed_up()
    assert pace.limit == 4
    for _ in range(200):
        pace.speed_up()
    assert pace.limit == 8
    pace.cap(3)
    assert pace.limit == 3


def test_no_more_slots_than_the_limit() -> None:
    """A third object waits until one of two is done."""
    pace = Pace(2)
    entered: list[int] = []
    release = threading.Event()
    full = threading.Semaphore(0)

    def occupy(number: int) -> None:
        with pace.slot():
            entered.append(number)
            full.release()
            release.wait(5)

    threads = [threading.Thread(target=occupy, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    assert full.acquire(timeout=5)
    assert full.acquire(timeout=5)
    assert not full.acquire(timeout=0.1)
    assert len(entered) == 2
    release.set()
    for thread in threads:
        thread.join(5)
    assert len(entered) == 3
