"""``keyshift report``: the migration's report as one page, or object by object."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from domain.errors import InputError
from handlers.cli.count import check_report
from handlers.cli.options import with_settings
from handlers.cli.output import write_text
from handlers.cli.pages.report import Report, report_page
from handlers.cli.plan import read_prices
from handlers.cli.report_making import Asked, make_report
from handlers.cli.report_records import print_csv, print_json
from handlers.cli.stage_runs import Runs, StageCommand, refuse_options, run_options
from handlers.config.settings import Settings


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="File for the page. [default: report.html]")
@click.option("--csv", "as_csv", is_flag=True, help="Every object as a line of CSV on standard output.")
@click.option(
    "--json", "as_json", is_flag=True, help="Every object as a line of JSON, and the figures as the last one."
)
@click.option("--plan", type=click.Path(path_type=Path), help="Output of 'plan --json', or file of 'plan --out'.")
@click.option("--prices", type=click.Path(path_type=Path), help="A YAML file with your own prices.")
@click.option("--summary", is_flag=True, help="With --json: the figures alone, so that functions can count them.")
@click.option("--quick", is_flag=True, help="Counters only: read neither the records nor the audit chain.")
@click.option(
    "--audit/--no-audit",
    default=None,
    help="Compare the audit chain with every record, in this process, or leave it. By default the audit chain is"
    " compared unless a run counts the records.",
)
@run_options
@click.option(
    "--threads", default=8, show_default=True, type=click.IntRange(1, 256), help="In a run: pages in parallel."
)
@with_settings
@click.pass_context
def report(
    context: click.Context,
    settings: Settings,
    *,
    out: Path | None,
    as_csv: bool,
    as_json: bool,
    plan: Path | None,
    prices: Path | None,
    summary: bool,
    quick: bool,
    audit: bool | None,
    shared: bool | None,
    join: bool,
    cancel: bool,
    engine: bool | None,
    threads: int,
) -> None:
    """Write one self-contained HTML file: progress, rules, failures, what was kept, cost, and the state of the audit.

    With --csv or --json every object's outcome goes to standard output instead; add --out to write the page too. In CSV
    a text that a spreadsheet would run as a formula begins with an apostrophe. Exit code 1 when the audit chain is
    broken.

    This process reads every record itself where each object is printed, or where there is an audit chain to compare.
    Functions do not compare the chain, because it proves what they did. With --no-audit or --engine a run counts the
    records, and functions or other commands can work on it.

    \b
    Example:
      keyshift report --plan plan.json --out report.html
      keyshift report --engine --no-audit
      keyshift report --csv > objects.csv
    """
    from handlers.bootstrap.operations import operation_for
    from handlers.bootstrap.planning import read_plan

    runs = Runs(shared, join, cancel, engine)
    refuse_options(context, ("shared",), join=join, cancel=cancel)
    _check(as_csv=as_csv, as_json=as_json, summary=summary, quick=quick, audit=audit)
    check_report(runs, quick=quick, as_csv=as_csv, as_json=as_json and not summary)
    process, operation = operation_for(settings, function="report-command")
    planned = read_plan(plan, process.rules) if plan is not None else None
    printed = print_csv if as_csv else print_json if as_json and not summary else None
    command = StageCommand(context, process, operation, runs, threads, None, as_json)
    made = make_report(command, Asked(quick, printed, audit), planned=planned, prices=read_prices(prices))
    if made is None:
        return
    if as_json:
        click.echo(json.dumps({"summary": _summary(made)}))
    if out is not None or not (as_csv or as_json):
        _write(out or Path("report.html"), report_page(made))
    context.exit(1 if made.audit_is_good is False else 0)


def _check(*, as_csv: bool, as_json: bool, summary: bool, quick: bool, audit: bool | None) -> None:
    """Raise InputError for options that do not go together."""
    if as_csv and as_json:
        raise InputError("choose one of --csv and --json: both go to standard output")
    if quick and as_csv:
        raise InputError("--quick reads no records, so it has no objects for --csv: omit one of the two")
    if quick and audit:
        raise InputError("--quick does not read the audit chain: omit it, or --audit")
    if summary and not as_json:
        raise InputError("--summary is of the lines of JSON: give --json too")


def _summary(made: Report) -> dict[str, Any]:
    tallied = made.tallied
    return {
        **made.status.as_json(),
        "records_read": tallied.records if tallied is not None else None,
        "verified": tallied.verified if tallied is not None else None,
        "outcomes": dict(tallied.outcomes) if tallied is not None else None,
        "kept": dict(tallied.kept) if tallied is not None else None,
        "changed": dict(tallied.changed) if tallied is not None else None,
        "lost": dict(tallied.lost) if tallied is not None else None,
        "not_looked_at": dict(tallied.unseen) if tallied is not None else None,
        "history": [{"start": span.start, "seconds": span.seconds, **added} for span, added in made.history.items()],
        "cost": {"dollars": sum(line.dollars for line in made.bill), "lines": [asdict(line) for line in made.bill]},
        "plan": asdict(made.planned) if made.planned is not None else None,
        "audit": {"verdict": made.audit, "good": made.audit_is_good, "findings": list(made.audit_findings)},
    }


def _write(path: Path, page: str) -> None:
    write_text(path, page, option="--out")
    click.echo(f"written: {path}", err=True)
