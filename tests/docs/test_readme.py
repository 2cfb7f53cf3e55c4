"""The README is short, and its rules, its figures and its table of answers are true."""

import re
from pathlib import Path

import pytest

from domain.planning.estimate import estimate
from domain.planning.figures import PlanFigures
from domain.planning.prices import Prices
from domain.planning.shares import Share
from handlers.config.rules_file import load_rules, read_rules
from tests.docs.citing import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PERFORMANCE = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
MILLIONS, TERABYTES = 40, 60
MOST_LINES = 120


def test_the_readme_is_short() -> None:
    """It is read in five minutes."""
    assert len(README.splitlines()) <= MOST_LINES


def test_the_first_screen_has_no_log() -> None:
    """The problem and its answer come first, before any command."""
    assert "```console" not in "\n".join(README.splitlines()[:40])


def test_the_rules_of_the_readme_are_those_of_the_example() -> None:
    """Six lines, which map a key to what the README says, and are the file that `rules check` is shown with."""
    found = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert found
    assert len(found[1].splitlines()) == 6
    shown = read_rules(found[1])
    assert shown.digest == load_rules(ROOT / "migrations/examples/flatten-dates.yaml").digest
    keys = re.search(r"These six lines turn `([^`]+)` into `([^`]+)`", README)
    assert keys
    target = shown.map_key(keys[1]).target
    assert target is not None
    assert target.key == keys[2]


@pytest.mark.parametrize("column", [0, -1])
def test_the_costs_are_the_performance_pages(column: int) -> None:
    """A backfill row's (first column) and a bare copying function's (last) for a million, and for all of them."""
    row = re.search(r"^\| \*\*all\*\* \|(.*)\|$", PERFORMANCE, re.MULTILINE)
    assert row
    million = re.findall(r"[\d.]+", row[1])[column]
    assert f"${float(million) * MILLIONS:,.0f} (${million} a million)" in README


def test_duration_and_storage_are_the_plans() -> None:
    """At the plan's own concurrency."""
    moving = Share(MILLIONS * 10**6, TERABYTES * 10**12)
    none = Share()
    figures = PlanFigures({"all": moving}, none, none, none, (), (), (), 0, none, none, none, 0)
    bill = estimate(figures, Prices(), concurrency=100)
    assert f"{bill.seconds / 3600:.0f} hours" in README
    assert f"${bill.doubled_storage_per_month:,.0f} a month more" in README
    assert f"{MILLIONS} million objects, {TERABYTES} TB" in README


def test_commands_of_the_readme_stand_in_blocks_that_are_tested() -> None:
    """``console`` blocks are run as they are, ``sh`` blocks on the stand-in (tests/e2e/test_readme.py)."""
    kinds = set(re.findall(r"^```(\w+)$", README, re.MULTILINE))
    assert kinds == {"mermaid", "yaml", "sh", "console"}
    assert Path(ROOT, "tests/e2e/test_readme.py").exists()
