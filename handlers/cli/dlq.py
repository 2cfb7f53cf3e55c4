"""``keyshift dlq``: list and show dead-letter messages; the commands that change something are in dlq_changes."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from domain.audit.events import audit_event
from handlers.cli.dlq_changes import purge, replay
from handlers.cli.dlq_desk import Desk, LetterChoice, choosing, limit_option
from handlers.cli.options import json_option, with_settings
from handlers.cli.output import console
from handlers.cli.text import printable, said_age
from handlers.config.settings import Settings
from handlers.operations.dead_letters import Letter, Wanted, grouped, letter_json

WIDE = 200
"""Characters of a line in a pipe or a file."""
_TYPED = ("message", "cause")


@click.group()
def dlq() -> None:
    """List, show, replay or purge dead-letter messages.

    \b
    Example:
      keyshift dlq list
    """


@dlq.command("list", short_help="Group dead-letter messages by cause.")
@choosing
@click.option("--each", is_flag=True, help="One line for each message instead of groups.")
@json_option
@with_settings
def list_letters(  # its options
    settings: Settings,
    *,
    choice: LetterChoice,
    each: bool,
    as_json: bool,
) -> None:
    """Group the dead-letter messages of every queue by cause: the state of their objects, or what is unreadable.

    Messages are invisible to other consumers while this command reads them. The cause "overtaken" means that nothing is
    left to do for a message.

    \b
    Example:
      keyshift dlq list
      keyshift dlq list --cause access-denied --since 2h --each
    """
    with Desk(settings, choice.queue).chosen(choice) as queues:
        found = [letter for queue in queues for letter in queue.letters]
    if each and as_json:
        for letter in found:
            click.echo(json.dumps(letter_json(letter)))
        return
    if as_json:
        for group in grouped(found):
            click.echo(json.dumps(asdict(group)))
        return
    _show_letters(found) if each else _show_groups(found)


def _show_groups(found: Sequence[Letter]) -> None:
    if not found:
        click.echo("no dead-letter messages")
        return
    rows = [
        (group.queue, group.cause, f"{group.letters:,}", said_age(group.oldest), group.example, group.why)
        for group in grouped(found)
    ]
    _table(("queue", "cause", "messages", "oldest", "for example", "why"), rows)


def _show_letters(found: Sequence[Letter]) -> None:
    rows = [
        (one.message_id, one.queue, one.cause, said_age(one.dead.message.sent_at), one.seen[0].key if one.seen else "")
        for one in found
    ]
    _table(("message", "queue", "cause", "sent", "first key"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for name in head:
        # Text that is typed into the next command is never cut off.
        table.add_column(name, no_wrap=name in _TYPED, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))  # Text: a key may contain rich's markup
    terminal = console()
    (terminal if terminal.is_terminal else console(width=max(terminal.width, WIDE))).print(table)


@dlq.command("show", short_help="Show one dead-letter message.")
@click.argument("message_id")
@limit_option
@json_option
@with_settings
@click.pass_context
def show_letter(context: click.Context, settings: Settings, *, message_id: str, limit: int, as_json: bool) -> None:
    """Show one dead-letter message: its body, why it is there, and the manifest's records of its objects.

    Exit code 1 when there is no such message.

    \b
    Example:
      keyshift dlq show 0f2a4c7e-6a61-4a0b-a0f5-1b1f0c3f9f0e
    """
    desk = Desk(settings, None)
    with desk.chosen(LetterChoice(Wanted(frozenset({message_id})), None, limit)) as queues:
        letter = next((queue.letters[0] for queue in queues if queue.letters), None)
    if letter is None:
        click.echo(f"no dead-letter message has the id {message_id}; see keyshift dlq list --each", err=True)
        context.exit(1)
    migration = desk.dependencies.rules.migration
    records = [
        dict(audit_event(one.record, migration=migration).detail) | {"changed_at": one.record.changed_at}
        for one in letter.seen
        if one.record is not None
    ]
    if as_json:
        click.echo(json.dumps({**letter_json(letter, whole=True), "records": records}))
        return
    _show_whole(letter, records)


def _show_whole(letter: Letter, records: Sequence[Mapping[str, Any]]) -> None:
    message = letter.dead.message
    click.echo(f"message   {message.message_id}")
    click.echo(
        f"queue     {letter.queue}, sent {said_age(message.sent_at)} ago, received {message.receive_count} times"
    )
    click.echo(f"cause     {letter.cause}: {printable(letter.why)}")
    for one in letter.seen:
        click.echo(f"object    {one.key!r}  {one.cause}" + ("  (nothing left to do)" if one.settled else ""))
    for record in records:
        click.echo(f"record    {record['source']!r}")
        told = ("state", "revision", "changed_at", "rule", "target", "cause", "source_etag", "target_etag", "unsettled")
        for name in told:
            if record.get(name) not in (None, "", []):
                click.echo(f"  {name}: {printable(str(record[name]))}")
    for one in letter.seen[:1]:
        click.echo(f"history   keyshift audit show {shlex.quote(printable(one.key))}")
    click.echo("body")
    try:
        click.echo(json.dumps(json.loads(message.body), indent=2))
    except (ValueError, RecursionError):
        click.echo(repr(message.body))


dlq.add_command(replay)
dlq.add_command(purge)
