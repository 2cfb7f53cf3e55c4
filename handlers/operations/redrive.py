"""Replay and purge of the selected dead-letter messages."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from domain.queues import DeadLetterQueue
from handlers.operations.dead_letters import HeldLetters, Letter

AT_ONCE = 10
LOOK_SECONDS = 1.0


@dataclass(slots=True)
class Replayed:
    """The result for the selected messages; ``found`` holds their ids."""

    replayed: int = 0
    overtaken: int = 0
    found: set[str] = field(default_factory=set)


@dataclass(slots=True)
class MovedAll:
    """The number of messages that SQS moved; ``failed`` gives the reason by queue."""

    moved: int = 0
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The selected messages of one queue while they are invisible to others."""

    queue: DeadLetterQueue
    held: HeldLetters
    letters: Sequence[Letter]


def replay_letters(
    chosen: Chosen, done: Replayed, *, rate: int | None, really: bool, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Send back the messages that are not overtaken, ten at a time; each is in a queue at every moment."""
    done.found |= {letter.message_id for letter in chosen.letters}
    overtaken = [letter for letter in chosen.letters if letter.is_overtaken]
    open_ones = [letter for letter in chosen.letters if not letter.is_overtaken]
    if really:
        purge_letters(replace(chosen, letters=overtaken))
    done.overtaken += len(overtaken)
    at_once = min(AT_ONCE, rate or AT_ONCE)
    for start in range(0, len(open_ones), at_once):
        batch = [chosen.held.current(one.dead) for one in open_ones[start : start + at_once]]
        if really:
            chosen.queue.send_back(batch)
            chosen.held.gone(batch)
            if rate is not None and start + at_once < len(open_ones):
                sleep(len(batch) / rate)
        done.replayed += len(batch)


def purge_letters(chosen: Chosen) -> None:
    """Delete the selected messages."""
    dead = [chosen.held.current(letter.dead) for letter in chosen.letters]
    chosen.queue.delete_letters(dead)
    chosen.held.gone(dead)


def move_all(
    queues: Mapping[str, DeadLetterQueue],
    *,
    rate: int | None,
    really: bool,
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> MovedAll:
    """Let SQS move every message; returns when SQS has finished, with the reason if it did not."""
    done = MovedAll()
    for name, queue in queues.items():
        count = queue.count_letters()
        if not really or not count:
            done.moved += count
            continue
        queue.move_all(rate=rate)
        task = queue.newest_move()
        while task is not None and task.status == "RUNNING":
            say(f"{name}: {task.moved:,} of about {max(task.to_move, count):,} moved")
            sleep(LOOK_SECONDS)
            task = queue.newest_move()
        done.moved += task.moved if task is not None else 0
        if task is None or task.status != "COMPLETED":
            why = task.why or task.status.lower() if task is not None else "SQS knows of no move"
            done.failed[name] = f"{why}; look with keyshift dlq list, then try again"
    return done
