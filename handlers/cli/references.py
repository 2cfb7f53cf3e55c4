"""``keyshift references``: what still holds old URIs, rewrite it, take that back."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from domain.errors import InputError
from domain.references.items import Outcome, Reported
from handlers.cli.options import ABOVE_ZERO, json_option, with_settings
from handlers.cli.output import say, say_dry_run
from handlers.config.settings import Settings
from handlers.operations.references import References, TableScan

Command = TypeVar("Command", bound=Callable[..., Any])
_OPEN = (Outcome.READY, Outcome.WAITING, Outcome.HOLDS, Outcome.LOST)
"""With one of these the answer is no."""


@click.group()
def references() -> None:
    """Find what holds URIs of objects that move, rewrite it, or put the old URIs back."""


def scan_options(command: Command) -> Command:
    """What scan and rewrite share."""
    command = click.option("--only", help="Only this table of the rules file.", metavar="TABLE")(command)
    command = click.option(
        "--segments", default=4, show_default=True, type=click.IntRange(1, 256), help="Parts of a table read at once."
    )(command)
    return click.option("--rate", type=ABOVE_ZERO, help="At most so many items a second.")(command)


@references.command("scan")
@scan_options
@json_option
@with_settings
@click.pass_context
def scan(
    context: click.Context, settings: Settings, *, only: str | None, segments: int, rate: float | None, as_json: bool
) -> None:
    """List every reference of the tables and manifests in the rules file that is still an old URI; nothing is written.

    Texts that may name an object that moves, and cannot be rewritten, are listed as "holds" with what to do. Exit code
    1 when one of either is left.

    \b
    Example:
      keyshift references scan --segments 8
      keyshift references scan --only training-jobs --json
    """
    jobs = _references(settings, rate)
    context.exit(_tell(_scanned(jobs, only, TableScan(segments=segments)), as_json=as_json))


@references.command("rewrite")
@scan_options
@click.option("--resume", is_flag=True, help="Go on where a rewrite with as many segments was stopped.")
@click.option("--yes", is_flag=True, help="Really rewrite; without it nothing is written.")
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
    resume: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Replace old URIs by new ones, all of one item in one write, only where the bytes are verified at the new key.

    What it replaces is kept, so that undo can put it back. Run it again for what was not migrated yet. Exit code 1
    when an old URI of an object that moves is left, or a text that may be one.

    \b
    Example:
      keyshift references rewrite
      keyshift references rewrite --segments 8 --rate 500 --yes
    """
    jobs = _references(settings, rate)
    how = TableScan(segments=segments, dry_run=not yes, resume=resume)
    code = _tell(_scanned(jobs, only, how), as_json=as_json)
    if not yes:
        say_dry_run("rewritten")
    context.exit(code)


@references.command("undo")
@click.option("--yes", is_flag=True, help="Really put the old URIs back; without it they are listed.")
@json_option
@with_settings
@click.pass_context
def undo(context: click.Context, settings: Settings, *, yes: bool, as_json: bool) -> None:
    """Put the old URIs back that were replaced, found by their new values, also in lists that were reordered.

    Only where the object is at its old key again; what others changed since stays. Exit code 1 when an old URI could
    not be put back.

    \b
    Example:
      keyshift references undo
      keyshift references undo --yes --json
    """
    jobs = _references(settings, None)
    if yes:
        context.exit(_tell(jobs.undo_references(), as_json=as_json))
    _tell(jobs.rewritten(), as_json=as_json)
    say_dry_run("put back")


def _references(settings: Settings, rate: float | None) -> References:
    from handlers.bootstrap.process import Process
    from handlers.bootstrap.references import references_of

    return references_of(Process(settings), items_per_second=rate)


def _scanned(jobs: References, table: str | None, how: TableScan) -> Iterable[Reported]:
    tables = jobs.tables(table)
    if table is not None and not tables:
        known = ", ".join(one.table for one in jobs.tables()) or "none"
        raise InputError(f"the rules file declares no table '{table}' among its references; it knows: {known}")
    yield from jobs.scan(tables, how)
    if table is None:
        yield from jobs.scan_manifests(dry_run=how.dry_run)


def _tell(reports: Iterable[Reported], *, as_json: bool) -> int:
    """Print each report as it comes, and the figures; the exit code."""
    counts: Counter[str] = Counter()
    for one in reports:
        counts[one.outcome.value] += 1
        if as_json:
            click.echo(json.dumps(as_row(one)))
        else:
            held = one.reference
            arrow = f" -> {one.new_uri!r}" if one.new_uri else ""
            why = f"  ({one.why})" if one.why else ""
            say(f"{one.outcome.value:12}  {held.holder}  {held.path}  {held.uri!r}{arrow}{why}")
    if as_json:
        click.echo(json.dumps({"counts": dict(sorted(counts.items()))}))
    else:
        click.echo(", ".join(f"{number:,} {name}" for name, number in sorted(counts.items())) or "no references")
    return 1 if any(counts[outcome.value] for outcome in _OPEN) else 0


def as_row(one: Reported) -> dict[str, str]:
    """For machines."""
    return {
        "holder": one.reference.holder,
        "path": one.reference.path,
        "uri": one.reference.uri,
        "source": one.reference.source.uri,
        "outcome": one.outcome.value,
        "new_uri": one.new_uri,
        "why": one.why,
    }
