"""``keyshift dlq replay`` and ``purge``: the commands that change dead-letter queues."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from domain.errors import InputError
from handlers.cli.dlq_desk import Desk, LetterChoice, choosing
from handlers.cli.options import json_option, with_settings
from handlers.cli.output import say_dry_run
from handlers.config.settings import Settings
from handlers.operations.dead_letters import Letter, letter_json
from handlers.operations.redrive import MovedAll, Replayed, move_all, purge_letters, replay_letters


def _check(choice: LetterChoice, *, everything: bool) -> None:
    if everything == choice.wanted.narrows:
        raise InputError("choose the messages: their ids, a filter such as --cause, or --all (alone) for every one")


@click.command("replay", short_help="Send messages back to their queues.")
@click.argument("message_ids", nargs=-1)
@choosing
@click.option("--all", "everything", is_flag=True, help="Every message, moved by SQS itself without being read.")
@click.option("--rate", type=click.IntRange(1, 500), help="Maximum number of messages a second.")
@click.option("--yes", is_flag=True, help="Really replay.")
@json_option
@with_settings
@click.pass_context
def replay(
    context: click.Context,
    settings: Settings,
    *,
    choice: LetterChoice,
    everything: bool,
    rate: int | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Send dead-letter messages back to the queues they came from: those named, those of a filter, or --all.

    A dry run unless --yes. An overtaken message is not sent but only removed, because nothing is left to do for it.
    Exit code 1 when a named message is not there, or SQS could not move all.

    \b
    Example:
      keyshift dlq replay --cause access-denied
      keyshift dlq replay --cause access-denied --rate 50 --yes
      keyshift dlq replay --all --yes
    """
    _check(choice, everything=everything)
    desk = Desk(settings, choice.queue)
    if everything:
        moved = move_all(desk.queues, rate=rate, really=yes, say=lambda text: click.echo(text, err=True))
        _say_moved(moved, really=yes, as_json=as_json)
        context.exit(1 if moved.failed else 0)
    done = Replayed()
    with desk.chosen(choice) as queues:
        for queue in queues:
            replay_letters(queue, done, rate=rate, really=yes)
    missing = sorted(choice.wanted.message_ids - done.found)
    _say_replayed(done, missing, really=yes, as_json=as_json)
    context.exit(1 if missing else 0)


def _say_moved(moved: MovedAll, *, really: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"moved": moved.moved, "failed": moved.failed, "dry_run": not really}))
        return
    verb = "moved back" if really else "would be moved back"
    click.echo(f"{moved.moved:,} messages {verb}; workers have nothing to do for overtaken ones")
    for name, why in moved.failed.items():
        click.echo(f"{name}: {why}", err=True)
    if not really:
        say_dry_run("moved")


def _say_replayed(done: Replayed, missing: Sequence[str], *, really: bool, as_json: bool) -> None:
    if as_json:
        answer = {"replayed": done.replayed, "overtaken": done.overtaken, "missing": missing, "dry_run": not really}
        click.echo(json.dumps(answer))
        return
    replayed, removed = ("sent back", "removed") if really else ("would be sent back", "would be removed")
    click.echo(f"{done.replayed:,} messages {replayed}")
    if done.overtaken:
        click.echo(f"{done.overtaken:,} overtaken: nothing is left to do for them, {removed} without a replay")
    for one in missing:
        click.echo(f"no dead-letter message has the id {one}", err=True)
    if not really:
        say_dry_run("changed")


@click.command("purge", short_help="Delete messages permanently.")
@click.argument("message_ids", nargs=-1)
@choosing
@click.option("--all", "everything", is_flag=True, help="Every message.")
@click.option("--count", type=click.IntRange(0), help="The number of messages to delete; a terminal asks for it.")
@click.option(
    "--save",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the messages to this file first, as JSON Lines.",
)
@json_option
@with_settings
@click.pass_context
def purge(
    context: click.Context,
    settings: Settings,
    *,
    choice: LetterChoice,
    everything: bool,
    count: int | None,
    save: Path | None,
    as_json: bool,
) -> None:
    """Delete dead-letter messages permanently, if their count is the one that you give.

    Without --count, and without a terminal to ask on, nothing is deleted. Exit code 1 when the count differs. Objects
    are not changed; a backfill can still move them.

    \b
    Example:
      keyshift dlq purge --cause malformed-message
      keyshift dlq purge --cause malformed-message --count 3 --save purged.jsonl
    """
    _check(choice, everything=everything)
    desk = Desk(settings, choice.queue)
    with desk.chosen(choice) as queues:
        letters = [letter for queue in queues for letter in queue.letters]
        found = len(letters)
        typed = count if count is not None else _asked(found)
        if typed == found and found:
            _save(save, letters)
            for one in queues:
                purge_letters(one)
    _say_purged(found, typed, as_json=as_json)
    context.exit(0 if typed in (None, found) else 1)


def _asked(found: int) -> int | None:
    if not found or not sys.stdin.isatty():
        return None
    answer: int = click.prompt(
        f"{found:,} messages would be deleted permanently. Type their number", type=int, err=True
    )
    return answer


def _save(path: Path | None, letters: Sequence[Letter]) -> None:
    if path is None:
        return
    try:
        with path.open("x", encoding="utf-8") as file:
            file.writelines(json.dumps(letter_json(letter, whole=True)) + "\n" for letter in letters)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}): nothing was deleted") from error


def _say_purged(found: int, typed: int | None, *, as_json: bool) -> None:
    deleted = found if typed == found else 0
    if as_json:
        click.echo(json.dumps({"found": found, "deleted": deleted}))
    elif typed is None and found:
        click.echo(f"{found:,} messages would be deleted: give --count {found} to do it")
    elif deleted or not found:
        click.echo(f"{deleted:,} messages deleted")
    if typed is not None and typed != found:
        click.echo(f"nothing was deleted: there are {found:,}, not {typed:,}", err=True)
