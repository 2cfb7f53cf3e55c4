"""``keyshift archived``: sources that wait in an archive, and their restores."""

import json
from dataclasses import dataclass
from typing import Any

import click

from domain.errors import InputError
from domain.planning.prices import Prices
from domain.planning.restores import restore_dollars
from domain.planning.shares import Share
from domain.rules.restoring import RestoreRule
from handlers.cli.options import json_option, need_queues, whole_number, with_settings
from handlers.cli.output import refuse, say, say_dry_run
from handlers.cli.text import said_bytes
from handlers.config.settings import Settings
from handlers.operations.archived import ArchiveDesk, ArchivePass

WAIT_SECONDS = 900
"""S3 restores in hours, and its event wakes an object by itself; a look serves those whose event was missed."""
EXAMPLE = "restore: {tier: bulk, days: 7, at_most: 1000}"


@dataclass(frozen=True, slots=True)
class Choices:
    """What the operator chose: ``act`` really restores, ``rule`` is ``None`` without ``--restore``."""

    rule: RestoreRule | None
    act: bool
    as_json: bool


@click.command()
@click.option("--restore", is_flag=True, help="Have S3 restore them, as the rules file says (`restore:`).")
@click.option("--yes", is_flag=True, help="Really do it; without it nothing is changed.")
@click.option("--wait", is_flag=True, help="Look again until nothing is under way; restores follow as there is room.")
@whole_number("--every", WAIT_SECONDS, "Seconds between two looks of --wait.")
@whole_number("--threads", 16, "Objects at once.", most=256)
@json_option
@with_settings
@click.pass_context
def archived(  # one option each
    context: click.Context,
    settings: Settings,
    *,
    restore: bool,
    yes: bool,
    wait: bool,
    every: int,
    threads: int,
    as_json: bool,
) -> None:
    """Show the sources that are parked because they are archived, and have S3 restore them.

    S3 restores a source once: one that is under way is never asked for again. When S3 has restored it, its event wakes
    the record, and a worker copies it. This command also sends those to the workers that are readable although no
    event came. Copy them within the days of the rules file, or S3 archives them again.

    Exit code 1 when a source cannot be read or restored. Without --restore also when one waits.

    \b
    Example:
      keyshift archived
      keyshift archived --restore
      keyshift archived --restore --yes --wait
    """
    from handlers.bootstrap.inspection import restore_store
    from handlers.bootstrap.operations import operation_for

    if wait and not (restore and yes):
        raise InputError("--wait is for restores that are really begun: give --restore --yes as well")
    if restore and yes:
        need_queues(settings, "backfill")
    process, operation = operation_for(settings, function="archived-command")
    if restore and operation.dependencies.rules.restore is None:
        raise InputError(f"the rules file restores nothing: write `{EXAMPLE}` there (docs/rules.md)")
    fault = operation.dependencies.control.feeding_fault() if restore and yes else None
    if fault is not None:
        refuse(context, fault, as_json=as_json)
    choices = Choices(operation.dependencies.rules.restore if restore else None, restore and yes, as_json)
    desk = ArchiveDesk(operation, restore_store(process), threads=threads)
    done = desk.look(choices.rule, act=choices.act)
    _show(done, choices)
    while wait and done.goes_on:
        operation.dependencies.sleep(every)
        done = desk.look(choices.rule, act=True)
        _show(done, choices)
    if restore and not yes:
        say_dry_run("restored")
    context.exit(1 if done.failed or (not restore and not done.is_over) else 0)


def _show(done: ArchivePass, choices: Choices) -> None:
    if choices.as_json:
        say(json.dumps(_row(done, choices)))
        return
    classes = ", ".join(f"{name} {count:,}" for name, count in sorted(done.waiting.items()))
    figures = f"{done.waiting.total():,}, {said_bytes(done.size)} ({classes})" if done.waiting else "0"
    say(f"archived    {figures}")
    say(f"restoring   {done.restoring:,}")
    sent = ", sent to the workers" if choices.act else ""
    say(f"readable    {done.readable:,}{sent if done.readable else ''}")
    if done.gone:
        say(f"gone        {done.gone:,}{sent}")
    if choices.rule is not None:
        _show_restores(done, choices.rule, act=choices.act)
    for uri, why in done.failures:
        say(f"failed      {uri!r}: {why}")
    if done.failed > len(done.failures):
        say(f"failed      {done.failed - len(done.failures):,} more")


def _show_restores(done: ArchivePass, rule: RestoreRule, *, act: bool) -> None:
    what = "begun      " if act else "would begin"
    asked = done.asked.total()
    terms = f", {rule.tier.value.lower()}, typically within {done.hours} hours, readable for {rule.days} days"
    cost = f", about ${_dollars(done, rule):,.2f} by the prices of {Prices().as_of}"
    say(f"{what} {asked:,}{terms + cost if asked else ''}")
    if done.left:
        say(f"no room     {done.left:,}: at most {rule.at_most:,} are under way at once")


def _dollars(done: ArchivePass, rule: RestoreRule) -> float:
    shares = {name: Share(count, done.asked_size[name]) for name, count in done.asked.items()}
    return restore_dollars(shares, rule, Prices())


def _row(done: ArchivePass, choices: Choices) -> dict[str, Any]:
    rule = choices.rule
    row: dict[str, Any] = {
        "archived": done.waiting.total(),
        "archived_bytes": done.size,
        "by_class": dict(done.waiting),
        "restoring": done.restoring,
        "readable": done.readable,
        "gone": done.gone,
        "failed": done.failed,
        "failures": [{"source": uri, "why": why} for uri, why in done.failures],
    }
    if rule is not None:
        begun = done.asked.total()
        row |= {"begun" if choices.act else "would_begin": begun, "no_room": done.left, "tier": rule.tier.value.lower()}
        row |= {"days": rule.days, "hours": done.hours, "dollars": round(_dollars(done, rule), 2)}
    return row
