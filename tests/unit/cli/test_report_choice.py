"""Who counts the records of a report: a run, or the pass of this process that reads them anyway."""

import pytest

from handlers.cli.report_making import Asked, counts_by_run
from handlers.cli.report_records import print_csv
from handlers.cli.stage_runs import Runs

PLAIN = Runs(None, join=False, cancel=False)
PAGE = Asked(quick=False, printed=None, audit=None)
AUDITED, UNAUDITED = Asked(False, None, True), Asked(False, None, False)


def by_run(runs: Runs, asked: Asked, *, has_chain: bool = True) -> bool:
    """Whether a run counts."""
    return counts_by_run(runs, asked, has_chain=has_chain)


def test_without_options_the_chain_is_compared_however_many_records_there_are() -> None:
    """A job that watches the exit code must not lose it at some number of records."""
    assert not by_run(PLAIN, PAGE)
    assert not by_run(Runs(False, join=False, cancel=False), PAGE)
    assert not by_run(Runs(None, join=False, cancel=False, engine=False), PAGE)


def test_the_audit_decides_where_it_is_chosen() -> None:
    """It reads every record here, so it counts them; without it, or without a chain, a run counts."""
    assert not by_run(PLAIN, AUDITED)
    assert by_run(PLAIN, UNAUDITED)
    assert by_run(PLAIN, PAGE, has_chain=False)


@pytest.mark.parametrize("asked", [PAGE, AUDITED, UNAUDITED])
@pytest.mark.parametrize(
    "runs",
    [
        Runs(True, join=False, cancel=False),
        Runs(None, join=True, cancel=False),
        Runs(None, join=False, cancel=True),
        Runs(None, join=False, cancel=False, engine=True),
    ],
)
def test_a_run_that_is_asked_for_counts(runs: Runs, asked: Asked) -> None:
    """Also where this process then reads the records for the audit chain."""
    assert by_run(runs, asked)


@pytest.mark.parametrize("asked", [Asked(True, None, None), Asked(False, print_csv, False)])
def test_no_run_counts_what_is_printed_or_not_read(asked: Asked) -> None:
    """Each object that is printed is read here."""
    assert not by_run(PLAIN, asked)
