"""``keyshift verify``: compare every object with its copy, byte for byte, and with all its properties."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from domain.errors import InputError
from domain.lifecycle.stages import Stage
from domain.lifecycle.verification import OBJECTS, summary_of
from domain.runs.run import RunState
from handlers.cli.findings_file import findings_file
from handlers.cli.options import json_option, with_settings
from handlers.cli.run_following import (
    Runs,
    begun_run,
    cancel_shared_run,
    count_records,
    joined_run,
    new_run,
    refuse_options,
    run_options,
    work_and_follow,
)
from handlers.cli.text import parse_span
from handlers.cli.verification import FindingsShown, say_summary
from handlers.config.settings import Settings

if TYPE_CHECKING:
    from handlers.operations.operator import Operation
    from handlers.operations.verify_run import VerifyOptions

_BACKWARD = (Stage.ROLLING_BACK, Stage.ROLLED_BACK)
_BEFORE = (Stage.PREPARED, Stage.LIVE)
FRESH_SECONDS = 3600.0
"""A younger mark is not written again (seconds)."""
_OF_THE_RUN = ("deep", "sample", "inventories", "unverified", "most_age", "no_keys", "no_mark", "shared")
"""Options that every process of a run shares, so that they are given when it begins."""


@click.command()
@click.option("--deep", is_flag=True, help="Read both objects where S3's answers do not prove equal bytes.")
@click.option("--sample", type=click.IntRange(1), help="Check only N pseudo-random records; skip the key listing.")
@click.option(
    "--inventory", "inventories", multiple=True, help="A manifest.json instead of a listing, one for each bucket."
)
@click.option(
    "--unverified", is_flag=True, help="Only records without a proof by an earlier run: resumes a stopped run."
)
@click.option("--most-age", default="72h", show_default=True, help="With --unverified: maximum age of a proof.")
@click.option("--no-keys", is_flag=True, help="Records only: no listing, so no source without a record is found.")
@click.option(
    "--strict", is_flag=True, help="Other writers' objects and keys outside both layouts count as differences."
)
@click.option("--no-mark", is_flag=True, help="Change nothing: proven records are not marked for cleanup.")
@click.option("--requeue", is_flag=True, help="Send repairable differences back to the workers.")
@click.option("--out", type=click.Path(path_type=Path), help="File for every finding: .csv, .json or .parquet.")
@run_options
@click.option("--threads", default=16, show_default=True, type=click.IntRange(1, 256), help="Objects in parallel.")
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
    shared: bool | None,
    join: bool,
    cancel: bool,
    threads: int,
    as_json: bool,
) -> None:
    """Compare every record with the objects at both keys, and find keys without a record.

    Bytes (full-object checksums, or read with --deep), size, metadata, headers, tags, storage class, encryption, lock
    and annotations. A proven record is marked; cutover and cleanup need the mark. Until the cut-over a mark that is
    older than an hour is renewed; cleanup's soak time counts from the last mark. Exit code 1 when there is a
    difference.

    A verification is cut into slices. Any number of commands may join a shared one; a slice whose process was killed is
    another's two minutes later. Each command shows the whole run.

    \b
    Example:
      keyshift verify --out findings.csv
      keyshift verify --deep --unverified --requeue
      keyshift verify --shared --no-keys
      keyshift verify --join --threads 32
      keyshift verify --inventory s3://inventories/line-1/all/2026-11-22T01-00Z/manifest.json
    """
    from handlers.bootstrap.operations import operation_for
    from handlers.bootstrap.runs import run_book, verify_work
    from handlers.operations.verify import Requeuer
    from handlers.operations.verify_run import WORK, finding_of, options_of

    refuse_options(context, _OF_THE_RUN, join=join, cancel=cancel)
    too_old = parse_span(most_age)
    process, operation = operation_for(settings, function="verify-command")
    fault = operation.dependencies.control.feeding_fault() if requeue else None
    if fault is not None:
        raise InputError(f"--requeue: {fault}")
    records = count_records(operation)
    # With --no-mark the table stays unchanged, so its run is local too. A sample cannot be resumed.
    is_local = Runs(shared, join, cancel).is_local(records) or no_mark or bool(sample)
    requeuer, shown = Requeuer(operation.dependencies), FindingsShown(strict=strict, as_json=as_json)
    with ExitStack() as stack:
        book = stack.enter_context(run_book(process, is_local=is_local))
        if cancel:
            cancel_shared_run(context, operation, book, WORK, as_json=as_json)
            return
        joined = joined_run(context, operation, book, WORK, as_json=as_json) if join else None
        if joined is not None:
            options = options_of(joined.options)
            if out is not None and not options.keeps_all:
                raise InputError("--out: this run was begun without it, so it keeps only findings with a difference")
        else:
            options = _options_for(
                operation,
                records,
                deep=deep,
                marks=not no_mark,
                within=too_old if unverified else None,
                keeps_all=out is not None,
                keys=not no_keys and sample is None,
                inventories=inventories,
                sample=sample,
            )
        # Whatever may be wrong with the options is found before the run begins.
        add = stack.enter_context(findings_file(out))
        work = stack.enter_context(verify_work(process, operation, options))
        new = new_run(operation, WORK, sum(work.phases), options.as_options())
        run = begun_run(context, book, new, joined, as_json=as_json)

        def show(line: str) -> None:
            finding = finding_of(line)
            add(finding)
            shown.add(finding)
            if requeue:
                requeuer.add(finding)

        followed = work_and_follow(
            operation, book, run, work, is_local=is_local, threads=threads, counted=OBJECTS, total=records, show=show
        )
        requeuer.flush()
    summary = summary_of(followed.counts, strict=strict)
    say_summary(summary, requeuer.enqueued, followed.state, as_json=as_json)
    context.exit(0 if summary.clean and followed.state is RunState.ENDED else 1)


def _options_for(
    operation: "Operation", records: int, *, marks: bool, within: float | None, sample: int | None, **more: Any
) -> "VerifyOptions":
    from handlers.operations.segments import segments_of
    from handlers.operations.verify_run import VerifyOptions

    stage, now = operation.dependencies.control.stage(), operation.dependencies.ports.clock.now()
    return VerifyOptions(
        # A scan returns records in the order of their partition keys' hash: the first ones are pseudo-random.
        segments=segments_of(records) if sample is None else 1,
        sample=sample,
        marks=marks,
        verified_since=now - within if within is not None else None,
        # Only a cut-over checks the age of a mark; after it a renewed mark would begin cleanup's soak time again.
        fresh_since=now - FRESH_SECONDS if stage in _BEFORE else 0.0,
        # In a rollback legacy URIs are right.
        references=stage not in _BACKWARD,
        **more,
    )
