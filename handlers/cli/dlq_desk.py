"""The dead-letter messages that a command selects, invisible to other consumers while it runs."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, TypeVar

import click

from domain.errors import InputError
from domain.queues import DeadLetterQueue
from handlers.cli.options import whole_number
from handlers.cli.text import parse_since
from handlers.config.settings import Settings
from handlers.engine.dependencies import Dependencies
from handlers.operations.dead_letters import HeldLetters, Wanted, read_letter
from handlers.operations.redrive import Chosen

Command = TypeVar("Command", bound=Callable[..., Any])
limit_option = whole_number("--limit", 10_000, "Maximum number of messages to read.", most=100_000)
_FILTERS = (
    click.option("--queue", help="Only the dead-letter messages of this queue: events, backfill, inventory, looking …"),
    click.option("--cause", help="Only with this cause (see dlq list)."),
    click.option("--key", help="Only those that name this key; a trailing * makes it a prefix."),
    click.option("--since", help="Only those sent since then: 2h, 3d, or 2026-11-22T10:00Z."),
    click.option("--rule", help="Only those that name an object of this rule."),
    limit_option,
)


@dataclass(frozen=True, slots=True)
class LetterChoice:
    """The values of the options that choose messages."""

    wanted: Wanted
    queue: str | None
    limit: int


def choosing(command: Command) -> Command:
    """Give the command a ``choice``, made of its filters and, where it has them, its message ids."""

    def read(*arguments: Any, message_ids: tuple[str, ...] = (), **options: Any) -> Any:
        given = {name: options.pop(name) for name in ("queue", "cause", "key", "since", "rule", "limit")}
        since = parse_since(given["since"], now=time.time())
        wanted = Wanted(frozenset(message_ids), given["cause"], given["key"], since, given["rule"])
        return command(*arguments, choice=LetterChoice(wanted, given["queue"], given["limit"]), **options)

    decorated: Any = update_wrapper(read, command)
    for option in reversed(_FILTERS):
        decorated = option(decorated)
    result: Command = decorated
    return result


class Desk:
    """The dead-letter queues of one migration."""

    def __init__(self, settings: Settings, queue: str | None) -> None:
        from handlers.bootstrap import wire_command
        from handlers.bootstrap.process import Process
        from handlers.bootstrap.steering import every_dead_letter_queue

        process = Process(settings)
        self.dependencies: Dependencies = wire_command(process, function="dlq-command")
        every = every_dead_letter_queue(process)
        if not every:
            raise InputError(
                "no queue has a dead-letter queue: set --events-queue and --backfill-queue, then run keyshift doctor"
            )
        self.queues: Mapping[str, DeadLetterQueue] = {
            name: dead for name, dead in every.items() if queue is None or queue in name.split("+")
        }
        if not self.queues:
            raise InputError(f"there is no dead-letter queue of {queue!r}, only of {', '.join(every)}")

    @contextmanager
    def chosen(self, choice: LetterChoice) -> Iterator[list[Chosen]]:
        """The chosen messages, invisible to other consumers inside the block; the rest is visible again afterwards."""
        with ExitStack() as stack:
            found = []
            for name, dead in self.queues.items():
                held = stack.enter_context(HeldLetters(dead, limit=choice.limit))
                letters = [read_letter(letter, name, self.dependencies) for letter in held.letters()]
                if len(letters) >= choice.limit:
                    click.echo(f"{name}: read {choice.limit:,} of about {dead.count_letters():,}", err=True)
                found.append(Chosen(dead, held, [letter for letter in letters if choice.wanted.fits(letter)]))
            yield found
