"""Makes a report: its records are counted by a run, or in one pass here that may print and audit them too."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.errors import InputError
from domain.planning.prices import Prices
from domain.reporting.costs import Planned, spent
from domain.reporting.progress import HOUR
from domain.reporting.report import length_of
from domain.reporting.tallied import RecordTally, Tallied
from handlers.cli.count import count_report
from handlers.cli.output import say
from handlers.cli.pages.report import Report
from handlers.cli.report_records import (
    BY_RUN,
    NO_AUDIT,
    NO_BUCKET,
    QUICK,
    Audited,
    Printed,
    audit_records,
    read_through,
)
from handlers.cli.stage_runs import Runs, StageCommand
from handlers.operations.segments import read_records

if TYPE_CHECKING:
    from handlers.operations.lookout import Lookout


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report was asked to read; ``printed`` prints each record, ``None``: the figures alone are wanted.

    ``audit`` says whether the audit chain is compared with the records; ``None``: where no run counts them.
    """

    quick: bool
    printed: Printed | None
    audit: bool | None


def make_report(command: StageCommand, asked: Asked, *, planned: Planned | None, prices: Prices) -> Report | None:
    """Read everything; ``None``: the run that counts the records was cancelled by this command.

    Raises InputError where the audit is asked for and there is none.
    """
    from handlers.bootstrap.steering import status_lookout_of

    if asked.audit and not command.process.settings.audit_bucket:
        raise InputError(
            "--audit: KEYSHIFT_AUDIT_BUCKET is not set, so keyshift knows no audit chain: set it, or omit --audit"
        )
    tallied, has_chain = None, bool(command.process.settings.audit_bucket)
    if counts_by_run(command.runs, asked, has_chain=has_chain):
        tallied = count_report(command)
        if tallied is None:
            return None
    now, dependencies = time.time(), command.operation.dependencies
    lookout = status_lookout_of(command.process, dependencies)
    status = lookout.look(exact=False)
    counters = dependencies.progress.read_progress()
    hours = dependencies.progress.read_history(HOUR)
    length = length_of(hours, now=now)
    audited = QUICK
    if not asked.quick:
        tallied, audited = _read(command, asked, lookout, tallied, about=sum(status.records.values()))
    return Report(
        made_at=now,
        status=status,
        counters=counters,
        history=hours if length == HOUR else dependencies.progress.read_history(length),
        tallied=tallied,
        bill=spent(counters, prices, single_events=command.process.rules.single_events),
        prices_as_of=prices.as_of,
        planned=planned,
        audit=audited.said,
        audit_is_good=audited.is_good,
        audit_findings=audited.findings,
    )


def counts_by_run(runs: Runs, asked: Asked, *, has_chain: bool) -> bool:
    """Whether a run counts the records: where this process has to read each of them anyway, it counts them itself.

    It reads them where there is an audit chain (``has_chain``), unless the options say otherwise: the exit code of a
    report must not begin to leave the chain out at some number of records.
    """
    if asked.quick or asked.printed is not None:
        return False
    if runs.is_given or runs.shared or runs.engine:
        return True
    return asked.audit is False or not has_chain


def _read(
    command: StageCommand, asked: Asked, lookout: "Lookout", counted: Tallied | None, *, about: int
) -> tuple[Tallied, Audited]:
    """Read the records here, unless a run has ``counted`` them and nothing else needs them."""
    has_chain = bool(command.process.settings.audit_bucket)
    audits = has_chain and (asked.audit if asked.audit is not None else counted is None)
    unread = NO_BUCKET if not has_chain else BY_RUN if asked.audit is None else NO_AUDIT
    if counted is not None and not audits:
        if unread is BY_RUN:
            say("the audit chain was not read, because a run counted the records; --audit reads it here", err=True)
        return counted, unread
    dependencies, tally = command.operation.dependencies, RecordTally()
    records = read_records(lookout.pages, dependencies, about=about)
    if counted is None:
        records = tally.watch(records)
    if asked.printed is not None:
        records = asked.printed(records)
    audited = unread
    if audits:
        audited = audit_records(command.process, dependencies.ports.manifest, records)
    else:
        read_through(records)
    return counted or tally.tallied, audited
