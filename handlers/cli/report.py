"""``keyshift report``: the migration's report as one page, or object by object."""

import csv
import json
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from domain.errors import InputError
from domain.planning.prices import Prices
from domain.protocol.ports import Manifest
from domain.protocol.record import Record
from domain.reporting.costs import Planned, spent
from domain.reporting.progress import HOUR
from domain.reporting.report import COLUMNS, Tallied, length_of, row_of
from handlers.cli.audit import findings_of, progress, verdict_of
from handlers.cli.options import with_settings
from handlers.cli.output import machine_output, write_text
from handlers.cli.pages.report import Report, report_page
from handlers.cli.plan import read_prices
from handlers.config.settings import Settings
from handlers.operations.segments import read_records

if TYPE_CHECKING:
    from handlers.bootstrap.process import Process

FINDINGS_SHOWN = 20
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="File for the page. [default: report.html]")
@click.option("--csv", "as_csv", is_flag=True, help="Every object as a line of CSV on standard output.")
@click.option(
    "--json", "as_json", is_flag=True, help="Every object as a line of JSON, and the figures as the last one."
)
@click.option("--plan", type=click.Path(path_type=Path), help="Output of 'plan --json', or file of 'plan --out'.")
@click.option("--prices", type=click.Path(path_type=Path), help="A YAML file with your own prices.")
@click.option("--quick", is_flag=True, help="Counters only: read neither the records nor the audit chain.")
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
    quick: bool,
) -> None:
    """Write one self-contained HTML file: progress, rules, failures, what was kept, cost, and the state of the audit.

    With --csv or --json every object's outcome goes to standard output instead; add --out to write the page too. In CSV
    a text that a spreadsheet would run as a formula begins with an apostrophe. Exit code 1 when the audit chain is
    broken.

    \b
    Example:
      keyshift report --plan plan.json --out report.html
      keyshift report --csv > objects.csv
    """
    from handlers.bootstrap.planning import read_plan
    from handlers.bootstrap.process import Process

    if as_csv and as_json:
        raise InputError("choose one of --csv and --json: both go to standard output")
    if quick and as_csv:
        raise InputError("--quick reads no records, so it has no objects for --csv: omit one of the two")
    process = Process(settings)
    planned = read_plan(plan, process.rules) if plan is not None else None
    printed = _csv_rows if as_csv else _json_rows if as_json else None
    made = make_report(process, planned=planned, prices=read_prices(prices), quick=quick, printed=printed)
    if as_json:
        click.echo(json.dumps({"summary": _summary(made)}))
    if out is not None or not (as_csv or as_json):
        _write(out or Path("report.html"), report_page(made))
    context.exit(1 if made.audit_is_good is False else 0)


def make_report(
    process: "Process", *, planned: Planned | None, prices: Prices, quick: bool, printed: Any = None
) -> Report:
    """Read everything; ``printed`` prints each record and passes it on."""
    from handlers.bootstrap import wire_command
    from handlers.bootstrap.steering import status_lookout_of

    now, dependencies = time.time(), wire_command(process, function="report-command")
    lookout = status_lookout_of(process, dependencies)
    status = lookout.look(exact=False)
    counters = dependencies.progress.read_progress()
    hours = dependencies.progress.read_history(HOUR)
    length = length_of(hours, now=now)
    tallied, audit, is_good, findings = None, "not read (--quick)", None, list[str]()
    if not quick:
        tallied = Tallied()
        records = read_records(lookout.pages, dependencies, about=sum(status.records.values()))
        audit, is_good, findings = _read_records(process, dependencies.ports.manifest, tallied.watch(records), printed)
    return Report(
        made_at=now,
        status=status,
        counters=counters,
        history=hours if length == HOUR else dependencies.progress.read_history(length),
        tallied=tallied,
        bill=spent(counters, prices, single_events=process.rules.single_events),
        prices_as_of=prices.as_of,
        planned=planned,
        audit=audit,
        audit_is_good=is_good,
        audit_findings=findings,
    )


def _read_records(
    process: "Process", manifest: Manifest, records: Iterator[Record], printed: Any
) -> tuple[str, bool | None, list[str]]:
    """Go once over every record: to count it, to print it, and to compare it with the audit chain."""
    from handlers.bootstrap.audit import audited_items, chain_verifier

    if printed is not None:
        records = printed(records)
    if not process.settings.audit_bucket:
        with progress() as say:
            say("reading the manifest's records")
            for _ in records:
                pass
        return "off: there is no KEYSHIFT_AUDIT_BUCKET, so there is no proof of what was done", None, []
    findings: list[str] = []
    with chain_verifier(process, expected={}, started=time.time()) as verifier:
        for finding in findings_of(verifier, manifest, audited_items(process), records=records):
            if len(findings) < FINDINGS_SHOWN:
                findings.append(f"{finding.fault.value}: {finding.text}")
        return verdict_of(verifier), verifier.figures.is_good, findings


def _csv_rows(records: Iterable[Record]) -> Iterator[Record]:
    writer = csv.writer(machine_output(), lineterminator="\n")
    writer.writerow(COLUMNS)
    for record in records:
        row = row_of(record)
        writer.writerow([guarded(row[name]) for name in COLUMNS])
        yield record


def _json_rows(records: Iterable[Record]) -> Iterator[Record]:
    for record in records:
        sys.stdout.write(json.dumps(row_of(record)) + "\n")
        yield record


def guarded(value: object) -> str:
    """A cell of CSV; a spreadsheet must not run a producer's key as a formula."""
    if value is None:
        return ""
    if isinstance(value, list):
        value = "; ".join(map(str, value))
    text = str(value)
    return "'" + text if isinstance(value, str) and text.startswith(_FORMULA) else text


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
