"""Why a letter is dead, which letters are meant, and that looking harms none."""

import json
from dataclasses import replace
from typing import Any

import pytest

from domain.errors import InputError, UnavailableError
from domain.keys import Location
from domain.protocol.causes import Cause
from domain.protocol.record import Claim, Mode, State
from domain.runs.works import Work
from handlers.cli.text import parse_since, said_seconds
from handlers.engine.batch import respond_to_batch
from handlers.intake.messages import BackfillRow, encode_backfill
from handlers.intake.stage_tasks import StageTask, encode_stage_task
from handlers.operations.dead_letters import HeldLetters, Letter, Wanted, grouped, read_letter
from handlers.operations.redrive import Chosen, Replayed, move_all, purge_letters, replay_letters
from tests.fakes.clock import FakeClock
from tests.fakes.queue import InMemoryQueue
from tests.fakes.steering import InMemoryDeadLetterQueue, letter_of
from tests.worlds.handlers import BUCKET, Bench, bench, created_entry, direct, sqs_event


def read(made: Bench, body: str, **more: Any) -> Letter:
    """The letter with that body."""
    return read_letter(letter_of(body, **more), "events", made.dependencies)


def migrated(*keys: str) -> Bench:
    """A world in which these are copied."""
    made = bench()
    for key in keys:
        made.world.put(key, b"one")
        event = sqs_event(direct(created_entry(key, b"one")))
        respond_to_batch(event, made.dependencies, queue=made.live, seconds_left=lambda: 300.0)
    return made


def with_record(made: Bench, key: str, **changes: Any) -> Bench:
    """The same world with that record changed."""
    record_id = Location(BUCKET, key).record_id
    made.world.records[record_id] = replace(made.world.records[record_id], **changes)
    return made


NEWER = "0055AED6DCD90281F0"


@pytest.mark.parametrize(
    ("made", "body", "cause"),
    [
        (bench(), "{", "malformed-message"),
        (bench(), '{"hello": 1}', "malformed-message"),
        (bench(), encode_stage_task(StageTask("unit", Work.VERIFY, "r", lost_slice=3, why="no answer")), "stage-work"),
        (bench(), direct(created_entry("old/a", b"one")), "never-attempted"),
        (bench(), direct(created_entry("kept/a", b"one")), "overtaken"),
        (bench(), direct(created_entry("elsewhere", b"one")), "overtaken"),
        (bench(), direct(created_entry("old/a", b"one", bucket="other")), "other-bucket"),
        (bench(), '{"Event": "s3:TestEvent"}', "overtaken"),
        (
            bench(),
            json.dumps({"v": 1, "kind": "inventory-file", "manifest": "s3://i/m", "file": "f"}),
            "inventory-task",
        ),
        (migrated("old/a"), direct(created_entry("old/a", b"one")), "overtaken"),
        (migrated("old/a"), direct(created_entry("old/a", b"two", sequencer=NEWER)), "not-incorporated"),
        (migrated("old/a"), direct(created_entry("old/a", b"one"), created_entry("old/b", b"one")), "never-attempted"),
        (
            with_record(migrated("old/a"), "old/a", state=State.PARKED, cause=Cause.ACCESS_DENIED),
            direct(created_entry("old/a", b"two", sequencer=NEWER)),
            "access-denied",
        ),
        (
            with_record(migrated("old/a"), "old/a", state=State.PARKED, cause=Cause.IMPOSSIBLE_KEY),
            direct(created_entry("old/a", b"two", sequencer=NEWER)),
            "impossible-key",
        ),
        (
            with_record(migrated("old/a"), "old/a", state=State.CONFLICT, cause=Cause.TARGET_FOREIGN),
            direct(created_entry("old/a", b"two", sequencer=NEWER)),
            "conflict",
        ),
        (
            with_record(migrated("old/a"), "old/a", claim=Claim("t", 9e9)),
            direct(created_entry("old/a", b"one")),
            "unfinished",
        ),
        (
            with_record(migrated("old/a"), "old/a", mode=Mode.ROLLED_BACK),
            direct(created_entry("old/a", b"x")),
            "overtaken",
        ),
    ],
)
def test_the_cause_is_what_the_body_or_the_manifest_says(made: Bench, body: str, cause: str) -> None:
    """Every kind of letter; "overtaken" exactly where a worker would have nothing to do."""
    assert cause == read(made, body).cause


def test_rows_of_another_migration_are_named() -> None:
    """They are in the wrong queue."""
    (body,) = encode_backfill([BackfillRow(key="old/a")], migration="other", bucket=BUCKET)
    assert read(bench(), body).cause == "other-migration"


def test_keys_that_fail_the_rules_are_no_overtaken_ones() -> None:
    """Where the rules say fail, an unmapped key is why the letter is here."""
    from tests.worlds.handlers import HANDLER_RULES

    made = bench(rules=HANDLER_RULES.replace("unmapped: report", "unmapped: fail"))
    assert read(made, direct(created_entry("elsewhere", b"one"))).cause == "unmapped"


def test_filters_narrow() -> None:
    """By id, cause, key, prefix, time and rule; several together."""
    letter = read(bench(), direct(created_entry("old/a/b", b"one")), message_id="d7", sent_at=100.0)
    for fits in (
        Wanted(),
        Wanted(message_ids=frozenset({"d7", "d8"})),
        Wanted(cause="never-attempted"),
        Wanted(key="old/a/b"),
        Wanted(key="old/*"),
        Wanted(since=100.0),
        Wanted(rule="move", key="old/*", since=1.0),
    ):
        assert fits.fits(letter), fits
    for other in (
        Wanted(message_ids=frozenset({"d8"})),
        Wanted(cause="kms"),
        Wanted(key="old/a"),
        Wanted(key="new/*"),
        Wanted(since=100.5),
        Wanted(rule="other"),
        Wanted(key="old/*", since=101.0),
    ):
        assert not other.fits(letter), other


def test_groups_are_by_queue_and_cause_the_largest_first() -> None:
    """With the oldest and the newest, and a key to begin with."""
    made = bench()
    letters = [read(made, "{", message_id="p", sent_at=5.0)]
    letters += [read(made, direct(created_entry(f"old/{n}", b"x")), message_id=f"d{n}", sent_at=n) for n in range(1, 4)]
    first, second = grouped(letters)
    assert (first.cause, first.letters, first.oldest, first.newest, first.example) == (
        "never-attempted",
        3,
        1.0,
        3.0,
        "old/1",
    )
    assert (second.cause, second.letters, second.example) == ("malformed-message", 1, "p")


class Cemetery:
    """A queue with dead letters."""

    def __init__(self, *bodies: str) -> None:
        self.clock = FakeClock()
        self.queue = InMemoryQueue(self.clock, visibility=1, max_receives=1)
        self.dead = InMemoryDeadLetterQueue(self.queue, now=self.clock.now)
        self.queue.send_messages(bodies)
        while self.queue.receive_messages(at_most=10, wait=0):
            pass
        self.clock.advance(2)
        self.queue.receive_messages(at_most=10, wait=0)
        assert len(self.queue.dead) == len(bodies)

    def letters(self, held: HeldLetters, made: Bench) -> list[Letter]:
        """All of them, read."""
        return [read_letter(one, "events", made.dependencies) for one in held.letters()]


def test_looking_leaves_everything_visible_even_after_a_fault() -> None:
    """Whatever happens inside, the letters are released."""
    grave = Cemetery(*[str(number) for number in range(25)])

    def fail_after_some() -> None:
        with HeldLetters(grave.dead, limit=20) as held:
            assert len(list(held.letters())) == 20
            raise InputError("something else")

    with pytest.raises(InputError, match="something else"):
        fail_after_some()
    with HeldLetters(grave.dead, limit=100) as held:
        assert len(list(held.letters())) == 25


def test_a_letter_that_shows_again_while_we_look_counts_once() -> None:
    """Looking took longer than it was hidden; its newest handle is used."""
    grave = Cemetery("one", "two")
    with HeldLetters(grave.dead, limit=100, visibility=1) as held:
        seen = []
        for letter in held.letters():
            seen.append(letter.message.body)
            grave.clock.advance(2)
        assert sorted(seen) == ["one", "two"]


def test_a_replay_sends_back_what_is_open_and_removes_what_is_overtaken() -> None:
    """And says how many of each; a dry run changes nothing."""
    made = migrated("old/a")
    done_one, open_one = direct(created_entry("old/a", b"one")), direct(created_entry("old/b", b"one"))
    grave = Cemetery(done_one, open_one, "{")
    for really in (False, True):
        done = Replayed()
        with HeldLetters(grave.dead, limit=100) as held:
            replay_letters(Chosen(grave.dead, held, grave.letters(held, made)), done, rate=None, really=really)
        assert (done.replayed, done.overtaken, len(done.found)) == (2, 1, 3)
        assert len(grave.queue.dead) == (0 if really else 3)
    assert sorted(grave.queue.bodies) == sorted([open_one, "{"])


def test_a_rate_is_kept_by_waiting_between_batches() -> None:
    """Three a second: three, a second's wait, three more."""
    made, slept = bench(), list[float]()
    grave = Cemetery(*[direct(created_entry(f"old/{number}", b"x")) for number in range(7)])
    with HeldLetters(grave.dead, limit=100) as held:
        letters = grave.letters(held, made)
        replay_letters(Chosen(grave.dead, held, letters), Replayed(), rate=3, really=True, sleep=slept.append)
    assert slept == [1.0, 1.0]


def test_a_fault_in_a_replay_leaves_the_rest_where_it_was() -> None:
    """What was not accepted by its queue is still a dead letter, and visible."""
    made = bench()
    grave = Cemetery(*[direct(created_entry(f"old/{number}", b"x")) for number in range(15)])
    with HeldLetters(grave.dead, limit=100) as held:
        letters = grave.letters(held, made)
        replay_letters(Chosen(grave.dead, held, letters[:10]), Replayed(), rate=None, really=True)
        grave.dead.fail_next(UnavailableError("time-out"), call="send_back")
        with pytest.raises(UnavailableError):
            replay_letters(Chosen(grave.dead, held, letters[10:]), Replayed(), rate=None, really=True)
    with HeldLetters(grave.dead, limit=100) as held:
        assert len(list(held.letters())) == 5


def test_purged_letters_are_gone_the_others_stay() -> None:
    """Only those that were chosen."""
    made = bench()
    grave = Cemetery("{", direct(created_entry("old/a", b"x")))
    with HeldLetters(grave.dead, limit=100) as held:
        chosen = [one for one in grave.letters(held, made) if one.cause == "malformed-message"]
        purge_letters(Chosen(grave.dead, held, chosen))
    assert len(grave.queue.dead) == 1


def test_sqs_moves_all_and_a_failed_move_is_said() -> None:
    """The figures are SQS's own; empty queues are not touched."""
    grave, empty = Cemetery("one", "two"), Cemetery()
    queues = {"events": grave.dead, "backfill": empty.dead}
    said: list[str] = []
    dry = move_all(queues, rate=None, really=False, say=said.append)
    assert (dry.moved, len(grave.queue.dead)) == (2, 2)
    real = move_all(queues, rate=5, really=True, say=said.append)
    assert (real.moved, real.failed, grave.queue.dead) == (2, {}, [])
    assert "move_all" not in empty.dead.calls
    assert said == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(None, None), ("90s", 910.0), ("2m", 880.0), ("1970-01-01T00:00:07Z", 7.0), ("1970-01-01", 0.0)],
)
def test_times_are_read_as_people_write_them(text: str | None, seconds: float | None) -> None:
    """A span ago, or a moment; UTC unless it says otherwise."""
    assert parse_since(text, now=1_000.0) == seconds


def test_what_is_no_time_is_said() -> None:
    """With the ways to write one."""
    with pytest.raises(InputError, match="write 30m"):
        parse_since("yesterday", now=0.0)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0s"), (59.6, "1m 0s"), (75, "1m 15s"), (7_260, "2h 1m"), (90_000, "1d 1h")]
)
def test_spans_are_said_in_two_units_at_most(seconds: float, said: str) -> None:
    """Short enough for a narrow terminal."""
    assert said == said_seconds(seconds)
