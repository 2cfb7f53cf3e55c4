"""The durations of docs/scale.md are computed from docs/performance.md and from the plan's assumptions."""

import re

import pytest

from domain.planning.estimate import estimate
from domain.planning.figures import PlanFigures
from domain.planning.prices import Prices
from domain.planning.shares import Share
from tests.docs.citing import ROOT

SCALE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
PERFORMANCE = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
MILLION = 10**6
EVERY_OBJECT = ("verify", "cleanup", "rollback", "rollback --purge")


def measured(command: str) -> tuple[float, float]:
    """CPU (milliseconds) and requests to S3 of one object, as performance.md has them."""
    row = re.search(rf"^\| `{command}` \| ([\d.]+) \| (.+) \|$", PERFORMANCE, re.MULTILINE)
    assert row, command
    to_s3 = re.findall(r"(?:\w+Object|ObjectSubresource|ListObjectAnnotations) ([\d.]+)", row[2])
    return float(row[1]), sum(map(float, to_s3))


@pytest.mark.parametrize("command", EVERY_OBJECT)
def test_a_command_that_looks_at_every_object(command: str) -> None:
    """Hours of CPU for a million, and the requests to S3 for one."""
    milliseconds, requests = measured(command)
    row = re.search(rf"^\| `{command}`.* \| ([\d.]+) hours of CPU \| one core; (\d+) requests", SCALE, re.MULTILINE)
    assert row, command
    assert float(row[1]) == round(milliseconds * MILLION / 3_600_000, 1)
    assert int(row[2]) == requests


def test_copying_is_the_plans_duration() -> None:
    """At the plan's own concurrency, for objects whose bytes do not count."""
    none = Share()
    figures = PlanFigures({"all": Share(MILLION, 0)}, none, none, none, (), (), (), 0, none, none, none, 0)
    seconds = estimate(figures, Prices(), concurrency=100).seconds
    assert f"| workers or functions copy | {seconds / 60:.0f} minutes |" in SCALE


def test_plan_and_backfill_are_the_pages_own_figures() -> None:
    """Of the largest inventory in the page's tables."""
    plan = re.search(r"^\| `keyshift plan` \| Parquet \|[^|]*\|[^|]*\| ([\d,]+) \|", SCALE, re.MULTILINE)
    rows = re.search(r"^\| CSV \| 5,000,000 \|[^|]*\| ([\d,]+) \|", SCALE, re.MULTILINE)
    assert plan and rows  # noqa: PT018  # both or neither
    assert f"| {MILLION / number(plan[1]):.1f} seconds |" in SCALE
    assert f"| {MILLION / number(rows[1]) / 60:.1f} minutes of CPU |" in SCALE


def number(text: str) -> float:
    """``1,234`` as a number."""
    return float(text.replace(",", ""))


def test_what_one_proof_lasts_for() -> None:
    """The page says for how many objects one run of ``verify`` fits into the age of a proof."""
    found = re.search(r"A proof counts for (\d+) hours. Above (\d+) million\s+objects", SCALE)
    assert found
    hours = measured("verify")[0] * int(found[2]) * MILLION / 3_600_000
    assert 0.9 * float(found[1]) < hours < float(found[1])
