"""``keyshift cutover``: check every gate, and declare the new layout authoritative if all are open."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from domain.errors import InputError
from domain.lifecycle.gates import ACCEPTABLE, DEFAULT_LIMITS, Gate, GateLimits
from handlers.cli.options import Number, json_option, need_queues, whole_number, with_settings
from handlers.cli.output import say
from handlers.cli.progress import progress
from handlers.cli.text import parse_moment, parse_span
from handlers.config.settings import Settings

if TYPE_CHECKING:
    from handlers.operations.operator import Operation


@click.command()
@click.option("--yes", is_flag=True, help="Really cut over; without it only the gates are shown.")
@click.option("--postpone", metavar="UNTIL", help="Refuse until then (12h, 2026-12-01T06:00Z); never: allow it again.")
@click.option("--why", default="", help="The reason, shown by status and in the audit.")
@click.option(
    "--accept",
    multiple=True,
    type=click.Choice(ACCEPTABLE),
    help="Continue although these gates are closed; needs --why.",
)
@whole_number("--most-waiting", DEFAULT_LIMITS.most_waiting, "Maximum number of live messages that wait.", least=0)
@click.option(
    "--most-lag",
    default=DEFAULT_LIMITS.most_lag,
    show_default=True,
    type=Number(0),
    help="Maximum age of a live event in seconds.",
)
@click.option("--most-age", default="72h", show_default=True, help="Maximum age of a verification.")
@click.option(
    "--compare-younger",
    default="15m",
    show_default=True,
    help="Age of changes up to which this command compares unverified copies itself; 0s: never.",
)
@click.option(
    "--wait", default=120.0, show_default=True, type=Number(0), help="With --yes: seconds to wait for a probe's event."
)
@click.option("--inventory", "inventories", multiple=True, help="A manifest.json instead of a listing.")
@json_option
@with_settings
@click.pass_context
def cutover(
    context: click.Context,
    settings: Settings,
    *,
    yes: bool,
    postpone: str | None,
    why: str,
    accept: tuple[str, ...],
    most_waiting: int,
    most_lag: float,
    most_age: str,
    compare_younger: str,
    wait: float,
    inventories: tuple[str, ...],
    as_json: bool,
) -> None:
    """Declare the new layout authoritative, if every gate is open: capture, objects, references, queues, lag.

    Each closed gate names what is missing and the command that opens it. Exit code 1 if one is closed. Copies that
    changed lately, and that no verify has seen, are compared by this command; it marks none of them. With --yes small
    objects are written under .keyshift/ until the event of one arrives, and deleted again. What may have changed
    meanwhile is checked again at the end.

    \b
    Example:
      keyshift cutover
      keyshift cutover --yes
      keyshift cutover --postpone 2026-12-01T06:00Z --why "release freeze"
      keyshift cutover --postpone never
      keyshift cutover --yes --accept parked --why "three test images, key too long"
    """
    from handlers.bootstrap.operations import COMPARED, objects_of_both_sides, operation_for
    from handlers.bootstrap.steering import lookout_of
    from handlers.operations.cutover import Terms, cut_over, look_for_cutover

    if accept and not why:
        raise InputError("--accept needs a reason: give --why")
    limits = GateLimits(most_waiting, most_lag, parse_span(most_age), parse_span(compare_younger))
    process, operation = operation_for(settings, function="cutover-command")
    if postpone is not None:
        _postpone(operation, postpone, why, as_json=as_json)
        return
    need_queues(settings, "events", "backfill")
    objects = objects_of_both_sides(process, operation, inventories, columns=COMPARED)
    lookout, terms = lookout_of(process, operation.dependencies), Terms(limits, frozenset(accept), why)
    with progress("looking", None) as step:
        look = look_for_cutover(operation, lookout, objects=objects, limits=limits, seen=step)
    if yes:
        gates, entry = cut_over(operation, lookout, look, terms=terms, wait=wait)
    else:
        entry, gates = None, terms.gates(look.seen)
    shut = any(gate.holds for gate in gates)
    _show(gates, done=entry is not None, shut=shut, yes=yes, as_json=as_json)
    context.exit(1 if shut else 0)


def _postpone(operation: "Operation", until: str, why: str, *, as_json: bool) -> None:
    from handlers.operations.cutover import postpone_cutover

    now = operation.dependencies.ports.clock.now()
    moment = None if until == "never" else parse_moment(until, now=now)
    if moment is not None and moment <= now:
        raise InputError(f"{until!r} is in the past: give a later time")
    entry = postpone_cutover(operation, moment, why=why or "by an operator")
    if as_json:
        click.echo(json.dumps({"stage": entry.stage.value, "postponed_until": entry.postponed_until, "why": entry.why}))
    elif moment is None:
        click.echo("the cut-over is no longer postponed")
    else:
        until = f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%SZ}"
        say(f"the cut-over is postponed until {until}: {entry.why}")


def _show(gates: tuple[Gate, ...], *, done: bool, shut: bool, yes: bool, as_json: bool) -> None:
    if as_json:
        for gate in gates:
            named = {"gate": gate.name, "open": gate.open, "accepted": gate.accepted, "says": gate.says}
            click.echo(json.dumps(named | {"remedy": gate.remedy if gate.holds else ""}))
        click.echo(json.dumps({"cut_over": done, "open": not shut}))
        return
    for gate in gates:
        word = "open" if gate.open else "accepted" if gate.accepted else "SHUT"
        say(f"{word:8}  {gate.name}: {gate.says}" + (f"  ->  {gate.remedy}" if gate.holds else ""))
    if done:
        click.echo("cut over: the new layout is authoritative; sources stay until keyshift cleanup")
    elif shut:
        click.echo("no: open the gates above first", err=True)
    elif not yes:
        click.echo("every gate is open; dry run: give --yes to cut over", err=True)
