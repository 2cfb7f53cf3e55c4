"""The lease is renewed as long as a batch is worked on, and no longer."""

import threading

import pytest

from domain.errors import ThrottledError
from handlers.engine.stream_lease import kept_lease
from tests.worlds.handlers import bench


class Keeping:
    """``keep`` answers in turn, the last one again and again; a batch waits until so many were given."""

    def __init__(self, *answers: bool | Exception) -> None:
        self._answers = list(answers)
        self._given = threading.Semaphore(0)
        self.times = 0

    def keep(self) -> bool:
        """The next answer."""
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        self.times += 1
        self._given.release()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def wait(self, times: int) -> None:
        """Until it was asked so many times."""
        assert all(self._given.acquire(timeout=10) for _ in range(times))


def test_it_is_renewed_until_the_batch_ends() -> None:
    """Also when the batch fails; then no thread is left."""
    made, keeping = bench(), Keeping(True)

    def fail() -> None:
        with kept_lease(keeping.keep, made.dependencies.observer, every=0.001):
            keeping.wait(3)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert "stream-lease" not in {one.name for one in threading.enumerate()}
    assert made.lines("WARNING") == []


def test_a_short_batch_asks_nothing() -> None:
    """Its lease is young."""
    keeping = Keeping(True)
    with kept_lease(keeping.keep, bench().dependencies.observer, every=60):
        pass
    assert keeping.times == 0


def test_an_error_is_said_and_it_is_tried_again() -> None:
    """One of AWS's and one of ours."""
    made, keeping = bench(), Keeping(ThrottledError("too many"), ValueError("?"), True)
    with kept_lease(keeping.keep, made.dependencies.observer, every=0.001):
        keeping.wait(3)
    assert [line["why"] for line in made.lines("WARNING")] == ["too many"]
    assert len(made.lines("ERROR")) == 1


def test_a_stream_that_another_worker_has_is_not_asked_for_again() -> None:
    """The log says that the batch comes twice."""
    made, keeping = bench(), Keeping(False)
    with kept_lease(keeping.keep, made.dependencies.observer, every=0.001):
        keeping.wait(1)
        for one in threading.enumerate():
            if one.name == "stream-lease":
                one.join(10)
    assert keeping.times == 1
    assert ["this batch comes twice" in line["message"] for line in made.lines("WARNING")] == [True]
