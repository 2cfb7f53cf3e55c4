"""``keyshift references``: list references to old keys, rewrite them, or undo that."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from domain.errors import InputError
from domain.references.reports import ReferenceOutcome, Reported
from handlers.cli.options import ABOVE_ZERO, json_option, with_settings
from handlers.cli.output import say, say_dry_run
from handlers.config.settings import Settings
from handlers.operations.references import References, TableScan

Command = TypeVar("Command", bound=Callable[..., Any])
_OPEN = (ReferenceOutcome.READY, ReferenceOutcome.WAITING, ReferenceOutcome.HOLDS, ReferenceOutcome.LOST)
"""Outcomes with exit code 1."""


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
    return click.option("--rate", type=ABOVE_ZERO, help="Maximum number of items a second.")(command)


@references.command("scan", short_help="List references, and what becomes of each.")
@scan_options
@json_option
@with_settings
@click.pass_context
def scan(
    context: click.Context, settings: Settings, *, only: str | None, segments: int, rate: float | None, as_json: bool
) -> None:
    """List every reference of the tables and manifests in the rules file that is still an old URI; nothing is written.

    A text that may name an object that moves, and that cannot be rewritten, is listed as "holds" with its remedy. Exit
    code 1 when a text of either kind is left.

    \b
    Example:
      keyshift references scan --segments 8
      keyshift references scan --only training-jobs --json
    """
    jobs = _references(settings, rate)
    context.exit(_tell(_scanned(jobs, only, TableScan(segments=segments)), as_json=as_json))


@references.command("rewrite", short_help="Replace old URIs by new ones.")
@scan_options
@click.option("--resume", is_flag=True, help="Resume a stopped rewrite with as many segments.")
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

    The old URIs are stored, so that undo can put them back. Run it again for objects that were not migrated yet. Exit
    code 1 when an old URI of an object that moves is left, or a text that may be one.

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


@references.command("undo", short_help="Put the old URIs back.")
@click.option("--yes", is_flag=True, help="Really put the old URIs back; without it they are listed.")
@json_option
@with_settings
@click.pass_context
def undo(context: click.Context, settings: Settings, *, yes: bool, as_json: bool) -> None:
    """Put the old URIs back that were replaced, found by their new values, also in lists that were reordered.

    An old URI is put back only if the object is at its old key again; later changes by others stay. Exit code 1 when an
    old URI could not be put back.

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
    """Print each report and the figures; returns the exit code."""
    counts: Counter[str] = Counter()
    for report in reports:
        counts[report.outcome.value] += 1
        if as_json:
            click.echo(json.dumps(as_row(report)))
        else:
            held = report.reference
            why = f"  ({report.why})" if report.why else ""
            say(f"{report.outcome.value:12}  {held.holder}  {held.path}  {_uris_of(report)}{why}")
    if as_json:
        click.echo(json.dumps({"counts": dict(sorted(counts.items()))}))
    else:
        click.echo(", ".join(f"{number:,} {name}" for name, number in sorted(counts.items())) or "no references")
    return 1 if any(counts[outcome.value] for outcome in _OPEN) else 0


def _uris_of(one: Reported) -> str:
    """What was there, and what is there now or will be; a restored reference went from the new URI to the old one."""
    old = repr(one.reference.uri)
    if not one.new_uri:
        return old
    new = repr(one.new_uri)
    return f"{new} -> {old}" if one.outcome is ReferenceOutcome.RESTORED else f"{old} -> {new}"


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
