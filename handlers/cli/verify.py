"""``keyshift verify``: is every object where it belongs, byte for byte, with everything it carries."""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from domain.errors import InputError
from domain.keys import Location
from domain.lifecycle.ports import KeyBook
from domain.lifecycle.stages import Stage
from domain.lifecycle.verification import Finding
from domain.protocol.record import Record
from handlers.cli.findings_file import findings_file, row_of
from handlers.cli.options import json_option, with_settings
from handlers.cli.output import MOST_SHOWN, console, say
from handlers.cli.progress import progress
from handlers.cli.times import parse_span
from handlers.config.settings import Settings
from handlers.operations.parallel import ParallelMap
from handlers.operations.verify import Requeuer, Tally, Verifier, held_references

if TYPE_CHECKING:
    from handlers.operations.operator import Operation

_BACKWARD = (Stage.ROLLING_BACK, Stage.ROLLED_BACK)
_BEFORE = (Stage.PREPARED, Stage.LIVE)
FRESH_SECONDS = 3600.0
"""A mark that is younger is not written again."""


@click.command()
@click.option("--deep", is_flag=True, help="Read both sides where nothing that S3 says proves equal bytes.")
@click.option("--sample", type=click.IntRange(1), help="Check only N pseudo-random records; skip the key listing.")
@click.option("--inventory", "inventories", multiple=True, help="A manifest.json instead of a listing, one a bucket.")
@click.option("--unverified", is_flag=True, help="Only what no earlier run has proven: goes on where one stopped.")
@click.option(
    "--most-age", default="72h", show_default=True, help="With --unverified: proofs that are older do not count."
)
@click.option("--no-keys", is_flag=True, help="Records only: no listing, so no source without a record is found.")
@click.option("--strict", is_flag=True, help="Other writers' objects and keys of no layout count as differences.")
@click.option("--no-mark", is_flag=True, help="Change nothing: what is proven is not marked for cleanup.")
@click.option("--requeue", is_flag=True, help="Send repairable differences back to the workers.")
@click.option("--out", type=click.Path(path_type=Path), help="Every finding: a .csv, .json or .parquet file.")
@click.option("--threads", default=16, show_default=True, type=click.IntRange(1, 256), help="Objects at once.")
@json_option
@with_settings
@click.pass_context
def verify(
    context: click.Context,
    settings: Settings,
    *,
    deep: bool,
    sample: int | None,
    inventories: tuple[str, ...],
    unverified: bool,
    most_age: str,
    no_keys: bool,
    strict: bool,
    no_mark: bool,
    requeue: bool,
    out: Path | None,
    threads: int,
    as_json: bool,
) -> None:
    """Compare every record with what both keys hold, and find keys that no record accounts for.

    Bytes (full-object checksums, or read with --deep), size, metadata, headers, tags, storage class, encryption and
    lock. What is proven is marked, which cutover and cleanup ask for. Until the cut-over a mark that is older than an
    hour is renewed; cleanup's soak time counts from the last mark. Exit code 1 when there is a difference.

    \b
    Example:
      keyshift verify --out findings.csv
      keyshift verify --deep --unverified --requeue
      keyshift verify --inventory s3://inventories/line-1/all/2026-11-22T01-00Z/manifest.json
    """
    from handlers.bootstrap import wire_command
    from handlers.bootstrap.operations import keys_of_both_sides, operation_of
    from handlers.bootstrap.process import Process

    too_old = parse_span(most_age)
    process = Process(settings)
    operation = operation_of(process, wire_command(process, function="verify-command"))
    control, now = operation.dependencies.control, operation.dependencies.ports.clock.now()
    stage = control.stage()
    old_since = now - too_old if unverified else None
    fault = control.feeding_fault() if requeue else None
    if fault is not None:
        raise InputError(f"--requeue: {fault}")
    tally, requeuer = Tally(), Requeuer(operation.dependencies)
    with ExitStack() as stack:
        book = stack.enter_context(operation.key_book())
        add = stack.enter_context(findings_file(out))
        verifier = Verifier(
            operation.dependencies,
            book=book,
            reader=operation.reader if deep else None,
            marks=not no_mark,
            # Only a cut-over asks how old a mark is; after it a renewed one would begin cleanup's soak time again.
            fresh_since=now - FRESH_SECONDS if stage in _BEFORE else 0.0,
        )
        findings = _of_records(operation, verifier, book, sample=sample, verified_since=old_since, threads=threads)
        # Where everything goes back, legacy URIs are what is wanted.
        finders = () if stage in _BACKWARD else operation.finders
        stages: list[Iterable[Finding | None]] = [findings, held_references(finders)]
        if sample is None and not no_keys:
            keys = (Location(*place) for place in keys_of_both_sides(process, operation, inventories))
            stages.append(ParallelMap(threads).map(verifier.verify_key, keys))
        for name, found in zip(("records", "references", "keys"), stages, strict=False):
            step = stack.enter_context(progress(name, None))
            for finding in found:
                step()
                if finding is None:
                    continue
                add(finding)
                tally.add(finding)
                if requeue:
                    requeuer.add(finding)
                if finding.differences or (strict and finding.remarks):
                    _say(finding, as_json=as_json, shown=sum(tally.differences.values()))
        requeuer.flush()
    _summarise(tally, requeuer.enqueued, strict=strict, as_json=as_json)
    context.exit(0 if tally.summary(strict=strict).clean else 1)


def _of_records(
    operation: "Operation",
    verifier: Verifier,
    book: KeyBook,
    *,
    sample: int | None,
    verified_since: float | None,
    threads: int,
) -> Iterator[Finding]:
    def booked() -> Iterator[Record]:
        for record in operation.dependencies.ports.manifest.scan_records():
            book.add_pairs(iter([(record.source, record.target if record.target.key else None)]))
            verified_at = record.verified_at
            if verified_since is None or verified_at is None or verified_at < verified_since:
                yield record

    # A scan comes in the order of the partition keys' hash: its first records are as good as drawn at random.
    yield from ParallelMap(threads).map(verifier.verify_record, islice(booked(), sample))


def _say(finding: Finding, *, as_json: bool, shown: int) -> None:
    if as_json:
        click.echo(json.dumps(row_of(finding)))
        return
    if shown == MOST_SHOWN + 1:
        click.echo("… more: see them all with --out FILE or --json")
    if shown <= MOST_SHOWN:
        what = ", ".join([*finding.differences, *finding.remarks])
        place = finding.source or finding.target
        detail = f"  ({finding.detail})" if finding.detail else ""
        say(f"{what}: {place.uri if place else '?'!r}{detail}")


def _summarise(tally: Tally, enqueued: int, *, strict: bool, as_json: bool) -> None:
    summary = tally.summary(strict=strict)
    if as_json:
        counted = {"objects": summary.objects, "verified": summary.verified, "clean": summary.clean}
        more = {"differences": dict(summary.differences), "remarks": dict(summary.remarks), "requeued": enqueued}
        click.echo(json.dumps(counted | more))
        return
    from rich.table import Table

    table = Table(title="verification", show_header=False, title_justify="left")
    table.add_column("what")
    table.add_column("objects", justify="right")
    table.add_row("looked at", f"{summary.objects:,}")
    table.add_row("proven equal", f"{summary.verified:,}")
    for name, count in sorted((*summary.differences.items(), *summary.remarks.items())):
        table.add_row(name, f"{count:,}")
    if enqueued:
        table.add_row("enqueued again", f"{enqueued:,}")
    table.add_row("verdict", "no difference" if summary.clean else "differences")
    console().print(table)
