"""``keyshift verify``: compare every object with its copy, byte for byte, and with all its properties."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from domain.errors import InputError
from domain.lifecycle.stages import Stage
from domain.lifecycle.verification import OBJECTS, Finding, summary_of
from domain.runs.run import RunState
from domain.runs.works import Work
from handlers.cli.findings_file import findings_file
from handlers.cli.options import json_option, with_settings
from handlers.cli.run_following import Following
from handlers.cli.stage_runs import Runs, StageCommand, StageWork, refuse_options, run_options
from handlers.cli.text import parse_span
from handlers.cli.verification import FindingsShown, say_summary
from handlers.config.settings import Settings

if TYPE_CHECKING:
    from domain.lifecycle.ports import ReportedObjects
    from handlers.bootstrap.process import Process
    from handlers.operations.operator import Operation
    from handlers.operations.runs import KeptRun
    from handlers.operations.verify_run import VerifyOptions, VerifyWork

_BACKWARD = (Stage.ROLLING_BACK, Stage.ROLLED_BACK)
_BEFORE = (Stage.PREPARED, Stage.LIVE)
FRESH_SECONDS = 3600.0
"""A younger mark is not written again (seconds)."""
_OF_THE_RUN = (
    *("deep", "sample", "inventories", "by_inventories", "unverified", "most_age", "no_keys", "no_mark", "shared"),
)
"""Options that every process of a run shares, so that they are given when it begins."""


@click.command()
@click.option("--deep", is_flag=True, help="Read both objects where S3's answers do not prove equal bytes.")
@click.option("--sample", type=click.IntRange(1), help="Check only N pseudo-random records; skip the key listing.")
@click.option(
    "--inventory", "inventories", multiple=True, help="A manifest.json instead of a listing, one for each bucket."
)
@click.option(
    "--by-inventories",
    is_flag=True,
    help="Look only at what the inventories of both sides do not prove. Needs --inventory for each bucket.",
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
    by_inventories: bool,
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
    engine: bool | None,
    threads: int,
    as_json: bool,
) -> None:
    """Compare every record with the objects at both keys, and find keys without a record.

    Bytes (full-object checksums, or read with --deep), size, metadata, headers, tags, storage class, encryption, lock
    and annotations. A proven record is marked; cutover and cleanup need the mark. Until the cut-over a mark that is
    older than an hour is renewed; cleanup's soak time counts from the last mark. Exit code 1 when there is a
    difference.

    With --by-inventories an object that both inventories prove is not looked at. Metadata, headers, tags, object lock
    and annotations are then compared by cleanup, before it deletes the source.

    A verification is cut into slices. Any number of commands may join a shared one; a slice whose process was killed is
    another's two minutes later. Each command shows the whole run.

    \b
    Example:
      keyshift verify --out findings.csv
      keyshift verify --deep --unverified --requeue
      keyshift verify --shared --no-keys
      keyshift verify --join --threads 32
      keyshift verify --inventory s3://inventories/line-1/all/2026-11-22T01-00Z/manifest.json
      keyshift verify --by-inventories --inventory SOURCE/manifest.json --inventory TARGET/manifest.json
    """
    from handlers.bootstrap.operations import operation_for
    from handlers.bootstrap.runs import verify_work
    from handlers.operations.verify import Requeuer
    from handlers.operations.verify_run import finding_of, options_of

    refuse_options(context, _OF_THE_RUN, join=join, cancel=cancel)
    _refuse_beside_inventories(by_inventories=by_inventories, deep=deep, sample=sample)
    too_old = parse_span(most_age)
    process, operation = operation_for(settings, function="verify-command")
    fault = operation.dependencies.control.feeding_fault() if requeue else None
    if fault is not None:
        raise InputError(f"--requeue: {fault}")
    requeuer = Requeuer(operation.dependencies)
    takers: list[Callable[[Finding], None]] = [FindingsShown(strict=strict, as_json=as_json).add]
    takers += [requeuer.add] if requeue else []

    def decide(records: int) -> "VerifyOptions":
        return _options_for(
            operation,
            records,
            deep=deep,
            marks=not no_mark,
            within=too_old if unverified else None,
            keeps_all=out is not None,
            keys=not no_keys and sample is None,
            inventories=inventories,
            by_inventories=by_inventories,
            sample=sample,
        )

    @contextmanager
    def opened(options: "VerifyOptions", _: "KeptRun") -> "Iterator[VerifyWork]":
        if out is not None and not options.keeps_all:
            raise InputError("--out: this run was begun without it, so it keeps only findings with a difference")
        with ExitStack() as stack:
            takers.append(stack.enter_context(findings_file(out)))
            reported = stack.enter_context(_reported(process, operation, options))
            yield stack.enter_context(verify_work(process, operation, options, reported=reported))

    def show(line: str) -> None:
        finding = finding_of(line)
        for take in takers:
            take(finding)

    # With --no-mark the table stays unchanged, so its run is local too. A sample cannot be resumed.
    stage_work = StageWork(
        Work.VERIFY,
        decide,
        options_of,
        opened,
        lambda records: Following(threads, show, (OBJECTS,), records),
        only_here=_why_only_here,
        is_always_local=no_mark or bool(sample),
    )
    command = StageCommand(context, process, operation, Runs(shared, join, cancel, engine), threads, None, as_json)
    followed = command.work_off(stage_work)
    if followed is None:
        return
    requeuer.flush()
    summary = summary_of(followed.counts, strict=strict)
    say_summary(summary, requeuer.enqueued, followed.state, as_json=as_json)
    context.exit(0 if summary.clean and followed.state is RunState.ENDED else 1)


def _refuse_beside_inventories(*, by_inventories: bool, deep: bool, sample: int | None) -> None:
    """Raise InputError where the options of a proof by inventories contradict each other."""
    given = "--deep" if deep else "--sample" if sample is not None else None
    if by_inventories and given is not None:
        raise InputError(f"--by-inventories and {given} exclude each other: omit one of them")


def _reported(
    process: "Process", operation: "Operation", options: "VerifyOptions"
) -> "AbstractContextManager[ReportedObjects | None]":
    """What inventories name of both sides; ``None`` where the options do not ask for a proof by them."""
    if not options.by_inventories:
        return nullcontext()
    from handlers.bootstrap.reported import reported_objects  # DuckDB takes time to load

    return reported_objects(process, operation, options.inventories)


def _why_only_here(options: "VerifyOptions") -> str:
    if options.by_inventories:
        return "--by-inventories reads whole reports, and a function may end before"
    return "--deep reads whole objects, and a function may end before" if options.deep else ""


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
