"""``keyshift references``: list references to old keys, rewrite them, or undo that."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from domain.runs.works import Work
from handlers.cli.options import ABOVE_ZERO, Number, json_option, with_settings
from handlers.cli.reference_runs import Asked, Pace, scan_tables, undo_all
from handlers.cli.stage_runs import Runs, run_options
from handlers.config.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])
READ_UNITS = 500.0
"""2 MB a second, a sixth of what one partition of a table on demand gives: the table is the application's."""


@click.group()
def references() -> None:
    """Find references to objects that move, rewrite them, or put the old URIs back."""


def scan_options(command: Command) -> Command:
    """The options that scan and rewrite share."""
    command = click.option("--only", help="Only this table of the rules file.", metavar="TABLE")(command)
    command = click.option(
        "--segments",
        default=4,
        show_default=True,
        type=click.IntRange(1, 256),
        help="Parts of a table to read in parallel.",
    )(command)
    command = click.option(
        "--read-units",
        default=READ_UNITS,
        show_default=True,
        type=Number(min=10),
        help="Maximum number of read units a second that this command uses of the application's tables.",
    )(command)
    return click.option("--rate", type=ABOVE_ZERO, help="Maximum number of items a second, of this command.")(command)


@references.command("scan", short_help="List references, and what becomes of each.")
@scan_options
@run_options
@json_option
@with_settings
@click.pass_context
def scan(
    context: click.Context,
    settings: Settings,
    *,
    only: str | None,
    segments: int,
    rate: float | None,
    read_units: float,
    shared: bool | None,
    join: bool,
    cancel: bool,
    engine: bool | None,
    as_json: bool,
) -> None:
    """List every reference of the tables and manifests in the rules file that is still an old URI; nothing is written.

    A text that may name an object that moves, and that cannot be rewritten, is listed as "holds" with its remedy. Other
    commands may --join a shared scan, each with its own --read-units. Exit code 1 when a text of either kind is left.

    \b
    Example:
      keyshift references scan --segments 8
      keyshift references scan --only training-jobs --read-units 2000 --json
      keyshift references scan --join
    """
    scan_tables(
        context, settings, Runs(shared, join, cancel, engine), Asked(only, segments, rate, read_units), as_json=as_json
    )


@references.command("rewrite", short_help="Replace old URIs by new ones.")
@scan_options
@click.option("--yes", is_flag=True, help="Really rewrite; without it nothing is written.")
@run_options
@json_option
@with_settings
@click.pass_context
def rewrite(
    context: click.Context,
    settings: Settings,
    *,
    only: str | None,
    segments: int,
    rate: float | None,
    read_units: float,
    yes: bool,
    shared: bool | None,
    join: bool,
    cancel: bool,
    engine: bool | None,
    as_json: bool,
) -> None:
    """Replace old URIs by new ones, all of one item in one write, only where the bytes are verified at the new key.

    The old URIs are stored, so that undo can put them back. Run it again for objects that were not migrated yet. Other
    commands may --join a shared rewriting, each with its own --read-units. Exit code 1 when an old URI of an object
    that moves is left, or a text that may be one.

    \b
    Example:
      keyshift references rewrite
      keyshift references rewrite --segments 8 --rate 500 --yes
      keyshift references rewrite --yes --join
    """
    work = Work.REWRITE if yes else Work.REWRITE_DRY
    asked = Asked(only, segments, rate, read_units, work)
    scan_tables(context, settings, Runs(shared, join, cancel, engine), asked, as_json=as_json)


@references.command("undo", short_help="Put the old URIs back.")
@click.option("--yes", is_flag=True, help="Really put the old URIs back; without it they are listed.")
@click.option("--rate", type=ABOVE_ZERO, help="Maximum number of items a second, of this command.")
@run_options
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1, 256), help="Items in parallel.")
@json_option
@with_settings
@click.pass_context
def undo(
    context: click.Context,
    settings: Settings,
    *,
    yes: bool,
    rate: float | None,
    shared: bool | None,
    join: bool,
    cancel: bool,
    engine: bool | None,
    threads: int,
    as_json: bool,
) -> None:
    """Put the old URIs back that were replaced, found by their new values, also in lists that were reordered.

    An old URI is put back only if the object is at its old key again; later changes by others stay. A command that was
    stopped resumes when it is run again. Other commands may --join a shared undo. Exit code 1 when an old URI could not
    be put back.

    \b
    Example:
      keyshift references undo
      keyshift references undo --yes --json
    """
    undo_all(context, settings, Runs(shared, join, cancel, engine), Pace(threads, rate), yes=yes, as_json=as_json)
