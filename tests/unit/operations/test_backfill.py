"""An inventory is fed whole, however often the feeder dies on the way."""

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random

import pytest

from domain.keys import Location
from domain.objects import ListedObject
from domain.planning.total import FileProgress
from domain.protocol.record import State
from domain.queues import Message
from handlers.config.rules_file import load_rules
from handlers.engine.batch import handle_messages
from handlers.intake.messages import decode_message
from handlers.operations.backfill import DataFile, Fed, Feeder, content_id_of
from tests.fakes.journal import InMemoryBackfillJournal
from tests.fakes.queue import InMemoryQueue
from tests.worlds.handlers import BUCKET, bench, etag_of

RULES = load_rules("migrations/edge-cv-portal.yaml")
ROWS = 6_000


class KilledError(BaseException):
    """The feeder's process was killed here."""


class Dice:
    """Kills at a random port call, before or after its effect."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self.deadly = True

    def roll(self) -> None:
        """Perhaps the end."""
        if self.deadly and self._random.random() < 0.15:
            raise KilledError


class Journal(InMemoryBackfillJournal):
    """A journal that survives its writers."""

    def __init__(self, dice: Dice) -> None:
        super().__init__()
        self._dice = dice

    def read_progress(self, files: Sequence[tuple[str, str]]) -> list[FileProgress]:
        """See the port."""
        self._dice.roll()
        return super().read_progress(files)

    def write_progress(self, content_id: str, file_key: str, progress: FileProgress) -> None:
        """See the port."""
        self._dice.roll()
        super().write_progress(content_id, file_key, progress)
        self._dice.roll()

    def forget_progress(self, content_id: str, file_key: str) -> None:
        """See the port."""
        self._dice.roll()
        super().forget_progress(content_id, file_key)


class Queue(InMemoryQueue):
    """A queue that survives its senders and is never long; any message may be the last of its sender."""

    def __init__(self, dice: Dice) -> None:
        super().__init__()
        self._dice = dice

    def send_messages(self, bodies: Sequence[str], *, delay: int = 0) -> None:
        """See the port."""
        for body in bodies:
            self._dice.roll()
            super().send_messages([body], delay=delay)
        self._dice.roll()

    def count_messages(self) -> tuple[int, int]:
        """See the port."""
        return 0, 0


def rows_from(start: int) -> Iterator[ListedObject | None]:
    """Every third moves, every third stays, every third is an old version."""
    for number in range(start, ROWS):
        if number % 3 == 0:
            yield ListedObject(f"training-output/job-{number}/output/model.tar.gz", "e" * 32, number)
        else:
            yield ListedObject(f"datasets/raw/{number}.jpg", "f" * 32, number) if number % 3 == 1 else None


FILE = DataFile("inventory", "file", rows_from)


def keys_in(bodies: Sequence[str]) -> Counter[str]:
    """How often each key was enqueued."""
    return Counter(notice.source.key for body in bodies for notice in decode_message(body).notices)


SEEDS = [*range(10), *(pytest.param(seed, marks=pytest.mark.slow("more seeds")) for seed in range(10, 50))]
MOVING = {f"training-output/job-{number}/output/model.tar.gz" for number in range(0, ROWS, 3)}


@pytest.mark.parametrize("seed", SEEDS)
def test_no_kill_loses_a_row(seed: int) -> None:
    """Killed at random until it ends, the feeder has enqueued every row that moves, and none but these."""
    dice = Dice(seed)
    journal, queue = Journal(dice), Queue(dice)
    kills = 0
    while True:
        dice.deadly = kills < 8
        try:
            if Feeder(RULES, queue).feed_file(FILE, Fed(), journal=journal):
                break
        except KilledError:
            kills += 1
    print(f"seed {seed}: {kills} kills")  # noqa: T201  # shown when the test fails
    assert set(keys_in(queue.bodies)) == MOVING
    assert kills


@pytest.mark.parametrize("seed", SEEDS)
def test_at_the_end_every_object_is_moved_exactly_once(seed: int) -> None:
    """The feeder is killed at random; in the end each object is at its target, copied and recorded once.

    What was enqueued twice, or is delivered again as after a worker that died before it acknowledged, moves nothing.
    Workers killed between two calls are the simulation's and the chaos test's business.
    """
    dice, random = Dice(seed), Random(seed)
    moving = [f"old/{number}" for number in range(540)]  # more than one checkpoint

    def rows(start: int) -> Iterator[ListedObject | None]:
        yield from (ListedObject(key, etag_of(key.encode()), len(key), "STANDARD") for key in moving[start:])

    made, journal, queue = bench(concurrency=1), Journal(dice), Queue(dice)
    world, dependencies = made.world, made.dependencies
    for key in moving:
        world.put(key, key.encode())
    kills = 0
    fed = False
    while not fed:
        dice.deadly = kills < 8
        try:
            fed = Feeder(dependencies.rules, queue).feed_file(
                DataFile("inventory", "file", rows), Fed(), journal=journal
            )
        except KilledError:
            kills += 1
    print(f"seed {seed}: {kills} kills")  # noqa: T201  # shown when the test fails
    deliveries = [Message(f"m{number}", "", body) for number, body in enumerate(queue.bodies)]
    deliveries += [one for one in deliveries if random.random() < 0.3]  # its worker died before it said so
    random.shuffle(deliveries)
    handled = handle_messages(deliveries, dependencies, seconds_left=lambda: 300.0)
    assert all(one.done for one in handled)
    objects = world.objects
    assert {key: objects[Location(BUCKET, key.replace("old/", "new/"))] for key in moving} == {
        key: key.encode() for key in moving
    }
    assert len(objects) == 2 * len(moving)
    assert world.copies == len(moving)
    assert [one.state for one in world.records.values()] == [State.COPIED] * len(moving)


def test_the_checkpoint_never_runs_ahead() -> None:
    """When the queue refuses, no later row is remembered as done."""
    dice = Dice(0)
    dice.deadly = False
    journal = Journal(dice)

    class Refusing(InMemoryQueue):
        """Takes two batches, then nothing."""

        taken = 0

        def send_messages(self, bodies: Sequence[str], *, delay: int = 0) -> None:
            """See the port."""
            if self.taken == 2:
                raise KilledError
            self.taken += 1

    with pytest.raises(KilledError):
        Feeder(RULES, Refusing()).feed_file(FILE, Fed(), journal=journal)
    # Two batches of 500 moving rows, every third row one of them: the row after the thousandth is not done.
    rows = {file: progress.rows for file, progress in journal.stored.items()}
    assert rows == {(content_id_of("inventory", RULES), "file"): 999 * 3 + 1}


def test_a_full_queue_makes_the_feeder_wait() -> None:
    """Above the backlog limit nothing is enqueued until the queue is shorter again."""
    queue = InMemoryQueue()
    queue.send_messages(["{}"] * 5)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        queue.delete_messages(queue.receive_messages(at_most=10, wait=0))

    feeder = Feeder(RULES, queue, backlog=3, sleep=sleep)
    assert feeder.feed([ListedObject("training-output/j/output/model.tar.gz", "e" * 32, 1)], Fed())
    assert len(waits) == 1
    assert sum(queue.count_messages()) == 1


def test_without_waiting_a_full_queue_ends_the_run() -> None:
    """A Lambda function does not wait: it stops before the row that does not fit, and goes on there."""
    queue = InMemoryQueue()
    queue.send_messages(["{}"] * 5)
    journal = Journal(Dice(0))
    journal._dice.deadly = False
    rows = [ListedObject("training-output/j/output/model.tar.gz", "e" * 32, 1)]
    file = DataFile("inventory", "file", lambda start: iter(rows[start:]))
    feeder = Feeder(RULES, queue, backlog=3, waits=False)
    assert not feeder.feed_file(file, Fed(), journal=journal)
    assert journal.stored == {}


def test_rows_are_packed_and_counted() -> None:
    """Fifty rows to a message; what stays and what is old is counted, not enqueued."""
    dice = Dice(0)
    dice.deadly = False
    queue, fed = Queue(dice), Fed()
    assert Feeder(RULES, queue).feed_file(FILE, fed, journal=Journal(dice))
    assert fed.as_json() == {
        "rows": ROWS,
        "skipped": 0,
        "messages": 40,
        "move": 2_000,
        "keep": 2_000,
        "not_current": 2_000,
    }
    assert keys_in(queue.bodies) == Counter(dict.fromkeys(MOVING, 1))


def test_an_encrypted_object_is_looked_at_first() -> None:
    """Its etag is no digest, so the row leaves the class out and the worker asks S3."""
    queue = Queue(Dice(0))
    queue._dice.deadly = False
    row = ListedObject("training-output/j/output/m", "e" * 32, 1, is_encrypted=True, version_id="v1")
    assert Feeder(RULES, queue).feed([row], Fed())
    notice = decode_message(queue.bodies[0]).notices[0]
    assert (notice.storage_class, notice.version_id, notice.size) == (None, "v1", 1)
