"""``keyshift conflicts``: list conflicts, and decide them."""

import json
import shlex
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from domain.errors import InputError
from domain.objects import ObjectState
from domain.protocol.conflicts import Conflict, objection_text, why_not_taken
from handlers.cli.options import json_option, need_queues, whole_number, with_settings
from handlers.cli.output import MOST_SHOWN, refuse, say_dry_run
from handlers.cli.text import printable
from handlers.config.settings import Settings
from handlers.operations.conflicts import ConflictDesk, Decided, Decision
from handlers.operations.verify import Requeuer

if TYPE_CHECKING:
    from handlers.operations.operator import Operation


@click.group()
def conflicts() -> None:
    """List conflicts and resolve them.

    \b
    Example:
      keyshift conflicts list
    """


@conflicts.command("list", short_help="List every object in conflict.")
@whole_number("--threads", 16, "Objects at once.", most=256)
@json_option
@with_settings
@click.pass_context
def list_conflicts(context: click.Context, settings: Settings, *, threads: int, as_json: bool) -> None:
    """List every object in conflict: the reason, and the objects at both keys now.

    A copy that another writer replaced or deleted becomes a conflict when the producer writes the source again. Until
    then keyshift verify finds it, and take-source accepts its key. Exit code 1 when there is a conflict.

    \b
    Example:
      keyshift conflicts list
      keyshift conflicts list --json
    """
    desk, number = ConflictDesk(_operation(settings)), 0
    for number, one in enumerate(desk.find_conflicts(threads=threads), start=1):  # counted
        if as_json:
            click.echo(json.dumps(_row(one)))
        elif number <= MOST_SHOWN:
            _show(one)
    if not as_json:
        click.echo(f"{number:,} in conflict" + (", the rest with --json" if number > MOST_SHOWN else ""))
    context.exit(1 if number else 0)


def _operation(settings: Settings) -> "Operation":
    from handlers.bootstrap.operations import operation_for

    return operation_for(settings, function="conflicts-command")[1]


def _row(one: Conflict) -> dict[str, Any]:
    record, objection = one.record, why_not_taken(one, replacing=None)
    return {
        "key": record.source.key,
        "cause": record.cause,
        "why": record.why,
        "source": record.source.uri,
        "source_holds": _held(one.source),
        "target": record.target.uri,
        "target_holds": _held(one.target),
        "decided": one.is_decided,
        "may_be_taken": objection is None,
        "why_not": objection_text(objection, one, replacing=None) if objection is not None else "",
        "changed_at": record.changed_at,
    }


def _held(seen: ObjectState | None) -> dict[str, Any] | None:
    if seen is None:
        return None
    return {
        "etag": seen.etag,
        "size": seen.size,
        "version_id": seen.version_id,
        "last_modified": seen.last_modified,
        "metadata": dict(seen.metadata),
    }


def _show(one: Conflict) -> None:
    record = one.record
    click.echo(f"{record.source.key!r}: {printable(record.why)}")
    for name, location, seen in (("source", record.source, one.source), ("target", record.target, one.target)):
        click.echo(f"  {name}  {location.uri!r}: {_told(seen)}")
    objection = why_not_taken(one, replacing=None)
    if one.is_decided:
        click.echo("  next    decided; a worker will copy it (keyshift verify --requeue sends it again)")
    elif objection is not None:
        click.echo(f"  next    {printable(objection_text(objection, one, replacing=None))}")
    else:
        key = shlex.quote(printable(record.source.key))
        click.echo(f"  next    keyshift conflicts take-source {key} --why … --yes")


def _told(seen: ObjectState | None) -> str:
    if seen is None:
        return "nothing"
    when = f"{datetime.fromtimestamp(seen.last_modified, UTC):%Y-%m-%d %H:%M:%SZ}"
    return f"{seen.size:,} bytes, etag {seen.etag}, written {when}"


@conflicts.command("take-source", short_help="Copy sources over their targets.")
@click.argument("keys", nargs=-1)
@click.option("--empty", is_flag=True, help="Every conflict whose target is empty now, instead of keys.")
@click.option(
    "--replacing", metavar="ETAG", help="Etag of the object at the target that is given up; for one key only."
)
@click.option("--why", default="", help="The reason, for the audit; --yes needs it.")
@click.option("--yes", is_flag=True, help="Really decide it.")
@whole_number("--threads", 16, "Objects at once.", most=256)
@json_option
@with_settings
@click.pass_context
def take_source(
    context: click.Context,
    settings: Settings,
    *,
    keys: tuple[str, ...],
    empty: bool,
    replacing: str | None,
    why: str,
    yes: bool,
    threads: int,
    as_json: bool,
) -> None:
    """Copy sources over targets that another writer wrote or emptied: those named, or --empty.

    Sources whose new key is empty are copied again. Another writer's object is replaced only if its etag is given, and
    only while it is that object. In a bucket without versions the replaced object is lost. A dry run unless --yes: then
    the decision is in the manifest and the audit, and a worker or function copies. Exit code 1 when a key was refused.

    \b
    Example:
      keyshift conflicts take-source legacy/a.png
      keyshift conflicts take-source legacy/a.png --why "the line writes it" --yes
      keyshift conflicts take-source legacy/a.png --replacing 9b2cf535f27731c974343645a3985328 --why "a test" --yes
      keyshift conflicts take-source --empty --why "removed on 28 November" --yes
    """
    if bool(keys) == empty:
        raise InputError("choose the conflicts: source keys as keyshift conflicts list shows them, or --empty (alone)")
    if replacing is not None and len(keys) != 1:
        raise InputError("--replacing is about one object: give its source key alone")
    if yes and not why:
        raise InputError("--yes needs a reason: give --why")
    if yes:
        need_queues(settings, "backfill")
    operation = _operation(settings)
    desk, requeuer = ConflictDesk(operation), Requeuer(operation.dependencies)
    shut = desk.refuse()
    if shut is not None:
        refuse(context, shut.why, as_json=as_json)
    done = []
    try:
        for conflict in _chosen(desk, keys, threads=threads):
            one = desk.decide(conflict, replacing=replacing, why=why, yes=yes)
            if one.outcome is Decision.TAKEN:
                requeuer.add_key(one.key)
            done.append(one)
            _say(one, as_json=as_json)
    finally:
        # Decided keys are sent even after an error; keyshift verify --requeue sends the rest.
        requeuer.flush()
    _summarise(done, yes=yes, as_json=as_json)
    context.exit(0 if all(one.is_good for one in done) else 1)


def _chosen(desk: ConflictDesk, keys: tuple[str, ...], *, threads: int) -> Iterator[Conflict]:
    if keys:
        # All are read before one is decided: a mistyped key leaves nothing half done.
        yield from [desk.conflict_of(key) for key in dict.fromkeys(keys)]
        return
    yield from (
        conflict
        for conflict in desk.find_conflicts(threads=threads)
        if conflict.source is not None and conflict.target is None
    )


def _say(one: Decided, *, as_json: bool) -> None:
    replaced = one.replaced.etag if one.replaced is not None else None
    if as_json:
        click.echo(json.dumps({"key": one.key, "outcome": one.outcome, "why": one.why, "replaces": replaced}))
        return
    more = one.why or (f"in place of {replaced}" if replaced else "to an empty target")
    click.echo(f"{one.outcome:10} {one.key!r}  ({printable(more)})")


def _summarise(done: Iterable[Decided], *, yes: bool, as_json: bool) -> None:
    found = list(done)
    good = sum(one.is_good for one in found)
    if as_json:
        click.echo(json.dumps({"decided": good if yes else 0, "refused": len(found) - good, "dry_run": not yes}))
        return
    click.echo(
        f"{good:,} of {len(found):,} " + ("decided: workers or functions will copy them" if yes else "would be taken")
    )
    if not yes:
        say_dry_run("decided", give="--yes and --why")
