"""Working through many things: in bounded memory, at a rate, with patience."""

from collections.abc import Iterator

import pytest

from domain.errors import AccessDeniedError, UnavailableError
from handlers.operations.parallel import AHEAD, ParallelMap, patiently
from tests.fakes.clock import FakeClock


def test_answers_come_in_order_and_only_a_few_things_are_taken_ahead() -> None:
    """However many there are, what waits is bounded by the threads."""
    taken = 0

    def things() -> Iterator[int]:
        nonlocal taken
        for number in range(1_000):
            taken += 1
            yield number

    answers = ParallelMap(3).map(lambda number: number * 2, things())
    assert next(answers) == 0
    assert taken <= 3 * AHEAD
    assert list(answers) == [number * 2 for number in range(1, 1_000)]


def test_a_rate_is_kept() -> None:
    """Ten a second: twenty-one things take two seconds."""
    clock = FakeClock()
    list(ParallelMap(2, 10, sleep=clock.advance, monotonic=clock.monotonic).map(str, range(21)))
    assert clock.monotonic() == pytest.approx(1_002.0)


def test_an_error_ends_the_sweep() -> None:
    """What was begun ends, the error is raised."""

    def work(number: int) -> int:
        return 1 // (number - 3)

    with pytest.raises(ZeroDivisionError):
        list(ParallelMap(2).map(work, range(100)))


def test_patience_ends_and_is_only_for_what_may_pass() -> None:
    """A transient error is tried again a few times; a permanent one at once raised."""
    slept: list[float] = []
    errors = [UnavailableError("no"), UnavailableError("no")]

    def work() -> str:
        if errors:
            raise errors.pop()
        return "done"

    assert patiently(work, sleep=slept.append) == "done"
    assert len(slept) == 2

    def refuse() -> str:
        raise AccessDeniedError("no")

    def fail() -> str:
        raise UnavailableError("no")

    with pytest.raises(AccessDeniedError):
        patiently(refuse, sleep=slept.append)
    assert len(slept) == 2
    with pytest.raises(UnavailableError):
        patiently(fail, sleep=slept.append, tries=3)
    assert len(slept) == 4
