"""``keyshift start``: switch live capture on, and prove that it works."""

import json
from collections.abc import Iterator

import click

from domain.lifecycle.ports import Capture
from handlers.cli.options import Number, json_option, need_queues, whole_number, with_settings
from handlers.cli.output import refuse, say_dry_run
from handlers.config.settings import Settings


@click.command()
@click.option(
    "--through",
    type=click.Choice(["auto", "queue", "eventbridge"]),
    default="auto",
    show_default=True,
    help="From S3 directly to the queue, or through EventBridge; auto: the deployed way, else the queue.",
)
@click.option(
    "--wait", default=600.0, show_default=True, type=Number(0), help="Give up after so many seconds without a probe."
)
@whole_number("--probes", 3, "Number of probes that must arrive.", most=100)
@click.option("--yes", is_flag=True, help="Really switch it on; without it the command only shows what would change.")
@json_option
@with_settings
@click.pass_context
def start(
    context: click.Context,
    settings: Settings,
    *,
    through: str,
    wait: float,
    probes: int,
    yes: bool,
    as_json: bool,
) -> None:
    """Prove the rules, let the source bucket's events reach the events queue, then the stage is live.

    Rules that `keyshift rules check` refutes are refused. Other notifications of the bucket stay; the state before is
    stored for rollback. Small objects are written under .keyshift/ (on the condition that none is there) until
    their events arrive, and deleted again. Until then this command handles the events queue itself, unless
    KEYSHIFT_FUNCTIONS names functions that do. Run it again after a change of the rules file, and after another program
    removed the bucket's notifications.

    \b
    Example:
      keyshift start
      keyshift start --yes
    """
    from handlers.bootstrap.operations import operation_for
    from handlers.operations.operator import Shut
    from handlers.operations.start import Probing, plan_start, start_capture

    need_queues(settings, "events")
    _, operation = operation_for(settings, function="start-command")
    if not yes:
        planned = plan_start(operation, through=through)
        if isinstance(planned, Shut):
            refuse(context, planned.why, as_json=as_json)
        for line in (_json_lines if as_json else _text_lines)(planned):
            click.echo(line)
        say_dry_run("changed")
        return
    probing = Probing(probes, wait)
    opened = start_capture(operation, through=through, probing=probing, say=lambda text: click.echo(text, err=True))
    if isinstance(opened, Shut):
        refuse(context, opened.why, as_json=as_json)
    if as_json:
        click.echo(json.dumps({"stage": "live", "seconds": opened.seconds, "changed": opened.changed}))
        return
    click.echo(
        f"live capture is effective ({opened.probes} probes, {opened.seconds:.0f} s): keyshift backfill may begin"
    )


def _text_lines(planned: Capture) -> Iterator[str]:
    """What would be written: the bucket's notifications, a rule, and a statement of the queue's policy."""
    yield f"before: {planned.before}"
    yield f"after:  {planned.after}"
    yield f"events come through: {planned.through}{f', by the rule {planned.rule}' if planned.rule else ''}"
    if planned.pattern:
        yield f"pattern of the rule {planned.rule}, whose target is the events queue: {planned.pattern}"
    if planned.statement:
        yield f"statement for the policy of the events queue: {planned.statement}"


def _json_lines(planned: Capture) -> Iterator[str]:
    changes = planned.before != planned.after or bool(planned.rule)
    shown = {"changes": changes, "through": planned.through, "rule": planned.rule}
    written = {"pattern": planned.pattern, "statement": planned.statement}
    yield json.dumps(shown | {"before": planned.before, "after": planned.after} | written)
